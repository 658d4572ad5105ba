//! Whatever answers in a server's place: what it runs becomes unknown, it is said clearly, and nothing is ended.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    daemon::{Daemon, Plan},
    patience::{eventually, eventually_within, let_pass},
};

/// A good answer to a request; `None` for one that ends a stream.
type Good = fn(&str) -> Option<String>;

#[derive(Clone)]
enum Mood {
    Good(Good),
    /// The same bytes for everything.
    Bad(Vec<u8>),
    /// The same, and then the connection stays open without a word.
    Holds(Vec<u8>),
}

/// Stands where a server would.
struct StandIn {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    ends: Arc<AtomicU32>,
}

impl StandIn {
    fn open(good: Good) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, ends) = (listener.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
        let mood = Arc::new(Mutex::new(Mood::Good(good)));
        let (its_mood, its_ends) = (Arc::clone(&mood), Arc::clone(&ends));
        // Its threads end with the test's process.
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (mood, ends) = (its_mood.lock().unwrap().clone(), Arc::clone(&its_ends));
                std::thread::spawn(move || answer(socket, mood, &ends));
            }
        });
        Self { address, mood, ends }
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

/// A whole request, head and body.
fn request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        match socket.read(&mut piece) {
            Ok(length @ 1..) => bytes.extend_from_slice(&piece[..length]),
            _ => return None,
        }
    }
}

fn answer(mut socket: TcpStream, mood: Mood, ends: &AtomicU32) {
    let Some(request) = request(&mut socket) else { return };
    let (bytes, holds) = match mood {
        Mood::Good(good) => {
            let body = good(&request).unwrap_or_else(|| {
                ends.fetch_add(1, Relaxed);
                "1".to_owned()
            });
            (ok(body.as_bytes()), false)
        }
        Mood::Bad(bytes) => (bytes, false),
        Mood::Holds(bytes) => (bytes, true),
    };
    // The client may well have gone.
    let _ = socket.write_all(&bytes);
    if holds {
        let_pass(Duration::from_secs(60));
    }
}

fn ok(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.0 200 OK\r\n\r\n", body].concat()
}

fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.0 {line}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

const ICECAST: &str = "<icestats><source mount=\"/a\"><listeners>0</listeners>\
    <stream_start_iso8601>2026-11-24T00:00:00+0000</stream_start_iso8601></source></icestats>";

fn icecast(request: &str) -> Option<String> {
    request.starts_with("GET /admin/stats").then(|| ICECAST.to_owned())
}

/// Its clock is an hour ahead of the daemon's.
fn icecast_of_tomorrow(request: &str) -> Option<String> {
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    // The same start for as long as a test lasts.
    let ahead = ahead.strftime("%Y-%m-%dT%H:00:00+0000").to_string();
    request.starts_with("GET /admin/stats").then(|| ICECAST.replace("2026-11-24T00:00:00+0000", &ahead))
}

const STAT: &str = "<rtmp><pid>7</pid><uptime>100</uptime><server><application><name>live</name><live><stream>\
    <name>a</name><client><id>2</id><address>127.0.0.1</address><time>1000</time><publishing/></client>\
    <nclients>1</nclients></stream></live></application></server></rtmp>";

fn nginx_rtmp(request: &str) -> Option<String> {
    request.starts_with("GET /stat").then(|| STAT.to_owned())
}

const ROOM: &str = r#"{"janus":"success","plugindata":{"data":{"participants":[{"id":1000,"display":"radio"}]}}}"#;

const FORWARDERS: &str = r#"{"janus":"success","plugindata":{"data":{"rtp_forwarders":[]}}}"#;

