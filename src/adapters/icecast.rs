//! Icecast: what one server's admin pages tell of its mounts, and how a source is killed there.

pub mod clients;
pub mod stats;

use std::{fmt, rc::Rc, sync::Arc, time::Duration};

use sattva_actors::{
    clock::{Clock, Now},
    wire::Track,
};

use self::stats::{BadStats, Mount};
use super::{
    Outlets, Secrets,
    polled::{
        Polled, Server, Settings,
        broadcast::Broadcast,
        kill::Killed,
        kind::Kind,
        names,
        request::{LOOK_ANSWER_MAX, Requests, STOP_ANSWER_MAX},
        trouble::Failure,
    },
};
use crate::config;

#[derive(Clone)]
pub struct IcecastSettings {
    /// Names this server among all; part of its sources' names.
    pub name: String,
    /// The server's root, such as `http://127.0.0.1:8000`.
    pub url: String,
    pub user: String,
    pub password: String,
    pub poll_interval: Duration,
    /// How long a mount must have been without listeners to be believed.
    pub settle: Duration,
    /// Mounts to watch; empty means all.
    pub mounts: Vec<String>,
    /// Players who are no listeners, by their whole user agent; empty means that nobody is asked.
    pub ignored_user_agents: Vec<String>,
    pub channel_prefix: String,
    /// Whether streams here may be ended.
    pub stop: bool,
}

impl IcecastSettings {
    pub(super) fn from_config(server: config::Icecast, secrets: Secrets) -> Self {
        Self {
            name: server.name,
            url: server.url,
            user: server.user,
            password: secrets.into_iter().next().unwrap_or_default(),
            poll_interval: server.poll_interval,
            settle: server.settle,
            mounts: server.mounts,
            ignored_user_agents: server.ignored_user_agents,
            channel_prefix: server.channel_prefix,
            stop: server.stop,
        }
    }
}

impl fmt::Debug for IcecastSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IcecastSettings")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("user", &self.user)
            .field("password", &"…")
            .field("poll_interval", &self.poll_interval)
            .field("settle", &self.settle)
            .field("mounts", &self.mounts)
            .field("ignored_user_agents", &self.ignored_user_agents)
            .field("channel_prefix", &self.channel_prefix)
            .field("stop", &self.stop)
            .finish()
    }
}

/// One server's admin pages.
#[derive(Clone)]
pub struct Icecast {
    requests: Requests,
    root: Rc<str>,
    /// Mounts to watch; empty means all.
    mounts: Rc<[String]>,
    ignored_user_agents: Rc<[String]>,
}

pub type IcecastAdapter = Polled<Icecast>;

impl IcecastAdapter {
    /// The adapter of one Icecast server.
    pub fn of(settings: IcecastSettings, clock: Clock, outlets: Outlets) -> Self {
        let server = Icecast {
            requests: Requests::new(Some((settings.user, settings.password))),
            root: settings.url.trim_end_matches('/').into(),
            mounts: settings.mounts.into(),
            ignored_user_agents: settings.ignored_user_agents.into(),
        };
        let settings = Settings {
            name: settings.name,
            url: settings.url,
            poll_interval: settings.poll_interval,
            settle: settings.settle,
            channel_prefix: settings.channel_prefix,
            stop: settings.stop,
        };
        Self::new(server, settings, clock, outlets)
    }
}

impl Server for Icecast {
    const KIND: Kind = Kind {
        name: "icecast",
        called: "Icecast server",
        when_denied: "set user and password_file to those of the server's admin, <admin-user> in icecast.xml",
        when_foreign: "set url to the root of an Icecast server, as in http://127.0.0.1:8000",
    };

