//! What an administrator asks at a terminal: status, explain, doctor.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    patience::eventually,
    redis_server::{RedisServer, free_port},
    streamer::Streamer,
    token_desk::{TokenDesk, Visitor},
};

struct Terminal {
    home: TempDir,
}

impl Terminal {
    fn with(config: &str) -> Self {
        let home = TempDir::new().unwrap();
        fs::write(home.path().join("config.toml"), config).unwrap();
        Self { home }
    }

    /// One that listens at a free port and keeps its state at home.
    fn of_a_good_setup(more: &str) -> Self {
        let config = format!("[http]\nlisten = \"127.0.0.1:{}\"\n{more}", free_port());
        Self::with(&config)
    }

    fn runs(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sattva-monitor"));
        command.env_clear().current_dir(self.home.path()).args(arguments);
        command.output().unwrap()
    }

    /// The doctor's findings, and the exit code.
    fn doctor(&self) -> (Vec<Value>, Option<i32>) {
        let ended = self.runs(&["doctor", "--config", "config.toml", "--json"]);
        let findings = serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
        (findings, ended.status.code())
    }
}

/// The verdict on a check, with what was said.
fn verdict(findings: &[Value], check: &str) -> (String, String) {
    let found = findings.iter().find(|finding| finding["check"].as_str().unwrap().starts_with(check));
    let found = found.unwrap_or_else(|| panic!("no {check} in {findings:#?}"));
    let said = format!("{} {}", found["detail"].as_str().unwrap(), found["todo"].as_str().unwrap_or_default());
    (found["verdict"].as_str().unwrap().to_owned(), said)
}

fn asks(daemon: &Daemon, arguments: &[&str]) -> (String, String, Option<i32>) {
    let url = format!("http://{}", daemon.address());
    let ended = Terminal::with("").runs(&[arguments, &["--url", &url]].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(ended.stdout), text(ended.stderr), ended.status.code())
}

