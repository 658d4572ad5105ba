//! A damaged file is put aside with a word to people, never deleted, and never believed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::shelf::{decides, dir, id, journal, on_the_shelf, open, pulse, records, refusal, wall};
use sattva_actors::store::{Group, Store, redb::RedbStore};

const OLD: &[u8] = b"an operator has not paused it yet";
const NEW: &[u8] = b"an operator has paused it";

/// A store of some history, closed properly or as a kill would leave it, and the bytes of its state.
fn written(dir: &Path, killed: bool) -> Vec<u8> {
    let (mut store, _) = open(dir);
    for n in 0..40 {
        store.commit(&records(&[(&format!("other-{n}"), &[n; 700])])).unwrap();
    }
    store.commit(&records(&[("jazz", OLD)])).unwrap();
    store.commit(&decides("jazz", 1..=120)).unwrap();
    store.commit(&Group { pulse: Some(pulse(100)), ..records(&[("jazz", NEW)]) }).unwrap();
    if killed {
        let bytes = fs::read(state(dir)).unwrap();
        drop(store);
        fs::write(state(dir), &bytes).unwrap();
        return bytes;
    }
    drop(store);
    fs::read(state(dir)).unwrap()
}

fn state(dir: &Path) -> PathBuf {
    dir.join("state.redb")
}

/// The files that were put aside, with their bytes.
fn put_aside(dir: &Path, of: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().flatten();
    let damaged = files.filter(|file| file.file_name().to_string_lossy().starts_with(&format!("{of}.redb.damaged-")));
    damaged.map(|file| fs::read(file.path()).unwrap()).collect()
}

#[track_caller]
fn is_put_aside(dir: &Path, bytes: &[u8]) {
    fs::write(state(dir), bytes).unwrap();
    let (mut store, loaded) = open(dir);
    let notice = loaded.notice.expect("a damaged file is told of");
    assert!(notice.contains("state.redb.damaged-") && notice.contains("start anew"), "{notice}");
    assert!(loaded.records.is_empty() && loaded.pulse.is_none());
    assert!(put_aside(dir, "state") == [bytes], "what was damaged is kept as it was");
    store.commit(&records(&[("jazz", b"begun anew")])).unwrap();
    drop(store);
    let (mut store, loaded) = open(dir);
    assert_eq!(loaded.notice, None, "told of once");
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"begun anew");
}

#[test]
fn an_empty_state_file_is_put_aside() {
    let dir = dir();
    written(dir.path(), false);
    is_put_aside(dir.path(), b"");
}

#[test]
fn a_state_file_of_rubbish_is_put_aside() {
    let dir = dir();
    let length = written(dir.path(), false).len();
    is_put_aside(dir.path(), &vec![0x5a; length]);
}

#[test]
fn a_state_file_of_zeros_is_put_aside() {
    let dir = dir();
    let length = written(dir.path(), false).len();
    is_put_aside(dir.path(), &vec![0; length]);
}

#[test]
fn a_state_file_cut_short_anywhere_is_put_aside_or_whole() {
    let dir = dir();
    let whole = written(dir.path(), false);
    for part in 1..40 {
        one_damage(&whole[..whole.len() * part / 40], false, &format!("cut to {part}/40"));
    }
    for length in [1, 2, 63, 64, 100, 511, 512, 4095, 4096, 4097] {
        one_damage(&whole[..length], false, &format!("cut to {length} bytes"));
    }
}

/// Opens damaged bytes: either nothing of it shows, or they are put aside; nothing third. Only what a kill
/// left may go back by one commit, for to the store that looks like a write that was torn.
fn one_damage(bytes: &[u8], killed: bool, what: &str) -> bool {
    let dir = dir();
    fs::write(state(dir.path()), bytes).unwrap();
    let (mut store, loaded) = open(dir.path());
    match &loaded.notice {
        Some(notice) => {
            // The attempt to repair it may have changed it; it is there.
            assert_eq!(put_aside(dir.path(), "state").len(), 1, "{what}: {notice}");
            assert!(loaded.records.is_empty(), "{what}: {notice}");
            false
        }
        None => {
            let shelf = on_the_shelf(&loaded);
            let went_back = killed && shelf["jazz"] == OLD;
            let (jazz, beat) = if went_back { (OLD, None) } else { (NEW, Some(pulse(100))) };
            assert_eq!(shelf["jazz"], jazz, "{what}: an older state was believed");
            assert_eq!((shelf.len(), loaded.pulse), (41, beat), "{what}");
            assert!((0..40u8).all(|n| shelf[&format!("other-{n}")] == [n; 700]), "{what}: a wrong record was believed");
            assert_eq!(store.record(&id("jazz")).unwrap().as_deref(), Some(jazz), "{what}");
            assert!(put_aside(dir.path(), "state").is_empty(), "{what}");
            true
        }
    }
}

