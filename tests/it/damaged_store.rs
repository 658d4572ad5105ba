//! A damaged state file is put aside, never deleted, and said aloud; the daemon serves.

use std::fs;

use crate::{daemon::Daemon, streamer::Streamer};

/// Damages the stored state of a daemon that was killed, and starts it again.
fn restarted_over(damage: impl Fn(&mut Vec<u8>)) -> Daemon {
    let mut daemon = Daemon::start("");
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
    daemon.kill_hard();
    let file = daemon.state_dir().join("state.redb");
    let mut bytes = fs::read(&file).unwrap();
    damage(&mut bytes);
    fs::write(&file, bytes).unwrap();
    daemon.start_again();
    daemon
}

fn is_put_aside(daemon: &Daemon) {
    let ready = daemon.json("/readyz");
    assert_eq!(ready["status"], "degraded", "{ready}");
    let notice = ready["dependencies"]["store_file"]["detail"].as_str().unwrap();
    assert!(notice.contains("start anew"), "{notice}");
    let kept = fs::read_dir(daemon.state_dir()).unwrap().flatten();
    assert!(kept.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("damaged")), "{notice}");
    Streamer::new("radio-1", "rock").hears(daemon, 1);
    assert_eq!(daemon.stream("rock")["listeners"], 1);
}

#[test]
fn an_empty_file_is_put_aside() {
    is_put_aside(&restarted_over(Vec::clear));
}

#[test]
fn a_file_of_rubbish_is_put_aside() {
    is_put_aside(&restarted_over(|bytes| bytes.fill(0x5a)));
}

#[test]
fn a_file_cut_short_is_put_aside() {
    is_put_aside(&restarted_over(|bytes| bytes.truncate(bytes.len() / 3)));
}
