//! Adapters: each watches a server that cannot report by itself, and turns its truth into reports.

pub mod icecast;
pub mod janus;
pub mod nginx_rtmp;
mod outlets;
pub mod polled;
pub mod redis_control;

use std::{path::PathBuf, sync::Arc};

use actix::{Actor, Message, Recipient};
use sattva_actors::{
    clock::Clock,
    house::House,
    protocol::{Doubt, Forget, KnownSessions},
    secret_file::first_line,
};
use tokio::sync::oneshot;

pub use self::outlets::Outlets;
use self::{
    icecast::{IcecastAdapter, IcecastSettings},
    janus::{JanusAdapter, JanusSettings},
    nginx_rtmp::{NginxRtmpAdapter, NginxRtmpSettings},
    polled::names,
    redis_control::{RedisControlAdapter, RedisControlSettings},
};
use crate::{
    config::{self, Config},
    health::{Health, HealthBoard},
};

/// The server leaves the configuration, or is configured anew: watch it no longer. What it said stays
/// believed for as long as any report is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Leave;

/// A server that the configuration names.
#[derive(Clone, Debug, PartialEq)]
enum Configured {
    Icecast(config::Icecast),
    NginxRtmp(config::NginxRtmp),
    Janus(config::Janus),
    RedisControl(config::RedisControl),
}

/// What the files said that a server's settings name, in the settings' order.
type Secrets = Vec<String>;

impl Configured {
    fn all(config: &Config) -> Vec<Self> {
        let icecast = config.icecast.iter().cloned().map(Self::Icecast);
        let nginx_rtmp = config.nginx_rtmp.iter().cloned().map(Self::NginxRtmp);
        let janus = config.janus.iter().cloned().map(Self::Janus);
        let redis_control = config.redis_control.iter().cloned().map(Self::RedisControl);
        icecast.chain(nginx_rtmp).chain(janus).chain(redis_control).collect()
    }

    /// Its kind, as in its sources' names, and its name.
    fn id(&self) -> (&'static str, &str) {
        match self {
            Self::Icecast(server) => ("icecast", &server.name),
            Self::NginxRtmp(server) => ("nginx_rtmp", &server.name),
            Self::Janus(server) => ("janus", &server.name),
            Self::RedisControl(server) => ("redis_control", &server.name),
        }
    }

    /// Every source of it begins so.
    fn source_prefix(&self) -> String {
        let (kind, name) = self.id();
        names::source_prefix(kind, name)
    }

    fn secrets(&self) -> Result<Secrets, String> {
        let files: Vec<(&PathBuf, &str)> = match self {
            Self::Icecast(server) => vec![(&server.password_file, "the admin password")],
            Self::NginxRtmp(server) => server.password_file.iter().map(|file| (file, "the password")).collect(),
            Self::Janus(server) => {
                let api = server.api_secret_file.iter().map(|file| (file, "the API secret"));
                api.chain(server.room_secret_file.iter().map(|file| (file, "the rooms' secret"))).collect()
            }
            Self::RedisControl(server) => server.password_file.iter().map(|file| (file, "the password")).collect(),
        };
        files.into_iter().map(|(file, what)| first_line(file, what)).collect()
    }

    /// Starts what watches it.
    fn start(&self, secrets: Secrets, clock: Clock, outlets: Outlets) -> (Recipient<Leave>, Health) {
        match self.clone() {
            Self::Icecast(server) => {
                let adapter = IcecastAdapter::of(IcecastSettings::from_config(server, secrets), clock, outlets);
                let health = adapter.health();
                (adapter.start().recipient(), health)
            }
            Self::NginxRtmp(server) => {
                let adapter = NginxRtmpAdapter::of(NginxRtmpSettings::from_config(server, secrets), clock, outlets);
                let health = adapter.health();
                (adapter.start().recipient(), health)
            }
            Self::Janus(server) => {
                let adapter = JanusAdapter::of(JanusSettings::from_config(server, secrets), clock, outlets);
                let health = adapter.health();
                (adapter.start().recipient(), health)
            }
            Self::RedisControl(server) => {
                let settings = RedisControlSettings::from_config(server, secrets);
                let adapter = RedisControlAdapter::of(settings, clock, outlets);
                let health = adapter.health();
                (adapter.start().recipient(), health)
            }
        }
    }
}

/// What the sources of adapters begin with.
const KINDS: [&str; 4] = ["icecast", "nginx_rtmp", "janus", "redis_control"];

/// The adapters that run, as the configuration says.
pub struct Adapters {
    house: House,
    clock: Clock,
    health: HealthBoard,
    running: Vec<Running>,
    /// What servers said that are configured no more has left the sums.
    tidied: bool,
}

