//! What is read back from a Redis: answers of scripts, records, journals, what daemons write to each other, and what a
//! streamer says of itself there. The same bytes go to every reader; each takes what begins as its own.

use std::{collections::BTreeMap, time::Duration};

use redis::{FromRedisValue, PushInfo, PushKind, Value};
use sattva_actors::{
    channel::{
        auto_end::Rules,
        policy::Policy,
        stop::Fence,
        stream::{Absence, Moment, Stream},
    },
    clock::{BootId, Now, Stamp, Timestamp, WallTime},
    fleet::letter::{Bulletin, Dated, Note, Reported},
    identity::ChannelId,
    store::redis::{
        Written, decisions,
        leases::{Leases, Tenures},
        loaded,
        wishes::Wishes,
    },
    territory::{SLOTS, Slot},
};
use sattva_monitor::adapters::redis_control::status::Status;
use serde::{Serialize, de::DeserializeOwned};

const TITLE_MAX: usize = 500;
const HERE: Stamp = Stamp {
    boot: BootId::from_u128(1),
    now: Now { at: Timestamp::from_secs(3600), wall: WallTime::from_millis(1_800_000_000_000) },
};

pub fn hold(bytes: &[u8]) {
    answer(bytes);
    records(bytes);
    journal(bytes);
    letters(bytes);
    status(bytes);
}

// ---- what scripts answer ----

fn answer(bytes: &[u8]) {
    let Ok(value) = redis::parse_redis_value(bytes) else { return };
    if let Ok((_, _, slots, _)) = Tenures::from_redis_value_ref(&value) {
        let mut leases = Leases::default();
        let first = leases.renewed(slots.clone());
        assert!(first.lost.is_empty() && first.anew.is_empty(), "what was never held is neither lost nor forgotten");
        assert_eq!(leases.held().count(), 0, "held before it was read");
        let unread: Vec<Slot> = leases.unread().collect();
        assert!(unread.iter().all(|slot| slot.number() < SLOTS));
        assert!(unread.iter().all(|slot| slots.iter().any(|(number, ..)| *number == slot.number())), "never named");
        leases.read(&unread);
        let gone = leases.renewed(Vec::new());
        assert_eq!((gone.lost, leases.held().count()), (unread, 0), "what is named no more is lost");
    }
    if let Ok((_, lost, _, wishes)) = Written::from_redis_value_ref(&value) {
        let lost = lost.into_iter().filter_map(Slot::numbered).collect();
        assert!(Leases::default().lose(&lost).is_empty(), "what was never held is not lost");
        let told = wishes.len();
        assert!(Wishes::default().told(wishes).len() <= told);
    }
    if let Ok(wishes) = <Vec<(String, String)>>::from_redis_value_ref(&value) {
        let told = wishes.len();
        assert!(Wishes::default().told(wishes).len() <= told);
    }
    if let Value::Push { kind, data } = value {
        let push = PushInfo { kind, data };
        let is_ours = push.kind == PushKind::Invalidate;
        let before = format!("{:?}", Wishes::default());
        let mut wishes = Wishes::default();
        wishes.changed(&push, std::iter::empty());
        assert!(is_ours || format!("{wishes:?}") == before, "a push of another kind was believed");
    }
}

// ---- what was left of channels ----

fn records(bytes: &[u8]) {
    let name = std::str::from_utf8(bytes).unwrap_or("jazz").to_owned();
    let left = loaded(Some(bytes.to_vec()), BTreeMap::from([(name.clone(), bytes.to_vec())]));
    assert_eq!(left.records.len(), usize::from(ChannelId::new(&name).is_ok()));
    if let Some(pulse) = left.pulse {
        let written = postcard::to_stdvec(&pulse).expect("a pulse can be written");
        assert_eq!(loaded(Some(written), BTreeMap::new()).pulse, Some(pulse));
    }

    // Of this boot, and of another one: how the record's own stamp is read.
    let own = postcard::take_from_bytes::<(u8, Stamp)>(bytes).ok().map(|((_, stamp), _)| stamp.boot);
    for boot in [Some(HERE.boot), own].into_iter().flatten() {
        let here = Stamp { boot, ..HERE };
        for absence in [Absence::WallClock, Absence::StoodStill] {
            restored(bytes, left.pulse, here, absence);
        }
    }
}

