//! A real Janus with an AudioBridge room. Streamer and listeners are participants by plain RTP; ffmpeg sends.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

use serde_json::{Value, json};

use crate::{
    patience::eventually,
    process::{Process, program},
    stage::{Stage, free_port},
};

stories!(Janus);

const ROOM: u64 = 1234;
const STREAMER: u64 = 1000;
const API_SECRET: &str = "apisec";

/// The traps that only a room sets.
mod traps;

pub struct Janus {
    url: String,
    /// What the daemon is told: who streams, and the secrets.
    knows: &'static str,
    api_secret: &'static str,
    room_secret: &'static str,
    /// The first to be dropped: it ends what its streamer waits for.
    _server: Process,
    _scratch: tempfile::TempDir,
    streamer: Option<Streamer>,
    listeners: Vec<Talk>,
    asks: Talk,
}

/// A session of one's own with the AudioBridge.
struct Talk {
    url: String,
    session: u64,
    handle: u64,
}

impl Talk {
    fn begin(url: &str) -> Self {
        let made = |answer: Value| answer["data"]["id"].as_u64().unwrap_or_else(|| panic!("{answer}"));
        let session = made(post(url, json!({ "janus": "create" })));
        let attach = json!({ "janus": "attach", "plugin": "janus.plugin.audiobridge" });
        let handle = made(post(&format!("{url}/{session}"), attach));
        Self { url: url.to_owned(), session, handle }
    }

    fn say(&self, body: Value) -> Value {
        let url = format!("{}/{}/{}", self.url, self.session, self.handle);
        let answer = post(&url, json!({ "janus": "message", "body": body }));
        answer["plugindata"]["data"].clone()
    }

    /// What happened since the last time, within half a minute.
    fn hear(&self) -> Vec<Value> {
        let url = format!("{}/{}?apisecret={API_SECRET}&maxev=10", self.url, self.session);
        let Ok(mut answer) = ureq::get(url).call() else { return Vec::new() };
        let events: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        let events = events.as_array().cloned().unwrap_or_default();
        events.into_iter().map(|event| event["plugindata"]["data"].clone()).collect()
    }

    /// The port to send to.
    fn join(&self, id: u64, display: &str, hears_at: u16) -> u16 {
        let rtp = json!({ "ip": "127.0.0.1", "port": hears_at, "payload_type": 100 });
        let join = json!({ "request": "join", "room": ROOM, "id": id, "display": display, "rtp": rtp });
        self.say(join.clone());
        eventually("the room to be joined", || {
            let events = self.hear();
            // Whoever was kicked is still in the room for a moment.
            if events.iter().any(|event| event["error_code"].is_number()) {
                self.say(join.clone());
            }
            events.iter().find_map(|event| event["rtp"]["port"].as_u64()).map(|port| port as u16)
        })
    }

    fn end(&self) {
        post(&format!("{}/{}", self.url, self.session), json!({ "janus": "destroy" }));
    }
}

