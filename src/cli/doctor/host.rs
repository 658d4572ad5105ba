//! This host: disk, files, clock, /proc.

use std::{fs, path::Path};

use rustix::{
    fs::{Access, statvfs},
    process::{Resource, getrlimit},
};
use sattva_actors::clock::{BootId, Clock};

use super::Finding;
use crate::{config::Config, open_files::Room};

/// Less room on the disk than this, and the store will soon fail.
const ROOM_LEAST: u64 = 32 << 20;
/// Less than this is worth a word: the history alone may grow to hundreds of megabytes.
const ROOM_GOOD: u64 = 1 << 30;
/// Before this the clock is certainly wrong: 2025-01-01.
const CLOCK_LEAST: i64 = 1_735_689_600_000;

pub fn access(config: &Config, open: bool) -> Finding {
    let listen = config.http.listen;
    match (open, listen.ip().is_loopback()) {
        (false, _) => Finding::ok("access", "callers are known by their tokens"),
        (true, true) => {
            Finding::ok("access", format!("nobody is asked for a token, and {listen} is for this host only"))
        }
        (true, false) => Finding::warn(
            "access",
            format!("whoever reaches {listen} may end streams (open_to_the_network)"),
            "make tokens: sattva-monitor token create, docs/security.md",
        ),
    }
}

pub fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![open_files(config)];
    findings.extend(state_dir(&config.store.state_dir));
    findings.extend(proc_and_clock());
    findings
}

fn open_files(config: &Config) -> Finding {
    // Here as for whoever runs this: a service has its unit's LimitNOFILE.
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let wanted = config.websocket.max_sessions;
    let room = Room::of(limit, wanted, config.http.over_tls());
    if room.sessions < wanted {
        let detail =
            format!("{limit} open files have room for {} of {wanted} sessions (websocket.max_sessions)", room.sessions);
        return Finding::warn("open files", detail, "raise LimitNOFILE= in the unit, or ulimit -n");
    }
    Finding::ok(
        "open files",
        format!("{limit} have room for {} sessions and {} other connections", room.sessions, room.connections),
    )
}

fn state_dir(directory: &Path) -> Vec<Finding> {
    let shown = directory.display();
    let parent = directory.ancestors().skip(1).find(|parent| parent.exists()).unwrap_or(Path::new("."));
    let there = directory.is_dir();
    let looked_at = if there { directory } else { parent };
    if directory.exists() && !there {
        return vec![Finding::fail(
            "state",
            format!("{shown} is not a directory"),
            "move it away, or name another store.state_dir",
        )];
    }
    let mut findings = Vec::new();
    if rustix::fs::access(looked_at, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let todo =
            "let the daemon's user write there, or run this as that user; under systemd StateDirectory= makes it";
        findings.push(Finding::fail("state", format!("{} cannot be written by this user", looked_at.display()), todo));
    } else if there {
        findings.push(Finding::ok("state", format!("{shown} can be written by this user")));
    } else {
        findings.push(Finding::ok("state", format!("{shown} is not there yet; the daemon makes it")));
    }
    match statvfs(looked_at) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let detail = format!("{} MB are free at {}", free >> 20, looked_at.display());
            findings.push(match free {
                ..ROOM_LEAST => {
                    Finding::fail("disk", detail, "make room: while the store cannot be written no stream is ended")
                }
                ROOM_LEAST..ROOM_GOOD => {
                    Finding::warn("disk", detail, "the history alone may grow to hundreds of megabytes")
                }
                _ => Finding::ok("disk", detail),
            });
        }
        Err(error) => findings.push(Finding::warn("disk", format!("its room cannot be told: {error}"), "look with df")),
    }
    findings
}

pub fn proc_and_clock() -> Vec<Finding> {
    let hidden: Vec<&str> =
        ["/proc/stat", "/proc/meminfo", "/proc/uptime"].into_iter().filter(|path| fs::read(path).is_err()).collect();
    let visible = if BootId::of_this_boot().is_none() {
        Finding::fail(
            "/proc",
            "the boot id cannot be read",
            "leave /proc visible (ProcSubset=all): the daemon does not start without it",
        )
    } else if hidden.is_empty() {
        Finding::ok("/proc", "the host's load can be seen")
    } else {
        Finding::warn(
            "/proc",
            format!("{} cannot be read: the host's load is shown as 0", hidden.join(", ")),
            "ProcSubset=all in the unit",
        )
    };
    let now = Clock::System.now().wall;
    // Each of those who keep a clock right leaves a trace.
    let keepers = [
        "/run/systemd/timesync/synchronized",
        "/run/chrony/chronyd.pid",
        "/run/chronyd.pid",
        "/run/ntpd.pid",
        "/run/ntpsec/ntpd.pid",
    ];
    let clock = if now.as_millis() < CLOCK_LEAST {
        Finding::fail(
            "clock",
            format!("it says {now}"),
            "set it: reports carry times, and a Redis has a clock of its own",
        )
    } else if keepers.iter().any(|path| Path::new(path).exists()) {
        Finding::ok("clock", format!("it says {now}, and somebody keeps it right"))
    } else {
        Finding::warn(
            "clock",
            format!("it says {now}; nobody known keeps it right"),
            "run systemd-timesyncd or chrony, unless the host's hypervisor keeps it",
        )
    };
    vec![visible, clock]
}
