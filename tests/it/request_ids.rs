//! Each request has an id: in its answer, in the problem document of its error, and in the log.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;

use crate::{
    daemon::{Daemon, Plan},
    patience::eventually,
    redis_server::free_port,
    streamer::Streamer,
    token_desk::{TokenDesk, Visitor},
};

const HEADER: &str = "x-request-id";

fn called(daemon: &Daemon, id: &str) -> Visitor {
    Visitor::of(daemon).with(HEADER, id)
}

#[test]
fn every_answer_has_an_id_of_its_own_whatever_its_status() {
    let port = free_port();
    let daemon = Daemon::start(&format!("[metrics]\nport = {port}\n"));
    let visitor = Visitor::of(&daemon);
    let mut ids = Vec::new();
    for (method, path, status) in [
        ("GET", "/healthz", 200),
        ("HEAD", "/api/stats", 200),
        ("GET", "/metrics", 200),
        ("GET", "/", 307),
        ("DELETE", "/api/v1/session", 204),
        ("POST", "/api/v1/ingest", 400),
        ("GET", "/nowhere", 404),
        ("GET", "/ws/stats", 400),
    ] {
        let reply = visitor.sends(method, path, &Value::Null);
        assert_eq!(reply.answer.status, status, "{method} {path}");
        let id = reply.header(HEADER).to_owned();
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{method} {path}: {id:?}");
        if status >= 400 {
            assert_eq!(reply.answer.json()["request_id"], id, "{method} {path}: {}", reply.answer.text);
        }
        ids.push(id);
    }
    let live = format!("ws://{}/ws/stats", daemon.address()).into_client_request().unwrap();
    let stream = std::net::TcpStream::connect(daemon.address()).unwrap();
    let (_live, answer) = tungstenite::client(live, stream).unwrap();
    ids.push(answer.headers()[HEADER].to_str().unwrap().to_owned());
    let apart = SocketAddr::from(([127, 0, 0, 1], port));
    let metrics = ureq::get(format!("http://{apart}/metrics")).call().unwrap();
    ids.push(metrics.headers()[HEADER].to_str().unwrap().to_owned());
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "{ids:?}");
}

#[test]
fn what_a_client_calls_its_request_is_kept_and_what_cannot_stand_in_a_log_is_not() {
    let daemon = Daemon::start("");
    let longest = "x".repeat(64);
    for good in ["web-1.req_2", "7", longest.as_str()] {
        let reply = called(&daemon, good).sends("GET", "/api/v1/streams/nobody", &Value::Null);
        assert_eq!(reply.header(HEADER), good);
        assert_eq!(reply.answer.problem(404, "not_found")["request_id"], good);
        assert_eq!(called(&daemon, good).sends("GET", "/healthz", &Value::Null).header(HEADER), good);
    }
    let longer = "x".repeat(65);
    for bad in ["", "a b", "\"}", "a\\b", "a;b", longer.as_str()] {
        let reply = called(&daemon, bad).sends("GET", "/api/v1/streams/nobody", &Value::Null);
        let id = reply.header(HEADER);
        assert!(id != bad && id.len() == 16, "{bad:?} became {id:?}");
        assert_eq!(reply.answer.problem(404, "not_found")["request_id"], id);
    }
}

#[test]
fn a_line_of_the_log_says_which_request_it_is_about() {
    let desk = TokenDesk::open();
    let operator = desk.create("anna", "operator", &[]);
    let streamer = desk.create("radio-1", "streamer", &[]);
    let daemon =
        Plan::new(&format!("[log]\nlevel = \"warn,audit=info,sattva_monitor::wiring=info\"\n{}", desk.config()))
            .start_on_standby();
    let jazz = Streamer::new("radio-1", "jazz").request(3);
    eventually("the report to be taken in", || {
        (Visitor::holding(&daemon, &streamer).post("/api/v1/ingest", &jazz).status == 200).then_some(())
    });

    let anna = Visitor::holding(&daemon, &operator).with(HEADER, "page-17");
    assert_eq!(anna.post("/api/v1/streams/jazz/auto-end/pause", &json!({})).status, 200);
    let audit = daemon.logged(|line| line["target"] == "audit").unwrap();
    assert_eq!((audit["request_id"].as_str(), audit["who"].as_str()), (Some("page-17"), Some("anna")), "{audit}");

    let guess = format!("{operator}x");
    Visitor::holding(&daemon, &guess).with(HEADER, "guess-1").get("/api/stats").problem(401, "token_unknown");
    let tried = daemon.logged(|line| line["message"] == "a wrong token was tried").unwrap();
    assert_eq!(tried["span"]["request_id"], "guess-1", "{tried}");

    let signs_in = Visitor::of(&daemon).with(HEADER, "sign-in-1");
    assert_eq!(signs_in.post("/api/v1/session", &json!({ "token": operator })).status, 200);
    assert!(daemon.logged(|line| line["action"] == "sign_in" && line["request_id"] == "sign-in-1").is_some());
}
