//! The configuration: five layers in, one validated [`Config`] out.
//!
//! ```text
//! defaults < file < .env < environment < command line      (later wins)
//! ```
//!
//! [`load`] is a function of its [`Sources`]: it reads the two files they name and nothing else,
//! changes nothing, and prints nothing, so a reload is a second call with the same sources.
//! Whatever is wrong is reported together, each with its place, what is expected and what to do.

mod diff;
mod document;
mod duration;
mod environment;
mod key;
mod limits;
mod load;
pub mod log_levels;
mod problem;
mod schema;
mod secret;
mod sections;
pub mod urls;
mod validate;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[allow(unused_imports)] // the module's face: main, reload and the adapters pick from it
pub use self::{
    diff::{Changes, diff},
    load::{Flags, Loaded, Sources, load},
    problem::{ConfigError, Place, Problem},
    schema::schema,
    sections::{
        Access, AutoEnd, ChannelOverride, Http, Icecast, Ingest, Janus, Log, LogFormat, Metrics, NginxRtmp,
        RedisControl, Sharing, Stats, Store, Traces, WebSocket, Webhook,
    },
};

/// The settings of Sattva Monitor.
///
/// Every key has a default. A duration is whole seconds (`300`) or a text (`"5m"`, `"1h 30m"`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    pub http: Http,
    /// Who may do what.
    pub access: Access,
    /// When a stream nobody hears is ended.
    pub auto_end: AutoEnd,
    /// What is different for single channels: `[channels."-1001234567890"]`.
    #[schemars(extend("propertyNames" = { "pattern": limits::CHANNEL_ID_PATTERN }))]
    pub channels: BTreeMap<String, ChannelOverride>,
    /// The system's numbers.
    pub stats: Stats,
    /// The reports of streamers.
    pub ingest: Ingest,
    /// Where the state is kept.
    pub store: Store,
    /// The Prometheus metrics.
    pub metrics: Metrics,
    /// The live sessions of browsers.
    pub websocket: WebSocket,
    /// The daemon's own log.
    pub log: Log,
    /// OpenTelemetry traces.
    pub traces: Traces,
    /// The Icecast servers to watch: one `[[icecast]]` each.
    pub icecast: Vec<Icecast>,
    /// The nginx servers with nginx-rtmp to watch: one `[[nginx_rtmp]]` each.
    pub nginx_rtmp: Vec<NginxRtmp>,
    /// The Janus servers whose voice rooms are watched: one `[[janus]]` each.
    pub janus: Vec<Janus>,
    /// The Redis servers by which original streamers are watched: one `[[redis_control]]` each.
    pub redis_control: Vec<RedisControl>,
    /// The webhooks: one `[[webhook]]` each.
    pub webhook: Vec<Webhook>,
}

impl Config {
    /// Refuses a server that others can reach while nobody is asked for a token. The configuration cannot know the
    /// tokens, so the caller says whether there are any.
    pub fn refuse_open_network(&self, has_tokens: bool) -> Result<(), ConfigError> {
        let listen = self.http.listen;
        let private = listen.ip().to_canonical().is_loopback();
        if private || has_tokens || self.http.open_to_the_network {
            return Ok(());
        }
        Err(ConfigError::from(
            Problem::new("http.listen", format!("{listen} can be reached from the network, and there are no tokens"))
                .expected("a loopback address such as 127.0.0.1 or [::1] while there are no tokens")
                .advice(
                    "listen on 127.0.0.1, make tokens (`sattva-monitor token create`, docs/security.md), or accept that \
                 anyone who reaches the port may end streams: `open_to_the_network = true` under [http]",
                ),
        ))
    }
}