fn restored(record: &[u8], pulse: Option<(Stamp, Timestamp)>, here: Stamp, absence: Absence) {
    let policy = Policy::default();
    let jazz = ChannelId::new("jazz").expect("it is a name");
    let Ok(restored) = Stream::restore(jazz.clone(), record, pulse, here, absence, &policy) else { return };
    let mut stream = restored.stream;
    let m = moment(&policy, here.now);
    is_shown(&stream, m);
    stream.on_wake(m);
    is_shown(&stream, m);

    let again = stream.record(here).expect("a stream can be written");
    let same = Stream::restore(jazz, &again, None, here, absence, &policy).expect("what was written can be read");
    is_shown(&same.stream, m);
}

fn moment(policy: &Policy, now: Now) -> Moment<'_> {
    let rules = Rules { policy, may_stop: true };
    Moment { now, trusted_since: now.at, rules, fence: Fence { start: 1, life: 0 } }
}

/// Whatever was read can be shown to people.
fn is_shown(stream: &Stream, m: Moment<'_>) {
    let shown = serde_json::to_string(&stream.state(m, false)).expect("a state is JSON");
    assert!(shown.contains("\"listeners_known\""));
    assert!(!stream.inspect(m, false).why.is_empty());
}

fn journal(bytes: &[u8]) {
    let rows: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let Ok(read) = decisions(&rows) else { return };
    assert!(read.len() <= rows.len());
    assert!(read.is_sorted_by(|one, next| (one.at, one.seq) < (next.at, next.seq)), "not in order, or twice");
    let written: Vec<Vec<u8>> = read.iter().map(|row| serde_json::to_vec(row).expect("a decision is JSON")).collect();
    let again = decisions(&written).expect("what was written can be read");
    let facts = |rows: &[sattva_actors::channel::journal::Decision]| -> Vec<_> {
        rows.iter().map(|row| (row.seq, row.event.clone(), row.because.clone(), row.listeners, row.joins)).collect()
    };
    // A moment before 1970 is shown as 1970.
    if read.iter().all(|row| row.at.as_millis() >= 0) {
        assert_eq!(facts(&again), facts(&read));
    }
}

// ---- what daemons write to each other ----

fn letters(bytes: &[u8]) {
    rewritten::<Dated<Note>>(bytes);
    rewritten::<Bulletin>(bytes);
    let Some(Dated { what: reported, .. }) = rewritten::<Dated<Reported>>(bytes) else { return };

    let (reports, acks) = (reported.reports.len(), reported.acks.len());
    let parts = reported.clone().apart(|slot| slot);
    assert_eq!(parts.values().map(|part| part.reports.len()).sum::<usize>(), reports, "a report was lost");
    assert!(parts.values().map(|part| part.acks.len()).sum::<usize>() <= acks);
    let somebody = |reported: &Reported| {
        reported.reports.iter().filter(|(_, report)| report.listeners.is_some_and(|listeners| listeners > 0)).count()
    };
    let lasting = reported.clone().lasting();
    assert_eq!(somebody(&lasting), somebody(&reported), "a listener was lost");
    assert!(lasting.reports.iter().all(|(_, report)| report.listeners != Some(0)), "old news that nobody was there");

    // Taken in as if it had been reported here.
    let policy = Policy::default();
    for (channel, report) in &reported.reports {
        let mut stream = Stream::new(channel.clone());
        let m = moment(&policy, HERE.now);
        stream.on_report(m, &reported.source, report, HERE.now.at);
        is_shown(&stream, m);
        let later = Now { at: HERE.now.at.plus(Duration::from_secs(600)), ..HERE.now };
        stream.on_wake(moment(&policy, later));
        is_shown(&stream, moment(&policy, later));
    }
}

/// Reads JSON; what it says is said again in the same words when it is written.
fn rewritten<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(bytes).ok()?;
    let written = serde_json::to_string(&read).expect("a letter is JSON");
    let again: T = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
    // Fractions may differ in their last digit once.
    let length = serde_json::to_string(&again).expect("a letter is JSON").len();
    assert!(length.abs_diff(written.len()) <= 4 + written.len() / 8, "{written}");
    Some(read)
}

// ---- what a streamer says of itself ----

fn status(bytes: &[u8]) {
    let Ok(status) = Status::parse(bytes) else { return };
    for shown in [&status.title, &status.error].into_iter().flatten() {
        assert!(shown.chars().count() <= TITLE_MAX);
    }
    if let Ok(text) = serde_json::from_slice::<serde_json::Value>(bytes) {
        let told = text["listeners_count"].as_u64().filter(|count| u32::try_from(*count).is_ok());
        assert_eq!(status.listeners.map(u64::from), told, "a count that nobody gave");
    }
}
