//! SIGHUP while a thousand sessions listen and a thousand countdowns run.

use std::{
    collections::BTreeMap,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, client::IntoClientRequest};

use crate::{
    daemon::{Daemon, Plan},
    patience::{eventually, eventually_within, let_pass},
    token_desk::{TokenDesk, Visitor},
};

const SESSIONS: usize = 1000;
const CHANNELS: usize = 1000;
const BATCH: usize = 100;
/// Those that hear every change; the others hear the statistics and the warnings.
const CURIOUS: usize = 20;

/// A thousand clients who read all the time.
struct Crowd {
    reader: Option<JoinHandle<()>>,
    over: Arc<AtomicBool>,
    lost: Arc<AtomicUsize>,
    statistics: Arc<AtomicUsize>,
}

impl Crowd {
    fn gather(daemon: &Daemon, token: &str) -> Self {
        let mut sockets: Vec<WebSocket<TcpStream>> = (0..SESSIONS)
            .map(|number| {
                let query = if number < CURIOUS { "" } else { "?types=stats,auto_end_warning" };
                let mut request = format!("ws://{}/ws/stats{query}", daemon.address()).into_client_request().unwrap();
                request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
                let stream = TcpStream::connect(daemon.address()).unwrap();
                let (socket, _) = tungstenite::client(request, stream).unwrap();
                socket.get_ref().set_nonblocking(true).unwrap();
                socket
            })
            .collect();
        let (over, lost, statistics) = (Arc::<AtomicBool>::default(), Arc::default(), Arc::default());
        let (end, gone, heard): (_, Arc<AtomicUsize>, Arc<AtomicUsize>) =
            (Arc::clone(&over), Arc::clone(&lost), Arc::clone(&statistics));
        let reader = std::thread::spawn(move || {
            while !end.load(Relaxed) {
                sockets.retain_mut(|socket| {
                    loop {
                        match socket.read() {
                            Ok(Message::Text(text)) if text.starts_with(r#"{"type":"stats""#) => {
                                heard.fetch_add(1, Relaxed);
                            }
                            Ok(Message::Close(_)) => {
                                gone.fetch_add(1, Relaxed);
                                return false;
                            }
                            Ok(_) => {}
                            Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                                return true;
                            }
                            Err(_) => {
                                gone.fetch_add(1, Relaxed);
                                return false;
                            }
                        }
                    }
                });
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { reader: Some(reader), over, lost, statistics }
    }

    /// How many statistics reach one session in a second.
    fn statistics_a_second(&self) -> f64 {
        let (before, began) = (self.statistics.load(Relaxed), Instant::now());
        let_pass(Duration::from_secs(3));
        (self.statistics.load(Relaxed) - before) as f64 / SESSIONS as f64 / began.elapsed().as_secs_f64()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// A thousand streams nobody hears, and when each was reported so for the first time, and stopped.
struct Studio {
    seq: u64,
    armed: BTreeMap<String, Instant>,
    stopped: BTreeMap<String, Instant>,
}

impl Studio {
    fn new() -> Self {
        Self { seq: 0, armed: BTreeMap::new(), stopped: BTreeMap::new() }
    }

    fn report(&mut self, visitor: &Visitor) {
        self.seq += 1;
        for batch in 0..CHANNELS / BATCH {
            let reports: Vec<Value> = (batch * BATCH..(batch + 1) * BATCH)
                .map(|number| {
                    let channel = format!("c{number}");
                    let state = if self.stopped.contains_key(&channel) { "stopped" } else { "live" };
                    json!({ "channel_id": channel, "session": "s", "seq": self.seq, "state": state,
                            "listeners": 0, "joins": 0, "interval_seconds": 2.0 })
                })
                .collect();
            let sent = Instant::now();
            let answer = visitor.post("/api/v1/ingest", &json!({ "source": "house", "reports": reports })).ok();
            for number in batch * BATCH..(batch + 1) * BATCH {
                self.armed.entry(format!("c{number}")).or_insert(sent);
            }
            for command in answer["commands"].as_array().unwrap() {
                let channel = command["channel_id"].as_str().unwrap().to_owned();
                self.stopped.entry(channel).or_insert_with(Instant::now);
            }
        }
    }
}

#[test]
fn under_load_everything_that_may_change_does_and_nobody_is_dropped_or_ended_early() {
    const SOONER: Duration = Duration::from_secs(12);
    let desk = TokenDesk::open();
    let (operator, house) = (desk.create("anna", "operator", &[]), desk.create("house", "streamer", &[]));
    let before = format!(
        "{}[auto_end]\ntimeout = 600\nwarnings = [60]\n[stats]\nbroadcast_interval = 60\n[log]\nlevel = \"info,audit=off\"\n",
        desk.config()
    );
    let daemon = Plan::new(&before).start();
    let (anna, house) = (Visitor::holding(&daemon, &operator), Visitor::holding(&daemon, &house));
    let crowd = Crowd::gather(&daemon, &operator);
    let mut studio = Studio::new();
    studio.report(&house);
    studio.report(&house);
    let pid = daemon.pid();
    let audited = || {
        anna.post("/api/v1/streams/nowhere/auto-end/pause", &Value::Null).problem(404, "not_found");
        daemon.logged(|line| line["target"] == "audit").is_some()
    };
    assert!(!audited());

    let guest = desk.create("guest", "viewer", &[]);
    daemon.write_file("password", "secret\n");
    daemon.write_config(&format!(
        "{}[auto_end]\ntimeout = {}\nwarnings = [3]\n[stats]\nbroadcast_interval = 1\n[log]\nlevel = \"info\"\n\
         [[icecast]]\nname = \"studio\"\nurl = \"http://127.0.0.1:9\"\npassword_file = \"password\"\npoll_interval = \"200ms\"\n",
        desk.config(),
        SOONER.as_secs()
    ));
    daemon.signal(Signal::HUP);
    eventually("the new token to be known", || {
        (Visitor::holding(&daemon, &guest).get("/api/stats").status == 200).then_some(())
    });
    let policy = anna.get("/api/v1/streams/c7/auto-end").ok()["policy"].clone();
    assert_eq!((&policy["timeout_seconds"], &policy["warning_seconds"]), (&json!(12.0), &json!([3.0])), "{policy}");
    eventually("the new adapter to be told of", || {
        anna.get("/readyz").ok()["dependencies"]
            .as_object()
            .unwrap()
            .keys()
            .any(|name| name.contains("studio"))
            .then_some(())
    });
    studio.report(&house);
    assert!(audited(), "the new log level is not in force");
    let a_second = crowd.statistics_a_second();
    assert!(a_second > 0.5, "the statistics still keep their old interval: {a_second} a second");
    eventually_within(Duration::from_secs(60), "every stream to be ended", || {
        studio.report(&house);
        (studio.stopped.len() == CHANNELS).then_some(())
    });
    let early =
        studio.stopped.iter().filter(|(channel, at)| at.duration_since(studio.armed[*channel]) < SOONER).count();
    assert_eq!(early, 0, "{early} of {CHANNELS} were ended before their time");
    assert_eq!(crowd.lost.load(Relaxed), 0, "sessions were dropped");
    let figures = anna.get("/metrics").text;
    assert!(figures.contains("sattva_websocket_connections 1000"), "not every session is there");
    assert_eq!(daemon.pid(), pid);
}

/// Twenty ways in which a file can be wrong.
const BROKEN: [(&str, &str); 20] = [
    ("not TOML", "[auto_end\n"),
    ("a key twice", "[auto_end]\ntimeout = 1\ntimeout = 2\n"),
    ("a section twice", "[auto_end]\n[auto_end]\n"),
    ("a misspelt key", "[auto_end]\ntimout = 5\n"),
    ("a misspelt section", "[autoend]\ntimeout = 5\n"),
    ("a wrong type", "[auto_end]\ntimeout = true\n"),
    ("no duration", "[auto_end]\ntimeout = \"soon\"\n"),
    ("too short", "[auto_end]\ntimeout = 0\n"),
    ("too long", "[auto_end]\ntimeout = \"30days\"\n"),
    ("too many warnings", "[auto_end]\nwarnings = [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]\n"),
    ("no address", "[http]\nlisten = \"everywhere\"\n"),
    ("no origin", "[http]\nallowed_origins = [\"radio.example\"]\n"),
    ("no network", "[http]\ntrusted_proxies = [\"here\"]\n"),
    ("no log level", "[log]\nlevel = \"loud\"\n"),
    ("no channel id", "[channels.\"a b\"]\nenabled = true\n"),
    (
        "two servers of one name",
        "[[icecast]]\nname = \"a\"\nurl = \"http://h\"\npassword_file = \"p\"\n[[icecast]]\nname = \"a\"\nurl = \"http://h\"\npassword_file = \"p\"\n",
    ),
    ("a server without its password", "[[icecast]]\nname = \"a\"\nurl = \"http://h\"\n"),
    ("a URL with a password", "[[webhook]]\nname = \"a\"\nurl = \"http://u:p@h\"\nsecret_file = \"p\"\n"),
    ("no tokens where they are named", "[access]\ntokens_file = \"nowhere.toml\"\n"),
    ("a house without places", "[websocket]\nmax_sessions = 0\n"),
];

#[test]
fn of_twenty_kinds_of_broken_files_nothing_is_applied_and_the_reason_is_where_an_admin_looks() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 200\n");
    let pid = daemon.pid();
    for (number, (what, text)) in BROKEN.into_iter().enumerate() {
        // What would be fine by itself is not applied either.
        daemon.write_config(&format!("[stats]\nsample_interval = \"7s\"\n{text}"));
        daemon.signal(Signal::HUP);
        let refused = format!("sattva_config_reloads_total{{outcome=\"refused\"}} {}", number + 1);
        eventually(what, || daemon.get("/metrics").text.contains(&refused).then_some(()));
        let ready = daemon.json("/readyz");
        let detail = ready["dependencies"]["configuration"]["detail"].as_str().unwrap_or_default().to_owned();
        assert!(!detail.is_empty() && !detail.contains('\n'), "{what}: {ready}");
        let logged = daemon.log().lines().filter(|line| line.contains("the new configuration is refused")).count();
        assert_eq!(logged, number + 1, "{what}");
    }
    assert_eq!(daemon.pid(), pid);
    assert_eq!(daemon.figures().of("sattva_config_last_reload_successful"), 0.0);

    daemon.write_config("[auto_end]\ntimeout = 100\n");
    daemon.signal(Signal::HUP);
    eventually("the mended file to be applied", || (daemon.json("/readyz")["status"] == "ready").then_some(()));
    assert_eq!(daemon.figures().of("sattva_config_reloads_total{outcome=\"applied\"}"), 1.0);
}