/// A configured server and what watches it.
struct Running {
    server: Configured,
    secrets: Result<Secrets, String>,
    adapter: Option<Recipient<Leave>>,
    health: Health,
}

impl Running {
    /// A secret that cannot be read just now says nothing against the one in use.
    fn is_as(&self, server: &Configured, secrets: &Result<Secrets, String>) -> bool {
        self.adapter.is_some() && self.server == *server && (secrets.is_err() || self.secrets == *secrets)
    }
}

impl Adapters {
    pub fn new(house: House, clock: Clock, health: HealthBoard) -> Self {
        Self { house, clock, health, running: Vec::new(), tidied: false }
    }

    /// Starts what is new, ends what is gone, and starts anew what changed: its settings, or a secret in a
    /// file that they name.
    pub fn apply(&mut self, config: &Config) {
        let wanted: Vec<_> = Configured::all(config)
            .into_iter()
            .map(|server| {
                let secrets = server.secrets();
                (server, secrets)
            })
            .collect();
        let before = std::mem::take(&mut self.running);
        let (keep, over): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|had| wanted.iter().any(|(server, secrets)| had.is_as(server, secrets)));
        for had in over {
            let (kind, name) = had.server.id();
            if let Some(adapter) = &had.adapter
                && adapter.try_send(Leave).is_err()
            {
                tracing::error!(kind, server = %name, "a busy adapter could not be told to leave; send SIGHUP again");
            }
            let prefix = had.server.source_prefix();
            if wanted.iter().any(|(server, _)| server.id() == had.server.id()) {
                // What it said before its settings changed is to be seen anew.
                let _ = self.house.supervisor.try_send(Doubt { source_prefix: prefix });
            } else {
                self.retire(prefix, Vec::new());
            }
        }
        if !std::mem::replace(&mut self.tidied, true) {
            // One may have been renamed or removed while the daemon was down.
            let prefixes: Vec<String> = wanted.iter().map(|(server, _)| server.source_prefix()).collect();
            KINDS.iter().for_each(|kind| self.retire(format!("{kind}:"), prefixes.clone()));
        }
        self.running = keep;
        for (server, secrets) in wanted {
            let kept = self.running.iter().any(|had| had.is_as(&server, &secrets));
            match (kept, &secrets) {
                (true, Ok(_)) => {}
                (true, Err(why)) => {
                    let (kind, name) = server.id();
                    tracing::error!(kind, server = %name, %why, "this server is watched with the secret or password read before");
                }
                (false, _) => {
                    let started = self.start(server, secrets);
                    self.running.push(started);
                }
            }
        }
        let named = |had: &Running| {
            let (kind, name) = had.server.id();
            (format!("{kind}:{name}"), had.health.clone())
        };
        self.health.set(self.running.iter().map(named).collect());
    }

    fn start(&self, server: Configured, secrets: Result<Secrets, String>) -> Running {
        let (adapter, health) = match &secrets {
            Ok(secrets) => {
                let outlets = Outlets {
                    batches: self.house.supervisor.clone().recipient(),
                    known_sessions: self.house.supervisor.clone().recipient(),
                    registrations: self.house.control.clone().recipient(),
                    delivered: self.house.supervisor.clone().recipient(),
                    store: Arc::clone(&self.house.health),
                };
                let (adapter, health) = server.start(secrets.clone(), self.clock, outlets);
                (Some(adapter), health)
            }
            Err(why) => {
                let (kind, name) = server.id();
                tracing::error!(kind, server = %name, %why, "this server is not watched; mend it and reload");
                (None, Health::failing(why.clone()))
            }
        };
        Running { server, secrets, adapter, health }
    }

    /// The configuration names a server no more: what it said leaves every sum. What begins with one of `kept` stays.
    fn retire(&self, source_prefix: String, kept: Vec<String>) {
        let supervisor = self.house.supervisor.clone();
        actix_rt::spawn(async move {
            let (reply, answer) = oneshot::channel();
            let asked = supervisor.send(KnownSessions { source_prefix, reply }).await;
            let (Ok(()), Ok(known)) = (asked, answer.await) else { return };
            let stays = |source: &str| kept.iter().any(|prefix| source.starts_with(prefix));
            for session in known.into_iter().filter(|session| !stays(session.source.as_str())) {
                let (reply, done) = oneshot::channel();
                let forget = Forget { channel: session.channel, source: Some(session.source.to_string()), reply };
                if supervisor.send(forget).await.is_ok() {
                    // A channel that has gone meanwhile needs nothing.
                    let _ = done.await;
                }
            }
        });
    }

    /// Ends all adapters; what they said stays, for the next start.
    pub fn stop(&mut self) {
        for adapter in self.running.drain(..).filter_map(|had| had.adapter) {
            let _ = adapter.try_send(Leave);
        }
        self.tidied = false;
        self.health.set(Vec::new());
    }
}
