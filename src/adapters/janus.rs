//! Janus: who is in the rooms of its AudioBridge, and how a streamer is sent out of one.

pub mod answer;
mod room;
mod visits;

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    fmt,
    rc::Rc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use sattva_actors::{
    clock::{Clock, Now},
    identity::SessionId,
    protocol::KnownSession,
};
use serde_json::{Value, json};

use self::{
    answer::{Id, Refusal},
    room::Known,
    visits::Visits,
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

/// Rooms that are asked at a time.
const TOGETHER: usize = 8;
const PLUGIN: &str = "janus.plugin.audiobridge";

#[derive(Clone)]
pub struct JanusSettings {
    pub name: String,
    /// Of Janus's HTTP transport, such as `http://127.0.0.1:8088/janus`.
    pub url: String,
    pub api_secret: Option<String>,
    pub room_secret: Option<String>,
    /// Rooms to watch; empty means all that are listed.
    pub rooms: Vec<String>,
    pub streamers: Participants,
    /// Participants who are no listeners.
    pub ignored: Participants,
    pub poll_interval: Duration,
    pub settle: Duration,
    pub channel_prefix: String,
    pub stop: bool,
}

/// By what they call themselves, and by their ids.
#[derive(Clone, Debug, Default)]
pub struct Participants {
    pub displays: Vec<String>,
    pub ids: Vec<String>,
}

impl From<Participants> for Known {
    fn from(Participants { displays, ids }: Participants) -> Self {
        Self { displays, ids }
    }
}

impl JanusSettings {
    pub(super) fn from_config(server: config::Janus, secrets: Secrets) -> Self {
        let mut secrets = secrets.into_iter();
        Self {
            api_secret: server.api_secret_file.as_ref().and_then(|_| secrets.next()),
            room_secret: server.room_secret_file.as_ref().and_then(|_| secrets.next()),
            name: server.name,
            url: server.url,
            rooms: server.rooms,
            streamers: Participants { displays: server.streamer_displays, ids: server.streamer_ids },
            ignored: Participants { displays: server.ignored_displays, ids: server.ignored_ids },
            poll_interval: server.poll_interval,
            settle: server.settle,
            channel_prefix: server.channel_prefix,
            stop: server.stop,
        }
    }
}

impl fmt::Debug for JanusSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JanusSettings").field("name", &self.name).field("url", &self.url).finish()
    }
}

/// One Janus.
#[derive(Clone)]
pub struct Janus(Rc<Inner>);

struct Inner {
    requests: Requests,
    root: String,
    api_secret: Option<String>,
    room_secret: Option<String>,
    rooms: Vec<Id>,
    streamers: Known,
    ignored: Known,
    /// Session and handle, once they were made; Janus forgets them when nobody asks for a minute.
    handle: Cell<Option<(u64, u64)>>,
    /// This Janus wants texts for ids.
    string_ids: Cell<bool>,
    asked: Cell<u64>,
    seen: RefCell<Seen>,
    /// Rooms whose forwarders are not listed for us, each told once.
    unlisted: RefCell<HashSet<String>>,
}

/// What the looks so far have shown.
#[derive(Default)]
struct Seen {
    visits: Visits,
    /// By the broadcast's name: room and streamer.
    targets: HashMap<String, (Id, Id)>,
}

pub type JanusAdapter = Polled<Janus>;

