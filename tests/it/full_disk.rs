//! The disk is full: the daemon goes on, says so, ends no stream, and recovers by itself.

use std::{os::unix::fs::symlink, time::Duration};

use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, Plan},
    patience::{eventually, let_pass},
    small_disk::SmallDisk,
    streamer::Streamer,
};

const DISK_KIB: usize = 3000;

/// Reports of streams that nobody has ever seen, until the store has no room for them.
fn report_strangers_until_degraded(daemon: &Daemon) {
    let mut strangers = 0;
    eventually("the store to be failing", || {
        let reports: Vec<Value> = (0..200)
            .map(|_| {
                strangers += 1;
                let channel = format!("a-stranger-with-a-rather-long-name-{strangers}");
                json!({ "channel_id": channel, "session": "s1", "seq": 1, "state": "live", "listeners": 1 })
            })
            .collect();
        let answer = daemon.post("/api/v1/ingest", &json!({ "source": "strangers", "reports": reports })).ok();
        assert_eq!(answer["accepted"], 200, "reports are taken in, whatever the disk does: {answer}");
        (daemon.json("/readyz")["status"] == "degraded").then_some(())
    });
}

#[test]
fn on_a_full_disk_nothing_is_stopped_and_with_room_again_everything_goes_on_by_itself() {
    let me = "full_disk::on_a_full_disk_nothing_is_stopped_and_with_room_again_everything_goes_on_by_itself";
    SmallDisk::tell(DISK_KIB, me, |disk| {
        let plan = Plan::new("[auto_end]\ntimeout = 4\nwarnings = [2, 1]\n");
        symlink(disk.path(), plan.own_state_dir()).unwrap();
        let mut daemon = plan.start();
        disk.is_written_by(daemon.pid());
        let mut live = daemon.live("?types=auto_end");
        live.until("the snapshot", |message| message["type"] == "snapshot");
        let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
        jazz.hears(&daemon, 0);
        live.until_auto_end("started");

        disk.fill_but(0);
        report_strangers_until_degraded(&daemon);
        let store = daemon.json("/readyz")["dependencies"]["store"].clone();
        assert_eq!(store["status"], "failing");
        let detail = store["detail"].as_str().unwrap();
        assert!(["No space left", "too large"].iter().any(|words| detail.contains(words)), "{detail}");
        assert_eq!(daemon.figures().of("sattva_store_failing"), 1.0);
        assert!(daemon.logged(|line| line["message"].as_str().unwrap().contains("store cannot be written")).is_some());

        // Long past the deadline, and empty all the time.
        let overdue = || daemon.explain("jazz")["why"].as_str().unwrap().contains("the store cannot be written");
        eventually("the deadline to be over", || {
            assert_eq!(jazz.hears(&daemon, 0), [] as [Value; 0]);
            let_pass(Duration::from_millis(100));
            overdue().then_some(())
        });
        for _ in 0..20 {
            assert_eq!(jazz.hears(&daemon, 0), [] as [Value; 0], "stopped although it could not be written down");
            let_pass(Duration::from_millis(100));
        }
        daemon.operate("jazz", "stop", &json!({ "force": true })).problem(503, "store_failing");
        assert_eq!(daemon.figures().of("sattva_auto_end_events_total{event=\"stopping\"}"), 0.0);

        disk.make_room();
        eventually("the store to work again", || (daemon.json("/readyz")["status"] == "ready").then_some(()));
        let command = eventually("the stop", || {
            let_pass(Duration::from_millis(100));
            jazz.hears(&daemon, 0).pop()
        });
        jazz.acknowledges(&command, "ok");
        jazz.stops(&daemon);
        live.until_auto_end("stopping");
        live.until_auto_end("ended");

        // It is all on the disk.
        let streams = daemon.json("/api/v1/streams");
        daemon.kill_hard_and_start_again();
        assert_eq!(daemon.json("/readyz")["status"], "ready");
        let events = daemon.explain("jazz")["decisions"].as_array().unwrap().clone();
        let events: Vec<&str> = events.iter().map(|decision| decision["event"].as_str().unwrap()).collect();
        assert_eq!((events.first(), events.last()), (Some(&"started"), Some(&"ended")), "{events:?}");
        let count = |streams: &Value| streams.as_array().or(streams["streams"].as_array()).unwrap().len();
        let strangers = count(&daemon.json("/api/v1/streams"));
        assert!(strangers >= 200 && strangers + 1 >= count(&streams), "{strangers} of {}", count(&streams));
    });
}
