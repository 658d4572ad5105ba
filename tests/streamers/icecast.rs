//! A real icecast2, ffmpeg as its source.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

use crate::{
    patience::eventually,
    process::{Process, program},
    restarter::Restarter,
    stage::{Stage, free_port},
};

stories!(Icecast);

pub struct Icecast {
    port: u16,
    _server: Process,
    _scratch: tempfile::TempDir,
    source: Option<Process>,
    restarter: Option<Restarter>,
    listeners: Vec<Listener>,
}

struct Listener {
    socket: TcpStream,
    thread: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Its thread ends with it.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

fn ffmpeg(port: u16) -> Command {
    let mut command = Command::new(program("ffmpeg"));
    command
        .args("-hide_banner -loglevel error -re -f lavfi -i sine=440 -ac 1 -c:a libmp3lame -b:a 32k".split(' '))
        .args(["-content_type", "audio/mpeg", "-f", "mp3"])
        .arg(format!("icecast://source:srcpw@127.0.0.1:{port}/live.mp3"));
    command
}

impl Stage for Icecast {
    fn open() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        // icecast2 refuses to run as root, and its own user must be able to write there.
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let port = free_port();
        let configuration = scratch.path().join("icecast.xml");
        fs::write(&configuration, icecast_xml(port, scratch.path())).unwrap();
        let icecast = program("icecast2");
        let mut command = if fs::metadata(scratch.path()).unwrap().uid() == 0 {
            let mut command = Command::new(program("setpriv"));
            command.args(["--reuid=icecast2", "--regid=icecast", "--clear-groups"]).arg(icecast);
            command
        } else {
            Command::new(icecast)
        };
        let server = Process::start(command.arg("-c").arg(configuration));
        eventually("icecast2 to answer", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, _server: server, _scratch: scratch, source: None, restarter: None, listeners: Vec::new() }
    }

    fn config(&self) -> String {
        let port = self.port;
        format!(
            "[[icecast]]\nname = \"studio\"\nurl = \"http://127.0.0.1:{port}\"\npassword_file = \"password\"\n\
             poll_interval = 1\n"
        )
    }

    fn files(&self) -> Vec<(&'static str, &'static str)> {
        vec![("password", "admpw\n")]
    }

    fn channel(&self) -> &'static str {
        "live.mp3"
    }

    fn publish(&mut self) {
        self.source = Some(Process::start(&mut ffmpeg(self.port)));
        eventually("the source to be listed", || self.is_live().then_some(()));
    }

    fn publish_again_and_again(&mut self) {
        let port = self.port;
        self.restarter = Some(Restarter::of(move || ffmpeg(port)));
        eventually("the source to be listed", || self.is_live().then_some(()));
    }

    fn join(&mut self) {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.write_all(b"GET /live.mp3 HTTP/1.0\r\n\r\n").unwrap();
        let heard = Arc::new(AtomicUsize::new(0));
        let (counter, mut reader) = (Arc::clone(&heard), socket.try_clone().unwrap());
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                counter.fetch_add(length, Relaxed);
            }
        });
        eventually("the listener to hear something", || (heard.load(Relaxed) > 1000).then_some(()));
        self.listeners.push(Listener { socket, thread });
    }

    fn leave(&mut self) {
        self.listeners.pop().unwrap();
    }

    fn everyone_is_connected(&mut self) -> bool {
        self.listeners.iter().all(|listener| !listener.thread.is_finished())
    }

    fn is_live(&mut self) -> bool {
        // base64 of `admin:admpw`.
        let request = ureq::get(format!("http://127.0.0.1:{}/admin/stats", self.port));
        let mut answer = request.header("authorization", "Basic YWRtaW46YWRtcHc=").call().unwrap();
        answer.body_mut().read_to_string().unwrap().contains("<source mount=\"/live.mp3\">")
    }
}

fn icecast_xml(port: u16, scratch: &Path) -> String {
    let scratch = scratch.display();
    format!(
        "<icecast><location>test</location><admin>nobody@localhost</admin><hostname>localhost</hostname>
  <limits><clients>100</clients><sources>10</sources><queue-size>262144</queue-size><client-timeout>30</client-timeout>
    <header-timeout>5</header-timeout><source-timeout>10</source-timeout><burst-on-connect>1</burst-on-connect>
    <burst-size>16384</burst-size></limits>
  <authentication><source-password>srcpw</source-password><relay-password>relpw</relay-password>
    <admin-user>admin</admin-user><admin-password>admpw</admin-password></authentication>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <fileserve>0</fileserve>
  <paths><basedir>{scratch}</basedir><logdir>{scratch}</logdir><webroot>/usr/share/icecast2/web</webroot>
    <adminroot>/usr/share/icecast2/admin</adminroot></paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>3</loglevel></logging>
  <security><chroot>0</chroot></security></icecast>"
    )
}
