//! kill -9 in the middle of writing: what was answered is there, and no group is there in part.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sattva_actors::store::{Group, Store};
use tempfile::TempDir;

use crate::shelf::{decides, id, journal, on_the_shelf, open, pulse, records};

/// The directory that a child of this test binary writes to.
const SHELF: &str = "SATTVA_TEST_SHELF";
/// Each group is this large, so that a kill finds it on its way.
const RECORD: usize = 20_000;

/// Group number `n`: two records that say so, its decision, and a pulse.
fn group(n: u32) -> Group {
    let mut record = n.to_le_bytes().to_vec();
    record.resize(RECORD, n as u8);
    let records = records(&[("left", &record), ("right", &record)]);
    Group { decisions: decides("left", [n]).decisions, pulse: Some(pulse(u64::from(n) + 10)), ..records }
}

fn number_of(record: &[u8]) -> u32 {
    assert_eq!(record.len(), RECORD);
    let n = u32::from_le_bytes(record[..4].try_into().unwrap());
    assert!(record[4..].iter().all(|byte| *byte == n as u8), "a torn record");
    n
}

/// Not a test of its own: the child that is killed. It writes one group after another and says each number
/// once it has been committed.
#[test]
#[ignore = "the child of the other tests of this file"]
#[allow(clippy::print_stdout, reason = "how it talks to its parent")]
fn a_child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(SHELF) else { return };
    let (mut store, loaded) = open(Path::new(&dir));
    let before = loaded.records.first().map_or(0, |(_, record)| number_of(record));
    for n in before + 1.. {
        store.commit(&group(n)).unwrap();
        println!("committed {n}");
    }
}

fn child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kill::a_child_that_writes_until_it_is_killed", "--nocapture"])
        .env(SHELF, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Lets a child write for so long after its first group, kills it and answers with the last number it said.
fn write_and_be_killed(dir: &Path, time: Duration) -> u32 {
    let mut child = child(dir);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kill_at = None;
    let mut said = 0;
    for line in lines {
        let line = line.unwrap();
        if let Some(n) = line.split("committed ").nth(1) {
            said = n.parse().unwrap();
            let kill_at = *kill_at.get_or_insert_with(|| Instant::now() + time);
            if Instant::now() >= kill_at {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    said
}

#[test]
fn what_was_committed_survives_a_kill_at_any_moment_and_no_group_is_there_in_part() {
    let dir = TempDir::new().unwrap();
    let mut last = 0;
    for round in 0..12 {
        let said = write_and_be_killed(dir.path(), Duration::from_micros(round * 2711));
        assert!(said > last, "round {round} wrote nothing: {said} after {last}");
        let (mut store, loaded) = open(dir.path());
        assert_eq!(loaded.notice, None, "round {round}: a kill damages nothing");
        let shelf = on_the_shelf(&loaded);
        let (left, right) = (number_of(&shelf["left"]), number_of(&shelf["right"]));
        assert_eq!(left, right, "round {round}: half a group");
        // The one that was on its way may have come through.
        assert!(left == said || left == said + 1, "round {round}: {left} is there, {said} was answered");
        assert_eq!(loaded.pulse, Some(pulse(u64::from(left) + 10)));
        // A decision is never missing beside the record that follows from it.
        let newest = *journal(&mut store, "left").last().unwrap();
        assert!(newest == left || newest == left + 1, "round {round}: record {left}, decision {newest}");
        last = left;
    }
}

#[test]
fn a_store_that_is_killed_lets_the_next_one_in_at_once() {
    let dir = TempDir::new().unwrap();
    write_and_be_killed(dir.path(), Duration::ZERO);
    let (mut store, _) = open(dir.path());
    assert!(store.record(&id("left")).unwrap().is_some());
}

#[test]
fn a_second_store_on_one_directory_is_refused_while_another_process_has_it() {
    let dir = TempDir::new().unwrap();
    let mut child = child(dir.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("committed") {}
    let refused = crate::shelf::refusal(sattva_actors::store::redb::RedbStore::open(dir.path(), crate::shelf::wall(0)));
    assert!(refused.contains("another daemon"), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing was put aside");
}