impl JanusAdapter {
    /// The adapter of one Janus.
    pub fn of(settings: JanusSettings, clock: Clock, outlets: Outlets) -> Self {
        let server = Janus(Rc::new(Inner {
            requests: Requests::new(None),
            root: settings.url.trim_end_matches('/').to_owned(),
            api_secret: settings.api_secret,
            room_secret: settings.room_secret,
            rooms: settings.rooms.iter().map(|room| Id::of(room)).collect(),
            streamers: settings.streamers.into(),
            ignored: settings.ignored.into(),
            handle: Cell::new(None),
            string_ids: Cell::new(false),
            asked: Cell::new(0),
            seen: RefCell::default(),
            unlisted: RefCell::default(),
        }));
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

impl Server for Janus {
    const KIND: Kind = Kind {
        name: "janus",
        called: "Janus server",
        when_denied: "let the daemon's address pass the proxy before Janus",
        when_foreign: "set url to Janus's HTTP transport, as in http://127.0.0.1:8088/janus",
    };

    async fn look(self, sent: Now) -> Result<Vec<Broadcast>, Failure> {
        let inner = &*self.0;
        let rooms = if inner.rooms.is_empty() { inner.listed_rooms().await? } else { inner.rooms.clone() };
        let mut live = Vec::new();
        let mut rooms = rooms.into_iter();
        // The first one makes the session that all others are asked in.
        if let Some(first) = rooms.next() {
            live.extend(inner.live(first).await?);
        }
        let mut others = stream::iter(rooms.map(|room| inner.live(room))).buffered(TOGETHER);
        while let Some(found) = others.next().await {
            live.extend(found?);
        }
        Ok(inner.seen.borrow_mut().look(sent, live))
    }

    async fn end(self, broadcast: Broadcast) -> Killed {
        let inner = &*self.0;
        let Some((room, streamer)) = inner.seen.borrow().targets.get(&broadcast.name).cloned() else {
            return Killed::Perhaps;
        };
        let mut request = json!({ "request": "kick", "room": room, "id": streamer });
        if let Some(secret) = &inner.room_secret {
            request["secret"] = secret.as_str().into();
        }
        // In the session of the look before or not at all: making a new one takes time in which somebody may join.
        let Some(handle) = inner.handle.get() else { return Killed::Perhaps };
        let answer = inner.message(handle, &request, STOP_ANSWER_MAX).await;
        match answer.map_err(Refused::from).and_then(|body| Ok(answer::done(&body)?)) {
            Ok(()) => {
                inner.seen.borrow_mut().visits.send_away(&key(&broadcast.name));
                Killed::Perhaps
            }
            Err(Refused::Answer(refusal @ Refusal::Bridge { code: answer::WRONG_ROOM_SECRET, .. })) => {
                Killed::Denied(format!("{refusal}; set room_secret_file to the room's secret"))
            }
            // Whether it was done, the next looks show.
            Err(_) => Killed::Perhaps,
        }
    }

    fn recall(&self, known: &[KnownSession]) {
        let mut seen = self.0.seen.borrow_mut();
        known.iter().for_each(|known| seen.recall(&known.session));
    }
}

/// A room as its sessions' names begin.
fn key(name: &str) -> SessionId {
    names::session(name, "")
}

impl Seen {
    /// A session that was reported before the daemon was restarted.
    fn recall(&mut self, session: &str) {
        if let Some((room, visit)) = session.rsplit_once('@') {
            self.visits.recall(&format!("{room}@"), visit);
        }
    }

    fn look(&mut self, sent: Now, live: Vec<(Id, room::Live)>) -> Vec<Broadcast> {
        self.targets.clear();
        let mut broadcasts = Vec::new();
        for (room, room::Live { streamers, listeners }) in live {
            let name = format!("/{room}");
            let Some((streamer, visit)) = self.visits.visit(sent.wall, &key(&name), &streamers) else { continue };
            self.targets.insert(name.clone(), (room, streamer));
            let (connection, started_at) = (visit.name, Some(visit.since));
            broadcasts.push(Broadcast { name, connection, started_at, listeners, track: None });
        }
        let there: HashSet<SessionId> = self.targets.keys().map(|name| key(name)).collect();
        self.visits.keep(|room| there.contains(room));
        broadcasts
    }
}

/// Why a request led to nothing.
enum Refused {
    Request(Failure),
    Answer(Refusal),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Request(failure)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Answer(refusal)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let refusal = match refused {
            Refused::Request(failure) => return failure,
            Refused::Answer(refusal) => refusal,
        };
        let what = refusal.to_string();
        match refusal {
            Refusal::Foreign(_) => Self::Foreign(what),
            Refusal::Lost | Refusal::Unbelievable(_) | Refusal::Bridge { .. } => Self::Unbelievable(what),
            Refusal::Janus { code: answer::UNAUTHORIZED, .. } => {
                Self::Unfit { what, todo: "set api_secret_file to the api_secret in janus.jcfg" }
            }
            Refusal::Janus { .. } => {
                Self::Unfit { what, todo: "see Janus's log; its AudioBridge plugin must be loaded" }
            }
        }
    }
}

impl Inner {
    async fn listed_rooms(&self) -> Result<Vec<Id>, Refused> {
        let body = self.ask(json!({ "request": "list" }), LOOK_ANSWER_MAX).await?;
        Ok(answer::rooms(&body)?)
    }

