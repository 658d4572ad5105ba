//! The HTTP server: what each route does is in the file of its name.

pub mod answerer;
pub mod body;
pub mod dashboard;
pub mod door;
pub mod encrypted;
pub mod gate;
pub mod health;
pub mod history;
pub mod idle;
pub mod ingest;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod problem;
pub mod reports;
pub mod request_id;
pub mod session;
pub mod stats;
pub mod streams;
pub mod upgrade;
pub mod websocket;

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_http::{HttpService, Request};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, map_config};
use actix_tls::accept::max_concurrent_tls_connect;
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{AppConfig, ServiceResponse},
    error::QueryPayloadError,
    middleware, web,
};
use arc_swap::ArcSwap;
use prometheus::Registry;
use rustls::ServerConfig;
use sattva_actors::{
    broker::{BrokerMetrics, shard::Shard},
    channel::cell::Cells,
    clock::{Clock, Now},
    fleet::Elsewhere,
    house::House,
    mailbox::MailboxDepth,
    session::{SessionMetrics, SessionOutlets},
    stats::LatestSample,
    store::StoreHealth,
    stream_control::CommandsWaiting,
};

use self::{
    body::BodyBudget, gate::Gate, ingest::UnknownFields, observe::HttpMetrics, problem::Problem, upgrade::Upgrades,
    websocket::Places,
};
use crate::{
    access::book::Book, config::Config, health::HealthBoard, history::History, open_files::Room, reload::ReloadStatus,
};

/// Graceful stop: open requests get this long.
const SHUTDOWN_SECONDS: u64 = 5;
/// Time a client has to send the head of a request.
const REQUEST_HEAD_TIME: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections for the extra metrics listener at a time.
const METRICS_CONNECTIONS: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    Starting = 0,
    Serving = 1,
    Stopping = 2,
}

/// What every route may know.
pub struct Front {
    pub house: House,
    pub clock: Clock,
    pub started: Now,
    pub cells: Arc<Cells>,
    /// What other daemons have.
    pub elsewhere: Arc<Elsewhere>,
    pub registry: Registry,
    pub http_metrics: HttpMetrics,
    pub session_metrics: SessionMetrics,
    pub broker_metrics: BrokerMetrics,
    pub unknown_fields: UnknownFields,
    pub sample: LatestSample,
    pub store: Arc<StoreHealth>,
    /// What had to be put aside at the start.
    pub store_notice: Option<String>,
    pub reload: Arc<ReloadStatus>,
    pub commands_waiting: CommandsWaiting,
    pub supervisor_depth: MailboxDepth,
    pub adapters: HealthBoard,
    pub webhooks: HealthBoard,
    pub history: Arc<History>,
    pub room: Room,
    /// For bodies that are being read.
    pub bodies: BodyBudget,
    pub places: Arc<Places>,
    /// Whether this daemon itself speaks TLS.
    pub encrypts: bool,
    /// Sessions hold it, too: a token may be revoked while one lasts.
    pub gate: Arc<Gate>,
    /// Replaced whole by a reload.
    pub config: ArcSwap<Config>,
    stage: AtomicU8,
}

/// Everything a [`Front`] is made of that is not made by itself.
pub struct FrontParts {
    pub house: House,
    pub clock: Clock,
    pub started: Now,
    pub cells: Arc<Cells>,
    pub elsewhere: Arc<Elsewhere>,
    pub registry: Registry,
    pub broker_metrics: BrokerMetrics,
    pub sample: LatestSample,
    pub store: Arc<StoreHealth>,
    pub store_notice: Option<String>,
    pub reload: Arc<ReloadStatus>,
    pub commands_waiting: CommandsWaiting,
    pub supervisor_depth: MailboxDepth,
    pub adapters: HealthBoard,
    pub webhooks: HealthBoard,
    pub history: Arc<History>,
    pub room: Room,
    pub config: Config,
    pub tokens: Book,
    pub encrypts: bool,
}

impl Front {
    pub fn new(parts: FrontParts) -> prometheus::Result<Self> {
        Ok(Self {
            http_metrics: HttpMetrics::register(&parts.registry)?,
            session_metrics: SessionMetrics::register(&parts.registry)?,
            unknown_fields: UnknownFields::register(&parts.registry)?,
            gate: Arc::new(Gate::register(&parts.registry, &parts.config, parts.tokens)?),
            broker_metrics: parts.broker_metrics,
            house: parts.house,
            clock: parts.clock,
            started: parts.started,
            cells: parts.cells,
            elsewhere: parts.elsewhere,
            registry: parts.registry,
            sample: parts.sample,
            store: parts.store,
            store_notice: parts.store_notice,
            reload: parts.reload,
            commands_waiting: parts.commands_waiting,
            supervisor_depth: parts.supervisor_depth,
            adapters: parts.adapters,
            webhooks: parts.webhooks,
            history: parts.history,
            room: parts.room,
            bodies: BodyBudget::default(),
            places: Arc::default(),
            encrypts: parts.encrypts,
            config: ArcSwap::from_pointee(parts.config),
            stage: AtomicU8::new(Stage::Starting as u8),
        })
    }

