//! nginx-rtmp: what one nginx tells of the streams that are published to it, and how a publisher is dropped.

mod publishers;
pub mod stat;
mod workers;

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fmt,
    rc::Rc,
    time::Duration,
};

use sattva_actors::{
    clock::{Clock, Now},
    identity::SessionId,
    protocol::KnownSession,
};

use self::{
    publishers::Publishers,
    stat::{BadStat, Client, Stat, Stream},
    workers::Workers,
};
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
pub struct NginxRtmpSettings {
    pub name: String,
    pub stat_url: String,
    pub control_url: Option<String>,
    /// User and password of both pages, if they ask for them.
    pub credentials: Option<(String, String)>,
    /// Whether everyone who listens is in `/stat`; players of HLS and DASH are not.
    pub rtmp_only: bool,
    /// Applications to watch; empty means all.
    pub applications: Vec<String>,
    /// Clients who are no listeners.
    pub ignored: Ignored,
    pub poll_interval: Duration,
    pub settle: Duration,
    pub channel_prefix: String,
    pub stop: bool,
}

/// Clients who are no listeners: each text is a whole one, so that nobody is ignored by chance.
#[derive(Clone, Debug, Default)]
pub struct Ignored {
    pub addresses: Vec<String>,
    pub flashvers: Vec<String>,
}

impl Ignored {
    fn has(&self, client: &Client) -> bool {
        self.addresses.contains(&client.address) || self.flashvers.contains(&client.flashver)
    }
}

impl NginxRtmpSettings {
    pub(super) fn from_config(server: config::NginxRtmp, secrets: Secrets) -> Self {
        Self {
            name: server.name,
            stat_url: server.stat_url,
            control_url: server.control_url,
            credentials: secrets.into_iter().next().map(|password| (server.user, password)),
            rtmp_only: server.rtmp_only,
            applications: server.applications,
            ignored: Ignored { addresses: server.ignored_addresses, flashvers: server.ignored_flashvers },
            poll_interval: server.poll_interval,
            settle: server.settle,
            channel_prefix: server.channel_prefix,
            stop: server.stop,
        }
    }
}

impl fmt::Debug for NginxRtmpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NginxRtmpSettings").field("name", &self.name).field("stat_url", &self.stat_url).finish()
    }
}

/// One nginx.
#[derive(Clone)]
pub struct NginxRtmp {
    requests: Requests,
    stat_url: Rc<str>,
    control_url: Option<Rc<str>>,
    seen: Rc<RefCell<Seen>>,
}

pub type NginxRtmpAdapter = Polled<NginxRtmp>;

impl NginxRtmpAdapter {
    /// The adapter of one nginx.
    pub fn of(settings: NginxRtmpSettings, clock: Clock, outlets: Outlets) -> Self {
        let server = NginxRtmp {
            requests: Requests::new(settings.credentials),
            stat_url: settings.stat_url.as_str().into(),
            control_url: settings.control_url.map(|url| url.trim_end_matches('/').into()),
            seen: Rc::new(RefCell::new(Seen::new(settings.rtmp_only, settings.applications, settings.ignored))),
        };
        let settings = Settings {
            name: settings.name,
            url: settings.stat_url,
            poll_interval: settings.poll_interval,
            settle: settings.settle,
            channel_prefix: settings.channel_prefix,
            stop: settings.stop,
        };
        Self::new(server, settings, clock, outlets)
    }
}

impl Server for NginxRtmp {
    const KIND: Kind = Kind {
        name: "nginx_rtmp",
        called: "nginx-rtmp server",
        when_denied: "set user and password_file to what nginx asks for there (auth_basic), or allow the daemon's address",
        when_foreign: "set stat_url to a location with `rtmp_stat all`, as in http://127.0.0.1:8080/stat",
    };

    async fn look(self, sent: Now) -> Result<Vec<Broadcast>, Failure> {
        let body = self.requests.get(&self.stat_url, LOOK_ANSWER_MAX).await?;
        self.seen.borrow_mut().look(sent, stat::parse(&body)?)
    }

    async fn end(self, broadcast: Broadcast) -> Killed {
        let target = self.seen.borrow().target(&broadcast.name);
        let (Some(root), Some(target)) = (&self.control_url, target) else {
            return Killed::Denied("there is no control_url, so nothing can be stopped here".to_owned());
        };
        let Target { server, client } = match target {
            Ok(target) => target,
            Err(why) => return Killed::Denied(why),
        };
        // By its id alone: names are not compared as they are shown, and another connection is never hit.
        let url = format!("{root}/drop/publisher?srv={server}&clientid={client}");
        match self.requests.get(&url, STOP_ANSWER_MAX).await {
            Err(denied @ (Failure::Denied(_) | Failure::Status(404))) => Killed::Denied(format!(
                "the server lets no publisher be dropped: {denied}; control_url must lead to a location with `rtmp_control all`"
            )),
            // Whether it was dropped, the next looks show.
            _ => Killed::Perhaps,
        }
    }

