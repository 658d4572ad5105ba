//! Other programs are told of what happens, and streamers get their stops, by signed POSTs.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, Plan},
    patience::{eventually, let_pass},
    receiver::Receiver,
    streamer::Streamer,
};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn config(receiver: &Receiver, more: &str) -> String {
    format!(
        "[auto_end]\ntimeout = 3\nwarnings = [2]\n[[webhook]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"hook.secret\"\n{more}",
        receiver.url()
    )
}

fn daemon(receiver: &Receiver, more: &str) -> Daemon {
    Plan::new(&config(receiver, more)).file("hook.secret", &format!("{SECRET}\n")).start()
}

/// The real program as a receiver; it ends with this value.
struct Verifier(Child);

impl Drop for Verifier {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the receiver's part of the real program on one message.
fn verify(daemon: &Daemon, message: &crate::receiver::Received, body: &str) -> bool {
    let header = |name: &str| message.headers[name].clone();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sattva-monitor"))
        .args(["webhook-verify", "--secret-file"])
        .arg(daemon.state_dir().parent().unwrap().join("hook.secret"))
        .args(["--id", &header("webhook-id"), "--timestamp", &header("webhook-timestamp")])
        .args(["--signature", &header("webhook-signature")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

#[test]
fn every_event_of_a_countdown_is_told_in_order_signed_and_without_a_browser_open() {
    let receiver = Receiver::open();
    let daemon = daemon(&receiver, "");
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    jazz.hears_nobody_until(&daemon, || receiver.received().len() >= 3);
    jazz.stops(&daemon);
    receiver.until("auto_end", 3);
    let told: Vec<String> = receiver
        .received()
        .iter()
        .map(|message| {
            let message = message.json();
            assert_eq!(message["data"]["channel_id"], "jazz");
            assert!(message["timestamp"].is_string());
            message["data"]["event"].as_str().unwrap_or("warning").to_owned()
        })
        .collect();
    assert_eq!(told, ["started", "warning", "stopping", "ended"]);
    let first = &receiver.received()[0];
    assert!(verify(&daemon, first, &first.body));
    assert!(!verify(&daemon, first, &first.body.replace("jazz", "rock")));
    let ids: std::collections::HashSet<String> = receiver.received().iter().map(|m| m.id().to_owned()).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(daemon.figures().get("sattva_webhook_messages_total{outcome=\"delivered\",webhook=\"ops\"}"), Some(4.0));
}

#[test]
fn what_an_endpoint_did_not_take_is_sent_again_under_its_id_and_in_its_order() {
    let receiver = Receiver::open();
    receiver.answers(|_| (500, String::new()));
    let daemon = daemon(&receiver, "");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 0);
    jazz.hears(&daemon, 1);
    let first = receiver.until("auto_end", 1).remove(0);
    let ready = eventually("the trouble to be seen", || {
        let ready = daemon.json("/readyz");
        (ready["status"] == "degraded").then_some(ready)
    });
    assert!(ready["dependencies"]["webhook:ops"]["detail"].as_str().unwrap().contains("500"), "{ready}");
    receiver.answers(|_| (204, String::new()));
    let told = receiver.until("auto_end", 3);
    assert_eq!(told[1].id(), first.id());
    let events: Vec<Value> = told.iter().map(|message| message.json()["data"]["event"].clone()).collect();
    assert_eq!(events, ["started", "started", "cancelled"]);
    eventually("the trouble to be over", || (daemon.json("/readyz")["status"] == "ready").then_some(()));
}

#[test]
fn a_stop_comes_by_webhook_and_its_answer_is_the_acknowledgement() {
    let receiver = Receiver::open();
    receiver.answers(|_| (200, json!({ "outcome": "ok", "detail": "the bot has left" }).to_string()));
    let daemon = daemon(&receiver, "events = false\nstops_for = [\"radio-*\"]\n");
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    jazz.hears_nobody_until(&daemon, || !receiver.received().is_empty());
    let stop = receiver.until("stop", 1).remove(0);
    assert!(verify(&daemon, &stop, &stop.body));
    let data = stop.json()["data"].clone();
    assert_eq!(
        (&data["channel_id"], &data["source"], &data["session"]),
        (&json!("jazz"), &json!("radio-1"), &json!("s1"))
    );
    assert_eq!(data["only_if"], json!({ "listeners_at_most": 0, "joins": 0 }));
    assert!(data["valid_for_seconds"].as_u64().unwrap() <= 60);
    let command = eventually("the acknowledgement", || {
        let command = daemon.explain("jazz")["commands"][0].clone();
        (command["state"] == "acked").then_some(command)
    });
    assert_eq!(command["detail"], "the bot has left");
    jazz.stops(&daemon);
    assert_eq!(daemon.explain("jazz")["commands"][0]["state"], "confirmed");
}

#[test]
fn a_stop_that_is_not_taken_comes_again_under_one_id_and_one_that_is_refused_arms_anew() {
    let receiver = Receiver::open();
    receiver.answers(|_| (503, String::new()));
    let daemon = daemon(&receiver, "events = false\nstops_for = [\"radio-1\"]\n");
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    jazz.hears_nobody_until(&daemon, || receiver.received().len() >= 2);
    let stops = receiver.until("stop", 2);
    assert_eq!(stops[0].id(), stops[1].id());
    receiver.answers(|_| (200, json!({ "outcome": "refused", "detail": "somebody just came" }).to_string()));
    eventually("the countdown to begin anew", || {
        jazz.hears(&daemon, 0);
        (daemon.phase("jazz") == "counting").then_some(())
    });
    let journal = daemon.explain("jazz").to_string();
    assert!(journal.contains("somebody just came") || journal.contains("refused"), "{journal}");
}

#[test]
fn secrets_are_changed_while_the_daemon_runs_and_both_are_good_for_a_while() {
    let receiver = Receiver::open();
    let daemon = daemon(&receiver, "");
    daemon.write_file("hook.secret", &format!("{NEW_SECRET}\n{SECRET}\n"));
    daemon.signal(Signal::HUP);
    eventually("the reload", || daemon.logged(|line| line["message"] == "configuration reloaded"));
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
    let told = receiver.until("auto_end", 1).remove(0);
    assert_eq!(told.headers["webhook-signature"].split(' ').count(), 2);
    for secret in [SECRET, NEW_SECRET] {
        daemon.write_file("hook.secret", &format!("{secret}\n"));
        assert!(verify(&daemon, &told, &told.body));
    }
}

#[test]
fn secrets_that_cannot_be_read_are_told_and_stop_nothing_else() {
    let receiver = Receiver::open();
    let daemon = Plan::new(&config(&receiver, "")).file("hook.secret", "hunter2\n").start();
    let ready = daemon.json("/readyz");
    let detail = ready["dependencies"]["webhook:ops"]["detail"].as_str().unwrap();
    assert!(detail.contains("line 1") && !detail.contains("hunter2"), "{detail}");
    assert!(!daemon.log().contains("hunter2"));
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
    daemon.write_file("hook.secret", SECRET);
    daemon.signal(Signal::HUP);
    eventually("the webhook to be mended", || (daemon.json("/readyz")["status"] == "ready").then_some(()));
    Streamer::new("radio-1", "rock").hears(&daemon, 0);
    assert_eq!(receiver.until("auto_end", 1)[0].json()["data"]["channel_id"], "rock");
}

#[test]
fn an_endpoint_that_is_gone_for_good_is_told_of_nothing_more_until_a_reload() {
    let receiver = Receiver::open();
    receiver.answers(|_| (410, String::new()));
    let daemon = daemon(&receiver, "");
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
    receiver.until("auto_end", 1);
    eventually("the trouble to be seen", || (daemon.json("/readyz")["status"] == "degraded").then_some(()));
    Streamer::new("radio-1", "rock").hears(&daemon, 0);
    let_pass(Duration::from_millis(500));
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn the_programs_own_receiver_takes_what_is_proven_and_nothing_else() {
    let plan = Plan::new("");
    let house = plan.own_state_dir().parent().unwrap().to_owned();
    let plan = plan.file("hook.secret", SECRET);
    let mut verifier = Verifier(
        Command::new(env!("CARGO_BIN_EXE_sattva-monitor"))
            .args(["webhook-verify", "--listen", "127.0.0.1:0", "--secret-file"])
            .arg(house.join("hook.secret"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut said = BufReader::new(verifier.0.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let url =
        line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().trim_end_matches(';').to_owned();
    let forged = ureq::post(&url).header("webhook-id", "x").send("{}");
    assert!(matches!(forged, Err(ureq::Error::StatusCode(401))), "{forged:?}");
    let daemon = plan.start();
    daemon.write_config(&format!("[[webhook]]\nname = \"try\"\nurl = \"{url}\"\nsecret_file = \"hook.secret\"\n"));
    daemon.signal(Signal::HUP);
    eventually("the reload", || daemon.logged(|line| line["message"] == "configuration reloaded"));
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
    let mut printed = String::new();
    BufReader::new(verifier.0.stdout.take().unwrap()).read_line(&mut printed).unwrap();
    assert!(printed.starts_with("event_") && printed.contains("\"started\""), "{printed}");
}
