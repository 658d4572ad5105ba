//! The sections of the file. The doc comments are the schema's descriptions and the errors' help.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{duration, limits, secret};

/// The HTTP server: API, dashboard, metrics, WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// IP address and port to listen on, such as `127.0.0.1:8080` or `[::1]:8080`; port 0 = any free one. Restart.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Threads that serve HTTP; 0 = one per core. Restart.
    #[schemars(range(min = *limits::WORKERS.start(), max = *limits::WORKERS.end()))]
    pub workers: usize,
    /// Allows an address others can reach although no tokens are configured.
    pub open_to_the_network: bool,
    /// Pages of other origins that may use the API, each as browsers send it: `https://radio.example`.
    pub allowed_origins: Vec<String>,
    /// Proxies in front of the daemon, each an address or a network (`10.0.0.0/8`): their `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Most requests a second from one address, ten times as many at once; absent = no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = *limits::REQUESTS_PER_SECOND.start(), max = *limits::REQUESTS_PER_SECOND.end()))]
    pub max_requests_per_second_per_ip: Option<u32>,
    /// File with the certificate that is shown, and its chain (PEM): the daemon then speaks TLS only. A reload reads it again;
    /// from none to one, or back, is a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub tls_certificate_file: Option<PathBuf>,
    /// File with the certificate's private key (PEM). A reload reads it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub tls_key_file: Option<PathBuf>,
    /// Largest body of a request, in bytes. Restart.
    #[schemars(range(min = *limits::MAX_BODY_BYTES.start(), max = *limits::MAX_BODY_BYTES.end()))]
    pub max_body_bytes: usize,
}

impl Http {
    /// Whether the daemon speaks TLS.
    pub fn over_tls(&self) -> bool {
        self.tls_certificate_file.is_some()
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            open_to_the_network: false,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            max_requests_per_second_per_ip: None,
            tls_certificate_file: None,
            tls_key_file: None,
            max_body_bytes: 4 * 1024 * 1024,
        }
    }
}

/// Who may do what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// File of the tokens, which `sattva-monitor token` writes; absent = nobody is asked for one. A reload reads it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub tokens_file: Option<PathBuf>,
}

/// When a stream nobody hears is ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AutoEnd {
    /// Whether streams without listeners are ended at all.
    pub enabled: bool,
    /// How long a stream must be without listeners, from 1s to 7days.
    #[serde(with = "duration::one")]
    #[schemars(with = "duration::Spelling")]
    pub timeout: Duration,
    /// The same for a stream that nobody has joined since it started; absent = as `timeout`.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::Spelling")]
    pub never_joined_timeout: Option<Duration>,
    /// Time left at each warning, in whole seconds; one that is not shorter than the timeout is skipped.
    #[serde(with = "duration::list")]
    #[schemars(with = "Vec<duration::Spelling>")]
    pub warnings: Vec<Duration>,
    /// Decides and journals everything, commands nothing.
    pub dry_run: bool,
    /// After this long without evidence a stream counts as lost and leaves the totals.
    #[serde(with = "duration::one")]
    #[schemars(with = "duration::Spelling")]
    pub lost_after: Duration,
}

impl Default for AutoEnd {
    fn default() -> Self {
        Self {
            enabled: true,
            timeout: Duration::from_secs(300),
            never_joined_timeout: None,
            warnings: [60, 30, 10].map(Duration::from_secs).to_vec(),
            dry_run: false,
            lost_after: Duration::from_secs(3600),
        }
    }
}

/// What is different for one channel; what is absent is as in `[auto_end]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelOverride {
    /// Whether this stream is ended when nobody hears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub enabled: Option<bool>,
    /// How long this stream must be without listeners, from 1s to 7days.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::Spelling")]
    pub timeout: Option<Duration>,
    /// The same while nobody has joined since it started; absent = as this channel's `timeout`.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::Spelling")]
    pub never_joined_timeout: Option<Duration>,
    /// Decides and journals for this stream, commands nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub dry_run: Option<bool>,
}

/// The system's numbers on the WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stats {
    /// How often `stats` is sent to every session, from 100ms to 1h.
    #[serde(with = "duration::one")]
    #[schemars(with = "duration::Spelling")]
    pub broadcast_interval: Duration,
    /// How often CPU and memory are measured, from 200ms to 1h.
    #[serde(with = "duration::one")]
    #[schemars(with = "duration::Spelling")]
    pub sample_interval: Duration,
}

impl Default for Stats {
    fn default() -> Self {
        Self { broadcast_interval: Duration::from_secs(5), sample_interval: Duration::from_secs(5) }
    }
}