    async fn look(self, _: Now) -> Result<Vec<Broadcast>, Failure> {
        let body = self.requests.get(&format!("{}/admin/stats", self.root), LOOK_ANSWER_MAX).await?;
        let mut broadcasts = broadcasts(stats::parse(&body)?, &self.mounts);
        if !self.ignored_user_agents.is_empty() {
            for broadcast in broadcasts.iter_mut().filter(|broadcast| broadcast.listeners > Some(0)) {
                self.ignore(broadcast).await;
            }
        }
        Ok(broadcasts)
    }

    async fn end(self, broadcast: Broadcast) -> Killed {
        let url = format!("{}/admin/killsource?mount={}", self.root, names::in_query(&broadcast.name));
        match self.requests.get(&url, STOP_ANSWER_MAX).await {
            Err(denied @ Failure::Denied(_)) => {
                Killed::Denied(format!("the server lets no source be killed: {denied}"))
            }
            // 400: there is no such source any more. The rest may have been done all the same.
            _ => Killed::Perhaps,
        }
    }
}

impl Icecast {
    /// Takes out of a mount's count who is no listener. Where that cannot be known, everybody is one.
    async fn ignore(&self, broadcast: &mut Broadcast) {
        let url = format!("{}/admin/listclients?mount={}", self.root, names::in_query(&broadcast.name));
        let Ok(body) = self.requests.get(&url, LOOK_ANSWER_MAX).await else { return };
        if let Ok(agents) = clients::parse(&body) {
            let listeners = agents.iter().filter(|agent| !self.ignored_user_agents.contains(agent)).count();
            broadcast.listeners = u32::try_from(listeners).ok();
        }
    }
}

impl From<BadStats> for Failure {
    fn from(bad: BadStats) -> Self {
        match bad {
            BadStats::NotIcestats => Self::Foreign(bad.to_string()),
            _ => Self::Unbelievable(bad.to_string()),
        }
    }
}

/// The mounts asked for that have a source.
fn broadcasts(mounts: Vec<Mount>, only: &[String]) -> Vec<Broadcast> {
    let wanted = mounts.into_iter().filter(|mount| only.is_empty() || only.contains(&mount.name));
    wanted.filter_map(broadcast).collect()
}

fn broadcast(mount: Mount) -> Option<Broadcast> {
    let track = match (mount.title, mount.artist) {
        (Some(title), artist) => Some((title.into(), artist.map(Into::into))),
        (None, Some(artist)) => Some((artist.into(), None)),
        (None, None) => None,
    };
    Some(Broadcast {
        name: mount.name,
        connection: mount.start?,
        started_at: mount.started_at,
        listeners: mount.listeners,
        track: track.map(|(title, artist)| Arc::new(Track { title, artist, ..Track::default() })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(name: &str) -> Mount {
        let start = Some("2026-11-24T00:00:00+0000".to_owned());
        Mount { name: name.into(), start, listeners: Some(0), ..Mount::default() }
    }

    #[test]
    fn a_mount_without_a_connected_source_is_not_reported() {
        assert!(broadcasts(vec![Mount { start: None, ..mount("/relay") }], &[]).is_empty());
    }

    #[test]
    fn only_the_mounts_asked_for_are_watched() {
        let names = |only: &[String]| -> Vec<String> {
            broadcasts(vec![mount("/live"), mount("/other")], only).into_iter().map(|b| b.name).collect()
        };
        assert_eq!(names(&["/live".into()]), ["/live"]);
        assert_eq!(names(&[]), ["/live", "/other"]);
    }

    #[test]
    fn a_title_becomes_the_track() {
        let track = |title: Option<&str>, artist: Option<&str>| {
            let (title, artist) = (title.map(str::to_owned), artist.map(str::to_owned));
            let track = broadcast(Mount { title, artist, ..mount("/live") }).unwrap().track?;
            Some((track.title.clone(), track.artist.clone()))
        };
        assert_eq!(track(Some("T"), Some("A")), Some(("T".into(), Some("A".into()))));
        assert_eq!(track(None, Some("A")), Some(("A".into(), None)));
        assert_eq!(track(None, None), None);
    }
}
