//! Who is measured: the daemon, and the servers that it is compared with.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::publisher::Door;
use crate::server::Server;

const PEERS: &str = "bench/peers";
/// Never what stops a run.
const SESSIONS_MAX: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Contestant {
    /// The daemon with one HTTP worker.
    Sattva,
    /// The daemon with two of them.
    TwoWorkers,
    /// One thread, one epoll set, one write each: the limit.
    EpollLoop,
    Bun,
    /// Node with `ws`.
    Node,
    /// FastAPI on uvicorn.
    Fastapi,
}

impl Contestant {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sattva => "one worker",
            Self::TwoWorkers => "two workers",
            Self::EpollLoop => "epoll loop",
            Self::Bun => "Bun",
            Self::Node => "Node `ws`",
            Self::Fastapi => "FastAPI",
        }
    }

    pub const fn door(self) -> Door {
        match self {
            Self::Sattva | Self::TwoWorkers => Door::Ingest,
            Self::EpollLoop | Self::Bun | Self::Node | Self::Fastapi => Door::Publish,
        }
    }

    /// Starts it on the measured core and waits until it takes connections.
    pub fn start(self, home: &Path, deflate: bool) -> Result<Server> {
        let mut server = match self {
            Self::Sattva => daemon(home, 1)?,
            Self::TwoWorkers => daemon(home, 2)?,
            Self::EpollLoop => peer(home, &std::env::current_exe()?, "epoll-loop", deflate)?,
            Self::Bun => peer(home, &Path::new(PEERS).join("node_modules/.bin/bun"), "bun_fanout.ts", deflate)?,
            Self::Node => peer(home, Path::new("node"), "node_fanout.mjs", deflate)?,
            Self::Fastapi => peer(home, &Path::new(PEERS).join(".venv/bin/python"), "fastapi_fanout.py", deflate)?,
        };
        match self.door() {
            Door::Ingest => server.wait_until_ready()?,
            Door::Publish => server.wait_until_listening()?,
        }
        Ok(server)
    }
}

fn daemon(home: &Path, workers: usize) -> Result<Server> {
    let settings = format!("[http]\nworkers = {workers}\n[websocket]\nmax_sessions = {SESSIONS_MAX}\n");
    Server::daemon_with(home, &settings)
}

/// `program` runs a script of the peers, or its own subcommand.
fn peer(home: &Path, program: &Path, what: &str, deflate: bool) -> Result<Server> {
    let script = Path::new(PEERS).join(what);
    let what = if script.exists() { script.as_os_str() } else { what.as_ref() };
    let mut command = Command::new(program);
    command.arg(what).arg(if deflate { "deflate" } else { "plain" });
    Server::peer(command, home)
}
