//! The log goes to journald in its own protocol where standard error is the journal's stream, and nowhere else.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::patience::eventually;

/// What the daemon sees is its alone: in an empty /run the folder `$0` is the journal's. `$1` is the stream that the service
/// manager names, or the word for its own standard error.
const SETUP: &str = r#"
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && mount --bind "$0" /run/systemd/journal || exit 77
JOURNAL_STREAM=$1
[ "$1" != "stderr" ] || JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2)
export JOURNAL_STREAM
shift
exec "$@"
"#;
/// Longer than a record needs.
const RECORD_TIME: Duration = Duration::from_millis(200);

type Record = BTreeMap<String, String>;

/// A daemon on a machine with a journald, or without one. It ends with this value.
struct Machine {
    house: TempDir,
    journal: Option<UnixDatagram>,
    daemon: Child,
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).arg("--mount");
    if !geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
}

impl Machine {
    /// `None`, and said so, where nobody may mount.
    fn start(format: &str, stream: &str, has_journald: bool) -> Option<Self> {
        let mounts = unshare().args(["mount", "-t", "tmpfs", "tmpfs", "/run"]).output();
        if !mounts.is_ok_and(|done| done.status.success()) {
            eprintln!("skipped: this machine lets nobody mount, so there is no place for a journald of the test's own");
            return None;
        }
        let house = TempDir::new().unwrap();
        let journal = house.path().join("journal");
        fs::create_dir(&journal).unwrap();
        let socket = has_journald.then(|| {
            let socket = UnixDatagram::bind(journal.join("socket")).unwrap();
            socket.set_read_timeout(Some(RECORD_TIME)).unwrap();
            socket
        });
        fs::write(house.path().join("config.toml"), format!("[log]\nformat = \"{format}\"\n")).unwrap();
        let daemon = unshare()
            .args(["sh", "-c", SETUP])
            .arg(&journal)
            .args([stream, env!("CARGO_BIN_EXE_sattva-monitor"), "serve", "--config", "config.toml"])
            .args(["--listen", "127.0.0.1:0", "--state-dir", "state"])
            .current_dir(house.path())
            .stdout(Stdio::null())
            .stderr(File::create(house.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Some(Self { house, journal: socket, daemon })
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.house.path().join("stderr")).unwrap()
    }

    /// The next record that says so.
    fn record(&self, message: &str) -> Record {
        let mut buffer = vec![0; 64 << 10];
        eventually(&format!("the record {message:?}; standard error has {:?}", self.stderr()), || {
            let length = self.journal.as_ref()?.recv(&mut buffer).ok()?;
            Some(fields(&buffer[..length])).filter(|record| record.get("MESSAGE").is_some_and(|text| text == message))
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// As journald's protocol has it: `NAME=value`, or the name, then the length in eight bytes and the value.
fn fields(mut rest: &[u8]) -> Record {
    let mut record = Record::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, behind) = (&rest[..end], &rest[end + 1..]);
        if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
            record.insert(text(&line[..equals]), text(&line[equals + 1..]));
            rest = behind;
        } else {
            let (length, value) = behind.split_first_chunk::<8>().unwrap();
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap();
            record.insert(text(line), text(&value[..length]));
            rest = &value[length + 1..];
        }
    }
    record
}

#[test]
fn a_line_goes_to_journald_with_its_fields_where_standard_error_is_its_stream() {
    let Some(machine) = Machine::start("auto", "stderr", true) else { return };
    let serving = machine.record("serving");
    let url = serving["SATTVA_URL"].clone();
    assert!(url.starts_with("http://127.0.0.1:"), "{serving:?}");
    for (field, value) in
        [("PRIORITY", "6"), ("TARGET", "sattva_monitor::wiring"), ("SYSLOG_IDENTIFIER", "sattva-monitor")]
    {
        assert_eq!(serving[field], value, "{serving:?}");
    }
    let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
    let signs_in = ureq::post(format!("{origin}/api/v1/session")).header("x-request-id", "page-1");
    signs_in.send(r#"{"token":"none is needed"}"#).unwrap();
    let audit = machine.record("operator action");
    for (field, value) in [("TARGET", "audit"), ("SATTVA_ACTION", "sign_in"), ("SATTVA_REQUEST_ID", "page-1")] {
        assert_eq!(audit[field], value, "{audit:?}");
    }
    assert_eq!(machine.stderr(), "");
}

#[test]
fn a_daemon_whose_standard_error_was_sent_elsewhere_writes_there() {
    let Some(machine) = Machine::start("auto", "1:2", true) else { return };
    eventually("the line on standard error", || machine.stderr().contains("\"message\":\"serving\"").then_some(()));
    let journal = machine.journal.as_ref().unwrap();
    assert!(journal.recv(&mut [0; 16]).is_err(), "journald was told, too");
}

#[test]
fn who_wants_journald_gets_it_whatever_standard_error_is() {
    let Some(machine) = Machine::start("journald", "1:2", true) else { return };
    assert!(machine.record("serving").contains_key("SATTVA_URL"));
    assert_eq!(machine.stderr(), "");
}

#[test]
fn where_there_is_no_journald_the_log_is_on_standard_error_and_says_why() {
    let Some(machine) = Machine::start("journald", "stderr", false) else { return };
    eventually("the line on standard error", || machine.stderr().contains("\"message\":\"serving\"").then_some(()));
    assert!(machine.stderr().contains("journald cannot be reached"), "{}", machine.stderr());
}
