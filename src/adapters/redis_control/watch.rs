//! What the streamers of one Redis say, look by look: looks become reports. Pure; time is an argument.
//!
//! A status is as old as the look before the one that first saw it, for it was not there then; the streamer's
//! clock is not asked. The first status that is seen of a channel may be of any age: its count is unknown.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use sattva_actors::{
    clock::{Now, Timestamp, WallTime},
    identity::{ChannelId, SESSION_ID_MAX, SessionId, SourceId},
    protocol::{Identity, KnownSession, Report, Status as ReportStatus},
    wire::Track,
};

use super::{
    super::{
        outlets::FAREWELLS,
        polled::{names, settling::Settling},
    },
    status::{State, Status},
};

/// Keys that cannot be understood and were named in the log.
const ODD_MAX: usize = 1000;

#[derive(Clone, Debug)]
pub struct Scope {
    /// Names this Redis among all; part of its sources' names.
    pub name: String,
    pub channel_prefix: String,
    /// How often the streamers write; a count is believed for three of these.
    pub update_interval: Duration,
    pub settle: Duration,
    pub stop: bool,
}

/// Every source of a Redis begins so.
pub fn source_prefix(name: &str) -> String {
    names::source_prefix("redis_control", name)
}

/// A channel as one look found it.
#[derive(Clone, Debug)]
pub struct Found {
    /// What stands behind the prefix of its key.
    pub id: String,
    /// The status as it stands there, to the byte, or why there is none.
    pub raw: Result<Vec<u8>, &'static str>,
    pub queue: Option<u32>,
}

/// A report, whose it is, and when its count was taken at the earliest.
pub type Dated = (SourceId, ChannelId, Timestamp, Report);

#[derive(Debug, Default)]
pub struct Looked {
    pub reports: Vec<Dated>,
    /// Channels that cannot be understood, with the reason, each told once.
    pub odd: Vec<(String, String)>,
}

#[derive(Debug)]
struct Stream {
    id: String,
    channel: ChannelId,
    session: Option<SessionId>,
    seq: u64,
    raw: Vec<u8>,
    /// When the status came at the earliest; `None` for one that was there before we looked.
    since: Option<Timestamp>,
    farewells: u8,
    settling: Settling,
}

#[derive(Debug)]
pub struct Watch {
    scope: Scope,
    streams: BTreeMap<SourceId, Stream>,
    odd: BTreeSet<String>,
    /// The last good look.
    looked: Option<Timestamp>,
}

impl Watch {
    pub fn new(scope: Scope) -> Self {
        Self { scope, streams: BTreeMap::new(), odd: BTreeSet::new(), looked: None }
    }

    /// What the daemon believes to run here.
    pub fn restore(&mut self, known: Vec<KnownSession>) {
        let prefix = source_prefix(&self.scope.name);
        for known in known {
            let Some(id) = known.source.as_str().strip_prefix(&prefix).map(str::to_owned) else { continue };
            let stream = Stream {
                id,
                channel: known.channel,
                session: Some(known.session),
                seq: known.seq,
                raw: Vec::new(),
                since: None,
                farewells: 0,
                settling: Settling::default(),
            };
            self.streams.insert(known.source, stream);
        }
    }

    /// A look that was begun at `sent`. A channel that is not found says nothing, and becomes unknown by and by: its
    /// key may have expired, or the Redis may have lost it.
    /// Of one that `is_ending` by our doing nothing is said while it is stopped: it may start again by itself.
    pub fn on_look(&mut self, sent: Now, found: Vec<Found>, is_ending: impl Fn(&SourceId) -> bool) -> Looked {
        let before = self.looked.replace(sent.at);
        let mut looked = Looked::default();
        for found in found {
            let id = found.id.clone();
            if let Err(why) = self.on_found(sent, before, found, &is_ending, &mut looked.reports)
                && self.odd.len() < ODD_MAX
                && self.odd.insert(id.clone())
            {
                looked.odd.push((id, why));
            }
        }
        looked
    }

