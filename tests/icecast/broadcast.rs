//! Who sends and who listens.

use std::{
    cell::{Cell, RefCell},
    process::Command,
    rc::Rc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{
    icecast_server::{IcecastServer, SOURCE_PASSWORD},
    patience::wait_for,
    process::{Process, program},
};

fn ffmpeg(port: u16, mount: &str) -> Process {
    let target = format!("icecast://source:{SOURCE_PASSWORD}@127.0.0.1:{port}{mount}");
    let arguments = "-hide_banner -loglevel error -re -f lavfi -i sine=440 -ac 1 -c:a libmp3lame -b:a 32k \
                     -content_type audio/mpeg -f mp3";
    Process::start(Command::new(program("ffmpeg")).args(arguments.split_whitespace()).arg(target))
}

/// A sine tone on a mount, once it is listed.
pub async fn source(server: &IcecastServer, mount: &str) -> Process {
    let process = ffmpeg(server.port, mount);
    wait_for("the source is listed", || async move { server.lists(mount).await.then_some(()) }).await;
    process
}

/// An ffmpeg that something starts again whenever it ends.
pub struct Restarting {
    task: JoinHandle<()>,
    pub starts: Rc<Cell<u32>>,
}

impl Drop for Restarting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub async fn restarting_source(server: &IcecastServer, mount: &'static str) -> Restarting {
    let port = server.port;
    let starts = Rc::new(Cell::new(0));
    let counter = Rc::clone(&starts);
    let task = tokio::task::spawn_local(async move {
        loop {
            let mut process = ffmpeg(port, mount);
            counter.set(counter.get() + 1);
            while process.is_running() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    wait_for("the source is listed", || async move { server.lists(mount).await.then_some(()) }).await;
    Restarting { task, starts }
}

/// An ezstream, which reconnects by itself.
pub async fn ezstream(server: &IcecastServer, dir: &std::path::Path, mount: &str) -> Process {
    let sound = dir.join("sine.mp3");
    let mut make = Command::new(program("ffmpeg"));
    make.args("-hide_banner -loglevel error -y -f lavfi -i sine=440 -t 60 -ac 1 -b:a 32k".split_whitespace());
    let mut make = RefCell::new(Process::start(make.arg(&sound)));
    wait_for("ffmpeg has made a sound file", || async { (!make.borrow_mut().is_running()).then_some(()) }).await;
    make.get_mut().kill();
    let port = server.port;
    let configuration = dir.join("ez.xml");
    let text = format!(
        "<ezstream><servers><server><name>s</name><protocol>HTTP</protocol><hostname>127.0.0.1</hostname>
  <port>{port}</port><user>source</user><password>{SOURCE_PASSWORD}</password><tls>None</tls>
  <reconnect_attempts>0</reconnect_attempts></server></servers>
  <streams><stream><name>default</name><mountpoint>{mount}</mountpoint><server>s</server><intake>i</intake>
  <format>MP3</format></stream></streams>
  <intakes><intake><name>i</name><type>file</type><filename>{}</filename></intake></intakes></ezstream>",
        sound.display()
    );
    std::fs::write(&configuration, text).unwrap();
    std::fs::set_permissions(&configuration, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let process = Process::start(Command::new(program("ezstream")).arg("-c").arg(&configuration));
    wait_for("ezstream is listed", || async move { server.lists(mount).await.then_some(()) }).await;
    process
}

/// Somebody who hears a mount, until dropped.
pub struct Listener {
    task: JoinHandle<()>,
    heard: Rc<Cell<usize>>,
}

impl Listener {
    pub async fn join(server: &IcecastServer, mount: &str) -> Self {
        Self::join_as(server, mount, "test").await
    }

    pub async fn join_as(server: &IcecastServer, mount: &str, agent: &str) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        socket.write_all(format!("GET {mount} HTTP/1.0\r\nUser-Agent: {agent}\r\n\r\n").as_bytes()).await.unwrap();
        let heard = Rc::new(Cell::new(0));
        let counter = Rc::clone(&heard);
        let task = tokio::task::spawn_local(async move {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = socket.read(&mut buffer).await {
                counter.set(counter.get() + length);
            }
        });
        let listener = Self { task, heard };
        // Or is cut off at once, where the source is just being killed.
        let settled = || async { (listener.heard.get() > 1000 || !listener.is_connected()).then_some(()) };
        wait_for("the listener hears something", settled).await;
        listener
    }

    pub fn is_connected(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
