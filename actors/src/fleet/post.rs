//! The way between daemons: Redis streams, one of each daemon, one for all, and one of each slot, where lies what its
//! holder did not answer, for whoever holds it next. Two threads, for both reading and writing wait.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use actix::{Addr, prelude::SendError};
use redis::{
    Connection, Pipeline, RedisResult, Value,
    streams::{StreamKey, StreamReadReply},
};
use serde::de::DeserializeOwned;

use super::{
    Arrived, Fleet, Parked,
    letter::{Bulletin, Dated, Note, Reported},
};
use crate::{
    clock::{Clock, Timestamp},
    store::redis::Link,
    territory::Slot,
};

const PARKED: &str = "sattva:parked:";
const INBOX: &str = "sattva:inbox:";
const BULLETINS: &str = "sattva:bulletins";
/// The field of an entry in which everything is.
const FIELD: &str = "j";

/// What is parked in one slot; the oldest go, and newer ones say more.
const PARKED_MAX: usize = 10_000;
/// What one daemon has not read yet.
const NOTES_MAX: usize = 10_000;
/// Who is further behind has missed something.
const BULLETINS_MAX: usize = 1000;
/// What is parked in slots that nobody holds goes after this.
const PARKED_KEPT: Duration = Duration::from_secs(600);
/// What waits for longer is not sent any more.
const STALE_AFTER: Duration = Duration::from_secs(1);
/// Redis's clock may run apart from this machine's by so much between two looks, and what is written may be from so far
/// in the future, in milliseconds.
const CLOCK_STEP: i64 = 1000;
/// The inbox of a daemon that reads no more goes after this.
const INBOX_KEPT: Duration = Duration::from_secs(60);
/// What waits to be written.
const OUTGOING_MAX: usize = 100_000;
/// What goes out in one round trip.
const TOGETHER: usize = 1000;
/// Entries of each stream that are read in one go.
const ENTRIES: usize = 1000;
/// New mail is waited for so long; then it is looked whose slots are read.
const WAIT: Duration = Duration::from_millis(100);
/// How often it is looked for what is parked.
const PARKED_EVERY: Duration = Duration::from_secs(1);
/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// The actor's mailbox was full.
const ROOM_AFTER: Duration = Duration::from_millis(10);

struct Waiting {
    outgoing: Outgoing,
    since: Instant,
}

impl Waiting {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < STALE_AFTER
    }
}

pub enum Outgoing {
    Note {
        to: Arc<str>,
        body: Vec<u8>,
    },
    Bulletin(Vec<u8>),
    /// Told as [`Parked`] by its number.
    Park {
        number: u64,
        slot: Slot,
        body: Vec<u8>,
    },
    /// What was parked has been dealt with.
    Done {
        slot: Slot,
        id: String,
    },
}

/// How old something is when it is read.
#[derive(Clone, Copy, Debug)]
pub struct Age {
    /// It has lain in Redis for so long.
    pub lain: Duration,
    /// So long ago it was written at most; `None` where that cannot be told.
    pub most: Option<Duration>,
}

/// What was parked, and where it lies.
pub struct Found {
    pub slot: Slot,
    pub id: String,
    pub reported: Reported,
    pub age: Age,
}

/// The slots in which it is looked for what is parked.
type Reading = Arc<Mutex<BTreeSet<Slot>>>;

pub struct Post {
    outgoing: SyncSender<Waiting>,
    reading: Reading,
    /// While it is there both threads go on.
    _open: SyncSender<()>,
}

impl Post {
    pub fn open(link: &Link, clock: Clock, me: &Arc<str>, fleet: &Addr<Fleet>) -> std::io::Result<Self> {
        let (outgoing, queue) = sync_channel(OUTGOING_MAX);
        let (open, closed) = sync_channel(0);
        let reading = Reading::default();
        let writer = Writer { link: link.clone(), fleet: fleet.clone(), connection: None };
        thread::Builder::new().name("fleet-writer".into()).spawn(move || writer.run(&queue))?;
        let reader = Reader {
            link: link.clone(),
            me: Arc::clone(me),
            fleet: fleet.clone(),
            reading: Arc::clone(&reading),
            closed,
            inbox: "0-0".into(),
            bulletins: String::new(),
            looked: None,
            clock,
            time: None,
        };
        thread::Builder::new().name("fleet-reader".into()).spawn(move || reader.run())?;
        Ok(Self { outgoing, reading, _open: open })
    }

