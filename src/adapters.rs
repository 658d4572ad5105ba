//! Adapters: each watches a server that cannot report by itself, and turns its truth into reports.

pub mod icecast;
pub mod redis_control;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use actix::{Actor, Addr};
use sattva_actors::{
    clock::Clock,
    house::House,
    protocol::{Doubt, Forget, KnownSessions},
};
use tokio::sync::oneshot;

use self::icecast::{IcecastAdapter, IcecastOutlets, IcecastSettings, Leave, ServerHealth};
use crate::config;

/// What is wrong with each watched server, for `/readyz`: its name, and why it cannot be watched.
#[derive(Clone, Debug, Default)]
pub struct AdaptersHealth(Arc<Mutex<Vec<(String, ServerHealth)>>>);

impl AdaptersHealth {
    pub fn troubles(&self) -> Vec<(String, Option<String>)> {
        let servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.iter().map(|(name, health)| (name.clone(), health.trouble())).collect()
    }

    fn set(&self, servers: Vec<(String, ServerHealth)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = servers;
    }
}

/// The adapters that run, as the configuration says.
pub struct Adapters {
    house: House,
    clock: Clock,
    health: AdaptersHealth,
    running: Vec<Running>,
}

/// A configured server and what watches it.
struct Running {
    server: config::Icecast,
    /// What its password file said.
    password: Result<String, String>,
    adapter: Option<Addr<IcecastAdapter>>,
    health: ServerHealth,
}

impl Running {
    /// A password that cannot be read just now says nothing against the one in use.
    fn is_as(&self, server: &config::Icecast, password: &Result<String, String>) -> bool {
        self.adapter.is_some() && self.server == *server && (password.is_err() || self.password == *password)
    }
}

impl Adapters {
    pub fn new(house: House, clock: Clock, health: AdaptersHealth) -> Self {
        Self { house, clock, health, running: Vec::new() }
    }

    /// Starts what is new, ends what is gone, and starts anew what changed: its settings, or the password
    /// in the file that they name.
    pub fn apply(&mut self, wanted: &[config::Icecast]) {
        let wanted: Vec<_> = wanted.iter().map(|server| (server, first_line(&server.password_file))).collect();
        let before = std::mem::take(&mut self.running);
        let (keep, over): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|had| wanted.iter().any(|(server, password)| had.is_as(server, password)));
        for had in over {
            let name = &had.server.name;
            if let Some(adapter) = had.adapter
                && adapter.try_send(Leave).is_err()
            {
                tracing::error!(server = %name, "a busy adapter could not be told to leave; send SIGHUP again");
            }
            let prefix = format!("icecast:{name}/");
            if wanted.iter().any(|(server, _)| server.name == *name) {
                // What it said before its settings changed is to be seen anew.
                let _ = self.house.supervisor.try_send(Doubt { source_prefix: prefix });
            } else {
                self.retire(prefix);
            }
        }
        self.running = keep;
        for (server, password) in wanted {
            let kept = self.running.iter().any(|had| had.is_as(server, &password));
            match (kept, &password) {
                (true, Ok(_)) => {}
                (true, Err(why)) => {
                    tracing::error!(server = %server.name, %why, "this Icecast server is watched with the password read before");
                }
                (false, _) => {
                    let started = self.start(server, password);
                    self.running.push(started);
                }
            }
        }
        self.health.set(self.running.iter().map(|had| (had.server.name.clone(), had.health.clone())).collect());
    }

    fn start(&self, server: &config::Icecast, password: Result<String, String>) -> Running {
        let (adapter, health) = match &password {
            Ok(password) => {
                let adapter = self.adapter(server, password.clone());
                let health = adapter.health();
                (Some(adapter.start()), health)
            }
            Err(why) => {
                tracing::error!(server = %server.name, %why, "this Icecast server is not watched; mend it and reload");
                (None, ServerHealth::failing(why.clone()))
            }
        };
        Running { server: server.clone(), password, adapter, health }
    }

    fn adapter(&self, server: &config::Icecast, password: String) -> IcecastAdapter {
        let settings = IcecastSettings {
            name: server.name.clone(),
            url: server.url.clone(),
            user: server.user.clone(),
            password,
            poll_interval: server.poll_interval,
            mounts: server.mounts.clone(),
            channel_prefix: server.channel_prefix.clone(),
            stop: server.stop,
        };
        let outlets = IcecastOutlets {
            batches: self.house.supervisor.clone().recipient(),
            known_sessions: self.house.supervisor.clone().recipient(),
            registrations: self.house.control.clone().recipient(),
        };
        IcecastAdapter::new(settings, self.clock, outlets)
    }

    /// The configuration names a server no more: what it said leaves every sum.
    fn retire(&self, source_prefix: String) {
        let supervisor = self.house.supervisor.clone();
        actix_rt::spawn(async move {
            let (reply, answer) = oneshot::channel();
            let asked = supervisor.send(KnownSessions { source_prefix, reply }).await;
            let (Ok(()), Ok(known)) = (asked, answer.await) else { return };
            for session in known {
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
    }
}

fn first_line(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| {
        format!(
            "the password file {} cannot be read: {error}; its first line must be the admin password",
            path.display()
        )
    })?;
    match text.lines().next().map(str::trim_end) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(format!("the password file {} is empty; its first line must be the admin password", path.display())),
    }
}
