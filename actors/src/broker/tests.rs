//! What sessions get around a snapshot, and what becomes of those that take nothing.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use actix::Addr;

use super::{audience::Line, shard::Entrance, *};
use crate::{
    channel::auto_end::PhaseName,
    clock::{Timestamp, WallTime},
    mailbox::MailboxDepths,
    session::{deflate::Inflater, outbox::Overflow},
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

/// A session that writes down the types and events of its messages.
#[derive(Clone)]
struct Client {
    session: u64,
    told: Told,
    takes: Rc<Cell<Takes>>,
    unsubscribe: Recipient<Unsubscribe>,
}

type Told = Rc<RefCell<Vec<String>>>;

#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Everything,
    /// What comes no longer fits.
    Nothing,
    /// What came has waited too long.
    Forever,
}

impl Line for Client {
    fn send(&self, run: &Run) -> Result<(), Overflow> {
        if self.takes.get() == Takes::Nothing {
            return Err(Overflow);
        }
        self.told.borrow_mut().extend(messages(run.together()));
        Ok(())
    }

    fn send_snapshot(&self, frame: bytes::Bytes, since: bytes::Bytes) -> Result<(), Overflow> {
        let mut told = self.told.borrow_mut();
        told.extend(messages(&frame));
        told.extend(messages(&since));
        Ok(())
    }

    fn is_stalled(&self, _: Timestamp) -> bool {
        self.takes.get() == Takes::Forever
    }

    fn dismiss(&self, why: Dismiss) {
        self.told.borrow_mut().push(format!("{why:?}"));
        self.unsubscribe.try_send(Unsubscribe { session: self.session }).unwrap();
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
    entrance: Entrance<Client>,
    questions: Questions,
    attention: Arc<Attention>,
    metrics: BrokerMetrics,
    depths: MailboxDepths,
}

impl Scene {
    fn begin() -> Self {
        Self::with(|_| {})
    }

    /// The broker keeps so many messages while a snapshot is gathered.
    fn keeping(most: usize) -> Self {
        Self::with(|broker| broker.held = Held::new(most))
    }

    fn with(change: impl FnOnce(&mut Broker)) -> Self {
        let questions = Questions::default();
        let attention = Arc::new(Attention::default());
        let metrics = BrokerMetrics::register(&Registry::new()).unwrap();
        let supervisor = Supervisor(questions.clone()).start().recipient();
        let mut broker = Broker::new(Clock::System, supervisor, Arc::clone(&attention), metrics.clone());
        change(&mut broker);
        let broker = broker.start();
        let depths = MailboxDepths::register(&Registry::new()).unwrap();
        let entrance = shard::Shard::open(Clock::System, metrics.clone());
        Self { broker, entrance, questions, attention, metrics, depths }
    }

    async fn subscribe(&self, session: u64) -> Told {
        self.enter(session, Encoding::Plain, Filter::default()).await.told
    }

    async fn enter(&self, session: u64, encoding: Encoding, filter: Filter) -> Client {
        let client = Client {
            session,
            told: Told::default(),
            takes: Rc::new(Cell::new(Takes::Everything)),
            unsubscribe: self.broker.clone().recipient(),
        };
        self.entrance.enter(session, encoding, filter.clone(), client.clone());
        let shard = self.entrance.handle.clone();
        self.broker.send(Subscribe { session, encoding, filter, shard }).await.unwrap();
        client
    }

    /// A session that has had its snapshot.
    async fn subscribed(&self, session: u64) -> Told {
        self.joined(session, Filter::default()).await.told
    }