/// The reports of streamers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ingest {
    /// How often a source reports unless it says otherwise, from 100ms to 10m; evidence lives for three.
    #[serde(with = "duration::one")]
    #[schemars(with = "duration::Spelling")]
    pub report_interval: Duration,
    /// Most reports in one request.
    #[schemars(range(min = *limits::MAX_REPORTS_PER_REQUEST.start(), max = *limits::MAX_REPORTS_PER_REQUEST.end()))]
    pub max_reports_per_request: usize,
    /// Most channels known at a time; a report of one more is refused.
    #[schemars(range(min = *limits::MAX_CHANNELS.start(), max = *limits::MAX_CHANNELS.end()))]
    pub max_channels: usize,
    /// Sources that are gone for good: their evidence leaves every sum.
    pub retired_sources: Vec<String>,
    /// How long an ended stream is remembered, from 1s to 365days.
    #[serde(with = "duration::one")]
    #[schemars(with = "duration::Spelling")]
    pub forget_ended_after: Duration,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            report_interval: Duration::from_secs(5),
            max_reports_per_request: 10_000,
            max_channels: 200_000,
            retired_sources: Vec::new(),
            forget_ended_after: Duration::from_secs(24 * 3600),
        }
    }
}

/// Where the state is kept.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Directory of the embedded store; systemd's `$STATE_DIRECTORY` where that is set. Restart.
    pub state_dir: PathBuf,
    /// A Redis to keep the state in instead: `redis://user@host:6379/0`, or `rediss://` for TLS. With `redis_sentinels`,
    /// the host is the name they know the primary by. Restart.
    #[serde(serialize_with = "secret::serialize_masked", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub redis_url: Option<String>,
    /// File whose first line is the password of the Redis, read at each connection. Restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub redis_password_file: Option<PathBuf>,
    /// File with the authorities (PEM) whose certificates are believed of a `rediss://`; absent = the system's. Restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub redis_ca_file: Option<PathBuf>,
    /// The Sentinels that know where the primary is, each `host:port`. Restart.
    pub redis_sentinels: Vec<String>,
    /// How long a daemon that has fallen silent keeps its channels from the others, from 2s to 1m. Restart.
    #[serde(with = "duration::one")]
    #[schemars(with = "duration::Spelling")]
    pub redis_lease: Duration,
    /// Of several daemons on one Redis: `standby` = one has all channels, `active` = each has its part. All the same. Restart.
    pub redis_sharing: Sharing,
}

/// Who has the channels, of several daemons on one Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    #[default]
    Standby,
    Active,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("./.state"),
            redis_url: None,
            redis_password_file: None,
            redis_ca_file: None,
            redis_sentinels: Vec::new(),
            redis_lease: Duration::from_secs(15),
            redis_sharing: Sharing::default(),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("state_dir", &self.state_dir)
            .field("redis_url", &self.redis_url.as_deref().map(secret::mask_url))
            .field("redis_password_file", &self.redis_password_file)
            .field("redis_ca_file", &self.redis_ca_file)
            .field("redis_sentinels", &self.redis_sentinels)
            .field("redis_lease", &self.redis_lease)
            .field("redis_sharing", &self.redis_sharing)
            .finish()
    }
}

/// The Prometheus metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Whether `/metrics` is served. Restart.
    pub enabled: bool,
    /// Port of an extra listener for `/metrics` only; absent = none. Restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u16", range(min = *limits::PORT.start(), max = *limits::PORT.end()))]
    pub port: Option<u16>,
    /// Most channels with a series of their own; the rest is summed as `channel_id="other"`.
    #[schemars(range(min = *limits::METRIC_CHANNELS.start(), max = *limits::METRIC_CHANNELS.end()))]
    pub max_channels: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: true, port: None, max_channels: 10_000 }
    }
}

/// The live sessions of browsers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocket {
    /// Most sessions at a time; one more gets 503.
    #[schemars(range(min = *limits::MAX_SESSIONS.start(), max = *limits::MAX_SESSIONS.end()))]
    pub max_sessions: usize,
    /// How often a session is pinged, from 1s to 1h; one silent for two of them is closed.
    #[serde(with = "duration::one")]
    #[schemars(with = "duration::Spelling")]
    pub heartbeat: Duration,
    /// Most sessions from one IP address at a time; absent = as `max_sessions`. Behind a proxy all come from its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = *limits::MAX_SESSIONS.start(), max = *limits::MAX_SESSIONS.end()))]
    pub max_sessions_per_ip: Option<usize>,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self { max_sessions: 1000, heartbeat: Duration::from_secs(30), max_sessions_per_ip: None }
    }
}

