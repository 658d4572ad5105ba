//! The way between daemons: Redis streams, one of each slot for whoever holds it, one of each daemon, and one for all.
//! Two threads, for both reading and writing wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use actix::{Addr, prelude::SendError};
use redis::{Connection, Pipeline, RedisResult, Value, streams::StreamReadReply};

use super::{
    Arrived, Fleet, Sent,
    letter::{Bulletin, Letter, Note},
};
use crate::{
    store::redis::Link,
    territory::{SLOTS, Slot},
};

const LETTERS: &str = "sattva:letters:";
const INBOX: &str = "sattva:inbox:";
const BULLETINS: &str = "sattva:bulletins";
/// The field of an entry in which everything is.
const FIELD: &str = "j";

/// Letters that wait for whoever holds a slot; the oldest go, and newer ones say more.
const LETTERS_MAX: usize = 10_000;
/// What one daemon has not read yet.
const NOTES_MAX: usize = 10_000;
/// Who is further behind has missed something.
const BULLETINS_MAX: usize = 1000;
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
/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// The actor's mailbox was full.
const ROOM_AFTER: Duration = Duration::from_millis(10);

pub enum Outgoing {
    /// Told as [`Sent`] by its number.
    Letter {
        number: u64,
        slot: Slot,
        body: Vec<u8>,
    },
    Note {
        to: Arc<str>,
        body: Vec<u8>,
    },
    Bulletin(Vec<u8>),
    /// A letter has been dealt with.
    Done {
        slot: Slot,
        id: String,
    },
}

/// A letter and where it lies.
pub struct Delivery {
    pub slot: Slot,
    pub id: String,
    pub letter: Letter,
    /// How long it was on the way, by Redis's clock.
    pub age: Duration,
}

/// The slots that are read, each up to where.
type Reading = Arc<Mutex<BTreeMap<Slot, String>>>;

pub struct Post {
    outgoing: SyncSender<Outgoing>,
    reading: Reading,
    /// While it is there both threads go on.
    _open: SyncSender<()>,
}

impl Post {
    pub fn open(link: &Link, me: &Arc<str>, fleet: &Addr<Fleet>) -> std::io::Result<Self> {
        let (outgoing, queue) = sync_channel(OUTGOING_MAX);
        let (open, closed) = sync_channel(0);
        let reading = Reading::default();
        let writer = Writer { link: link.clone(), me: Arc::clone(me), fleet: fleet.clone(), connection: None };
        thread::Builder::new().name("fleet-writer".into()).spawn(move || writer.run(&queue))?;
        let reader = Reader {
            link: link.clone(),
            me: Arc::clone(me),
            fleet: fleet.clone(),
            reading: Arc::clone(&reading),
            closed,
            inbox: "0-0".into(),
            bulletins: String::new(),
        };
        thread::Builder::new().name("fleet-reader".into()).spawn(move || reader.run())?;
        Ok(Self { outgoing, reading, _open: open })
    }

    /// False if too much waits already, or nothing is sent any more.
    pub fn send(&self, outgoing: Outgoing) -> bool {
        match self.outgoing.try_send(outgoing) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// From here on the letters of these slots are read: those that lie there first.
    pub fn read_only(&self, slots: &BTreeSet<Slot>) {
        let mut reading = lock(&self.reading);
        reading.retain(|slot, _| slots.contains(slot));
        for slot in slots {
            reading.entry(*slot).or_insert_with(|| "0-0".into());
        }
    }
}

fn lock(reading: &Reading) -> MutexGuard<'_, BTreeMap<Slot, String>> {
    reading.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer {
    link: Link,
    me: Arc<str>,
    fleet: Addr<Fleet>,
    connection: Option<Connection>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Outgoing>) {
        while let Ok(first) = queue.recv() {
            let rest = queue.try_iter().take(TOGETHER - 1);
            let together: Vec<Outgoing> = std::iter::once(first).chain(rest).collect();
            let written = self.write(&together).is_ok();
            let letters = together.iter().filter_map(|outgoing| match outgoing {
                Outgoing::Letter { number, .. } => Some(*number),
                _ => None,
            });
            let numbers: Vec<u64> = letters.collect();
            // Where this is lost, the letters' senders hear nothing, and are told that by their own patience.
            if !numbers.is_empty() {
                let _ = self.fleet.try_send(Sent { numbers, written });
            }
        }
    }

