//! A disk that is really full: writes fail with an error, nothing that was there is lost, and it goes on
//! when there is room again.

use std::{fs, os::unix::fs::FileExt, path::Path};

use sattva_actors::store::{Group, Store, redb::RedbStore};

use crate::{
    shelf::{decides, id, journal, on_the_shelf, open, pulse, records, wall},
    small_disk::SmallDisk,
};

const DISK_KIB: usize = 3000;
/// Commits of 30 KB each that no full disk takes so many of.
const MORE_THAN_FITS: u32 = 300;

/// Number `n`: a new record each time, and a decision.
fn group(n: u32) -> Group {
    let records = records(&[(&format!("c-{n}"), &vec![n as u8; 30_000])]);
    Group { decisions: decides("jazz", [n]).decisions, pulse: Some(pulse(u64::from(n) + 10)), ..records }
}

/// Commits until the disk is full; answers with the number that failed.
fn until_full(store: &mut RedbStore, from: u32) -> u32 {
    let failed = (from..from + MORE_THAN_FITS).find(|n| {
        let outcome = store.commit(&group(*n));
        outcome.inspect_err(|error| eprintln!("number {n} failed: {error}")).is_err()
    });
    failed.expect("the disk was to be full")
}

#[track_caller]
fn all_are_there(store: &mut RedbStore, numbers: std::ops::Range<u32>) {
    for n in numbers {
        assert_eq!(store.record(&id(&format!("c-{n}"))).unwrap(), Some(vec![n as u8; 30_000]), "number {n}");
    }
}

#[test]
fn on_a_full_disk_writes_fail_and_with_room_again_everything_committed_is_there() {
    let me = "full_disk::on_a_full_disk_writes_fail_and_with_room_again_everything_committed_is_there";
    SmallDisk::tell(DISK_KIB, me, |disk| {
        let (mut store, _) = open(disk.path());
        (0..5).for_each(|n| drop(store.commit(&group(n)).unwrap()));
        let mut next = 5;
        for _ in 0..3 {
            disk.fill_but(100_000);
            let failed = until_full(&mut store, next);
            for _ in 0..3 {
                assert!(store.commit(&group(failed)).is_err(), "a full disk takes nothing");
            }
            // Tried again as the actor does, while the disk is still full.
            if store.reopen().is_ok() {
                assert!(store.commit(&group(failed)).is_err());
            }
            disk.make_room();
            store.reopen().unwrap();
            all_are_there(&mut store, 0..failed);
            store.commit(&group(failed)).unwrap();
            all_are_there(&mut store, 0..failed + 1);
            next = failed + 1;
        }
        let newest: Vec<u32> = (next.saturating_sub(100)..next).collect();
        assert_eq!(journal(&mut store, "jazz"), newest);
        drop(store);
        let (mut store, loaded) = open(disk.path());
        assert_eq!(loaded.notice, None);
        assert_eq!((loaded.records.len(), loaded.pulse), (next as usize, Some(pulse(u64::from(next) + 9))));
        all_are_there(&mut store, 0..next);
    });
}

fn names(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap().flatten();
    let mut names: Vec<String> = files.map(|file| file.file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "filler");
    names.sort();
    names
}

/// Writes a file without its empty pages: each takes room only when something is written to it, and then
/// there may be none.
fn write_with_holes(file: &Path, bytes: &[u8]) {
    let file = fs::File::create(file).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (n, page) in bytes.chunks(4096).enumerate().filter(|(_, page)| page.iter().any(|byte| *byte != 0)) {
        file.write_all_at(page, n as u64 * 4096).unwrap();
    }
}

