//! A real icecast2 of one's own, on a free port.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    patience::wait_for,
    process::{Process, program},
};

pub const SOURCE_PASSWORD: &str = "srcpw";
pub const ADMIN_PASSWORD: &str = "admpw";

pub struct IcecastServer {
    pub port: u16,
    scratch: tempfile::TempDir,
    process: Process,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn is_root(dir: &Path) -> bool {
    fs::metadata(dir).unwrap().uid() == 0
}

impl IcecastServer {
    pub async fn start() -> Self {
        // icecast2 refuses to run as root, and its scratch directory must be writable by its own user.
        let scratch = tempfile::tempdir().unwrap();
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let port = free_port();
        fs::write(scratch.path().join("icecast.xml"), configuration(port, scratch.path())).unwrap();
        let process = launch(scratch.path());
        let mut server = Self { port, scratch, process };
        server.answers().await;
        server
    }

    /// As after a crash of the server: same port, same configuration.
    pub async fn start_again(&mut self) {
        self.process = launch(self.scratch.path());
        self.answers().await;
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn answers(&mut self) {
        let port = self.port;
        wait_for("icecast2 answers", || async move {
            TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            Some(())
        })
        .await;
        assert!(self.process.is_running(), "icecast2 has ended; its log is in {}", self.scratch.path().display());
    }

    /// A GET request of an admin page, with the user's own password.
    pub async fn admin(&self, user: &str, page: &str) -> String {
        // base64 of `admin:admpw` and `source:srcpw`.
        let credentials = if user == "admin" { "YWRtaW46YWRtcHc=" } else { "c291cmNlOnNyY3B3" };
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!("GET /admin/{page} HTTP/1.0\r\nAuthorization: Basic {credentials}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub async fn lists(&self, mount: &str) -> bool {
        self.admin("admin", "stats").await.contains(&format!("<source mount=\"{mount}\">"))
    }
}

fn launch(scratch: &Path) -> Process {
    let icecast = program("icecast2");
    let configuration = scratch.join("icecast.xml");
    let mut command;
    if is_root(scratch) {
        command = Command::new(program("setpriv"));
        command.args(["--reuid=icecast2", "--regid=icecast", "--clear-groups"]).arg(icecast);
    } else {
        command = Command::new(icecast);
    }
    Process::start(command.arg("-c").arg(configuration))
}

fn configuration(port: u16, scratch: &Path) -> String {
    let scratch = scratch.display();
    format!(
        "<icecast><location>test</location><admin>nobody@localhost</admin><hostname>localhost</hostname>
  <limits><clients>100</clients><sources>10</sources><queue-size>262144</queue-size><client-timeout>30</client-timeout>
    <header-timeout>5</header-timeout><source-timeout>10</source-timeout><burst-on-connect>1</burst-on-connect>
    <burst-size>16384</burst-size></limits>
  <authentication><source-password>{SOURCE_PASSWORD}</source-password><relay-password>relpw</relay-password>
    <admin-user>admin</admin-user><admin-password>{ADMIN_PASSWORD}</admin-password></authentication>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <mount type=\"normal\"><mount-name>/hidden.mp3</mount-name><hidden>1</hidden></mount>
  <mount type=\"normal\"><mount-name>/main.mp3</mount-name><fallback-mount>/live.mp3</fallback-mount>
    <fallback-override>1</fallback-override></mount>
  <fileserve>0</fileserve>
  <paths><basedir>{scratch}</basedir><logdir>{scratch}</logdir><webroot>/usr/share/icecast2/web</webroot>
    <adminroot>/usr/share/icecast2/admin</adminroot></paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>3</loglevel></logging>
  <security><chroot>0</chroot></security></icecast>"
    )
}
