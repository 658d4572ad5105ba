//! A receiver of webhooks on the reference library of Standard Webhooks.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;

use crate::{client::here, daemon::Plan, streamer::Streamer};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

struct Receiver {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Receiver {
    fn knows(secret: &str) -> Self {
        let mut command = Command::new(here(".venv/bin/python"));
        let mut child = command.arg(here("clients/webhook.py")).arg(secret).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, said }
    }

    fn says(&mut self) -> Value {
        serde_json::from_str(&self.said.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_reference_library_proves_what_is_signed_with_its_secret_and_nothing_else() {
    for (secrets, proven) in
        [(SECRET.to_owned(), true), (format!("{OTHER}\n{SECRET}"), true), (OTHER.to_owned(), false)]
    {
        let mut receiver = Receiver::knows(SECRET);
        let port = receiver.says()["port"].clone();
        let config =
            format!("[[webhook]]\nname = \"ops\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"secret\"\n");
        let daemon = Plan::new(&config).file("secret", &secrets).start();
        Streamer::new("radio-1", "jazz").hears(&daemon, 0);
        let said = receiver.says();
        if proven {
            assert_eq!(said["proven"]["data"]["event"], "started", "{said}");
            assert!(said["id"].as_str().unwrap().starts_with("event_"), "{said}");
        } else {
            assert!(said["unproven"].is_string(), "{said}");
        }
    }
}
