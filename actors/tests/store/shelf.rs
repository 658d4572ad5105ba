//! What stands in a store: things to put in, and how to look at what is there.

use std::{collections::BTreeMap, path::Path};

use sattva_actors::{
    channel::journal::Decision,
    clock::{BootId, Now, Stamp, Timestamp, WallTime},
    identity::ChannelId,
    store::{Group, Loaded, Store, redb::RedbStore},
};
use tempfile::TempDir;

/// The wall clock of these tests, in milliseconds.
pub const WALL: i64 = 1_800_000_000_000;

pub fn wall(millis: i64) -> WallTime {
    WallTime::from_millis(WALL + millis)
}

pub fn id(channel: &str) -> ChannelId {
    ChannelId::new(channel).unwrap()
}

/// A group of records.
pub fn records(records: &[(&str, &[u8])]) -> Group {
    let records = records.iter().map(|(channel, record)| (id(channel), Some(record.to_vec()))).collect();
    Group { records, ..Group::default() }
}

/// A channel is forgotten.
pub fn forgets(channel: &str) -> Group {
    Group { records: [(id(channel), None)].into(), forgotten: [id(channel)].into(), ..Group::default() }
}

/// Decision number `seq` of a channel; its words say which one it is.
pub fn decision(seq: u32) -> Decision {
    Decision {
        seq,
        at: wall(i64::from(seq)),
        event: "started".to_owned(),
        because: format!("decision {seq}"),
        by: None,
        listeners: Some(0),
        joins: None,
        evidence_age_seconds: Some(1.5),
        session: Some("s1".to_owned()),
        remaining_seconds: None,
    }
}

pub fn decides(channel: &str, seqs: impl IntoIterator<Item = u32>) -> Group {
    let decisions = seqs.into_iter().map(|seq| (id(channel), decision(seq))).collect();
    Group { decisions, ..Group::default() }
}

pub fn pulse(secs: u64) -> (Stamp, Timestamp) {
    let now = Now { at: Timestamp::from_secs(secs), wall: wall(0) };
    (Stamp { boot: BootId::from_u128(7), now }, Timestamp::from_secs(secs - 1))
}

/// The numbers in a channel's journal, in the order they are handed out.
pub fn journal(store: &mut impl Store, channel: &str) -> Vec<u32> {
    store.journal(&id(channel)).unwrap().into_iter().map(|decision| decision.seq).collect()
}

/// The records a start hands out.
pub fn on_the_shelf(loaded: &Loaded) -> BTreeMap<String, Vec<u8>> {
    loaded.records.iter().map(|(channel, record)| (channel.to_string(), record.clone())).collect()
}

/// In memory where there is a place for it, for the tests that write the same files over and over.
pub fn dir() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

pub fn open(dir: &Path) -> (RedbStore, Loaded) {
    RedbStore::open(dir, wall(0)).unwrap()
}

/// What an error says, for a store itself cannot be shown.
pub fn refusal(opened: Result<(RedbStore, Loaded), sattva_actors::store::StoreError>) -> String {
    opened.err().expect("opening was to be refused").to_string()
}