    /// False if too much waits already, or nothing is sent any more.
    pub fn send(&self, outgoing: Outgoing) -> bool {
        match self.outgoing.try_send(Waiting { outgoing, since: Instant::now() }) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// From here on it is looked for what is parked in these slots.
    pub fn look_into(&self, slots: &BTreeSet<Slot>) {
        lock(&self.reading).clone_from(slots);
    }
}

fn lock(reading: &Reading) -> MutexGuard<'_, BTreeSet<Slot>> {
    reading.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer {
    link: Link,
    fleet: Addr<Fleet>,
    connection: Option<Connection>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Waiting>) {
        while let Ok(first) = queue.recv() {
            let rest = queue.try_iter().take(TOGETHER - 1);
            // Whoever waits for an answer to what is older has given up, and may have been told so.
            let together: Vec<Waiting> = std::iter::once(first).chain(rest).filter(Waiting::is_fresh).collect();
            if together.is_empty() {
                continue;
            }
            let idled = self.connection.is_some();
            let mut written = self.write(&together);
            if written.is_err() && idled && together.iter().all(Waiting::is_fresh) {
                // The connection may have been closed long ago, unnoticed. What is read twice does no harm.
                written = self.write(&together);
            }
            if let Err(error) = &written {
                tracing::debug!(error, "what was meant for other daemons could not be written");
            }
            let parked = together.iter().filter_map(|waiting| match &waiting.outgoing {
                Outgoing::Park { number, .. } => Some(*number),
                _ => None,
            });
            let numbers: Vec<u64> = parked.collect();
            // Where this is lost, whoever waits is patient only for so long.
            if !numbers.is_empty() {
                let _ = self.fleet.try_send(Parked { numbers, written: written.is_ok() });
            }
        }
    }

    fn write(&mut self, together: &[Waiting]) -> Result<(), String> {
        let mut pipe = redis::pipe();
        let (mut inboxes, mut parked) = (BTreeSet::new(), BTreeSet::new());
        for Waiting { outgoing, .. } in together {
            match outgoing {
                Outgoing::Note { to, body } => {
                    add(&mut pipe, &format!("{INBOX}{to}"), NOTES_MAX, body);
                    inboxes.insert(to);
                }
                Outgoing::Bulletin(body) => add(&mut pipe, BULLETINS, BULLETINS_MAX, body),
                Outgoing::Park { slot, body, .. } => {
                    add(&mut pipe, &format!("{PARKED}{}", slot.number()), PARKED_MAX, body);
                    parked.insert(slot);
                }
                Outgoing::Done { slot, id } => {
                    pipe.cmd("XDEL").arg(format!("{PARKED}{}", slot.number())).arg(id).ignore();
                }
            }
        }
        for slot in parked {
            pipe.cmd("EXPIRE").arg(format!("{PARKED}{}", slot.number())).arg(PARKED_KEPT.as_secs()).ignore();
        }
        for inbox in inboxes {
            pipe.cmd("EXPIRE").arg(format!("{INBOX}{inbox}")).arg(INBOX_KEPT.as_secs()).ignore();
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(self.link.dial().map_err(|error| error.to_string())?),
        };
        pipe.query::<()>(connection).map_err(|error| {
            self.connection = None;
            self.link.explain(&error)
        })
    }
}

fn add(pipe: &mut Pipeline, stream: &str, most: usize, body: &[u8]) {
    pipe.cmd("XADD").arg(stream).arg("MAXLEN").arg("~").arg(most).arg("*").arg(FIELD).arg(body).ignore();
}

