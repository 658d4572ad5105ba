//! What sessions get around a snapshot, and what becomes of those that take nothing.

use std::{cell::RefCell, rc::Rc};

use actix::Addr;

use super::*;
use crate::{
    channel::auto_end::PhaseName,
    clock::WallTime,
    mailbox::MailboxDepths,
    session::{self, deflate::Inflater},
    wire::{AutoEndChange, AutoEndEvent, AutoEndWarning, StreamStatus, StreamUpdate, SystemStats},
};

/// Stands where the supervisor would: each question waits for its answer.
#[derive(Clone, Default)]
struct Questions(Rc<RefCell<Vec<oneshot::Sender<Vec<StreamState>>>>>);

struct Supervisor(Questions);

impl Actor for Supervisor {
    type Context = Context<Self>;
}

impl Handler<Describe> for Supervisor {
    type Result = ();

    fn handle(&mut self, describe: Describe, _: &mut Self::Context) {
        self.0.0.borrow_mut().push(describe.reply);
    }
}

/// A session that writes down the types and events of its messages, once it is let.
struct Client {
    told: Told,
    begin: Option<oneshot::Receiver<()>>,
}

type Told = Rc<RefCell<Vec<String>>>;

impl Actor for Client {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(session::MAILBOX);
        if let Some(begin) = self.begin.take() {
            ctx.wait(begin.into_actor(self).map(|_, _, _| ()));
        }
    }
}

impl Handler<Deliver> for Client {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, _: &mut Self::Context) {
        let mut told = self.told.borrow_mut();
        match deliver {
            Deliver::Live { frame, .. } => told.extend(messages(&frame)),
            Deliver::Snapshot { frame, since } => {
                told.extend(messages(&frame));
                told.extend(messages(&since));
            }
        }
    }
}

impl Handler<Dismiss> for Client {
    type Result = ();

    fn handle(&mut self, dismiss: Dismiss, _: &mut Self::Context) {
        self.told.borrow_mut().push(format!("{dismiss:?}"));
    }
}

/// The messages in a run of frames, each as `type` or `channel event`.
fn messages(mut frames: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    while let [first, short, rest @ ..] = frames {
        let (length, rest) = match short {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            short => (usize::from(*short), rest),
        };
        let mut payload = Vec::new();
        if *first == 0xc1 {
            let mut inflater = Inflater::new();
            inflater.inflate(&rest[..length], &mut payload, 1 << 20).unwrap();
            inflater.finish(&mut payload, 1 << 20).unwrap();
        } else {
            payload.extend_from_slice(&rest[..length]);
        }
        let message: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        let data = &message["data"];
        all.push(match (data["channel_id"].as_str(), message["type"].as_str()) {
            (Some(channel), Some("auto_end_warning")) => format!("{channel} warning"),
            (Some(channel), Some("auto_end")) => format!("{channel} auto_end {}", data["event"].as_str().unwrap()),
            (Some(channel), _) => format!("{channel} {} {}", data["event"].as_str().unwrap(), data["listeners"]),
            (None, kind) => kind.unwrap().to_owned(),
        });
        frames = &rest[length..];
    }
    all
}

struct Scene {
    broker: Addr<Broker>,
    questions: Questions,
    attention: Arc<Attention>,
    metrics: BrokerMetrics,
    depths: MailboxDepths,
}

impl Scene {
    fn begin() -> Self {
        Self::keeping(HELD_MAX)
    }

    /// The broker keeps so many messages while a snapshot is gathered.
    fn keeping(most: usize) -> Self {
        let questions = Questions::default();
        let attention = Arc::new(Attention::default());
        let metrics = BrokerMetrics::register(&Registry::new()).unwrap();
        let supervisor = Supervisor(questions.clone()).start().recipient();
        let mut broker = Broker::new(Clock::System, supervisor, Arc::clone(&attention), metrics.clone());
        broker.held = Held::new(most);
        let broker = broker.start();
        let depths = MailboxDepths::register(&Registry::new()).unwrap();
        Self { broker, questions, attention, metrics, depths }
    }

    async fn subscribe(&self, session: u64, begin: Option<oneshot::Receiver<()>>) -> Told {
        self.subscribe_to(session, Encoding::Plain, begin).await
    }