    async fn joined(&self, session: u64, filter: Filter) -> Client {
        let client = self.enter(session, Encoding::Plain, filter).await;
        self.answer().await;
        until(&client.told, "snapshot").await;
        client
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

    /// Somebody has asked for a snapshot.
    async fn asked(&self) {
        while self.questions.0.borrow().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Answers the question for a snapshot that waits, as soon as there is one.
    async fn answer(&self) {
        self.asked().await;
        let question = self.questions.0.borrow_mut().pop().unwrap();
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
        sources: None,
        session: None,
        started_at: None,
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
        dry_run: false,
    })
}

#[actix::test]
async fn a_burst_while_a_snapshot_is_gathered_follows_it_whole_and_ends_no_session() {
    let scene = Scene::begin();
    let told = scene.subscribe(1).await;
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
    let told = scene.subscribe(1).await;
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
    let told = scene.subscribe(1).await;
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
async fn a_session_that_takes_nothing_is_told_to_go_and_nobody_else() {
    let scene = Scene::begin();
    let slow = scene.joined(1, Filter::default()).await;
    let other = scene.subscribed(2).await;
    slow.takes.set(Takes::Nothing);
    scene.say(warning("jazz")).await;
    assert_eq!(until(&slow.told, "TooSlow").await, ["snapshot", "TooSlow"]);
    scene.say(warning("rock")).await;
    assert_eq!(until(&other, "rock warning").await, ["snapshot", "jazz warning", "rock warning"]);
    assert_eq!((scene.sessions(), slow.told.borrow().len()), (1, 2));
}

#[actix::test]
async fn a_session_whose_client_has_stalled_is_told_to_go_though_nothing_is_sent() {
    let scene = Scene::begin();
    let stalled = scene.joined(1, Filter::default()).await;
    stalled.takes.set(Takes::Forever);
    assert_eq!(until(&stalled.told, "TooSlow").await, ["snapshot", "TooSlow"]);
    assert_eq!(scene.broker.send(Unsubscribe { session: 7 }).await, Ok(()));
    assert_eq!(scene.sessions(), 0);
}

#[actix::test]
async fn a_thread_that_has_lost_something_lets_all_its_sessions_go() {
    let scene = Scene::begin();
    let (one, two) = (scene.subscribed(1).await, scene.subscribed(2).await);
    scene.entrance.handle.has_lost.store(true, Release);
    scene.say(warning("jazz")).await;
    for told in [one, two] {
        assert_eq!(until(&told, "TooSlow").await, ["snapshot", "TooSlow"]);
    }
}

#[actix::test]
async fn each_session_hears_what_it_wants_from_where_it_said_so() {
    let scene = Scene::begin();
    let jazz = Filter::parse(Some(["jazz"]), None::<[&str; 0]>).unwrap();
    let narrowed = scene.joined(1, jazz.clone()).await.told;
    let all = scene.subscribed(2).await;
    for channel in ["jazz", "rock"] {
        scene.call(warning(channel));
    }
    let rock = Filter::parse(Some(["rock"]), None::<[&str; 0]>).unwrap();
    scene.broker.send(Refine { session: 1, filter: rock, snapshot: false }).await.unwrap();
    for channel in ["jazz", "rock"] {
        scene.call(auto_end(channel));
    }
    let expected = ["snapshot", "jazz warning", "rock warning", "jazz auto_end started", "rock auto_end started"];
    assert_eq!(until(&all, expected[4]).await, expected);
    assert_eq!(narrowed.borrow().as_slice(), [expected[0], expected[1], expected[4]]);
    assert_eq!(scene.metrics.messages[Encoding::Plain as usize][MessageType::AutoEndWarning as usize].get(), 3);
}

#[actix::test]
async fn nothing_slips_between_two_snapshots_of_a_session_that_asked_twice() {
    let scene = Scene::begin();
    let told = scene.subscribed(1).await;
    let again = || Refine { session: 1, filter: Filter::default(), snapshot: true };
    scene.broker.send(again()).await.unwrap();
    scene.asked().await;
    scene.broker.send(again()).await.unwrap();
    scene.say(warning("a")).await;
    scene.answer().await;
    until(&told, "a warning").await;
    // The second one is being gathered: what comes now follows it.
    scene.asked().await;
    scene.say(warning("b")).await;
    scene.answer().await;
    assert_eq!(until(&told, "b warning").await, ["snapshot", "snapshot", "a warning", "snapshot", "b warning"]);
}

#[actix::test]
async fn each_session_hears_the_same_in_its_own_encoding() {
    let scene = Scene::begin();
    // Encoded when nobody had asked for deflate.
    scene.say(Publication::Stats(SystemStats::default())).await;
    let plain = scene.subscribe(1).await;
    scene.answer().await;
    until(&plain, "stats").await;
    let deflated = scene.enter(2, Encoding::Deflate, Filter::default()).await.told;
    scene.asked().await;
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

#[actix::test]
async fn however_often_sessions_ask_for_snapshots_the_house_is_asked_a_few_times_a_second() {
    let scene = Scene::begin();
    let told = scene.subscribed(1).await;
    let began = std::time::Instant::now();
    let mut asked = 0;
    while began.elapsed() < Duration::from_millis(600) {
        scene.broker.send(Refine { session: 1, filter: Filter::default(), snapshot: true }).await.unwrap();
        let question = scene.questions.0.borrow_mut().pop();
        if let Some(question) = question {
            asked += 1;
            question.send(Vec::new()).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!((1..=2).contains(&asked), "{asked}");
    scene.say(warning("jazz")).await;
    scene.answer().await;
    assert_eq!(until(&told, "jazz warning").await.last().unwrap(), "jazz warning");
}

#[actix::test]
async fn who_wants_something_of_its_own_when_enough_has_been_encoded_gets_the_next_round_and_nothing_slips() {
    let scene = Scene::with(|broker| broker.encoded_max = 0);
    let of = |channel: &str| Filter::parse(Some([channel]), None::<[&str; 0]>).unwrap();
    let first = scene.joined(1, of("a")).await.told;
    // Both during the rest: they share a round.
    let second = scene.enter(2, Encoding::Plain, of("a")).await.told;
    let third = scene.enter(3, Encoding::Plain, of("b")).await.told;
    for session in [1, 3] {
        let filter = if session == 1 { of("a") } else { of("b") };
        scene.broker.send(Refine { session, filter, snapshot: true }).await.unwrap();
    }
    scene.asked().await;
    scene.say(warning("a")).await;
    scene.say(warning("b")).await;
    scene.answer().await;
    assert_eq!(until(&second, "a warning").await, ["snapshot", "a warning"]);
    assert_eq!(until(&first, "a warning").await, ["snapshot", "snapshot", "a warning"]);
    assert!(third.borrow().is_empty());
    scene.asked().await;
    scene.say(auto_end("b")).await;
    scene.answer().await;
    assert_eq!(until(&third, "b auto_end started").await, ["snapshot", "b auto_end started"]);
}

#[actix::test]
async fn a_session_that_comes_when_everybody_has_been_told_to_go_is_told_too() {
    let scene = Scene::begin();
    let one = scene.subscribed(1).await;
    let (reply, told) = oneshot::channel();
    scene.broker.send(CloseAll { for_good: true, reply }).await.unwrap();
    assert_eq!(told.await, Ok(1));
    let two = scene.subscribe(2).await;
    until(&one, "ShuttingDown").await;
    assert_eq!(until(&two, "ShuttingDown").await, ["ShuttingDown"]);
}
