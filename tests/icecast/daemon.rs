//! The daemon's actors with one Icecast adapter, in this process, with a policy of seconds.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr};
use prometheus::Registry;
use sattva_actors::{
    channel::{auto_end::PhaseName, cell::Cells, policy::Policy},
    clock::{BootId, Clock},
    house::{self, Foundations, House, HouseMetrics},
    identity::ChannelId,
    protocol::{Action, Inspect, Inspection, Operate, Rulebook},
    stats::{LatestSample, Rhythm},
    store::{StoreHealth, memory::MemoryStore},
    stream_control::CommandsWaiting,
};
use sattva_monitor::{
    adapters::{
        Leave, Outlets,
        icecast::{IcecastAdapter, IcecastSettings},
    },
    health::Health,
};
use tokio::sync::oneshot;
use tracing::subscriber::DefaultGuard;

use crate::{
    icecast_server::{ADMIN_PASSWORD, IcecastServer},
    patience::wait_for,
};

pub const TIMEOUT: Duration = Duration::from_secs(6);
pub const POLL: Duration = Duration::from_secs(1);

pub struct Daemon {
    house: House,
    store: MemoryStore,
    adapter: Option<Addr<IcecastAdapter>>,
    pub health: Health,
    log: Log,
    _logging: DefaultGuard,
}

/// What was logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn settings(server: &IcecastServer) -> IcecastSettings {
    IcecastSettings {
        name: "studio".into(),
        url: server.url(),
        user: "admin".into(),
        password: ADMIN_PASSWORD.into(),
        poll_interval: POLL,
        settle: Duration::ZERO,
        mounts: Vec::new(),
        ignored_user_agents: Vec::new(),
        channel_prefix: String::new(),
        stop: true,
    }
}

impl Daemon {
    pub fn start(settings: IcecastSettings) -> Self {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).with_target(false).finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let store = MemoryStore::default();
        let policy = Policy::new(TIMEOUT, &[4, 2, 1]);
        let house = house::build(Foundations {
            clock: Clock::System,
            boot: BootId::from_u128(1),
            rules: Arc::new(Rulebook { policy: policy.into(), ..Rulebook::default() }),
            store: Box::new(store.clone()),
            loaded: store.load(),
            rhythm: Rhythm { sample: Duration::from_secs(60), broadcast: Duration::from_secs(60) },
            cells: Arc::<Cells>::default(),
            chronicle: Arc::default(),
            traces: Default::default(),
            metrics: HouseMetrics::register(&Registry::new()).unwrap(),
            health: Arc::<StoreHealth>::default(),
            sample: LatestSample::default(),
            commands_waiting: CommandsWaiting::default(),
            fleet: None,
            elsewhere: Arc::default(),
            watchdog: None,
        });
        let mut daemon = Self { house, store, adapter: None, health: Health::default(), log, _logging: logging };
        daemon.adopt(settings);
        daemon
    }

    fn adopt(&mut self, settings: IcecastSettings) {
        let outlets = Outlets {
            batches: self.house.supervisor.clone().recipient(),
            known_sessions: self.house.supervisor.clone().recipient(),
            registrations: self.house.control.clone().recipient(),
            delivered: self.house.supervisor.clone().recipient(),
            store: Arc::clone(&self.house.health),
        };
        let adapter = IcecastAdapter::of(settings, Clock::System, outlets);
        self.health = adapter.health();
        self.adapter = Some(adapter.start());
    }

    pub async fn leave(&mut self) {
        self.adapter.take().unwrap().send(Leave).await.unwrap();
    }

    /// The adapter is configured anew.
    pub async fn reconfigure(&mut self, settings: IcecastSettings) {
        if self.adapter.is_some() {
            self.leave().await;
        }
        self.adopt(settings);
    }

    pub async fn inspect(&self, channel: &str) -> Option<Box<Inspection>> {
        let (reply, answer) = oneshot::channel();
        self.house.supervisor.send(Inspect { channel: ChannelId::new(channel).unwrap(), reply }).await.unwrap();
        answer.await.unwrap()
    }

    pub async fn operate(&self, channel: &str, action: Action) {
        let (reply, answer) = oneshot::channel();
        let operate = Operate { channel: ChannelId::new(channel).unwrap(), action, by: None, reply };
        self.house.supervisor.send(operate).await.unwrap();
        answer.await.unwrap().unwrap();
    }

    /// The known count; `None` while there is no such channel or its count is unknown.
    pub async fn listeners(&self, channel: &str) -> Option<u32> {
        let state = self.inspect(channel).await?.state;
        state.listeners_known.then_some(state.listeners)
    }

    pub async fn phase(&self, channel: &str) -> Option<PhaseName> {
        Some(self.inspect(channel).await?.state.auto_end.phase)
    }

    pub async fn counts(&self, channel: &str, listeners: u32) {
        let what = format!("{channel} has {listeners} listeners");
        wait_for(&what, || async { (self.listeners(channel).await == Some(listeners)).then_some(()) }).await;
    }

    /// Each decision as `event: because`.
    pub fn journal(&self, channel: &str) -> Vec<String> {
        self.store.decisions(channel).into_iter().map(|d| format!("{}: {}", d.event, d.because)).collect()
    }

    /// The wall time, in milliseconds, of the first decision of that kind.
    pub fn decided(&self, channel: &str, event: &str) -> Option<i64> {
        self.store.decisions(channel).into_iter().find(|d| d.event == event).map(|d| d.at.as_millis())
    }

    pub async fn comes_to(&self, channel: &str, event: &str) -> i64 {
        let what = || format!("{event} in the journal: {:#?}\n{}", self.journal(channel), self.log());
        let limit = Duration::from_secs(60);
        let found = wait_for(event, || async { self.decided(channel, event) });
        match tokio::time::timeout(limit - Duration::from_secs(5), found).await {
            Ok(at) => at,
            Err(_) => panic!("waited in vain for {}", what()),
        }
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.0.lock().unwrap()).into_owned()
    }

    pub fn log_lines(&self, piece: &str) -> usize {
        self.log().lines().filter(|line| line.contains(piece)).count()
    }
}