fn janus(request: &str) -> Option<String> {
    match request {
        _ if request.contains("\"kick\"") => None,
        _ if request.contains("\"listparticipants\"") => Some(ROOM.to_owned()),
        _ if request.contains("\"listforwarders\"") => Some(FORWARDERS.to_owned()),
        _ => Some(r#"{"janus":"success","data":{"id":5}}"#.to_owned()),
    }
}

/// Every second request, Janus has forgotten the session it gave.
fn forgetful_janus(request: &str) -> Option<String> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    if request.contains("\"listparticipants\"") && ASKED.fetch_add(1, Relaxed).is_multiple_of(2) {
        return Some(r#"{"janus":"error","error":{"code":458,"reason":"No such session 5"}}"#.to_owned());
    }
    janus(request)
}

fn daemon(timeout: u64, table: &str) -> Daemon {
    let config = format!("[auto_end]\ntimeout = {timeout}\nwarnings = [1]\n\n{table}\npoll_interval = \"300ms\"\n");
    Plan::new(&config).file("secret", "x\n").start()
}

/// Why the server is not watched, as `/readyz` has it.
fn trouble(daemon: &Daemon, server: &str) -> Option<String> {
    let ready = daemon.json("/readyz");
    let dependency = &ready["dependencies"][server];
    assert!(dependency.is_object(), "{ready}");
    dependency["detail"].as_str().map(str::to_owned)
}

/// Each bad answer, after a good one and before the next: unknown, said, and nothing ended.
fn endures(server: &str, channel: &str, good: Good, body: &str, table: impl Fn(SocketAddr) -> String) {
    let stand_in = StandIn::open(good);
    let daemon = daemon(600, &table(stand_in.address));
    let mut live = daemon.live(&format!("?channels={channel}"));
    eventually("the countdown", || {
        let answer = daemon.get(&format!("/api/v1/streams/{channel}"));
        (answer.status == 200 && answer.json()["auto_end"]["phase"] == "counting").then_some(())
    });
    let announced = [b"HTTP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec(), vec![b' '; 50 << 20]].concat();
    let unsaid = ok(&vec![b' '; 50 << 20]);
    let cut = [b"HTTP/1.0 200 OK\r\nContent-Length: 5000\r\n\r\n", &body.as_bytes()[..body.len() - 5]].concat();
    let mut moods = vec![
        ("nothing", Mood::Bad(Vec::new()), "connection"),
        ("garbage", Mood::Bad(vec![0xff; 5000]), "connection"),
        ("a page", Mood::Bad(ok(b"<html><body>hello</body></html>")), "set "),
        ("an empty answer", Mood::Bad(ok(b"")), ""),
        ("half", Mood::Bad(ok(&body.as_bytes()[..body.len() - 5])), ""),
        ("cut off", Mood::Bad(cut), ""),
        ("401", Mood::Bad(status("401 Unauthorized")), "HTTP 401"),
        ("500", Mood::Bad(status("500 Internal Server Error")), "HTTP 500"),
        ("404", Mood::Bad(status("404 Not Found")), "set "),
        ("50 MB announced", Mood::Bad(announced), ""),
        ("50 MB without a word", Mood::Bad(unsaid), "larger than"),
        ("a word and then nothing", Mood::Holds(ok(&body.as_bytes()[..5])), "no answer within 10 s"),
        ("never a word", Mood::Holds(Vec::new()), "no answer within 10 s"),
    ];
    for (what, mood, said) in moods.drain(..) {
        stand_in.is(mood);
        live.until_auto_end("frozen");
        // What was told of the answer before is not what is waited for.
        let wanted = format!("{what} to be told as {said:?}");
        let told = eventually(&wanted, || trouble(&daemon, server).filter(|told| told.contains(said)));
        println!("{server}, {what}: {told}");
        assert!(told.contains("; "), "{what}: nothing to do is said in {told:?}");
        assert_eq!(daemon.stream(channel)["listeners_known"], false, "{what}");
        stand_in.is(Mood::Good(good));
        live.until_auto_end("unfrozen");
        eventually("no trouble", || trouble(&daemon, server).is_none().then_some(()));
    }
    assert_eq!(stand_in.ends.load(Relaxed), 0, "something was ended");
    let log = daemon.log();
    assert!(log.contains("cannot be watched") && log.contains("answers again"), "{log}");
}

/// A stream that nobody hears is ended all the same.
fn ends(good: Good, table: impl Fn(SocketAddr) -> String) {
    let stand_in = StandIn::open(good);
    let daemon = daemon(3, &table(stand_in.address));
    eventually_within(Duration::from_secs(20), "the stream to be ended", || {
        (stand_in.ends.load(Relaxed) > 0).then_some(())
    });
    assert!(daemon.log().contains("killing a source"), "{}", daemon.log());
}

fn icecast_table(address: SocketAddr) -> String {
    format!("[[icecast]]\nname = \"s\"\nurl = \"http://{address}\"\npassword_file = \"secret\"")
}

fn nginx_table(address: SocketAddr) -> String {
    format!(
        "[[nginx_rtmp]]\nname = \"s\"\nrtmp_only = true\nstat_url = \"http://{address}/stat\"\ncontrol_url = \"http://{address}/control\""
    )
}

fn janus_table(address: SocketAddr) -> String {
    format!("[[janus]]\nname = \"s\"\nurl = \"http://{address}\"\nstreamer_ids = [\"1000\"]\nrooms = [\"1\"]")
}

#[test]
fn no_bad_answer_of_an_icecast_ends_a_stream() {
    endures("icecast:s", "a", icecast, ICECAST, icecast_table);
}

#[test]
fn no_bad_answer_of_an_nginx_ends_a_stream() {
    endures("nginx_rtmp:s", "live-a", nginx_rtmp_that_ages, STAT, nginx_table);
}

#[test]
fn no_bad_answer_of_a_janus_ends_a_stream() {
    endures("janus:s", "1", janus, ROOM, janus_table);
}

#[test]
fn a_clock_that_is_an_hour_ahead_ends_nothing_late() {
    ends(icecast_of_tomorrow, icecast_table);
}

#[test]
fn a_janus_that_forgets_its_sessions_is_asked_in_new_ones() {
    ends(forgetful_janus, janus_table);
}

/// Its publisher grows older, as a real one's does.
fn nginx_rtmp_that_ages(request: &str) -> Option<String> {
    static BEGAN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let lasted = 1000 + BEGAN.get_or_init(std::time::Instant::now).elapsed().as_millis();
    nginx_rtmp(request).map(|stat| stat.replace("<time>1000</time>", &format!("<time>{lasted}</time>")))
}
