//! SIGHUP: a valid file is applied whole to what runs, of an invalid one nothing is.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{
    daemon::{Daemon, Plan},
    door_keeper::DoorKeeper,
    patience::{eventually, let_pass},
    streamer::Streamer,
};

#[test]
fn a_shorter_timeout_reaches_a_running_countdown_and_nobody_is_ended_unwarned() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 300\nwarnings = [2]\n");
    let mut live = daemon.live("");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    jazz.hears(&daemon, 0);
    live.until_auto_end("started");

    daemon.write_config("[auto_end]\ntimeout = 3\nwarnings = [2]\n");
    let reloaded = Instant::now();
    daemon.signal(Signal::HUP);
    let change = live.until_auto_end("extended");
    assert_eq!(change["data"]["reason"], "reloaded", "{change}");
    let stop = eventually("a stop command", || {
        let_pass(Duration::from_millis(50));
        jazz.hears(&daemon, 0).pop()
    });
    assert_eq!(stop["type"], "stop");
    assert!(reloaded.elapsed() >= Duration::from_secs(2), "the last warning's time did not go by in full");
    let warning = live.until_auto_end("stopping");
    assert!(live.heard.iter().any(|m| m["type"] == "auto_end_warning"), "unwarned before {warning}");
    assert_eq!(daemon.figures().get("sattva_config_reloads_total{outcome=\"applied\"}"), Some(1.0));
}

#[test]
fn a_broken_file_changes_nothing_and_is_seen_where_an_admin_looks() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 200\n");
    let mut live = daemon.live("");
    live.until_type("snapshot");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 0);

    daemon.write_config("[auto_end]\ntimeout = 1\nwarnings = \"never\"\n");
    daemon.signal(Signal::HUP);
    let refused = eventually("the refusal in the log", || {
        daemon.logged(|line| line["message"].as_str().is_some_and(|text| text.contains("refused")))
    });
    assert!(refused["message"].as_str().unwrap().contains("config.toml:3"), "{refused}");
    let ready = daemon.json("/readyz");
    assert_eq!(ready["status"], "degraded");
    assert!(ready["dependencies"]["configuration"]["detail"].as_str().unwrap().contains("warnings"), "{ready}");
    assert_eq!(daemon.figures().get("sattva_config_last_reload_successful"), Some(0.0));
    assert_eq!(daemon.json("/api/v1/streams/jazz/auto-end")["policy"]["timeout_seconds"], 200.0);

    daemon.write_config("[auto_end]\ntimeout = 100\n");
    daemon.signal(Signal::HUP);
    eventually("the mended file to be applied", || {
        (daemon.json("/api/v1/streams/jazz/auto-end")["policy"]["timeout_seconds"] == 100.0).then_some(())
    });
    assert_eq!(daemon.json("/readyz")["status"], "ready");
    live.until_auto_end("extended");
}

#[test]
fn a_setting_that_needs_a_restart_is_named_and_keeps_its_value() {
    let daemon = Daemon::start("");
    daemon.write_config("[metrics]\nenabled = false\n");
    daemon.signal(Signal::HUP);
    eventually("the setting's name in the log", || {
        daemon.logged(|line| line["key"] == "metrics.enabled" && line["level"] == "WARN")
    });
    assert_eq!(daemon.get("/metrics").status, 200);
}

#[test]
fn a_new_password_in_the_same_file_is_used_and_one_that_cannot_be_read_changes_nothing() {
    let keeper = DoorKeeper::open();
    let config = format!(
        "[[icecast]]\nname = \"studio\"\nurl = \"{}\"\npassword_file = \"password\"\npoll_interval = \"100ms\"\n",
        keeper.url()
    );
    let daemon = Plan::new(&config).file("password", "old\n").start();
    eventually("a request with the old password", || keeper.was_shown("admin:old").then_some(()));

    daemon.write_file("password", "new\n");
    daemon.signal(Signal::HUP);
    eventually("a request with the new password", || keeper.was_shown("admin:new").then_some(()));

    daemon.remove_file("password");
    daemon.signal(Signal::HUP);
    eventually("the log line that says so", || {
        daemon.logged(|line| line["message"].as_str().is_some_and(|text| text.contains("password read before")))
    });
    keeper.forget();
    eventually("the server is watched all the same", || keeper.was_shown("admin:new").then_some(()));
}
