//! What any store must do, told of the one in memory and of the embedded one.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use sattva_actors::{
    channel::journal::{DECISIONS_KEPT, Decision},
    store::{Group, Loaded, Store, memory::MemoryStore, redb::RedbStore},
};
use tempfile::TempDir;

use crate::shelf::{decides, decision, dir, forgets, id, journal, on_the_shelf, open, pulse, records};

/// A place that outlives the store that is opened on it.
trait Place {
    type Store: Store;
    fn new() -> Self;
    fn open(&self) -> (Self::Store, Loaded);
}

impl Place for MemoryStore {
    type Store = Self;

    fn new() -> Self {
        Self::default()
    }

    fn open(&self) -> (Self, Loaded) {
        (self.clone(), self.load())
    }
}

impl Place for TempDir {
    type Store = RedbStore;

    fn new() -> Self {
        dir()
    }

    fn open(&self) -> (RedbStore, Loaded) {
        open(self.path())
    }
}

fn keeps_the_newest_record<P: Place>() {
    let place = P::new();
    let (mut store, loaded) = place.open();
    assert!(loaded.records.is_empty() && loaded.pulse.is_none() && loaded.notice.is_none());
    store.commit(&records(&[("jazz", b"one"), ("rock", b"two")])).unwrap();
    store.commit(&records(&[("jazz", b"three")])).unwrap();
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"three");
    assert_eq!(store.record(&id("rock")).unwrap().unwrap(), b"two");
    assert_eq!(store.record(&id("folk")).unwrap(), None);
    drop(store);
    let (mut store, loaded) = place.open();
    let known = BTreeMap::from([("jazz".to_owned(), b"three".to_vec()), ("rock".to_owned(), b"two".to_vec())]);
    assert_eq!(on_the_shelf(&loaded), known);
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"three");
}

fn forgets_a_channel_and_its_journal<P: Place>() {
    let place = P::new();
    let (mut store, _) = place.open();
    store.commit(&Group { decisions: decides("jazz", 1..=3).decisions, ..records(&[("jazz", b"one")]) }).unwrap();
    store.commit(&Group { decisions: decides("jazzy", 1..=2).decisions, ..records(&[("jazzy", b"two")]) }).unwrap();
    store.commit(&forgets("jazz")).unwrap();
    assert_eq!(store.record(&id("jazz")).unwrap(), None);
    assert_eq!(journal(&mut store, "jazz"), [0; 0]);
    // Its namesake, longer by a letter, is another channel.
    assert_eq!(journal(&mut store, "jazzy"), [1, 2]);
    drop(store);
    let (mut store, loaded) = place.open();
    assert_eq!(on_the_shelf(&loaded).into_keys().collect::<Vec<_>>(), ["jazzy"]);
    assert_eq!(journal(&mut store, "jazz"), [0; 0]);
}

fn a_channel_forgotten_and_begun_anew_in_one_group_keeps_the_new_only<P: Place>() {
    let place = P::new();
    let (mut store, _) = place.open();
    store.commit(&Group { decisions: decides("jazz", 1..=50).decisions, ..records(&[("jazz", b"old")]) }).unwrap();
    let anew = Group { forgotten: [id("jazz")].into(), ..records(&[("jazz", b"new")]) };
    store.commit(&Group { decisions: decides("jazz", [1]).decisions, ..anew }).unwrap();
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"new");
    assert_eq!(journal(&mut store, "jazz"), [1]);
}

fn keeps_the_newest_decisions_in_their_order<P: Place>() {
    let place = P::new();
    let (mut store, _) = place.open();
    for hundred in 0..3 {
        store.commit(&decides("jazz", hundred * 77 + 1..=hundred * 77 + 77)).unwrap();
    }
    let newest: Vec<u32> = (231 - DECISIONS_KEPT + 1..=231).collect();
    assert_eq!(journal(&mut store, "jazz"), newest);
    drop(store);
    let (mut store, _) = place.open();
    assert_eq!(journal(&mut store, "jazz"), newest);
    assert_eq!(store.journal(&id("jazz")).unwrap().last(), Some(&decision(231)), "word for word");
    assert_eq!(journal(&mut store, "rock"), [0; 0]);
}

