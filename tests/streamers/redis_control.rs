//! A real Redis, and a small stand-in for the original streamer: it writes its status and obeys `stream:control`.

use std::{
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use redis::{Client, Commands, Connection};
use serde_json::{Value, json};

use crate::{
    patience::eventually,
    process::{Process, program},
    stage::{Stage, free_port},
};

stories!(RedisControl);

const CHANNEL: &str = "-1001234567890";
/// How often the streamer writes.
const WRITES_EVERY: Duration = Duration::from_millis(200);
/// One that is started again by something else is back after this.
const BACK_AFTER: Duration = Duration::from_millis(1500);

pub struct RedisControl {
    port: u16,
    _server: Process,
    streamer: Option<Streamer>,
}

/// What the threads of one streamer share.
struct Shared {
    client: Client,
    over: AtomicBool,
    listeners: AtomicU32,
    /// Since when it has been stopped.
    stopped: Mutex<Option<Instant>>,
}

struct Streamer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Shared {
    fn connection(&self) -> Connection {
        self.client.get_connection().unwrap()
    }

    fn write(&self, connection: &mut Connection, status: &str) {
        let listeners = self.listeners.load(Relaxed);
        let text = json!({ "status": status, "updated_at": jiff::Timestamp::now().to_string(),
            "current_item": { "title": "\"So\" 'What' <&>" }, "listeners_count": listeners, "error": null });
        let _: () = connection.set_ex(format!("stream:status:{CHANNEL}"), text.to_string(), 3600).unwrap();
    }

    fn is_stopped(&self) -> bool {
        self.stopped.lock().unwrap().is_some()
    }

    /// Writes its status until it is stopped, and again if it comes back.
    fn stream(&self, comes_back: bool) {
        let mut connection = self.connection();
        while !self.over.load(Relaxed) {
            let stopped = *self.stopped.lock().unwrap();
            match stopped {
                None => self.write(&mut connection, "playing"),
                Some(since) if comes_back && since.elapsed() >= BACK_AFTER => {
                    *self.stopped.lock().unwrap() = None;
                    self.write(&mut connection, "starting");
                }
                Some(_) => {}
            }
            std::thread::sleep(WRITES_EVERY);
        }
    }

    /// As the original does, it takes an id that is a number, and asks nobody.
    fn obey(&self) {
        let mut connection = self.connection();
        let mut subscription = connection.as_pubsub();
        subscription.subscribe("stream:control").unwrap();
        subscription.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut writer = self.connection();
        while !self.over.load(Relaxed) {
            let Ok(message) = subscription.get_message() else { continue };
            let command: Value = serde_json::from_slice(message.get_payload_bytes()).unwrap();
            if command["action"] == "stop"
                && command["channel_id"].as_i64() == CHANNEL.parse().ok()
                && !self.is_stopped()
            {
                self.write(&mut writer, "stopping");
                *self.stopped.lock().unwrap() = Some(Instant::now());
                // Whatever the other thread was just writing is overtaken.
                std::thread::sleep(WRITES_EVERY / 2);
                self.write(&mut writer, "stopped");
            }
        }
    }
}

impl Streamer {
    fn start(client: &Client, comes_back: bool) -> Self {
        let shared = Arc::new(Shared {
            client: client.clone(),
            over: AtomicBool::new(false),
            listeners: AtomicU32::new(0),
            stopped: Mutex::new(None),
        });
        let (writer, reader) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads =
            vec![std::thread::spawn(move || writer.stream(comes_back)), std::thread::spawn(move || reader.obey())];
        Self { shared, threads }
    }
}

impl Drop for Streamer {
    fn drop(&mut self) {
        self.shared.over.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl RedisControl {
    fn client(&self) -> Client {
        Client::open(format!("redis://127.0.0.1:{}/", self.port)).unwrap()
    }

    fn begin(&mut self, comes_back: bool) {
        self.streamer = Some(Streamer::start(&self.client(), comes_back));
        eventually("the streamer to write", || self.is_live().then_some(()));
    }

    fn shared(&self) -> &Shared {
        &self.streamer.as_ref().unwrap().shared
    }
}

impl Stage for RedisControl {
    fn open() -> Self {
        let port = free_port();
        let mut command = Command::new(program("redis-server"));
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let stage = Self { port, _server: Process::start(&mut command), streamer: None };
        eventually("redis to answer", || stage.client().get_connection().ok());
        stage
    }

    fn config(&self) -> String {
        format!(
            "[[redis_control]]\nname = \"main\"\nurl = \"redis://127.0.0.1:{}\"\npoll_interval = \"300ms\"\nupdate_interval = \"1s\"\n",
            self.port
        )
    }

    fn channel(&self) -> &'static str {
        CHANNEL
    }

    fn publish(&mut self) {
        self.begin(false);
    }

    fn publish_again_and_again(&mut self) {
        self.begin(true);
    }

    fn join(&mut self) {
        self.shared().listeners.fetch_add(1, Relaxed);
    }

    fn leave(&mut self) {
        self.shared().listeners.fetch_sub(1, Relaxed);
    }

    /// A listener is cut off by the end of the stream.
    fn everyone_is_connected(&mut self) -> bool {
        !self.shared().is_stopped()
    }

    fn is_live(&mut self) -> bool {
        let status: Option<String> =
            self.client().get_connection().unwrap().get(format!("stream:status:{CHANNEL}")).unwrap();
        let status: Option<Value> = status.map(|text| serde_json::from_str(&text).unwrap());
        status.is_some_and(|status| !matches!(status["status"].as_str(), Some("stopping" | "stopped")))
    }
}
