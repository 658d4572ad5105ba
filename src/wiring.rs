//! The only place where the daemon's actors start, in the order data flows, and stop, in the reverse.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use actix::{Actor, Arbiter};
use actix_server::ServerHandle;
use actix_web::web;
use prometheus::{IntGaugeVec, Opts, Registry, process_collector::ProcessCollector};
use sattva_actors::{
    broker::CloseAll,
    channel::{
        cell::Cells,
        policy::{Policy, Timeouts},
    },
    chronicle::Chronicle,
    clock::{BootId, Clock, Now},
    fleet::{Elsewhere, RegisterAnswerer},
    house::{self, FleetPlan, Foundations, House, HouseMetrics},
    protocol::{ApplyRules, Flush, Rulebook},
    stats::{LatestSample, Rhythm},
    store::{
        self, Store, StoreHealth,
        redb::RedbStore,
        redis::{Link, RedisStore, Sharing},
    },
    stream_control::CommandsWaiting,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::{
    access,
    adapters::Adapters,
    config::{self, Config, Loaded, Sources, urls},
    health::HealthBoard,
    history::{self, History, Recorder},
    http::{self, Front, FrontParts, Stage, answerer::Answerer},
    listener::{self, ListenError},
    log::LogLevel,
    open_files::{self, Room},
    reload::{ReloadStatus, Reloaded, Reloader},
    service_manager::{self, ServiceManager},
    tls,
    traces::Exporter,
    webhooks::{WebhookMetrics, Webhooks},
};

/// Where the port outlives the daemon, whoever was let in last has this long to ask: who comes later waits for the next one.
const LAST_REQUESTS: Duration = Duration::from_millis(500);
/// Time for every session to send its close on shutdown.
const CLOSING_TIME: Duration = Duration::from_secs(3);
/// Time for the store to write what it has on shutdown.
const FLUSH_TIME: Duration = Duration::from_secs(10);
/// How soon the adapters learn that the channels have come to this daemon, or gone to another.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the service manager is told how many streams and listeners there are.
const SHOW_EVERY: Duration = Duration::from_secs(10);

/// Why the daemon could not start, in one line with what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Config(#[from] crate::config::ConfigError),
    #[error("{0}")]
    Listen(#[from] ListenError),
    #[error("store.redis_url: {0}")]
    Redis(String),
    #[error("{0}")]
    Store(#[from] sattva_actors::store::StoreError),
    #[error("{path} cannot be read: {error}; systemd and containers must leave /proc visible")]
    NoBootId { path: PathBuf, error: &'static str },
    #[error("the metrics could not be set up: {0}; please report this")]
    Metrics(#[from] prometheus::Error),
    #[error("the HTTP server could not start: {0}")]
    Server(std::io::Error),
    #[error("the signal handlers could not be installed: {0}")]
    Signals(std::io::Error),
    #[error("the actors could not start; see the log above")]
    Actors,
}

/// What a configuration means for the channels.
pub fn rulebook(config: &Config) -> Rulebook {
    let common = &config.auto_end;
    let warnings: Arc<[Duration]> = common.warnings.clone().into();
    let policy =
        |enabled, timeouts, dry_run| Arc::new(Policy { enabled, timeouts, warnings: Arc::clone(&warnings), dry_run });
    let timeouts = |all_left: Duration, never_joined: Duration| Timeouts {
        all_left: all_left.into(),
        never_joined: never_joined.into(),
    };
    let never_joined = common.never_joined_timeout.unwrap_or(common.timeout);
    let per_channel: BTreeMap<String, Arc<Policy>> = config
        .channels
        .iter()
        .map(|(id, own)| {
            let policy = policy(
                own.enabled.unwrap_or(common.enabled),
                timeouts(
                    own.timeout.unwrap_or(common.timeout),
                    own.never_joined_timeout.or(own.timeout).unwrap_or(never_joined),
                ),
                own.dry_run.unwrap_or(common.dry_run),
            );
            (id.clone(), policy)
        })
        .collect();
    Rulebook {
        policy: policy(common.enabled, timeouts(common.timeout, never_joined), common.dry_run),
        per_channel,
        lost_after: common.lost_after,
        forget_ended_after: config.ingest.forget_ended_after,
        max_channels: config.ingest.max_channels,
        retired_sources: config.ingest.retired_sources.clone(),
    }
}

fn rhythm(config: &Config) -> Rhythm {
    Rhythm { sample: config.stats.sample_interval, broadcast: config.stats.broadcast_interval }
}

/// What the limit of open files allows.
fn room(config: &Config) -> Room {
    let wanted = config.websocket.max_sessions;
    let room = Room::of(open_files::raise(), wanted, config.http.over_tls());
    if room.sessions < wanted {
        tracing::warn!(
            open_files = room.open_files,
            sessions = room.sessions,
            wanted,
            "the limit of open files allows fewer sessions than websocket.max_sessions; raise it (LimitNOFILE= in the unit, ulimit -n)"
        );
    }
    tracing::info!(
        open_files = room.open_files,
        sessions = room.sessions,
        connections = room.connections,
        "room for clients"
    );
    room
}

/// A running daemon.
struct Daemon {
    front: web::Data<Front>,
    house: House,
    core: Arbiter,
    server: ServerHandle,
    metrics_server: Option<ServerHandle>,
    log_level: LogLevel,
    reloader: Reloader,
    adapters: Adapters,
    recorder: Option<Recorder>,
    exporter: Option<Exporter>,
    /// Whether any channel is this daemon's, as far as the adapters have been told.
    has_channels: bool,
    /// How often channels had become this daemon's by then.
    takeovers: u64,
    webhooks: Webhooks,
    manager: ServiceManager,
    /// Where a new certificate is shown from.
    shown: Option<Arc<tls::Shown>>,
    /// The service manager holds the port: who comes while this daemon ends is the next one's.
    port_is_kept: bool,
}

/// Runs the daemon until a signal ends it.
pub async fn serve(
    sources: Sources,
    loaded: Loaded,
    log_level: LogLevel,
    inherited: Option<TcpListener>,
) -> Result<(), StartError> {
    // Before anything else: a signal in the first milliseconds must not kill the start.
    let mut hangup = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let shared = loaded.config.store.redis_url.is_some();
    let mut daemon = Daemon::start(sources, loaded.config, log_level, inherited).await?;
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut show = tokio::time::interval(SHOW_EVERY);
    loop {
        tokio::select! {
            _ = show.tick() => daemon.show_figures(),
            _ = look.tick(), if shared => daemon.follow_the_channels(),
            _ = hangup.recv() => daemon.reload(),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    daemon.stop().await;
    Ok(())
}

impl Daemon {
    async fn start(
        sources: Sources,
        config: Config,
        log_level: LogLevel,
        inherited: Option<TcpListener>,
    ) -> Result<Self, StartError> {
        let clock = Clock::System;
        let started = clock.now();
        let tokens = access::tokens(&config)?;
        let identity = tls::identity(&config)?;
        if let Some(key) = tls::loose_key(&config) {
            tracing::warn!(key = %key.display(), "everybody on this host may read the TLS key (http.tls_key_file): chmod o-r");
        }
        let boot = BootId::of_this_boot()
            .ok_or(StartError::NoBootId { path: "/proc/sys/kernel/random/boot_id".into(), error: "no boot id" })?;
        let room = room(&config);
        // The port first: it is the likeliest thing to be wrong, and nothing has been touched yet.
        let port_is_kept = inherited.is_some();
        let listener = match inherited {
            Some(listener) => listener,
            None => listener::bind(config.http.listen)?,
        };
        let address = listener.local_addr().map_err(StartError::Server)?;
        let metrics_listener = bind_metrics(&config);
        let (store, mut loaded, fleet) = open_store(&config, started)?;
        let elsewhere = Arc::<Elsewhere>::default();
        let store_notice = loaded.notice.take();

        let registry = registry()?;
        let (cells, health, sample) = (Arc::<Cells>::default(), Arc::<StoreHealth>::default(), LatestSample::default());
        let (commands_waiting, chronicle) = (CommandsWaiting::default(), Arc::<Chronicle>::default());
        let (traces, exporter) = Exporter::start(&config.traces, clock, &registry)?;
        let house_metrics = HouseMetrics::register(&registry)?;
        let supervisor_depth = house_metrics.depths.supervisor.clone();
        let broker_metrics = house_metrics.broker.clone();
        let foundations = Foundations {
            clock,
            boot,
            rules: Arc::new(rulebook(&config)),
            store,
            loaded,
            rhythm: rhythm(&config),
            cells: Arc::clone(&cells),
            chronicle: Arc::clone(&chronicle),
            traces: traces.clone(),
            metrics: house_metrics,
            health: Arc::clone(&health),
            sample: sample.clone(),
            commands_waiting: commands_waiting.clone(),
            fleet,
            elsewhere: Arc::clone(&elsewhere),
            watchdog: Some(Box::new(service_manager::feed_watchdog)),
        };
        let core = Arbiter::new();
        let (built, house) = oneshot::channel();
        core.spawn_fn(move || {
            // The start waits for it.
            let _ = built.send(house::build(foundations));
        });
        let house = house.await.map_err(|_| StartError::Actors)?;

        let reload = Arc::new(ReloadStatus::register(&registry, started.wall.as_millis() / 1000)?);
        let adapters_health = HealthBoard::default();
        let (webhook_metrics, webhooks_health) = (WebhookMetrics::register(&registry)?, HealthBoard::default());
        let workers = match config.http.workers {
            0 => std::thread::available_parallelism().map_or(1, Into::into),
            workers => workers,
        };
        let (tls, shown) = match identity {
            Some(identity) => tls::server(identity, &registry).map(|(tls, shown)| (Some(tls), Some(shown)))?,
            None => (None, None),
        };
        let front = web::Data::new(Front::new(FrontParts {
            house: house.clone(),
            clock,
            started,
            cells: Arc::clone(&cells),
            elsewhere,
            registry,
            broker_metrics,
            sample: sample.clone(),
            store: health,
            store_notice,
            reload: Arc::clone(&reload),
            commands_waiting,
            traces: traces.clone(),
            supervisor_depth,
            adapters: adapters_health.clone(),
            webhooks: webhooks_health.clone(),
            history: Arc::new(History::at(config.store.state_dir.join("history.redb"))),
            room,
            config: config.clone(),
            tokens,
            encrypts: tls.is_some(),
        })?);
        if let Some(fleet) = &house.fleet {
            let answerer = Answerer(front.clone()).start().recipient();
            // It has only just started, and has room.
            let _ = fleet.try_send(RegisterAnswerer(answerer));
        }
        let server = http::serve(front.clone(), listener, workers, tls.clone()).map_err(StartError::Server)?;
        let handle = server.handle();
        actix_rt::spawn(server);
        let metrics_server = match metrics_listener {
            Some(listener) => {
                let server = http::serve_metrics(front.clone(), listener, tls).map_err(StartError::Server)?;
                let handle = server.handle();
                actix_rt::spawn(server);
                Some(handle)
            }
            None => None,
        };
        // Before anything can be reported that they are to be told of.
        let mut webhooks = Webhooks::new(house.clone(), clock, webhook_metrics, webhooks_health, traces);
        webhooks.apply(&config.webhook);
        front.set_stage(Stage::Serving);
        tracing::info!(
            channels = house.restored,
            milliseconds = clock.now().at.since(started.at).as_millis() as u64,
            url = %format_args!("{}://{address}/monitoring", if front.encrypts { "https" } else { "http" }),
            "serving"
        );
        let mut manager = ServiceManager::default();
        let totals = cells.totals();
        manager.ready(&totals);
        // Whatever it takes, nobody waits for it.
        let recorder =
            Recorder::start(Arc::clone(&front.history), history::Sources { cells, chronicle, sample, clock });
        if let Err(error) = &recorder {
            tracing::error!(%error, "there is no thread for the history; nothing is recorded");
        }
        // The last to start: everything they report to is there.
        let adapters = Adapters::new(house.clone(), clock, adapters_health);
        let reloader = Reloader::new(sources, config, reload);
        let mut daemon = Self {
            front,
            house,
            core,
            server: handle,
            metrics_server,
            log_level,
            reloader,
            adapters,
            recorder: recorder.ok(),
            exporter,
            has_channels: false,
            takeovers: 0,
            webhooks,
            manager,
            shown,
            port_is_kept,
        };
        daemon.follow_the_channels();
        Ok(daemon)
    }

    /// Servers are watched where the channels are: elsewhere they would be asked in vain, and what they were last
    /// seen to run would not be known.
    fn follow_the_channels(&mut self) {
        let has_channels = self.front.store.slots() != Some(0);
        let takeovers = self.front.store.takeovers();
        let had_channels = std::mem::replace(&mut self.has_channels, has_channels);
        let others = std::mem::replace(&mut self.takeovers, takeovers) != takeovers;
        if has_channels == had_channels && !others {
            return;
        }
        if had_channels {
            self.adapters.stop();
        }
        if has_channels {
            self.adapters.apply(&self.front.config.load());
        } else {
            // What they see is another daemon's to tell; nobody waits until they have gone.
            let (reply, _) = oneshot::channel();
            let _ = self.house.broker.try_send(CloseAll { for_good: false, reply });
        }
    }

    fn show_figures(&mut self) {
        if self.manager.is_there() {
            let totals = self.front.cells.totals();
            self.manager.show(&totals);
        }
    }

    /// Applies what a new configuration may change live; an invalid one changes nothing.
    fn reload(&mut self) {
        self.manager.reloading();
        let now = self.front.clock.now().wall;
        match self.reloader.reload(now.as_millis() / 1000) {
            Ok(Reloaded { config, tokens, identity, changes }) => {
                if self.house.supervisor.try_send(ApplyRules(Arc::new(rulebook(&config)))).is_err() {
                    tracing::error!("the supervisor took no new rules; send SIGHUP again");
                }
                if self.house.stats.try_send(rhythm(&config)).is_err() {
                    tracing::error!("the statistics keep their old interval; send SIGHUP again");
                }
                if self.has_channels {
                    self.adapters.apply(&config);
                }
                self.webhooks.apply(&config.webhook);
                self.front.gate.apply(&config, tokens);
                if let (Some(shown), Some(identity)) = (&self.shown, identity) {
                    shown.show(identity);
                }
                self.log_level.set(&config.log.level);
                self.front.config.store(Arc::new(config));
                for key in &changes.needs_restart {
                    tracing::warn!(key, "this setting changed but needs a restart to take effect");
                }
                tracing::info!(applied = ?changes.applied, needs_restart = ?changes.needs_restart, "configuration reloaded");
                self.manager.reloaded(now);
            }
            Err(error) => {
                tracing::error!("the new configuration is refused, the old one stays:\n{error}");
                self.manager.refused(error.summary());
            }
        }
        let totals = self.front.cells.totals();
        self.manager.ready(&totals);
    }

    /// In the reverse order: no new reports, sessions closed, HTTP, the store, and what only looks on. A shared store is
    /// first: from here on nothing is taken, so another daemon is to have the channels at once. How long each may
    /// take is added up in the unit (`TimeoutStopSec=`).
    async fn stop(mut self) {
        if self.port_is_kept {
            self.server.pause().await;
            tokio::time::sleep(LAST_REQUESTS).await;
        }
        tracing::info!("stopping");
        self.manager.stopping();
        self.front.set_stage(Stage::Stopping);
        self.adapters.stop();
        self.webhooks.stop();
        let shared = self.front.store.slots().is_some();
        if shared {
            self.flush().await;
        }
        let (reply, closed) = oneshot::channel();
        if self.house.broker.try_send(CloseAll { for_good: true, reply }).is_ok() {
            let all_gone = async {
                let _ = closed.await;
                while self.front.places.taken() > 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            if tokio::time::timeout(CLOSING_TIME, all_gone).await.is_err() {
                tracing::warn!(sessions = self.front.places.taken(), "some sessions did not close in time");
            }
        }
        self.server.stop(true).await;
        if let Some(server) = &self.metrics_server {
            server.stop(false).await;
        }
        if !shared {
            self.flush().await;
        }
        if let Some(recorder) = self.recorder.take() {
            let written = tokio::task::spawn_blocking(|| recorder.stop());
            if tokio::time::timeout(FLUSH_TIME, written).await.is_err() {
                tracing::warn!("the history could not be written before the end; its last minute is lost");
            }
        }
        if let Some(exporter) = self.exporter.take() {
            exporter.stop().await;
        }
        self.core.stop();
        tracing::info!("stopped");
    }

    async fn flush(&self) {
        let (reply, flushed) = oneshot::channel();
        let asked = self.house.store.try_send(Flush { reply }).is_ok();
        if !asked || tokio::time::timeout(FLUSH_TIME, flushed).await.is_err() {
            tracing::error!("the store could not be written before the end; what changed last may be lost");
        }
    }
}

/// A store, what it holds, and how daemons beside this one are reached.
type Opened = (Box<dyn Store>, store::Loaded, Option<FleetPlan>);

/// How the configured Redis is reached.
pub fn link(settings: &config::Store) -> Result<Link, String> {
    let url = settings.redis_url.as_deref().ok_or("no Redis is configured")?;
    let sentinels = settings.redis_sentinels.iter().map(|text| urls::host_and_port(text)).collect::<Result<_, _>>()?;
    let (password_file, ca_file) = (settings.redis_password_file.clone(), settings.redis_ca_file.clone());
    Ok(Link { password_file, ca_file, sentinels, ..Link::to(url)? })
}

/// The embedded store with what it holds, or a Redis, whose contents follow when it can be reached.
fn open_store(config: &Config, started: Now) -> Result<Opened, StartError> {
    let settings = &config.store;
    if settings.redis_url.is_none() {
        let (store, loaded) = RedbStore::open(&settings.state_dir, started.wall)?;
        return Ok((Box::new(store), loaded, None));
    }
    let link = link(settings).map_err(StartError::Redis)?;
    let host = rustix::system::uname().nodename().to_string_lossy().replace(' ', "-");
    let me = format!("{host}-{}-{}", std::process::id(), started.wall.as_millis());
    tracing::info!(redis = link.address(), daemon = me, "the state is kept in a Redis");
    let sharing = match settings.redis_sharing {
        config::Sharing::Standby => Sharing::Standby,
        config::Sharing::Active => Sharing::Active,
    };
    let fleet = (sharing == Sharing::Active).then(|| FleetPlan { link: link.clone(), me: me.clone() });
    let store = RedisStore::new(link, me, settings.redis_lease, sharing);
    Ok((Box::new(store), store::Loaded::default(), fleet))
}

fn registry() -> Result<Registry, StartError> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let build = IntGaugeVec::new(Opts::new("sattva_build_info", "The daemon's version; always 1."), &["version"])?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    registry.register(Box::new(build))?;
    Ok(registry)
}

/// The extra listener for metrics is a convenience: without it the daemon goes on.
fn bind_metrics(config: &Config) -> Option<TcpListener> {
    let port = config.metrics.port.filter(|_| config.metrics.enabled)?;
    match listener::bind(SocketAddr::new(config.http.listen.ip(), port)) {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%error, "no extra listener for metrics (PROMETHEUS_PORT; 9090 is Prometheus's own port); /metrics is served with everything else");
            None
        }
    }
}