    fn recall(&self, known: &[KnownSession]) {
        let mut seen = self.seen.borrow_mut();
        known.iter().for_each(|known| seen.recall(&known.session));
    }
}

impl From<BadStat> for Failure {
    fn from(bad: BadStat) -> Self {
        match bad {
            BadStat::NotRtmp => Self::Foreign(bad.to_string()),
            BadStat::NoClients => Self::Unfit {
                what: bad.to_string(),
                todo: "write `rtmp_stat all;` at stat_url: without its clients nobody knows who listens",
            },
            _ => Self::Unbelievable(bad.to_string()),
        }
    }
}

/// Which publisher a stop means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    server: usize,
    client: u64,
}

/// An older nginx-rtmp may not know `clientid`, and drop every publisher.
const DROPS_BY_ID_SINCE: [u32; 3] = [1, 1, 4];

/// What the looks so far have shown. Pure; time is an argument.
struct Seen {
    rtmp_only: bool,
    applications: Vec<String>,
    ignored: Ignored,
    publishers: Publishers,
    workers: Workers,
    version: Vec<u32>,
    /// By the broadcast's name.
    targets: HashMap<String, Target>,
}

impl Seen {
    fn new(rtmp_only: bool, applications: Vec<String>, ignored: Ignored) -> Self {
        let (publishers, workers, targets) = (Publishers::default(), Workers::default(), HashMap::new());
        Self { rtmp_only, applications, ignored, publishers, workers, version: Vec::new(), targets }
    }

    /// Which connection a stop of this broadcast means, or why there can be none.
    fn target(&self, name: &str) -> Option<Result<Target, String>> {
        let target = *self.targets.get(name)?;
        if self.version.as_slice() >= DROPS_BY_ID_SINCE.as_slice() {
            return Some(Ok(target));
        }
        Some(Err("nginx-rtmp before 1.1.4 cannot drop one publisher alone: update it, or set stop = false".to_owned()))
    }

    /// A session that was reported before the daemon was restarted.
    fn recall(&mut self, session: &str) {
        if let Some((stream, connection)) = session.rsplit_once('@') {
            self.publishers.recall(&format!("{stream}@"), connection);
        }
    }

    fn look(&mut self, sent: Now, stat: Stat) -> Result<Vec<Broadcast>, Failure> {
        if !self.workers.is_only_one(sent.at, &stat) {
            return Err(Failure::Unfit {
                what: "several workers of nginx answer, and each sees its own clients only".to_owned(),
                todo: "set worker_processes to 1 and rtmp_auto_push to off, and start nginx anew",
            });
        }
        self.targets.clear();
        self.version = stat.version;
        let wanted = |stream: &Stream| self.applications.is_empty() || self.applications.contains(&stream.application);
        let streams: Vec<Stream> = stat.streams.into_iter().filter(wanted).collect();
        let mut broadcasts: Vec<Broadcast> = Vec::new();
        for stream in streams {
            // nginx-rtmp shows what is not ASCII as spaces, so that two streams may seem to be one.
            match broadcasts.iter_mut().find(|other| other.name == called(&stream)) {
                Some(namesake) => namesake.listeners = None,
                None => broadcasts.extend(self.broadcast(sent, stream)?),
            }
        }
        let there: HashSet<SessionId> = self.targets.keys().map(|name| names::session(name, "")).collect();
        self.publishers.keep(|stream| there.contains(stream));
        Ok(broadcasts)
    }

    /// Nothing where nobody publishes, though players may wait.
    fn broadcast(&mut self, sent: Now, stream: Stream) -> Result<Option<Broadcast>, Failure> {
        let (publishing, players): (Vec<_>, Vec<_>) = stream.clients.iter().partition(|client| client.publishes);
        let Some(publisher) = publishing.first() else { return Ok(None) };
        let (Some(id), Some(lasted)) = (publisher.id, publisher.connected) else {
            return Err(Failure::Unbelievable("a publisher in the answer has no id or no time".to_owned()));
        };
        let listeners = players.iter().filter(|client| !self.ignored.has(client)).count();
        // Not all are listed, or not told apart: then nobody knows.
        let is_sure =
            publishing.len() == 1 && stream.counted == Some(stream.clients.len()) && (listeners > 0 || self.rtmp_only);
        let name = called(&stream);
        let connection = self.publishers.connection(sent, &names::session(&name, ""), id, lasted);
        self.targets.insert(name.clone(), Target { server: stream.server, client: id });
        Ok(Some(Broadcast {
            name,
            connection: connection.name,
            started_at: Some(connection.started_at),
            listeners: u32::try_from(listeners).ok().filter(|_| is_sure),
            track: None,
        }))
    }
}

/// `/live/a`, and `/live/a@1` in the second `server { }` block.
fn called(stream: &Stream) -> String {
    let Stream { server, application, name, .. } = stream;
    match server {
        0 => format!("/{application}/{name}"),
        _ => format!("/{application}/{name}@{server}"),
    }
}

#[cfg(test)]
mod tests;