    fn write(&mut self, together: &[Outgoing]) -> Result<(), ()> {
        let mut pipe = redis::pipe();
        let mut inboxes = BTreeSet::new();
        for outgoing in together {
            match outgoing {
                Outgoing::Letter { slot, body, .. } => {
                    add(&mut pipe, &format!("{LETTERS}{}", slot.number()), LETTERS_MAX, body);
                }
                Outgoing::Note { to, body } => {
                    add(&mut pipe, &format!("{INBOX}{to}"), NOTES_MAX, body);
                    inboxes.insert(to);
                }
                Outgoing::Bulletin(body) => add(&mut pipe, BULLETINS, BULLETINS_MAX, body),
                Outgoing::Done { slot, id } => {
                    pipe.cmd("XDEL").arg(format!("{LETTERS}{}", slot.number())).arg(id).ignore();
                }
            }
        }
        for inbox in inboxes {
            pipe.cmd("EXPIRE").arg(format!("{INBOX}{inbox}")).arg(INBOX_KEPT.as_secs()).ignore();
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => match self.link.dial() {
                Ok(connection) => self.connection.insert(connection),
                Err(error) => {
                    tracing::debug!(daemon = %self.me, %error, "nothing can be written to other daemons");
                    return Err(());
                }
            },
        };
        pipe.query::<()>(connection).map_err(|error| {
            self.connection = None;
            let error = self.link.explain(&error);
            tracing::warn!(%error, "what was meant for other daemons could not be written");
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
        // What was said to all before is not for whoever comes now; another Redis counts otherwise.
        let last: RedisResult<Vec<(String, Value)>> =
            redis::cmd("XREVRANGE").arg(BULLETINS).arg("+").arg("-").arg("COUNT").arg(1).query(&mut connection);
        let last = last.map_err(|error| self.link.explain(&error))?;
        self.bulletins = last.into_iter().next().map_or_else(|| "0-0".into(), |(id, _)| id);
        self.inbox = "0-0".into();
        lock(&self.reading).values_mut().for_each(|from| *from = "0-0".into());
        Ok(connection)
    }

    fn read(&mut self, connection: &mut Connection) -> RedisResult<Arrived> {
        let slots: Vec<(Slot, String)> = lock(&self.reading).iter().map(|(slot, id)| (*slot, id.clone())).collect();
        let mut pipe = redis::pipe();
        // What has been read is kept nowhere: what channels look like can be much.
        pipe.cmd("XTRIM").arg(format!("{INBOX}{}", self.me)).arg("MINID").arg(&self.inbox).ignore();
        let read = pipe.cmd("XREAD").arg("COUNT").arg(ENTRIES).arg("BLOCK").arg(WAIT.as_millis() as u64).arg("STREAMS");
        read.arg(BULLETINS).arg(format!("{INBOX}{}", self.me));
        slots.iter().for_each(|(slot, _)| {
            read.arg(format!("{LETTERS}{}", slot.number()));
        });
        read.arg(&self.bulletins).arg(&self.inbox);
        slots.iter().for_each(|(_, id)| {
            read.arg(id);
        });
        let (reply, (seconds, micros)): (Option<StreamReadReply>, (u64, u64)) = pipe.cmd("TIME").query(connection)?;
        let now = seconds * 1000 + micros / 1000;
        let mut arrived = Arrived::default();
        for stream in reply.into_iter().flat_map(|reply| reply.keys) {
            let Some(last) = stream.ids.last().map(|entry| entry.id.clone()) else { continue };
            let slot = stream.key.strip_prefix(LETTERS).and_then(|number| Slot::numbered(number.parse().ok()?));
            for entry in &stream.ids {
                let Some(body) = entry.get::<Vec<u8>>(FIELD) else { continue };
                let age = age(&entry.id, now);
                match slot {
                    Some(slot) => match serde_json::from_slice::<Letter>(&body) {
                        Ok(letter) => arrived.letters.push(Delivery { slot, id: entry.id.clone(), letter, age }),
                        Err(error) => unreadable(&stream.key, &error),
                    },
                    None if stream.key == BULLETINS => match serde_json::from_slice::<Bulletin>(&body) {
                        Ok(bulletin) => arrived.bulletins.push(bulletin),
                        Err(error) => unreadable(&stream.key, &error),
                    },
                    None => match serde_json::from_slice::<Note>(&body) {
                        Ok(note) => arrived.notes.push((note, age)),
                        Err(error) => unreadable(&stream.key, &error),
                    },
                }
            }
            match slot {
                Some(slot) => {
                    if let Some(from) = lock(&self.reading).get_mut(&slot) {
                        *from = last;
                    }
                }
                None if stream.key == BULLETINS => self.bulletins = last,
                None => self.inbox = last,
            }
        }
        Ok(arrived)
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

fn unreadable(stream: &str, error: &serde_json::Error) {
    tracing::error!(stream, %error, "what another daemon wrote cannot be read and is passed over; is it of another version?");
}

/// An entry's id begins with when it was written.
fn age(id: &str, now: u64) -> Duration {
    let written = id.split('-').next().and_then(|millis| millis.parse::<u64>().ok()).unwrap_or(now);
    Duration::from_millis(now.saturating_sub(written))
}

const _: () = assert!(SLOTS <= 1024, "one XREAD names every slot's stream");