/// Flips bytes of a state file one at a time, all over it.
fn flipped(killed: bool) {
    let dir = dir();
    let whole = written(dir.path(), killed);
    let (mut survived, mut told) = (0, 0);
    // Everything in the header, and what is used of the rest, here and there.
    let used: Vec<usize> = (512..whole.len()).filter(|at| whole[*at] != 0).collect();
    let places = (0..320).step_by(4).chain(used.into_iter().step_by(1499));
    for at in places {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let of_no_consequence = one_damage(&bytes, killed, &format!("byte {at} of {} flipped", whole.len()));
        *if of_no_consequence { &mut survived } else { &mut told } += 1;
    }
    eprintln!("{told} flipped bytes were told of, {survived} were of no consequence");
    assert!(told > 15, "too few damages were found: {told}");
}

#[test]
fn a_flipped_byte_of_a_closed_state_file_is_put_aside_or_of_no_consequence() {
    flipped(false);
}

#[test]
fn a_flipped_byte_of_a_killed_daemons_state_file_is_put_aside_or_of_no_consequence() {
    flipped(true);
}

#[test]
fn the_same_file_damaged_twice_is_kept_twice() {
    let dir = dir();
    for second in [1, 2] {
        fs::write(state(dir.path()), b"rubbish").unwrap();
        let (_, loaded) = RedbStore::open(dir.path(), wall(second * 1000)).unwrap();
        assert!(loaded.notice.is_some());
    }
    assert_eq!(put_aside(dir.path(), "state").len(), 2);
}

#[test]
fn a_file_damaged_twice_within_a_millisecond_is_not_overwritten() {
    let dir = dir();
    for rubbish in [b"first rubbish", b"other rubbish"] {
        fs::write(state(dir.path()), rubbish).unwrap();
        let (_, loaded) = RedbStore::open(dir.path(), wall(0)).unwrap();
        assert!(loaded.notice.is_some());
    }
    assert_eq!(put_aside(dir.path(), "state").len(), 2, "the first one was overwritten");
}

/// A store whose journal is damaged while it is closed.
fn with_a_journal_of(bytes: impl Fn(Vec<u8>) -> Vec<u8>) {
    let dir = dir();
    written(dir.path(), false);
    let file = dir.path().join("journal.redb");
    let damaged = bytes(fs::read(&file).unwrap());
    fs::write(&file, &damaged).unwrap();
    let (mut store, loaded) = open(dir.path());
    assert_eq!(loaded.notice, None, "the state is whole");
    assert_eq!(on_the_shelf(&loaded)["jazz"], NEW);
    // The first decision finds the damage; nothing of the state waits for that.
    store.commit(&records(&[("jazz", b"newer")])).unwrap();
    store.commit(&decides("jazz", [121])).unwrap();
    assert_eq!(journal(&mut store, "jazz"), [121]);
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"newer");
    assert!(put_aside(dir.path(), "journal") == [damaged], "the journal is kept as it was");
    assert!(put_aside(dir.path(), "state").is_empty());
}

#[test]
fn an_empty_journal_file_does_not_stop_the_state() {
    with_a_journal_of(|_| Vec::new());
}

#[test]
fn a_journal_of_rubbish_does_not_stop_the_state() {
    with_a_journal_of(|bytes| vec![0xa5; bytes.len()]);
}

#[test]
fn a_journal_cut_short_does_not_stop_the_state() {
    with_a_journal_of(|bytes| bytes[..bytes.len() / 2].to_vec());
}

#[test]
fn a_damaged_journal_that_is_only_read_is_put_aside_too() {
    let dir = dir();
    written(dir.path(), false);
    fs::write(dir.path().join("journal.redb"), b"rubbish").unwrap();
    let (mut store, _) = open(dir.path());
    assert_eq!(journal(&mut store, "jazz"), [0; 0]);
    assert_eq!(put_aside(dir.path(), "journal").len(), 1);
}

#[test]
fn a_second_store_on_one_directory_is_refused_and_the_first_goes_on() {
    let dir = dir();
    let (mut first, _) = open(dir.path());
    first.commit(&records(&[("jazz", b"one")])).unwrap();
    let refused = refusal(RedbStore::open(dir.path(), wall(0)));
    assert!(refused.contains("another daemon") && refused.contains("--state-dir"), "{refused}");
    first.commit(&records(&[("jazz", b"two")])).unwrap();
    drop(first);
    let (mut store, loaded) = open(dir.path());
    assert_eq!(loaded.notice, None);
    assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"two");
}

#[test]
fn a_record_with_an_impossible_name_is_left_out_and_the_others_are_there() {
    let dir = dir();
    written(dir.path(), false);
    {
        let table = redb::TableDefinition::<&str, &[u8]>::new("records");
        let database = redb::Database::open(state(dir.path())).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(table).unwrap().insert("no/such name", b"record".as_slice()).unwrap();
        write.commit().unwrap();
    }
    let (_, loaded) = open(dir.path());
    assert_eq!(loaded.records.len(), 41);
}