struct Reader {
    link: Link,
    me: Arc<str>,
    fleet: Addr<Fleet>,
    reading: Reading,
    closed: Receiver<()>,
    /// Read up to here.
    inbox: String,
    bulletins: String,
    /// When it was looked for what is parked, and in which slots.
    looked: Option<(Instant, BTreeSet<Slot>)>,
    clock: Clock,
    /// Redis's clock, in milliseconds, and ours, at the last look.
    time: Option<(i64, Timestamp)>,
}

impl Reader {
    fn run(mut self) {
        let mut connection: Option<Connection> = None;
        loop {
            let read = match connection.take() {
                Some(open) => Ok(open),
                None => self.connect(),
            };
            let read = read.and_then(|mut open| {
                let arrived = self.read(&mut open).map_err(|error| self.link.explain(&error))?;
                Ok((open, arrived))
            });
            let pause = match read {
                Ok((open, arrived)) => {
                    connection = Some(open);
                    if !self.hand_over(arrived) {
                        return;
                    }
                    Duration::ZERO
                }
                Err(error) => {
                    tracing::debug!(error, "nothing can be read of other daemons");
                    AGAIN_AFTER
                }
            };
            if self.is_closed(pause) {
                return;
            }
        }
    }

    fn is_closed(&self, after: Duration) -> bool {
        self.closed.recv_timeout(after) != Err(RecvTimeoutError::Timeout)
    }

    fn connect(&mut self) -> Result<Connection, String> {
        let mut connection = self.link.dial().map_err(|error| error.to_string())?;
        self.look_anew(&mut connection).map_err(|error| self.link.explain(&error))?;
        self.time = None;
        Ok(connection)
    }

    fn read(&mut self, connection: &mut Connection) -> RedisResult<Arrived> {
        let inbox = format!("{INBOX}{}", self.me);
        let asked_at = self.clock.now().at;
        let mut pipe = redis::pipe();
        // What has been read is kept nowhere: what channels look like can be much.
        pipe.cmd("XTRIM").arg(&inbox).arg("MINID").arg(&self.inbox).ignore();
        pipe.cmd("XREAD").arg("COUNT").arg(ENTRIES).arg("BLOCK").arg(WAIT.as_millis() as u64);
        pipe.arg("STREAMS").arg(BULLETINS).arg(inbox).arg(&self.bulletins).arg(&self.inbox);
        let (reply, (seconds, micros)): (Option<StreamReadReply>, (i64, i64)) = pipe.cmd("TIME").query(connection)?;
        let now = seconds * 1000 + micros / 1000;
        let read_at = self.clock.now().at;
        let mut arrived = Arrived { asked_at, read_at, redis: now, ..Arrived::default() };
        for stream in reply.into_iter().flat_map(|reply| reply.keys) {
            let Some(last) = stream.ids.last().map(|entry| entry.id.clone()) else { continue };
            if stream.key == BULLETINS {
                arrived.bulletins.extend(bodies(&stream).filter_map(|(_, body)| read_as::<Bulletin>(BULLETINS, &body)));
                self.bulletins = last;
            } else {
                for (id, body) in bodies(&stream) {
                    let Some(Dated { at, what }) = read_as::<Dated<Note>>(INBOX, &body) else { continue };
                    arrived.notes.push((what, age(&id, at, now)));
                }
                self.inbox = last;
            }
        }
        arrived.found = self.look_for_what_is_parked(connection, now)?;
        let stepped = self.time.replace((now, read_at)).is_some_and(|(then, at)| {
            let passed = read_at.since(at).as_millis() as i64;
            (now - then - passed).abs() > CLOCK_STEP
        });
        if stepped {
            // From here on ids may count otherwise.
            self.look_anew(connection)?;
        }
        Ok(arrived)
    }

    /// What was said to all before is not for whoever comes now; another Redis, or another clock, counts otherwise.
    fn look_anew(&mut self, connection: &mut Connection) -> RedisResult<()> {
        let last: Vec<(String, Value)> =
            redis::cmd("XREVRANGE").arg(BULLETINS).arg("+").arg("-").arg("COUNT").arg(1).query(connection)?;
        self.bulletins = last.into_iter().next().map_or_else(|| "0-0".into(), |(id, _)| id);
        self.inbox = "0-0".into();
        self.looked = None;
        Ok(())
    }

