//! A real nginx with nginx-rtmp, ffmpeg publishing and playing.

use std::{fs, net::TcpStream, path::Path, process::Command, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    patience::{eventually, let_pass},
    process::{Process, program},
    restarter::Restarter,
    stage::{Stage, free_port},
};

stories!(NginxRtmp);

/// nginx ends within five seconds of being told to.
const LOOKS_AT_ITS_END: u32 = 250;

/// The traps that only an nginx sets.
mod traps;

pub struct NginxRtmp {
    rtmp: u16,
    http: u16,
    /// Of the second `server { }` block.
    second: u16,
    /// Put into the daemon's configuration.
    own: &'static str,
    server: Process,
    scratch: tempfile::TempDir,
    publisher: Option<Process>,
    restarter: Option<Restarter>,
    players: Vec<Process>,
}

fn publisher(port: u16, name: &str) -> Command {
    let mut command = Command::new(program("ffmpeg"));
    command
        .args(
            "-hide_banner -loglevel error -re -f lavfi -i sine=440:sample_rate=44100 -c:a aac -b:a 32k -f flv"
                .split(' '),
        )
        .arg(format!("rtmp://127.0.0.1:{port}/live/{name}"));
    command
}

impl NginxRtmp {
    /// An nginx whose workers are told `workers`, and whose application `live` does `pushing` (`SECOND` is the
    /// second server's port); `own` is put into the daemon's configuration.
    fn with(workers: &str, pushing: &str, own: &'static str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (rtmp, http, second) = (free_port(), free_port(), free_port());
        let configuration = scratch.path().join("nginx.conf");
        let pushing = pushing.replace("SECOND", &second.to_string());
        fs::write(&configuration, nginx_conf((rtmp, http, second), scratch.path(), workers, &pushing)).unwrap();
        let server = Process::start(Command::new(program("nginx")).arg("-c").arg(&configuration));
        eventually("nginx to answer", || TcpStream::connect(("127.0.0.1", http)).ok());
        Self { rtmp, http, second, own, server, scratch, publisher: None, restarter: None, players: Vec::new() }
    }

    fn stat(&self) -> String {
        let mut answer = ureq::get(format!("http://127.0.0.1:{}/stat", self.http)).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    }
}

impl Drop for NginxRtmp {
    /// Killed outright, nginx would leave its workers behind.
    fn drop(&mut self) {
        let pid =
            fs::read_to_string(self.scratch.path().join("nginx.pid")).ok().and_then(|pid| pid.trim().parse().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        for _ in 0..LOOKS_AT_ITS_END {
            if !self.server.is_running() {
                return;
            }
            let_pass(Duration::from_millis(20));
        }
    }
}

impl Stage for NginxRtmp {
    fn open() -> Self {
        Self::with("worker_processes 1;", "", "")
    }

    fn config(&self) -> String {
        let http = self.http;
        format!(
            "[[nginx_rtmp]]\nname = \"edge\"\nrtmp_only = true\nstat_url = \"http://127.0.0.1:{http}/stat\"\n\
             control_url = \"http://127.0.0.1:{http}/control\"\npoll_interval = 1\n{}",
            self.own
        )
    }

    fn channel(&self) -> &'static str {
        "live-a"
    }

    fn publish(&mut self) {
        self.publisher = Some(Process::start(&mut publisher(self.rtmp, "a")));
        eventually("the stream to be published", || self.is_live().then_some(()));
    }

    fn publish_again_and_again(&mut self) {
        let port = self.rtmp;
        self.restarter = Some(Restarter::of(move || publisher(port, "a")));
        eventually("the stream to be published", || self.is_live().then_some(()));
    }

    fn join(&mut self) {
        let mut command = Command::new(program("ffmpeg"));
        command.args(["-hide_banner", "-loglevel", "error", "-i"]);
        command.arg(format!("rtmp://127.0.0.1:{}/live/a", self.rtmp)).args(["-f", "null", "-"]);
        self.players.push(Process::start(&mut command));
        let there = self.players.len() + 1;
        eventually("the player to be counted", || (self.stat().matches("<client>").count() >= there).then_some(()));
    }

    fn leave(&mut self) {
        self.players.pop().unwrap().kill();
    }

    fn everyone_is_connected(&mut self) -> bool {
        self.players.iter_mut().all(Process::is_running)
    }

    fn is_live(&mut self) -> bool {
        self.stat().contains("<publishing/>")
    }
}

fn nginx_conf((rtmp, http, second): (u16, u16, u16), scratch: &Path, workers: &str, pushing: &str) -> String {
    let dir = scratch.display();
    // As another user a worker could not write into the scratch directory.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; {workers} pid {dir}/nginx.pid; error_log {dir}/error.log info; {user}
events {{ worker_connections 256; }}
rtmp {{ server {{ listen 127.0.0.1:{rtmp}; application live {{ live on; wait_key off; {pushing} }} }}
  server {{ listen 127.0.0.1:{second}; application live {{ live on; wait_key off; }} }} }}
http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{http};
    location /stat {{ rtmp_stat all; }}
    location /control {{ rtmp_control all; allow 127.0.0.1; deny all; }} }} }}
"
    )
}
