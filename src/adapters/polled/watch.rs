//! What one server runs, as its polls tell it: polls become reports. Pure; time is an argument.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sattva_actors::{
    clock::{Now, Timestamp, WallTime},
    identity::{ChannelId, SessionId, SourceId},
    protocol::{Identity, KnownSession, Report, Status},
};

use super::{super::outlets::FAREWELLS, broadcast::Broadcast, names, settling::Settling};

/// Streams that cannot be watched and were named in the log.
const UNWATCHABLE_MAX: usize = 1000;

/// What to watch, and under which names.
#[derive(Clone, Debug)]
pub struct Scope {
    /// As in the names of its sources.
    pub kind: &'static str,
    pub server: String,
    pub channel_prefix: String,
    pub interval: Duration,
    /// How long a count must have been zero to be believed.
    pub settle: Duration,
    /// Whether streams here may be ended.
    pub stop: bool,
}

/// Whose account, and of which channel.
pub type Place = (SourceId, ChannelId);

/// A report and where it belongs.
pub type Addressed = (Place, Report);

/// What one good poll led to.
#[derive(Debug, Default)]
pub struct Seen {
    pub reports: Vec<Addressed>,
    /// Where a stream is over since this poll.
    pub gone: Vec<Place>,
    /// Streams that cannot be watched, with the reason, each told once.
    pub unwatchable: Vec<(String, String)>,
}

/// A live stream, as it stands after the last good poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The session it is reported under.
    pub session: &'a str,
    /// Tells one connection of its source from the next.
    pub connection: &'a str,
    /// To be believed.
    pub listeners: Option<u32>,
    /// Counted at that poll, whether or not it has settled.
    pub counted: Option<u32>,
}

#[derive(Clone, Debug)]
struct Stream {
    session: SessionId,
    started_at: Option<WallTime>,
    seq: u64,
    /// As it was last seen, with the count to believe; `None` until it was, and while it is not there.
    live: Option<Broadcast>,
    counted: Option<u32>,
    settling: Settling,
    /// The first good poll without it since the last one with it.
    missing_since: Option<Timestamp>,
    farewells: u8,
}

impl Stream {
    fn new(session: SessionId, started_at: Option<WallTime>, seq: u64) -> Self {
        Self {
            session,
            started_at,
            seq,
            live: None,
            counted: None,
            settling: Settling::default(),
            missing_since: None,
            farewells: 0,
        }
    }

    fn next_seq(&mut self, now: Now) -> u64 {
        // Wall time, so that numbers go on after a restart, and never less than the last one.
        self.seq = (now.wall.as_millis().max(0) as u64).max(self.seq + 1);
        self.seq
    }
}

#[derive(Debug)]
pub struct Watch {
    scope: Scope,
    /// By source and channel: after a change of the prefix a source leaves its old channel.
    streams: BTreeMap<Place, Stream>,
    unwatchable: BTreeSet<String>,
}

impl Watch {
    pub fn new(scope: Scope) -> Self {
        Self { scope, streams: BTreeMap::new(), unwatchable: BTreeSet::new() }
    }

    /// What the daemon believes to run here, so that what vanished while it was away is reported too.
    pub fn restore(&mut self, known: Vec<KnownSession>) {
        for known in known {
            let stream = Stream::new(known.session, known.started_at, known.seq);
            self.streams.insert((known.source, known.channel), stream);
        }
    }

    /// Takes in a good poll whose request was sent at `sent`. A stop under way decides itself what is
    /// gone: `stopping` says of which sources that holds. What reconnects there keeps its session.
    pub fn on_poll(&mut self, sent: Now, broadcasts: &[Broadcast], stopping: impl Fn(&Place) -> bool) -> Seen {
        let mut seen = Seen::default();
        let mut present: BTreeSet<Place> = BTreeSet::new();
        // What is already watched keeps its channel, whatever new stream would take its name.
        let watched = self.streams.iter().filter(|(_, stream)| stream.live.is_some());
        let mut taken: BTreeMap<ChannelId, SourceId> =
            watched.map(|((source, channel), _)| (channel.clone(), source.clone())).collect();
        for broadcast in broadcasts {
            let channel = names::channel(&self.scope.channel_prefix, &broadcast.name);
            let source = names::source(self.scope.kind, &self.scope.server, &broadcast.name);
            let (Some(channel), Some(source)) = (channel, source) else {
                self.cannot_watch(&mut seen, broadcast, "its name leaves nothing to call its channel by".to_owned());
                continue;
            };
            let owner = taken.entry(channel.clone()).or_insert_with(|| source.clone());
            if *owner != source {
                let why = format!("its channel would be {channel}, which is already that of {owner}");
                self.cannot_watch(&mut seen, broadcast, why);
                continue;
            }
            let place = (source, channel);
            if present.contains(&place) {
                self.cannot_watch(&mut seen, broadcast, "another stream of this server has the same name".to_owned());
                continue;
            }
            let report = self.see(sent, broadcast, &place, stopping(&place));
            present.insert(place.clone());
            seen.reports.push((place, report));
        }
        self.miss(sent, &present, stopping, &mut seen);
        seen
    }