    /// Now and then, and when slots have come: mostly there is nothing. What has been dealt with is there no more, and
    /// whatever is found twice does no harm.
    fn look_for_what_is_parked(&mut self, connection: &mut Connection, now: i64) -> RedisResult<Vec<Found>> {
        let slots = {
            let reading = lock(&self.reading);
            let looked = |(at, slots): &(Instant, BTreeSet<Slot>)| at.elapsed() < PARKED_EVERY && *slots == *reading;
            if reading.is_empty() || self.looked.as_ref().is_some_and(looked) {
                return Ok(Vec::new());
            }
            reading.clone()
        };
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(ENTRIES).arg("STREAMS");
        slots.iter().for_each(|slot| {
            read.arg(format!("{PARKED}{}", slot.number()));
        });
        slots.iter().for_each(|_| {
            read.arg("0-0");
        });
        self.looked = Some((Instant::now(), slots));
        let reply: Option<StreamReadReply> = read.query(connection)?;
        let mut found = Vec::new();
        for stream in reply.into_iter().flat_map(|reply| reply.keys) {
            let slot = stream.key.strip_prefix(PARKED).and_then(|number| Slot::numbered(number.parse().ok()?));
            let Some(slot) = slot else { continue };
            for (id, body) in bodies(&stream) {
                let Some(Dated { at, what: reported }) = read_as::<Dated<Reported>>(PARKED, &body) else { continue };
                let age = age(&id, at, now);
                found.push(Found { slot, id, reported, age });
            }
        }
        Ok(found)
    }

    /// False when nobody reads any more.
    fn hand_over(&self, mut arrived: Arrived) -> bool {
        loop {
            match self.fleet.try_send(arrived) {
                Ok(()) => return true,
                Err(SendError::Closed(_)) => return false,
                Err(SendError::Full(again)) => arrived = again,
            }
            if self.is_closed(ROOM_AFTER) {
                return false;
            }
        }
    }
}

/// Each entry's id and what is in it.
fn bodies(stream: &StreamKey) -> impl Iterator<Item = (String, Vec<u8>)> {
    stream.ids.iter().filter_map(|entry| Some((entry.id.clone(), entry.get(FIELD)?)))
}

fn read_as<T: DeserializeOwned>(stream: &str, body: &[u8]) -> Option<T> {
    let read = serde_json::from_slice(body).inspect_err(|error| {
        tracing::error!(stream, %error, "what another daemon wrote cannot be read and is passed over; is it of another version?");
    });
    read.ok()
}

/// An entry's id begins with when Redis took it, `at` is when it was written.
fn age(id: &str, at: Option<i64>, now: i64) -> Age {
    let taken = id.split('-').next().and_then(|millis| millis.parse::<i64>().ok()).unwrap_or(now);
    let since = |then: i64| Duration::from_millis(now.saturating_sub(then).max(0).unsigned_abs());
    // What is from the future was written by another clock. Ids only ever grow: where Redis's clock was set back they stay
    // ahead of it, and say nothing.
    let most = at.filter(|at| at - now <= CLOCK_STEP).map(|at| since(at.min(taken)));
    Age { lain: since(taken), most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_up_on_its_way_to_redis_is_as_old_as_when_it_was_written() {
        let millis = Duration::from_millis;
        let fresh = age("10000-0", Some(9_990), 10_005);
        assert_eq!((fresh.lain, fresh.most), (millis(5), Some(millis(15))));
        let held_up = age("70000-3", Some(10_000), 70_001);
        assert_eq!((held_up.lain, held_up.most), (millis(1), Some(millis(60_001))));
        assert_eq!(age("10000-0", None, 10_000).most, None, "nobody knows");
        let set_back = age("90000-0", Some(9_000), 10_000);
        assert_eq!((set_back.lain, set_back.most), (Duration::ZERO, Some(millis(1_000))), "Redis's clock was set back");
        assert_eq!(age("10000-0", Some(90_000), 10_001).most, None);
    }
}