fn post(url: &str, mut request: Value) -> Value {
    request["transaction"] = "t".into();
    request["apisecret"] = API_SECRET.into();
    let mut answer = ureq::post(url).header("content-type", "application/json").send(request.to_string()).unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

fn ffmpeg(port: u16) -> Process {
    let sine = "-hide_banner -loglevel error -re -f lavfi -i sine=440:sample_rate=48000 -c:a libopus -ac 1";
    let mut command = Command::new(program("ffmpeg"));
    command.args(sine.split(' ')).args(["-payload_type", "100", "-f", "rtp"]);
    Process::start(command.arg(format!("rtp://127.0.0.1:{port}")))
}

/// Streams until it is sent away, or joins again each time.
struct Streamer {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Streamer {
    fn start(url: &str, comes_back: bool) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (is_over, url) = (Arc::clone(&over), url.to_owned());
        let thread = std::thread::spawn(move || {
            let talk = Talk::begin(&url);
            while !is_over.load(Relaxed) {
                let _sends = ffmpeg(talk.join(STREAMER, "radio", free_port()));
                while !is_over.load(Relaxed) {
                    // Held back by Janus until something happens: somebody joins, leaves, or it is kicked.
                    if talk.hear().iter().any(|event| event["kicked"] == STREAMER) {
                        break;
                    }
                }
                if !comes_back {
                    return;
                }
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Streamer {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        // It waits for an event that may not come; the server has ended before, and that ends its waiting.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Stage for Janus {
    fn open() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let port = free_port();
        configure(port, scratch.path());
        let server = Process::start(Command::new(program("janus")).arg("-F").arg(scratch.path()));
        eventually("Janus to answer", || TcpStream::connect(("127.0.0.1", port)).ok());
        let url = format!("http://127.0.0.1:{port}/janus");
        let asks = Talk::begin(&url);
        Self {
            url,
            knows: "streamer_ids = [\"1000\"]",
            api_secret: "apisec\n",
            room_secret: "roomsec\n",
            _server: server,
            _scratch: scratch,
            streamer: None,
            listeners: Vec::new(),
            asks,
        }
    }

    fn config(&self) -> String {
        format!(
            "[[janus]]\nname = \"rooms\"\nurl = \"{}\"\napi_secret_file = \"api\"\nroom_secret_file = \"room\"\n\
             ignored_displays = [\"recorder\"]\npoll_interval = 1\n{}\n",
            self.url, self.knows
        )
    }

    fn files(&self) -> Vec<(&'static str, &'static str)> {
        vec![("api", self.api_secret), ("room", self.room_secret)]
    }

    fn channel(&self) -> &'static str {
        "1234"
    }

    fn publish(&mut self) {
        self.streamer = Some(Streamer::start(&self.url, false));
        eventually("the streamer to be in the room", || self.is_live().then_some(()));
    }

    fn publish_again_and_again(&mut self) {
        self.streamer = Some(Streamer::start(&self.url, true));
        eventually("the streamer to be in the room", || self.is_live().then_some(()));
    }

    fn join(&mut self) {
        let talk = Talk::begin(&self.url);
        talk.join(1 + self.listeners.len() as u64, "somebody", free_port());
        self.listeners.push(talk);
    }

    fn leave(&mut self) {
        self.listeners.pop().unwrap().end();
    }

    fn everyone_is_connected(&mut self) -> bool {
        let room = self.room();
        (1..=self.listeners.len() as u64).all(|id| room.contains(&id))
    }

    fn is_live(&mut self) -> bool {
        self.room().contains(&STREAMER)
    }
}

impl Janus {
    fn knowing(streamers: &'static str) -> Self {
        Self { knows: streamers, ..Self::open() }
    }

    fn with_room_secret(room_secret: &'static str) -> Self {
        Self { room_secret, ..Self::open() }
    }

    fn with_api_secret(api_secret: &'static str) -> Self {
        Self { api_secret, ..Self::open() }
    }

    /// The ids of who is there.
    fn room(&self) -> Vec<u64> {
        let answer = self.asks.say(json!({ "request": "listparticipants", "room": ROOM }));
        let participants = answer["participants"].as_array().unwrap_or_else(|| panic!("{answer}"));
        participants.iter().filter_map(|participant| participant["id"].as_u64()).collect()
    }
}

/// Writes the configuration files.
fn configure(port: u16, dir: &Path) {
    let lib = ["/usr/lib/x86_64-linux-gnu/janus", "/usr/lib/aarch64-linux-gnu/janus", "/usr/lib/janus"];
    let lib = lib.into_iter().find(|lib| Path::new(lib).is_dir()).unwrap();
    let not = |kind: &str, only: &str| -> String {
        let files = fs::read_dir(format!("{lib}/{kind}")).unwrap().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        names.filter(|name| name.ends_with(".so") && !name.contains(only)).collect::<Vec<_>>().join(",")
    };
    let (plugins, transports, shown) = (not("plugins", "audiobridge"), not("transports", "http"), dir.display());
    let janus = format!(
        "general: {{ configs_folder = \"{shown}\"; plugins_folder = \"{lib}/plugins\";
  transports_folder = \"{lib}/transports\"; events_folder = \"{shown}\"; loggers_folder = \"{shown}\";
  api_secret = \"{API_SECRET}\"; }}
nat: {{ ice_enforce_list = \"lo\"; }}
plugins: {{ disable = \"{plugins}\"; }}
transports: {{ disable = \"{transports}\"; }}\n"
    );
    let http = format!(
        "general: {{ json = \"compact\"; base_path = \"/janus\"; http = true; port = {port}; ip = \"127.0.0.1\"; https = false; }}
admin: {{ admin_http = false; }}\n"
    );
    let bridge = format!(
        "general: {{ local_ip = \"127.0.0.1\"; }}
room-{ROOM}: {{ description = \"test\"; secret = \"roomsec\"; sampling_rate = 16000; record = false;
  allow_rtp_participants = true; }}\n"
    );
    fs::write(dir.join("janus.jcfg"), janus).unwrap();
    fs::write(dir.join("janus.transport.http.jcfg"), http).unwrap();
    fs::write(dir.join("janus.plugin.audiobridge.jcfg"), bridge).unwrap();
}