/// The daemon's own log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged: `off`, `error`, `warn`, `info`, `debug` or `trace`, and `target=level` for parts.
    pub level: String,
    /// How it is written, and where. Restart.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// `journald`: natively, with fields. `auto`: so where standard error is its stream, pretty on a terminal, else JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogFormat {
    Pretty,
    Json,
    Journald,
    Auto,
}

/// OpenTelemetry traces. Off unless a collector is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// URL of a collector that takes OTLP over HTTP, without `/v1/traces`: `http://127.0.0.1:4318`; absent = no traces. Restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub otlp_endpoint: Option<String>,
    /// Share of requests and webhook events that are traced, from 0 to 1; stops always are, and what a client traces. Restart.
    #[schemars(range(min = *limits::SHARE.start(), max = *limits::SHARE.end()))]
    pub sample_share: f64,
}

impl Default for Traces {
    fn default() -> Self {
        Self { otlp_endpoint: None, sample_share: 1.0 }
    }
}

/// An Icecast server to watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Icecast {
    /// Name of this server in reports, logs and metrics; each server has its own.
    #[schemars(extend("pattern" = limits::SERVER_NAME_PATTERN))]
    pub name: String,
    /// URL of the server's root, without user and password: `http://127.0.0.1:8000`.
    pub url: String,
    /// User of the admin pages.
    #[serde(default = "admin")]
    pub user: String,
    /// File whose first line is the password of the admin pages.
    pub password_file: PathBuf,
    /// How often the server is asked, from 100ms to 10m.
    #[serde(with = "duration::one", default = "poll_interval")]
    #[schemars(with = "duration::Spelling")]
    pub poll_interval: Duration,
    /// How long a mount must have been without listeners to count as empty, from 0 to 10m; a listener counts at once.
    #[serde(with = "duration::one", default)]
    #[schemars(with = "duration::Spelling")]
    pub settle: Duration,
    /// Mounts to watch, such as `/live.mp3`; empty = all.
    #[serde(default)]
    pub mounts: Vec<String>,
    /// Players who are no listeners, by their whole user agent; asks `/admin/listclients` of each heard mount.
    #[serde(default)]
    pub ignored_user_agents: Vec<String>,
    /// Put before a mount's name to make the channel's id.
    #[serde(default)]
    #[schemars(extend("pattern" = limits::CHANNEL_PREFIX_PATTERN))]
    pub channel_prefix: String,
    /// Whether the daemon may end streams here; `false` decides as in a dry run.
    #[serde(default = "yes")]
    pub stop: bool,
}

/// An nginx with nginx-rtmp to watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NginxRtmp {
    /// Name of this server in reports and logs; each server has its own.
    #[schemars(extend("pattern" = limits::SERVER_NAME_PATTERN))]
    pub name: String,
    /// URL of a location with `rtmp_stat all`: `http://127.0.0.1:8080/stat`.
    pub stat_url: String,
    /// URL of a location with `rtmp_control all`: `http://127.0.0.1:8080/control`; needed while `stop` is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub control_url: Option<String>,
    /// User of both locations, where they ask for one (`auth_basic`).
    #[serde(default = "admin")]
    pub user: String,
    /// File whose first line is that user's password; absent = the locations ask for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub password_file: Option<PathBuf>,
    /// How often the server is asked, from 100ms to 10m.
    #[serde(with = "duration::one", default = "poll_interval")]
    #[schemars(with = "duration::Spelling")]
    pub poll_interval: Duration,
    /// How long a stream must have been without listeners to count as empty, from 0 to 10m; a listener counts at once.
    #[serde(with = "duration::one", default)]
    #[schemars(with = "duration::Spelling")]
    pub settle: Duration,
    /// Whether everyone who listens does so by RTMP; with `hls` or `dash` on say `false`: then nobody by RTMP is unknown.
    pub rtmp_only: bool,
    /// Applications to watch, such as `live`; empty = all.
    #[serde(default)]
    pub applications: Vec<String>,
    /// Clients who are no listeners, by their whole address as `/stat` shows it: recorders, relays.
    #[serde(default)]
    pub ignored_addresses: Vec<String>,
    /// Clients who are no listeners, by their whole `flashver` as `/stat` shows it; many players share one.
    #[serde(default)]
    pub ignored_flashvers: Vec<String>,
    /// Put before application and stream to make the channel's id.
    #[serde(default)]
    #[schemars(extend("pattern" = limits::CHANNEL_PREFIX_PATTERN))]
    pub channel_prefix: String,
    /// Whether the daemon may end streams here; `false` decides as in a dry run.
    #[serde(default = "yes")]
    pub stop: bool,
}