    async fn subscribe_to(&self, session: u64, encoding: Encoding, begin: Option<oneshot::Receiver<()>>) -> Told {
        let told = Told::default();
        let client = Client { told: Rc::clone(&told), begin }.start();
        let (deliver, dismiss) = (client.clone().recipient(), client.recipient());
        self.broker.send(Subscribe { session, encoding, filter: Filter::default(), deliver, dismiss }).await.unwrap();
        told
    }

    /// A session that has had its snapshot.
    async fn subscribed(&self, session: u64) -> Told {
        let told = self.subscribe(session, None).await;
        self.answer().await;
        until(&told, "snapshot").await;
        told
    }

    fn publish(&self, publication: Publication) -> Publish {
        Publish { at: WallTime::from_millis(0), publication, queued: self.depths.broker.enter() }
    }

    /// Said, and dealt with together with all that was called before.
    async fn say(&self, publication: Publication) {
        self.broker.send(self.publish(publication)).await.unwrap();
    }

    fn call(&self, publication: Publication) {
        self.broker.try_send(self.publish(publication)).unwrap();
    }

    /// Answers the question for a snapshot that waits, as soon as there is one.
    async fn answer(&self) {
        let question = loop {
            if let Some(question) = self.questions.0.borrow_mut().pop() {
                break question;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        question.send(Vec::new()).unwrap();
    }

    fn sessions(&self) -> i64 {
        self.metrics.connections.get()
    }
}

async fn until(told: &Told, last: &str) -> Vec<String> {
    while told.borrow().last().is_none_or(|said| said != last) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    told.borrow().clone()
}

fn update(channel: &str, event: StreamEvent, listeners: u32) -> Publication {
    Publication::Update(StreamUpdate {
        channel_id: ChannelId::new(channel).unwrap(),
        event,
        current_track: None,
        listeners,
        listeners_known: true,
        queue_size: None,
        state: StreamStatus::Live,
    })
}

fn started(channel: &str) -> Publication {
    update(channel, StreamEvent::Started, 0)
}

fn warning(channel: &str) -> Publication {
    Publication::Warning(AutoEndWarning {
        channel_id: ChannelId::new(channel).unwrap(),
        seconds_remaining: 10,
        reason: "no_listeners",
        ends_at: WallTime::from_millis(0),
    })
}

fn auto_end(channel: &str) -> Publication {
    Publication::AutoEnd(AutoEndChange {
        channel_id: ChannelId::new(channel).unwrap(),
        event: AutoEndEvent::Started,
        ends_at: None,
        remaining_seconds: None,
        reason: "never_joined",
        because: String::new(),
        phase: PhaseName::Counting,
    })
}

#[actix::test]
async fn a_burst_while_a_snapshot_is_gathered_follows_it_whole_and_ends_no_session() {
    let scene = Scene::begin();
    let told = scene.subscribe(1, None).await;
    for n in 0..10_000 {
        scene.call(started(&format!("c{n}")));
        scene.call(auto_end(&format!("c{n}")));
    }
    scene.say(warning("c0")).await;
    scene.answer().await;
    let told = until(&told, "c0 warning").await;
    assert_eq!((told.len(), &told[..2]), (20_002, &["snapshot".to_owned(), "c0 started 0".to_owned()][..]));
    assert_eq!(scene.sessions(), 1);
}

#[actix::test]
async fn statistics_come_right_behind_the_snapshot_and_what_was_replaced_does_not_come() {
    let scene = Scene::begin();
    scene.say(Publication::Stats(SystemStats::default())).await;
    let told = scene.subscribe(1, None).await;
    scene.say(update("jazz", StreamEvent::ListenersChanged, 1)).await;
    scene.say(warning("jazz")).await;
    scene.say(Publication::Stats(SystemStats::default())).await;
    scene.say(update("jazz", StreamEvent::ListenersChanged, 2)).await;
    scene.answer().await;
    let told = until(&told, "jazz listeners_changed 2").await;
    assert_eq!(told, ["snapshot", "stats", "jazz warning", "jazz listeners_changed 2"]);
    assert_eq!(scene.metrics.messages[Encoding::Plain as usize][MessageType::Stats as usize].get(), 1);
}

#[actix::test]
async fn a_new_session_whose_burst_is_too_large_to_keep_begins_with_the_next_snapshot() {
    let scene = Scene::keeping(100);
    let told = scene.subscribe(1, None).await;
    for _ in 0..=100 {
        scene.say(started("jazz")).await;
    }
    scene.answer().await;
    scene.answer().await;
    until(&told, "snapshot").await;
    scene.say(warning("jazz")).await;
    assert_eq!(until(&told, "jazz warning").await, ["snapshot", "jazz warning"]);
}

#[actix::test]
async fn a_session_that_would_lose_something_is_told_to_go_and_not_forgotten() {
    let scene = Scene::keeping(100);
    let told = scene.subscribed(1).await;
    // More was published than the broker's mailbox holds: everybody gets a new snapshot.
    scene.attention.overflowed.store(true, std::sync::atomic::Ordering::Release);
    for _ in 0..=100 {
        scene.say(started("jazz")).await;
    }
    scene.answer().await;
    assert_eq!(until(&told, "TooSlow").await, ["snapshot", "TooSlow"]);
    assert_eq!(scene.sessions(), 0);
}

#[actix::test]
async fn a_burst_while_everybody_gets_a_new_snapshot_loses_nothing() {
    let scene = Scene::begin();
    let told = scene.subscribed(1).await;
    scene.attention.overflowed.store(true, std::sync::atomic::Ordering::Release);
    for n in 0..5_000 {
        scene.call(started(&format!("c{n}")));
        scene.call(update("jazz", StreamEvent::ListenersChanged, n));
    }
    scene.say(warning("jazz")).await;
    scene.answer().await;
    let told = until(&told, "jazz warning").await;
    assert_eq!(told.len(), 2 + 5_000 + 2);
    assert_eq!(&told[..3], ["snapshot", "snapshot", "c0 started 0"]);
    assert_eq!(scene.sessions(), 1);
}

#[actix::test]
async fn a_session_that_takes_nothing_is_told_to_go_and_not_forgotten() {
    let scene = Scene::begin();
    let (begun, begin) = oneshot::channel();
    let told = scene.subscribe(1, Some(begin)).await;
    scene.answer().await;
    while scene.sessions() == 1 {
        scene.say(started("jazz")).await;
    }
    begun.send(()).unwrap();
    let told = until(&told, "TooSlow").await;
    assert!(told.len() > session::MAILBOX, "{}", told.len());
}

#[actix::test]
async fn nothing_slips_between_two_snapshots_of_a_session_that_asked_twice() {
    let scene = Scene::begin();
    let told = scene.subscribed(1).await;
    let again = || Refine { session: 1, filter: Filter::default(), snapshot: true };
    scene.broker.send(again()).await.unwrap();
    scene.broker.send(again()).await.unwrap();
    scene.say(warning("a")).await;
    scene.answer().await;
    until(&told, "a warning").await;
    // The second one is being gathered: what comes now follows it.
    scene.say(warning("b")).await;
    scene.answer().await;
    assert_eq!(until(&told, "b warning").await, ["snapshot", "snapshot", "a warning", "snapshot", "b warning"]);
}

#[actix::test]
async fn each_session_hears_the_same_in_its_own_encoding() {
    let scene = Scene::begin();
    // Encoded when nobody had asked for deflate.
    scene.say(Publication::Stats(SystemStats::default())).await;
    let plain = scene.subscribe(1, None).await;
    scene.answer().await;
    until(&plain, "stats").await;
    let deflated = scene.subscribe_to(2, Encoding::Deflate, None).await;
    scene.say(warning("jazz")).await;
    scene.answer().await;
    until(&deflated, "jazz warning").await;
    scene.say(auto_end("jazz")).await;
    let expected = ["snapshot", "stats", "jazz warning", "jazz auto_end started"];
    assert_eq!(until(&plain, expected[3]).await, expected);
    assert_eq!(until(&deflated, expected[3]).await, expected);
    let figures = |encoding: Encoding| {
        [MessageType::Stats, MessageType::AutoEndWarning, MessageType::AutoEnd].map(|kind| {
            let metrics = &scene.metrics;
            let size = metrics.bytes[encoding as usize][kind as usize].get();
            (metrics.messages[encoding as usize][kind as usize].get(), size)
        })
    };
    let (plain, deflated) = (figures(Encoding::Plain), figures(Encoding::Deflate));
    assert_eq!((plain.map(|f| f.0), deflated.map(|f| f.0)), ([2, 1, 1], [0, 1, 1]));
    assert!(deflated[2].1 < plain[2].1, "{deflated:?} {plain:?}");
}
