//! A server that is measured: the daemon or a peer, on the measured core.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{cores, process::Process};

/// Longer than this no server needs to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that takes its time.
pub const LOOK_EVERY: Duration = Duration::from_micros(500);

/// Ends with this value.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

/// Waits on this thread, where no actor lives.
#[expect(clippy::disallowed_methods, reason = "this thread measures; no actor runs on it")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until then; not at all if that is over.
pub fn pause_until(moment: Instant) {
    pause(moment.saturating_duration_since(Instant::now()));
}

/// A port nobody has.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

impl Server {
    /// The daemon beside this program, or the one that `SATTVA_MONITOR` names.
    pub fn binary() -> Result<PathBuf> {
        let beside = std::env::current_exe()?.with_file_name("sattva-monitor");
        let binary = std::env::var_os("SATTVA_MONITOR").map_or(beside, PathBuf::from);
        ensure!(binary.exists(), "{} is missing: cargo build --release --workspace", binary.display());
        Ok(binary)
    }

    /// The daemon with its default settings, or those in `home`, and its state there.
    pub fn daemon(home: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(Self::binary()?);
        // Neither the caller's variables nor a configuration of theirs may leak in.
        command.env_clear().current_dir(home);
        command.args(["serve", "--state-dir", "state", "--listen"]).arg(address.to_string());
        Self::start(command, home, address)
    }

    /// The daemon with these settings.
    pub fn daemon_with(home: &Path, settings: &str) -> Result<Self> {
        fs::create_dir_all(home.join("config"))?;
        fs::write(home.join("config/sattva-monitor.toml"), settings)?;
        Self::daemon(home)
    }

    /// Bun's bare ingest endpoint.
    pub fn bun(bun: &Path, home: &Path) -> Result<Self> {
        ensure!(bun.exists(), "{} is missing: npm ci --prefix bench/peers", bun.display());
        let mut command = Command::new(bun);
        command.arg("bench/peers/bun_ingest.ts");
        Self::peer(command, home)
    }

    /// Any program whose last argument is its port.
    pub fn peer(mut command: Command, home: &Path) -> Result<Self> {
        let address = free_address()?;
        command.arg(address.port().to_string());
        Self::start(command, home, address)
    }

    fn start(mut command: Command, home: &Path, address: SocketAddr) -> Result<Self> {
        let log = File::create(home.join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = cores::start_measured(|| command.spawn().with_context(|| format!("{command:?}")))?;
        Ok(Self { child, address })
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until it takes connections.
    pub fn wait_until_listening(&mut self) -> Result<()> {
        self.wait("listen", |server| TcpStream::connect(server.address).is_ok())
    }

    /// Waits until it answers 200 on `/readyz`.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        self.wait("be ready", |server| {
            // A refused connection costs next to nothing; the request is made once it can succeed.
            TcpStream::connect(server.address).is_ok() && ureq::get(server.url("/readyz")).call().is_ok()
        })
    }

    fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<()> {
        let began = Instant::now();
        while !done(self) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server was to {what} but ended, {status}");
            }
            ensure!(began.elapsed() < PATIENCE, "the server was to {what} within {PATIENCE:?}");
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    /// As a service manager would.
    pub fn terminate(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(began.elapsed() < PATIENCE, "the server did not end within {PATIENCE:?}");
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    pub fn text(&self, path: &str) -> Result<String> {
        Ok(ureq::get(self.url(path)).call()?.body_mut().with_config().limit(64 << 20).read_to_string()?)
    }

    /// One of the daemon's own metrics; 0 where it has none of that name.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let text = self.text("/metrics")?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        Ok(value.unwrap_or(0.0))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