/// A Janus whose AudioBridge rooms are watched. A room is a stream while its streamer is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Janus {
    /// Name of this server in reports and logs; each server has its own.
    #[schemars(extend("pattern" = limits::SERVER_NAME_PATTERN))]
    pub name: String,
    /// URL of Janus's HTTP transport: `http://127.0.0.1:8088/janus`.
    pub url: String,
    /// File whose first line is the `api_secret` of janus.jcfg; absent = there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub api_secret_file: Option<PathBuf>,
    /// File whose first line is the rooms' `secret`, which a stop needs; absent = they have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub room_secret_file: Option<PathBuf>,
    /// Rooms to watch, such as `1234`; empty = all that are not private.
    #[serde(default)]
    pub rooms: Vec<String>,
    /// Who streams, by its whole display name. Anyone may take that name: `streamer_ids` is safer.
    #[serde(default)]
    pub streamer_displays: Vec<String>,
    /// Who streams, by its id in the room.
    #[serde(default)]
    pub streamer_ids: Vec<String>,
    /// Who is no listener, by its whole display name: bots, recorders.
    #[serde(default)]
    pub ignored_displays: Vec<String>,
    /// Who is no listener, by its id in the room.
    #[serde(default)]
    pub ignored_ids: Vec<String>,
    /// How often the server is asked, from 100ms to 10m.
    #[serde(with = "duration::one", default = "poll_interval")]
    #[schemars(with = "duration::Spelling")]
    pub poll_interval: Duration,
    /// How long a room must have been without listeners to count as empty, from 0 to 10m; a listener counts at once.
    #[serde(with = "duration::one", default)]
    #[schemars(with = "duration::Spelling")]
    pub settle: Duration,
    /// Put before a room's id to make the channel's id.
    #[serde(default)]
    #[schemars(extend("pattern" = limits::CHANNEL_PREFIX_PATTERN))]
    pub channel_prefix: String,
    /// Whether the daemon may end streams here; `false` decides as in a dry run.
    #[serde(default = "yes")]
    pub stop: bool,
}

/// A Redis by which original streamers are watched and stopped (`stream:status:{id}`, `stream:control`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisControl {
    /// Name of this Redis in reports and logs; each server has its own.
    #[schemars(extend("pattern" = limits::SERVER_NAME_PATTERN))]
    pub name: String,
    /// URL of the Redis, without a password: `redis://127.0.0.1:6379/0`.
    pub url: String,
    /// File whose first line is the password; absent = there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathBuf")]
    pub password_file: Option<PathBuf>,
    /// How often the Redis is looked at, from 100ms to 10m.
    #[serde(with = "duration::one", default = "look_interval")]
    #[schemars(with = "duration::Spelling")]
    pub poll_interval: Duration,
    /// How often the streamers write their status, from 100ms to 10m; a count is believed for three of these.
    #[serde(with = "duration::one", default = "update_interval")]
    #[schemars(with = "duration::Spelling")]
    pub update_interval: Duration,
    /// How long a stream must have been without listeners to count as empty, from 0 to 10m; a listener counts at once.
    #[serde(with = "duration::one", default)]
    #[schemars(with = "duration::Spelling")]
    pub settle: Duration,
    /// Channels to watch, as their keys name them, such as `-1001234567890`; empty = all.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Put before a channel's name to make its id here.
    #[serde(default)]
    #[schemars(extend("pattern" = limits::CHANNEL_PREFIX_PATTERN))]
    pub channel_prefix: String,
    /// Whether ids that are whole numbers are published as numbers; `false` = as texts.
    #[serde(default = "yes")]
    pub numeric_ids: bool,
    /// Whether the daemon may end streams here; `false` decides as in a dry run.
    #[serde(default = "yes")]
    pub stop: bool,
}

/// A program that is told of what happens, or that ends streams, by signed POSTs (Standard Webhooks).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Name of this webhook in logs and metrics; each has its own.
    #[schemars(extend("pattern" = limits::SERVER_NAME_PATTERN))]
    pub name: String,
    /// URL that takes the messages, http or https.
    pub url: String,
    /// File with the secrets, each line `whsec_` and 24 to 64 bytes in base64; a message is signed with each.
    pub secret_file: PathBuf,
    /// Whether every warning and auto-end event is sent.
    #[serde(default = "yes")]
    pub events: bool,
    /// Sources whose stop commands are sent here: names, or beginnings of names with a `*` at the end.
    #[serde(default)]
    pub stops_for: Vec<String>,
}

fn admin() -> String {
    "admin".to_owned()
}

fn poll_interval() -> Duration {
    Duration::from_secs(5)
}

fn look_interval() -> Duration {
    Duration::from_secs(2)
}

fn update_interval() -> Duration {
    Duration::from_secs(10)
}

fn yes() -> bool {
    true
}