fn keeps_the_newest_pulse<P: Place>() {
    let place = P::new();
    let (mut store, _) = place.open();
    store.commit(&Group { pulse: Some(pulse(100)), ..Group::default() }).unwrap();
    store.commit(&Group { pulse: Some(pulse(101)), ..records(&[("jazz", b"one")]) }).unwrap();
    store.commit(&records(&[("jazz", b"two")])).unwrap();
    drop(store);
    assert_eq!(place.open().1.pulse, Some(pulse(101)));
}

fn rises_the_fence_at_each_start<P: Place>() {
    let place = P::new();
    let mut before = 0;
    for _ in 0..5 {
        let (_, loaded) = place.open();
        assert!(loaded.fence > before, "{} after {before}", loaded.fence);
        before = loaded.fence;
    }
}

fn reopened_it_goes_on_where_it_was<P: Place>() {
    let place = P::new();
    let (mut store, _) = place.open();
    store.commit(&records(&[("jazz", b"one")])).unwrap();
    store.commit(&decides("jazz", 1..=5)).unwrap();
    store.reopen().unwrap();
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"one");
    assert_eq!(journal(&mut store, "jazz"), [1, 2, 3, 4, 5]);
    store.commit(&records(&[("jazz", b"two")])).unwrap();
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"two");
}

#[test]
fn in_memory_the_newest_record_is_kept() {
    keeps_the_newest_record::<MemoryStore>();
}

#[test]
fn on_disk_the_newest_record_is_kept() {
    keeps_the_newest_record::<TempDir>();
}

#[test]
fn in_memory_a_forgotten_channel_leaves_no_journal() {
    forgets_a_channel_and_its_journal::<MemoryStore>();
}

#[test]
fn on_disk_a_forgotten_channel_leaves_no_journal() {
    forgets_a_channel_and_its_journal::<TempDir>();
}

#[test]
fn in_memory_a_channel_begun_anew_keeps_nothing_of_the_old_one() {
    a_channel_forgotten_and_begun_anew_in_one_group_keeps_the_new_only::<MemoryStore>();
}

#[test]
fn on_disk_a_channel_begun_anew_keeps_nothing_of_the_old_one() {
    a_channel_forgotten_and_begun_anew_in_one_group_keeps_the_new_only::<TempDir>();
}

#[test]
fn in_memory_the_newest_decisions_are_kept_in_their_order() {
    keeps_the_newest_decisions_in_their_order::<MemoryStore>();
}

#[test]
fn on_disk_the_newest_decisions_are_kept_in_their_order() {
    keeps_the_newest_decisions_in_their_order::<TempDir>();
}

#[test]
fn in_memory_the_newest_pulse_is_kept() {
    keeps_the_newest_pulse::<MemoryStore>();
}

#[test]
fn on_disk_the_newest_pulse_is_kept() {
    keeps_the_newest_pulse::<TempDir>();
}

#[test]
fn in_memory_the_fence_rises_at_each_start() {
    rises_the_fence_at_each_start::<MemoryStore>();
}

#[test]
fn on_disk_the_fence_rises_at_each_start() {
    rises_the_fence_at_each_start::<TempDir>();
}

#[test]
fn on_disk_the_fence_rises_even_where_the_wall_clock_was_set_back_or_the_state_was_lost() {
    let place = TempDir::new().unwrap();
    let at = |secs: i64| RedbStore::open(place.path(), crate::shelf::wall(secs * 1000)).unwrap().1.fence;
    let first = at(0);
    let set_back = at(-100_000);
    assert!(set_back > first, "{set_back} after {first}");
    std::fs::remove_file(place.path().join("state.redb")).unwrap();
    let lost = at(60);
    assert!(lost > set_back, "{lost} after {set_back}");
}

#[test]
fn in_memory_it_goes_on_after_it_was_reopened() {
    reopened_it_goes_on_where_it_was::<MemoryStore>();
}

#[test]
fn on_disk_it_goes_on_after_it_was_reopened() {
    reopened_it_goes_on_where_it_was::<TempDir>();
}