    pub fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Starting,
            1 => Stage::Serving,
            _ => Stage::Stopping,
        }
    }

    pub fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Relaxed);
    }
}

fn routes(config: &mut web::ServiceConfig) {
    config
        // The busiest route first: they are tried in this order.
        .service(ingest::ingest)
        .service(stats::get)
        .service(health::healthz)
        .service(health::readyz)
        .service(streams::list)
        .service(streams::one)
        .service(streams::auto_end)
        .service(streams::explain)
        .service(streams::operate)
        .service(streams::stop)
        .service(streams::forget)
        .service(ingest::listeners)
        .service(history::get)
        .service(history::events)
        .service(reports::get)
        .service(session::get)
        .service(session::sign_in)
        .service(session::sign_out)
        .service(openapi::get)
        .service(websocket::open)
        .service(dashboard::root)
        .service(dashboard::bare)
        .service(dashboard::below);
}

fn bad_query(error: &QueryPayloadError) -> Problem {
    let detail = format!("{error}; give each parameter once, a list with commas: ?channels=a,b");
    Problem::bad_request("bad_query", detail)
}

/// Every route and what stands before it, for one thread and its sessions.
fn app(
    front: web::Data<Front>,
    sessions: web::Data<SessionOutlets>,
) -> impl ServiceFactory<
    Request,
    Config = AppConfig,
    Response = ServiceResponse<impl MessageBody>,
    Error = Error,
    InitError = (),
    Service: Service<Request, Future: 'static> + 'static,
    Future: 'static,
> {
    let (metrics_enabled, body_max) = {
        let config = front.config.load();
        (config.metrics.enabled, config.http.max_body_bytes)
    };
    let app = App::new()
        .app_data(front)
        .app_data(sessions)
        .app_data(web::PayloadConfig::new(body_max))
        .app_data(web::QueryConfig::default().error_handler(|error, _| bad_query(&error).into()))
        .wrap(middleware::from_fn(door::check))
        .wrap(middleware::from_fn(observe::observe))
        .configure(routes)
        .configure(|config| {
            if metrics_enabled {
                config.service(metrics::get);
            }
        })
        .default_service(web::to(|| async {
            Problem::not_found("there is nothing here; the API is described in docs/api.md")
        }));
    app.into_factory()
}

/// Serves everything on `listener`, over TLS where there is an identity to show.
pub fn serve(
    front: web::Data<Front>,
    listener: TcpListener,
    workers: usize,
    tls: Option<ServerConfig>,
) -> std::io::Result<Server> {
    let connections = (front.room.connections / workers).max(1);
    // Else few who connect and say nothing keep everybody out: only so many handshakes are made at a time.
    max_concurrent_tls_connect(connections);
    let server = ServerBuilder::default()
        .workers(workers)
        .max_concurrent_connections(connections)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS);
    let stopping = server.graceful_shutdown_signal();
    // What follows runs on each worker's thread.
    let sessions = {
        let front = front.clone();
        move || {
            let broker = &front.house.broker;
            web::Data::new(SessionOutlets {
                entrance: Shard::open(front.clock, front.broker_metrics.clone()),
                subscribe: broker.clone().recipient(),
                refine: broker.clone().recipient(),
                unsubscribe: broker.clone().recipient(),
                metrics: front.session_metrics.clone(),
                sent: front.broker_metrics.clone(),
            })
        }
    };
    macro_rules! connections {
        () => {{
            let (stopping, sessions) = (stopping.clone(), sessions());
            let upgrades = Upgrades(app(front.clone(), sessions.clone()));
            HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .client_request_timeout(REQUEST_HEAD_TIME)
                .keep_alive(KEEP_ALIVE)
                .tcp_nodelay(true)
                .upgrade(upgrades)
                .h1(map_config(app(front.clone(), sessions), |()| AppConfig::default()))
        }};
    }
    let server = match tls {
        None => server.listen("http", listener, move || idle::closed(connections!().tcp())),
        Some(tls) => server.listen("https", listener, move || idle::closed(connections!().rustls_0_23(tls.clone()))),
    }?;
    Ok(server.run())
}

/// Serves only the metrics.
pub fn serve_metrics(
    front: web::Data<Front>,
    listener: TcpListener,
    tls: Option<ServerConfig>,
) -> std::io::Result<Server> {
    let server = ServerBuilder::default()
        .workers(1)
        .max_concurrent_connections(METRICS_CONNECTIONS)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS);
    macro_rules! connections {
        () => {{
            let app = App::new()
                .app_data(front.clone())
                .wrap(middleware::from_fn(door::check))
                .wrap(middleware::from_fn(request_id::give))
                .service(metrics::get)
                .default_service(web::to(|| async { Problem::not_found("only /metrics is served here") }));
            HttpService::build()
                .client_request_timeout(REQUEST_HEAD_TIME)
                .h1(map_config(app.into_factory(), |()| AppConfig::default()))
        }};
    }
    let server = match tls {
        None => server.listen("metrics", listener, move || connections!().tcp()),
        Some(tls) => server.listen("metrics over TLS", listener, move || connections!().rustls_0_23(tls.clone())),
    }?;
    Ok(server.run())
}