/// Starts on a disk with hardly any room: refused in words or not, what is there must not be taken for
/// damaged, and stays.
fn starts_on_a_full_disk(disk: &SmallDisk, killed: bool) {
    let write = |count: u32| {
        let (mut store, _) = open(disk.path());
        (0..count).for_each(|n| drop(store.commit(&group(n)).unwrap()));
        let files = ["state.redb", "journal.redb"].map(|name| disk.path().join(name));
        let read = || files.clone().map(|file| fs::read(file).unwrap());
        let open = read();
        drop(store);
        let bytes = if killed { open } else { read() };
        files.iter().zip(bytes).for_each(|(file, bytes)| write_with_holes(file, &bytes));
    };
    let (mut refused, mut served) = (0, 0);
    let histories = [1, 20].into_iter().flat_map(|count| [0, 4096, 8192, 40_000].map(|left| (count, left)));
    for (count, left) in histories {
        for name in names(disk.path()) {
            fs::remove_file(disk.path().join(name)).unwrap();
        }
        write(count);
        disk.fill_but(left);
        match RedbStore::open(disk.path(), wall(0)) {
            Ok((mut store, loaded)) => {
                served += 1;
                assert_eq!(loaded.notice, None, "{left} bytes left: a full disk was taken for damage");
                assert_eq!(loaded.records.len(), count as usize);
                let _ = store.commit(&group(count));
                let _ = store.journal(&id("jazz"));
            }
            Err(error) => {
                refused += 1;
                let error = error.to_string();
                assert!(error.contains("state.redb") && error.contains("--state-dir"), "{error}");
            }
        }
        assert_eq!(names(disk.path()), ["journal.redb", "state.redb"], "{left} bytes left");
        disk.make_room();
        let (mut store, loaded) = open(disk.path());
        assert_eq!(loaded.notice, None, "{left} bytes left");
        let shelf = on_the_shelf(&loaded);
        assert!((0..count).all(|n| shelf.contains_key(&format!("c-{n}"))), "{left} bytes left");
        all_are_there(&mut store, 0..count);
        let decisions = journal(&mut store, "jazz");
        assert!(decisions.starts_with(&(0..count).collect::<Vec<u32>>()), "{left} bytes left: {decisions:?}");
    }
    eprintln!("{refused} starts were refused, {served} served");
}

#[test]
fn a_start_on_a_full_disk_takes_nothing_for_damaged() {
    let me = "full_disk::a_start_on_a_full_disk_takes_nothing_for_damaged";
    SmallDisk::tell(DISK_KIB, me, |disk| starts_on_a_full_disk(disk, false));
}

#[test]
fn a_start_on_a_full_disk_after_a_kill_takes_nothing_for_damaged() {
    let me = "full_disk::a_start_on_a_full_disk_after_a_kill_takes_nothing_for_damaged";
    SmallDisk::tell(DISK_KIB, me, |disk| starts_on_a_full_disk(disk, true));
}

#[test]
fn a_journal_that_finds_no_room_to_begin_leaves_no_litter_and_begins_when_there_is_room() {
    let me = "full_disk::a_journal_that_finds_no_room_to_begin_leaves_no_litter_and_begins_when_there_is_room";
    SmallDisk::tell(DISK_KIB, me, |disk| {
        for left in [0, 4096, 20_000, 60_000, 100_000] {
            names(disk.path()).iter().for_each(|name| fs::remove_file(disk.path().join(name)).unwrap());
            let (mut store, _) = open(disk.path());
            store.commit(&records(&[("jazz", b"one")])).unwrap();
            disk.fill_but(left);
            // Tried again every second.
            for _ in 0..5 {
                if store.commit(&decides("jazz", 1..=10)).is_err() {
                    let _ = store.reopen();
                }
            }
            let litter: Vec<String> = names(disk.path()).into_iter().filter(|name| name.contains("damaged")).collect();
            assert_eq!(litter, [""; 0], "{left} bytes left");
            disk.make_room();
            store.reopen().unwrap();
            store.commit(&decides("jazz", 1..=10)).unwrap();
            assert_eq!(journal(&mut store, "jazz").len(), 10);
            assert_eq!(store.record(&id("jazz")).unwrap().unwrap(), b"one");
        }
    });
}

#[test]
fn a_first_start_without_room_is_refused_and_the_next_one_begins_without_a_word_of_damage() {
    let me = "full_disk::a_first_start_without_room_is_refused_and_the_next_one_begins_without_a_word_of_damage";
    SmallDisk::tell(DISK_KIB, me, |disk| {
        let mut refused = 0;
        for left in [0, 4096, 20_000, 60_000, 100_000, 200_000] {
            names(disk.path()).iter().for_each(|name| fs::remove_file(disk.path().join(name)).unwrap());
            disk.fill_but(left);
            for _ in 0..3 {
                match RedbStore::open(disk.path(), wall(0)) {
                    Ok((_, loaded)) => assert_eq!(loaded.notice, None, "{left} bytes left"),
                    Err(error) => {
                        refused += 1;
                        eprintln!("{left} bytes left: {error}");
                    }
                }
            }
            disk.make_room();
            let (mut store, loaded) = open(disk.path());
            assert_eq!(loaded.notice, None, "{left} bytes left");
            store.commit(&records(&[("jazz", b"one")])).unwrap();
            let damaged = names(disk.path()).into_iter().filter(|name| name.contains("damaged")).count();
            assert_eq!(damaged, 0, "{left} bytes left");
        }
        assert!(refused > 0, "there was room after all");
    });
}