#[test]
fn status_says_how_a_daemon_is_in_words_and_by_its_exit_code() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 0);
    let (said, _, code) = asks(&daemon, &["status"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("ready, version") && said.contains("1 streams, 0 listeners"), "{said}");
    assert!(said.contains("jazz") && said.contains("counting"), "{said}");
    let (said, _, _) = asks(&daemon, &["status", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["streams"][0]["channel_id"], "jazz");

    daemon.write_config("[auto_end]\ntimeout = true\n");
    daemon.signal(rustix::process::Signal::HUP);
    eventually("the refusal", || (daemon.json("/readyz")["status"] == "degraded").then_some(()));
    let (said, _, code) = asks(&daemon, &["status"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("configuration fails: ") && said.contains("auto_end.timeout"), "{said}");

    let nobody = format!("http://127.0.0.1:{}", free_port());
    let ended = Terminal::with("").runs(&["status", "--url", &nobody]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("is the daemon running there?"));
}

#[test]
fn explain_says_why_and_a_title_cannot_reach_the_terminal() {
    let daemon = Daemon::start("");
    let report = json!({ "channel_id": "-1001234", "session": "s", "seq": 1, "state": "live", "listeners": 0, "joins": 0,
                         "track": { "title": "\u{1b}[2Jgone\u{202e}" } });
    daemon.post("/api/v1/ingest", &json!({ "source": "radio-1", "reports": [report] })).ok();
    let (said, error, code) = asks(&daemon, &["explain", "-1001234"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(
        said.starts_with("-1001234: Counting down") && said.contains("radio-1: live, listeners 0, joins 0"),
        "{said}"
    );
    assert!(said.contains("started: ") && !said.contains('\u{1b}') && !said.contains('\u{202e}'), "{said}");

    let (_, error, code) = asks(&daemon, &["explain", "nothing"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("there is no channel nothing") && error.contains("404"), "{error}");
}

#[test]
fn behind_tokens_both_say_that_they_need_one_and_take_it_from_a_file() {
    let desk = TokenDesk::open();
    let (viewer, radio) = (desk.create("anna", "viewer", &[]), desk.create("radio-1", "streamer", &[]));
    let daemon = Daemon::start(&desk.config());
    let mut jazz = Streamer::new("radio-1", "jazz");
    Visitor::holding(&daemon, &radio).post("/api/v1/ingest", &jazz.request(0)).ok();
    let (_, error, code) = asks(&daemon, &["explain", "jazz"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("--token-file"), "{error}");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{viewer}\n")).unwrap();
    let path = file.path().to_str().unwrap();
    let (said, error, code) = asks(&daemon, &["explain", "jazz", "--token-file", path]);
    assert_eq!(code, Some(0), "{error}");
    assert!(said.contains("Counting down"), "{said}");
    assert_eq!(asks(&daemon, &["status", "--token-file", path]).2, Some(0));
}

#[test]
fn a_good_setup_has_nothing_that_fails_and_the_doctor_leaves_nothing_behind() {
    let terminal = Terminal::of_a_good_setup("");
    let (findings, code) = terminal.doctor();
    assert_eq!(code, Some(0), "{findings:#?}");
    for check in ["configuration", "access", "state", "/proc"] {
        assert_eq!(verdict(&findings, check).0, "ok", "{findings:#?}");
    }
    let (word, said) = verdict(&findings, "daemon");
    assert!(word == "warn" && said.contains("does not run"), "{said}");
    let left: Vec<_> = fs::read_dir(terminal.home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["config.toml"]);
}

#[test]
fn a_running_daemon_is_asked_what_troubles_it() {
    let daemon = Daemon::start("");
    let terminal = Terminal::with(&format!("[http]\nlisten = \"{}\"\n", daemon.address()));
    assert_eq!(verdict(&terminal.doctor().0, "daemon").0, "ok");
    daemon.write_config("[auto_end]\ntimeout = true\n");
    daemon.signal(rustix::process::Signal::HUP);
    eventually("the refusal", || (daemon.json("/readyz")["status"] == "degraded").then_some(()));
    let (findings, code) = terminal.doctor();
    assert_eq!(code, Some(1));
    assert!(verdict(&findings, "daemon: configuration").1.contains("auto_end.timeout"), "{findings:#?}");
}

#[test]
fn each_thing_that_is_wrong_is_told_with_what_to_do() {
    let (findings, code) = Terminal::with("[auto_end]\ntimeout = \"soon\"\n").doctor();
    assert_eq!(code, Some(1));
    assert!(verdict(&findings, "configuration").1.contains("check-config"));

    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = Terminal::with(&format!("[http]\nlisten = \"{}\"\n", stranger.local_addr().unwrap()));
    let (findings, code) = taken.doctor();
    assert_eq!(code, Some(1));
    assert_eq!(verdict(&findings, "daemon").0, "fail", "{findings:#?}");

    let file = tempfile::NamedTempFile::new().unwrap();
    let blocked = Terminal::of_a_good_setup(&format!("[store]\nstate_dir = \"{}\"\n", file.path().display()));
    let (findings, code) = blocked.doctor();
    assert_eq!(code, Some(1));
    assert!(verdict(&findings, "state").1.contains("is not a directory"), "{findings:#?}");
}

#[test]
fn watched_servers_webhooks_and_a_redis_that_forgets_are_looked_at() {
    let redis = RedisServer::with(&["--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let terminal = Terminal::of_a_good_setup(&format!(
        "[store]\nredis_url = \"{}\"\n\
         [[icecast]]\nname = \"studio\"\nurl = \"http://127.0.0.1:{}\"\npassword_file = \"password\"\n\
         [[icecast]]\nname = \"nowhere\"\nurl = \"http://127.0.0.1:9\"\npassword_file = \"none\"\n\
         [[redis_control]]\nname = \"main\"\nurl = \"{}\"\n\
         [[webhook]]\nname = \"ops\"\nurl = \"http://127.0.0.1:{}/\"\nsecret_file = \"secret\"\n",
        redis.url(),
        free_port(),
        redis.url(),
        free_port(),
    ));
    fs::write(terminal.home.path().join("password"), "hackme\n").unwrap();
    fs::write(terminal.home.path().join("secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    fs::set_permissions(terminal.home.path().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let (findings, code) = terminal.doctor();
    assert_eq!(code, Some(1));
    let store: Vec<String> =
        findings.iter().filter(|f| f["check"] == "store.redis_url").map(|f| f.to_string()).collect();
    assert!(store.iter().any(|finding| finding.contains("allkeys-lru")), "{store:#?}");
    assert!(store.iter().any(|finding| finding.contains("append-only")), "{store:#?}");
    assert_eq!(verdict(&findings, "redis_control main").0, "ok");
    let (word, said) = verdict(&findings, "icecast studio");
    assert!(word == "fail" && said.contains("see whether it runs"), "{said}");
    assert!(verdict(&findings, "icecast nowhere").1.contains("none"), "{findings:#?}");
    assert!(verdict(&findings, "webhook ops").1.contains("start the receiver"), "{findings:#?}");
}