    fn on_found(
        &mut self,
        sent: Now,
        before: Option<Timestamp>,
        found: Found,
        is_ending: impl Fn(&SourceId) -> bool,
        reports: &mut Vec<Dated>,
    ) -> Result<(), String> {
        let raw = found.raw?;
        let status = Status::parse(&raw)?;
        let source = SourceId::new(&format!("{}{}", source_prefix(&self.scope.name), found.id))
            .map_err(|error| error.to_string())?;
        let channel =
            ChannelId::new(&format!("{}{}", self.scope.channel_prefix, found.id)).map_err(|error| error.to_string())?;
        let (interval, can_stop) = (self.scope.update_interval, self.scope.stop);
        let stream = self.streams.entry(source.clone()).or_insert_with(|| Stream {
            id: found.id.clone(),
            channel: channel.clone(),
            session: None,
            seq: 0,
            raw: Vec::new(),
            since: None,
            farewells: 0,
            settling: Settling::default(),
        });
        if stream.channel != channel {
            // The prefix has changed: it is another channel from here on, and the old one is told of its end.
            stream.farewells = 0;
            reports.extend(stream.farewell(&source, sent, interval, can_stop));
            stream.channel = channel;
            stream.session = None;
        }
        if stream.raw != raw {
            // First seen after a restart it may be of any age, as when it is the first of all.
            stream.since = before.filter(|_| !stream.raw.is_empty());
            stream.raw = raw;
        }
        if status.state == State::Stopped {
            if is_ending(&source) {
                return Ok(());
            }
            reports.extend(stream.farewell(&source, sent, interval, can_stop));
            return Ok(());
        }
        if std::mem::take(&mut stream.farewells) > 0 {
            // Its end has been said.
            stream.session = None;
        }
        let counted = status.listeners.filter(|_| stream.since.is_some());
        let listeners = stream.settling.count(sent.at, counted, self.scope.settle, interval);
        let session = stream.session.get_or_insert_with(|| session(&status.updated_at, sent.wall)).clone();
        let report = Report {
            identity: Identity::Numbered { session, started_at: None, seq: stream.next_seq(sent) },
            status: match status.state {
                State::Paused => ReportStatus::Paused,
                State::Restarting | State::Error => ReportStatus::Idle,
                _ => ReportStatus::Live,
            },
            listeners,
            joins: None,
            queue_size: found.queue,
            queue_ops: None,
            track: status.title.map(|title| Arc::new(Track { title: title.into(), ..Track::default() })),
            observed_at: None,
            interval,
            can_stop,
        };
        reports.push((source, stream.channel.clone(), stream.since.unwrap_or(sent.at), report));
        Ok(())
    }

    /// What was last seen of a source, and under which session: `None` where nothing was.
    pub fn sighting(&self, source: &SourceId) -> Option<Sighting<'_>> {
        let stream = self.streams.get(source)?;
        Some(Sighting { id: &stream.id, session: stream.session.as_deref()?, since: stream.since, raw: &stream.raw })
    }

    pub fn update_interval(&self) -> Duration {
        self.scope.update_interval
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting<'a> {
    pub id: &'a str,
    pub session: &'a str,
    pub since: Option<Timestamp>,
    pub raw: &'a [u8],
}

impl Stream {
    fn next_seq(&mut self, now: Now) -> u64 {
        // Wall time, so that numbers go on after a restart, and never less than the last one.
        self.seq = (now.wall.as_millis().max(0) as u64).max(self.seq + 1);
        self.seq
    }

    /// The stream is over; said a few times, and then it is nothing.
    fn farewell(&mut self, source: &SourceId, sent: Now, interval: Duration, can_stop: bool) -> Option<Dated> {
        let session = self.session.clone()?;
        let report = Report {
            identity: Identity::Numbered { session, started_at: None, seq: self.next_seq(sent) },
            status: ReportStatus::Stopped,
            listeners: None,
            joins: None,
            queue_size: None,
            queue_ops: None,
            track: None,
            observed_at: None,
            interval,
            can_stop,
        };
        self.farewells += 1;
        if self.farewells >= FAREWELLS {
            self.session = None;
        }
        Some((source.clone(), self.channel.clone(), sent.at, report))
    }
}

/// A life of a stream, by the moment it was first seen: its own word for it may repeat.
fn session(updated_at: &str, seen: WallTime) -> SessionId {
    let word: String = updated_at.chars().filter(char::is_ascii_graphic).take(SESSION_ID_MAX / 2).collect();
    format!("{word}@{}", seen.as_millis()).into()
}

#[cfg(test)]
mod tests;
