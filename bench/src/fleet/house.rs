//! A Redis with daemons on it.

use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    process::Process,
    server::{LOOK_EVERY, Server, pause},
};

/// All that is waited for has come by then.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A Redis and the daemons on it. Ends with this value.
pub struct House {
    pub daemons: Vec<Server>,
    redis: Child,
    _home: tempfile::TempDir,
}

impl House {
    /// Ready, each with its share; `more` is for their configuration.
    pub fn start(daemons: usize, more: &str) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.current_dir(home.path()).stdin(Stdio::null()).stdout(File::create(home.path().join("redis.log"))?);
        let redis = command.spawn().context("redis-server is needed: apt-get install redis-server")?;
        let mut house = Self { daemons: Vec::new(), redis, _home: home };
        for number in 0..daemons {
            let home = house._home.path().join(number.to_string());
            let settings = settings(port, if daemons == 1 { "standby" } else { "active" }) + more;
            house.daemons.push(Server::daemon_with(&home, &settings)?);
        }
        for daemon in &mut house.daemons {
            daemon.wait_until_ready()?;
        }
        house.wait_until_divided()?;
        Ok(house)
    }

    /// Until every daemon has its share of the channels.
    pub fn wait_until_divided(&self) -> Result<()> {
        let began = Instant::now();
        let share = 256.0 / self.daemons.len() as f64;
        while !self.daemons.iter().all(|daemon| is_near(daemon, share)) {
            ensure!(began.elapsed() < PATIENCE, "the daemons do not divide the channels");
            pause(LOOK_EVERY * 100);
        }
        Ok(())
    }

    pub fn redis(&self) -> Process {
        Process(self.redis.id())
    }

    /// Of all daemons.
    pub fn cpu(&self) -> Result<Duration> {
        self.daemons.iter().map(|daemon| daemon.process().cpu()).sum()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.daemons.clear();
        // It may have ended already.
        let _ = self.redis.kill();
        let _ = self.redis.wait();
    }
}

fn is_near(daemon: &Server, share: f64) -> bool {
    daemon.metric("sattva_slots").is_ok_and(|slots| (slots - share).abs() < 3.0)
}

fn settings(port: u16, sharing: &str) -> String {
    format!("[store]\nredis_url = \"redis://127.0.0.1:{port}/0\"\nredis_sharing = \"{sharing}\"\n")
}
