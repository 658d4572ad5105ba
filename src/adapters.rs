//! Adapters: each watches a server that cannot report by itself, and turns its truth into reports.

pub mod icecast;

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
    running: Vec<(config::Icecast, Option<Addr<IcecastAdapter>>, ServerHealth)>,
}

impl Adapters {
    pub fn new(house: House, clock: Clock, health: AdaptersHealth) -> Self {
        Self { house, clock, health, running: Vec::new() }
    }

    /// Starts what is new, ends what is gone, and starts anew what changed.
    pub fn apply(&mut self, wanted: &[config::Icecast]) {
        let before = std::mem::take(&mut self.running);
        let (keep, over): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|(had, adapter, _)| adapter.is_some() && wanted.contains(had));
        for (had, adapter, _) in over {
            if let Some(adapter) = adapter
                && adapter.try_send(Leave).is_err()
            {
                tracing::error!(server = %had.name, "a busy adapter could not be told to leave; send SIGHUP again");
            }
            let prefix = format!("icecast:{}/", had.name);
            if wanted.iter().any(|server| server.name == had.name) {
                // What it said before its settings changed is to be seen anew.
                let _ = self.house.supervisor.try_send(Doubt { source_prefix: prefix });
            } else {
                self.retire(prefix);
            }
        }
        self.running = keep;
        for server in wanted {
            if !self.running.iter().any(|(had, ..)| had == server) {
                self.start(server);
            }
        }
        self.health.set(self.running.iter().map(|(server, _, health)| (server.name.clone(), health.clone())).collect());
    }

    fn start(&mut self, server: &config::Icecast) {
        let password = match first_line(&server.password_file) {
            Ok(password) => password,
            Err(why) => {
                tracing::error!(server = %server.name, %why, "this Icecast server is not watched; mend it and reload");
                self.running.push((server.clone(), None, ServerHealth::failing(why)));
                return;
            }
        };
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
        let adapter = IcecastAdapter::new(settings, self.clock, outlets);
        let health = adapter.health();
        self.running.push((server.clone(), Some(adapter.start()), health));
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
        for (_, adapter, _) in self.running.drain(..) {
            if let Some(adapter) = adapter {
                let _ = adapter.try_send(Leave);
            }
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