    /// A room with its streamer in it.
    async fn live(&self, room: Id) -> Result<Option<(Id, room::Live)>, Refused> {
        let participants = match self.participants(&room).await {
            // It is not there, so nobody is in it.
            Err(Refused::Answer(Refusal::Bridge { code: answer::NO_SUCH_ROOM, .. })) => return Ok(None),
            participants => participants?,
        };
        let Some(mut live) = room::live(&participants, &self.streamers, &self.ignored) else { return Ok(None) };
        if live.listeners == Some(0) && !self.is_forwarded_nowhere(&room).await? {
            // Whoever hears it elsewhere is no participant.
            live.listeners = None;
        }
        Ok(Some((self.spelled(&room), live)))
    }

    /// Where this Janus does not say, it may be forwarded.
    async fn is_forwarded_nowhere(&self, room: &Id) -> Result<bool, Refused> {
        let mut request = json!({ "request": "listforwarders", "room": self.spelled(room) });
        if let Some(secret) = &self.room_secret {
            request["secret"] = secret.as_str().into();
        }
        let body = self.ask(request, LOOK_ANSWER_MAX).await?;
        match answer::forwarders(&body) {
            Ok(count) => Ok(count == 0),
            Err(refusal @ Refusal::Bridge { .. }) => {
                let mut told = self.unlisted.borrow_mut();
                if told.len() < answer::ROOMS_MAX && told.insert(room.to_string()) {
                    tracing::warn!(
                        %room, %refusal,
                        "a room's forwarders cannot be listed, so nobody knows whether it is heard elsewhere and it is not ended; set room_secret_file to the room's secret"
                    );
                }
                Ok(false)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// A room's id as this Janus wants it.
    fn spelled(&self, room: &Id) -> Id {
        if self.string_ids.get() { room.as_text() } else { room.clone() }
    }

    async fn participants(&self, room: &Id) -> Result<Vec<answer::Participant>, Refused> {
        loop {
            let request = json!({ "request": "listparticipants", "room": self.spelled(room) });
            let body = self.ask(request, LOOK_ANSWER_MAX).await?;
            match answer::participants(&body) {
                Err(Refusal::Bridge { code: answer::WRONG_TYPE, .. }) if !self.string_ids.get() => {
                    self.string_ids.set(true);
                }
                participants => return Ok(participants?),
            }
        }
    }

    /// Asks the AudioBridge, in a new session where Janus has forgotten the one before.
    async fn ask(&self, body: Value, limit: usize) -> Result<Vec<u8>, Refused> {
        if let Some(handle) = self.handle.get() {
            let answer = self.message(handle, &body, limit).await?;
            if answer::is_heard(&answer) {
                return Ok(answer);
            }
            self.handle.set(None);
        }
        let session = answer::made(&self.post("", json!({ "janus": "create" }), STOP_ANSWER_MAX).await?)?;
        let attach = json!({ "janus": "attach", "plugin": PLUGIN });
        let handle = answer::made(&self.post(&format!("/{session}"), attach, STOP_ANSWER_MAX).await?)?;
        self.handle.set(Some((session, handle)));
        Ok(self.message((session, handle), &body, limit).await?)
    }

    async fn message(&self, (session, handle): (u64, u64), body: &Value, limit: usize) -> Result<Vec<u8>, Failure> {
        self.post(&format!("/{session}/{handle}"), json!({ "janus": "message", "body": body }), limit).await
    }

    async fn post(&self, path: &str, mut request: Value, limit: usize) -> Result<Vec<u8>, Failure> {
        self.asked.set(self.asked.get() + 1);
        request["transaction"] = self.asked.get().to_string().into();
        if let Some(secret) = &self.api_secret {
            request["apisecret"] = secret.as_str().into();
        }
        self.requests.post_json(&format!("{}{path}", self.root), &request, limit).await
    }
}

#[cfg(test)]
mod tests;