#[test]
fn in_memory_a_write_that_failed_left_nothing() {
    let mut store = MemoryStore::default();
    store.commit(&records(&[("jazz", b"one")])).unwrap();
    store.fail(true);
    assert!(store.commit(&records(&[("jazz", b"two")])).is_err());
    assert!(store.commit(&forgets("jazz")).is_err());
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"one");
    store.fail(false);
    store.commit(&records(&[("jazz", b"three")])).unwrap();
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"three");
}

// ---- random histories against a model ----

const CHANNELS: [&str; 4] = ["a", "ab", "b", "-100123"];

#[derive(Clone, Debug)]
enum Act {
    Keep(usize, Vec<u8>),
    Forget(usize),
    Decide(usize, u32),
    /// Everything since the last one is committed in one group.
    Commit,
    Start,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let channel = 0..CHANNELS.len();
    let act = prop_oneof![
        4 => (channel.clone(), vec(any::<u8>(), 0..300)).prop_map(|(c, record)| Act::Keep(c, record)),
        1 => channel.clone().prop_map(Act::Forget),
        4 => (channel, 1..60u32).prop_map(|(c, n)| Act::Decide(c, n)),
        5 => Just(Act::Commit),
        1 => Just(Act::Start),
    ];
    vec(act, 1..60)
}

/// What should be there.
#[derive(Clone, Default)]
struct Model {
    records: BTreeMap<&'static str, Vec<u8>>,
    journal: BTreeMap<&'static str, Vec<Decision>>,
    seq: BTreeMap<&'static str, u32>,
}

impl Model {
    fn agrees(&self, store: &mut impl Store, loaded: Option<&Loaded>) {
        for channel in CHANNELS {
            assert_eq!(store.record(&id(channel)).unwrap().as_ref(), self.records.get(channel), "{channel}");
            let journal = self.journal.get(channel).cloned().unwrap_or_default();
            let newest = &journal[journal.len().saturating_sub(DECISIONS_KEPT as usize)..];
            assert_eq!(store.journal(&id(channel)).unwrap(), newest, "{channel}");
        }
        if let Some(loaded) = loaded {
            let known = self.records.iter().map(|(channel, record)| ((*channel).to_owned(), record.clone()));
            assert_eq!(on_the_shelf(loaded), known.collect());
        }
    }
}

fn agrees_with_the_model<P: Place>(acts: Vec<Act>) {
    let place = P::new();
    let (mut store, _) = place.open();
    let (mut committed, mut model, mut group) = (Model::default(), Model::default(), Group::default());
    for act in acts {
        match act {
            Act::Keep(c, record) => {
                model.records.insert(CHANNELS[c], record.clone());
                group.records.insert(id(CHANNELS[c]), Some(record));
            }
            Act::Forget(c) => {
                model.records.remove(CHANNELS[c]);
                model.journal.remove(CHANNELS[c]);
                model.seq.remove(CHANNELS[c]);
                group.decisions.retain(|(channel, _)| channel.as_str() != CHANNELS[c]);
                group.records.insert(id(CHANNELS[c]), None);
                group.forgotten.insert(id(CHANNELS[c]));
            }
            Act::Decide(c, n) => {
                for _ in 0..n {
                    let seq = model.seq.entry(CHANNELS[c]).or_default();
                    *seq += 1;
                    model.journal.entry(CHANNELS[c]).or_default().push(decision(*seq));
                    group.decisions.push_back((id(CHANNELS[c]), decision(*seq)));
                }
            }
            Act::Commit => {
                store.commit(&std::mem::take(&mut group)).unwrap();
                committed = model.clone();
                committed.agrees(&mut store, None);
            }
            Act::Start => {
                // What was not committed is lost.
                group = Group::default();
                model = committed.clone();
                drop(store);
                let (again, loaded) = place.open();
                store = again;
                model.agrees(&mut store, Some(&loaded));
            }
        }
    }
}

fn cases(cases: u32) -> proptest::test_runner::Config {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(20);
    proptest::test_runner::Config { cases, rng_seed, failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn in_memory_random_groups_and_starts_agree_with_the_model(acts in acts()) {
        agrees_with_the_model::<MemoryStore>(acts);
    }
}

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn on_disk_random_groups_and_starts_agree_with_the_model(acts in acts()) {
        agrees_with_the_model::<TempDir>(acts);
    }
}