    fn see(&mut self, sent: Now, broadcast: &Broadcast, place: &Place, stopping: bool) -> Report {
        let Scope { settle, interval, .. } = self.scope;
        let session = names::session(&broadcast.name, &broadcast.connection);
        let new = || Stream::new(session.clone(), broadcast.started_at, 0);
        let stream = self.streams.entry(place.clone()).or_insert_with(new);
        let continues = match &stream.live {
            Some(live) => live.connection == broadcast.connection,
            None => stream.session == session,
        };
        if !continues {
            // Another connection's listeners are others.
            stream.settling = Settling::default();
        }
        if !continues && !stopping {
            // A server whose clock was set back must not make the new session the older one.
            let is_later = broadcast.started_at > stream.started_at;
            stream.started_at = broadcast.started_at.filter(|_| is_later);
            stream.session = session;
        }
        let listeners = stream.settling.count(sent.at, broadcast.listeners, settle, interval);
        stream.counted = broadcast.listeners;
        stream.live = Some(Broadcast { listeners, ..broadcast.clone() });
        stream.missing_since = None;
        stream.farewells = 0;
        let track = broadcast.track.clone();
        Report { status: Status::Live, listeners, track, ..bare(stream, sent, &self.scope) }
    }

    /// Looks at what this poll did not show.
    fn miss(&mut self, sent: Now, present: &BTreeSet<Place>, stopping: impl Fn(&Place) -> bool, seen: &mut Seen) {
        let scope = &self.scope;
        self.streams.retain(|place, stream| {
            if present.contains(place) {
                return true;
            }
            if stopping(place) {
                stream.live = None;
                return true;
            }
            let first = *stream.missing_since.get_or_insert(sent.at);
            // Two polls in quick succession are no two looks.
            if sent.at.since(first) < scope.interval / 2 {
                return true;
            }
            if stream.farewells == 0 {
                seen.gone.push(place.clone());
            }
            stream.live = None;
            stream.farewells += 1;
            seen.reports.push((place.clone(), bare(stream, sent, scope)));
            stream.farewells < FAREWELLS
        });
    }

    /// A stop has seen its source go: says so at once.
    pub fn end(&mut self, place: &Place, now: Now) -> Option<Addressed> {
        let stream = self.streams.get_mut(place)?;
        stream.live = None;
        stream.missing_since = Some(now.at);
        stream.farewells = 1;
        Some((place.clone(), bare(stream, now, &self.scope)))
    }

    /// How a stream stands after the last good poll; `None` when it was not there.
    pub fn sighting(&self, place: &Place) -> Option<Sighting<'_>> {
        let stream = self.streams.get(place)?;
        let live = stream.live.as_ref().filter(|_| stream.missing_since.is_none())?;
        let (session, connection) = (&stream.session, &live.connection);
        Some(Sighting { session, connection, listeners: live.listeners, counted: stream.counted })
    }

    /// As it was last seen.
    pub fn broadcast(&self, place: &Place) -> Option<&Broadcast> {
        self.streams.get(place)?.live.as_ref()
    }

    fn cannot_watch(&mut self, seen: &mut Seen, broadcast: &Broadcast, why: String) {
        if self.unwatchable.len() < UNWATCHABLE_MAX && self.unwatchable.insert(broadcast.name.clone()) {
            seen.unwatchable.push((broadcast.name.clone(), why));
        }
    }
}

/// The next report of a session, of which nothing is known but that it is over.
fn bare(stream: &mut Stream, now: Now, scope: &Scope) -> Report {
    let seq = stream.next_seq(now);
    Report {
        identity: Identity::Numbered { session: stream.session.clone(), started_at: stream.started_at, seq },
        status: Status::Stopped,
        listeners: None,
        // No server here counts who ever joined a single stream.
        joins: None,
        queue_size: None,
        queue_ops: None,
        track: None,
        // Its batch is dated by the moment of the request, on the daemon's own clock.
        observed_at: None,
        interval: scope.interval,
        can_stop: scope.stop,
    }
}

#[cfg(test)]
mod tests;
