//! What reaches an adapter, and in which order.

use std::{cell::RefCell, rc::Rc};

use actix::Addr;

use super::*;
use crate::{
    identity::ChannelId,
    protocol::StopReason,
    territory::{Slot, Territory},
};

const SOURCE: &str = "icecast:studio/jazz";

/// An adapter that writes down what it is told, once it is let.
struct Adapter {
    told: Rc<RefCell<Vec<String>>>,
    capacity: usize,
    begin: Option<oneshot::Receiver<()>>,
}

impl Actor for Adapter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
        if let Some(begin) = self.begin.take() {
            ctx.wait(begin.into_actor(self).map(|_, _, _| ()));
        }
    }
}

impl Handler<Instruction> for Adapter {
    type Result = bool;

    fn handle(&mut self, instruction: Instruction, _: &mut Self::Context) -> bool {
        self.told.borrow_mut().push(match instruction {
            Instruction::Execute(command) => format!("execute {}", command.id),
            Instruction::Retract(retract) => format!("retract {}", retract.id),
        });
        true
    }
}

struct Channel;

impl Actor for Channel {
    type Context = Context<Self>;
}

impl Handler<Delivered> for Channel {
    type Result = ();

    fn handle(&mut self, _: Delivered, _: &mut Self::Context) {}
}

fn offer(id: &str) -> Offer {
    let now = Clock::System.now().at;
    Offer(StopCommand {
        id: id.into(),
        channel: ChannelId::new("jazz").unwrap(),
        source: SourceId::new(SOURCE).unwrap(),
        session: "s".into(),
        reason: StopReason::NoListeners,
        only_if: None,
        decided_at: now,
        valid_until: now.plus(Duration::from_secs(60)),
    })
}

fn retract(id: &str) -> Retract {
    Retract { source: SourceId::new(SOURCE).unwrap(), id: id.into(), leaves_outlet: false }
}

/// What the adapter was told, and what lets it begin.
type Told = Rc<RefCell<Vec<String>>>;

async fn control_with_adapter(capacity: usize) -> (Addr<StreamControl>, Told, oneshot::Sender<()>) {
    control_of(Arc::default(), capacity).await
}

async fn control_of(store: Arc<StoreHealth>, capacity: usize) -> (Addr<StreamControl>, Told, oneshot::Sender<()>) {
    let told = Told::default();
    let (begun, begin) = oneshot::channel();
    let outlet = Adapter { told: Rc::clone(&told), capacity, begin: Some(begin) }.start().recipient();
    let control = StreamControl::new(Clock::System, store, CommandsWaiting::default(), Channel.start().recipient());
    let control = control.start();
    control
        .send(RegisterOutlet {
            owner: "adapter".into(),
            sources: SourcePattern::BeginsWith("icecast:studio/".into()),
            outlet: Some(outlet),
            looks_first: true,
        })
        .await
        .unwrap();
    (control, told, begun)
}

async fn until_told(told: &Told, what: &str) -> Vec<String> {
    while !told.borrow().iter().any(|said| said == what) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    told.borrow().clone()
}

#[actix::test]
async fn an_adapter_is_told_that_a_command_is_taken_back_before_it_is_told_of_the_next_one() {
    let (control, told, begun) = control_with_adapter(16).await;
    begun.send(()).unwrap();
    control.send(offer("a")).await.unwrap();
    until_told(&told, "execute a").await;
    control.send(retract("a")).await.unwrap();
    control.send(offer("b")).await.unwrap();
    assert_eq!(until_told(&told, "execute b").await, ["execute a", "retract a", "execute b"]);
}

#[actix::test]
async fn a_full_mailbox_neither_loses_what_is_taken_back_nor_changes_the_order() {
    let (control, told, begun) = control_with_adapter(1).await;
    let commands = 20;
    for n in 0..commands {
        control.send(offer(&n.to_string())).await.unwrap();
    }
    // They go out by timers, into the mailbox that nobody reads yet.
    tokio::time::sleep(Duration::from_millis(50)).await;
    for n in 0..commands {
        control.send(retract(&n.to_string())).await.unwrap();
    }
    begun.send(()).unwrap();
    control.send(offer("last")).await.unwrap();
    let told = until_told(&told, "execute last").await;
    for n in 0..commands {
        let place = |what: &str| told.iter().position(|said| *said == format!("{what} {n}"));
        assert!(place("retract").is_some() && place("execute") < place("retract"), "{n}: {told:?}");
    }
}

#[actix::test]
async fn a_streamer_that_collects_gets_nothing_that_was_taken_back() {
    let (control, ..) = control_with_adapter(16).await;
    let radio = SourceId::new("radio").unwrap();
    let mut offered = offer("a");
    offered.0.source = radio.clone();
    control.send(offered).await.unwrap();
    control.send(Retract { source: radio.clone(), id: "a".into(), leaves_outlet: false }).await.unwrap();
    let (reply, answer) = oneshot::channel();
    control.send(Collect { source: radio, only: None, wait: Duration::ZERO, reply }).await.unwrap();
    assert_eq!(answer.await.unwrap(), []);
}

#[actix::test]
async fn what_another_daemon_may_have_by_now_is_not_handed_out_until_it_is_surely_ours_again() {
    let store = Arc::<StoreHealth>::default();
    store.set_territory(&Territory::Slots([(Slot::of("jazz"), 1)].into()));
    store.set_leased_until(Clock::System.now().at);
    let (control, told, begun) = control_of(Arc::clone(&store), 16).await;
    begun.send(()).unwrap();
    control.send(offer("a")).await.unwrap();
    let collect = async |wait| {
        let (reply, commands) = oneshot::channel();
        let source = SourceId::new("nobodys").unwrap();
        control.send(Collect { source, only: None, wait, reply }).await.unwrap();
        commands.await.unwrap().len()
    };
    let Offer(to_a_streamer) = offer("b");
    let source = SourceId::new("nobodys").unwrap();
    control.send(Offer(StopCommand { source, ..to_a_streamer })).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(collect(Duration::ZERO).await, 0);
    assert_eq!(collect(Duration::from_millis(100)).await, 0);
    assert_eq!(*told.borrow(), [] as [String; 0]);
    store.set_leased_until(Clock::System.now().at.plus(Duration::from_secs(60)));
    assert_eq!(collect(Duration::from_secs(10)).await, 1);
    until_told(&told, "execute a").await;
}

async fn wait_at(control: &Addr<StreamControl>) -> oneshot::Receiver<Vec<StopCommand>> {
    let (reply, answer) = oneshot::channel();
    let source = SourceId::new(SOURCE).unwrap();
    control.send(Collect { source, only: None, wait: Duration::from_secs(30), reply }).await.unwrap();
    answer
}

#[actix::test]
async fn a_command_goes_to_whoever_still_waits_and_not_to_one_who_has_hung_up() {
    let control =
        StreamControl::new(Clock::System, Arc::default(), CommandsWaiting::default(), Channel.start().recipient())
            .start();
    let (hung_up, waits) = (wait_at(&control).await, wait_at(&control).await);
    drop(hung_up);
    control.send(offer("a")).await.unwrap();
    let commands = tokio::time::timeout(Duration::from_secs(1), waits).await.unwrap().unwrap();
    assert_eq!(commands.iter().map(|command| command.id.as_str()).collect::<Vec<_>>(), ["a"]);
}
