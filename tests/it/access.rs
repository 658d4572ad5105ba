//! Who may do what, tried from outside: tokens, roles, cookies, addresses.

use std::{fs, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, Plan},
    live::{Farewell, Live},
    patience::{eventually, let_pass},
    streamer::Streamer,
    token_desk::{TokenDesk, Visitor},
};

/// One that is asked for a token by everything that tells or changes anything.
const CLOSED: [(&str, &str); 14] = [
    ("GET", "/api/stats"),
    ("GET", "/api/v1/streams"),
    ("GET", "/api/v1/streams/jazz"),
    ("GET", "/api/v1/streams/jazz/auto-end"),
    ("GET", "/api/v1/streams/jazz/explain"),
    ("GET", "/api/v1/history?metric=listeners"),
    ("GET", "/api/v1/history/events"),
    ("GET", "/api/v1/reports?by=channel"),
    ("GET", "/metrics"),
    ("POST", "/api/v1/ingest"),
    ("POST", "/api/v1/streams/jazz/listeners"),
    ("POST", "/api/v1/streams/jazz/auto-end/pause"),
    ("POST", "/api/v1/streams/jazz/stop"),
    ("POST", "/api/v1/streams/jazz/forget"),
];

fn body_for(path: &str) -> Value {
    match path {
        "/api/v1/ingest" => json!({ "source": "radio-1", "reports": [] }),
        "/api/v1/streams/jazz/listeners" => json!({ "listeners_count": 1 }),
        _ => Value::Null,
    }
}

#[test]
fn each_role_is_let_in_where_it_belongs_and_nowhere_else() {
    let desk = TokenDesk::open();
    let roles = ["viewer", "operator", "streamer", "metrics"];
    let tokens = roles.map(|role| desk.create(if role == "streamer" { "radio-1" } else { role }, role, &[]));
    let daemon = Daemon::start(&desk.config());
    Visitor::holding(&daemon, &tokens[2]).post("/api/v1/streams/jazz/listeners", &json!({ "listeners_count": 1 })).ok();

    for (method, path) in CLOSED {
        let nobody = Visitor::of(&daemon).sends(method, path, &body_for(path));
        nobody.answer.problem(401, "token_required");
        assert_eq!(nobody.header("www-authenticate"), "Bearer");
        let admitted: Vec<&str> = roles
            .iter()
            .zip(&tokens)
            .filter(|(_, token)| {
                let answer = Visitor::holding(&daemon, token).sends(method, path, &body_for(path)).answer;
                if answer.status == 403 {
                    answer.problem(403, "wrong_role");
                }
                answer.status != 403
            })
            .map(|(role, _)| *role)
            .collect();
        let expected: &[&str] = match (method, path) {
            (_, "/metrics") => &["viewer", "operator", "metrics"],
            (_, "/api/v1/ingest" | "/api/v1/streams/jazz/listeners") => &["streamer"],
            ("GET", _) => &["viewer", "operator"],
            _ => &["operator"],
        };
        assert_eq!(admitted, expected, "{method} {path}");
    }
    for (method, path) in [("GET", "/nowhere"), ("DELETE", "/api/v1/streams"), ("GET", "/api/v1/%73treams")] {
        assert_eq!(Visitor::of(&daemon).sends(method, path, &Value::Null).answer.status, 401, "{method} {path}");
    }
    for path in ["/healthz", "/readyz", "/api/v1/openapi.json", "/api/v1/session"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
    assert_eq!(daemon.get("/").status, 307);
}

#[test]
fn readiness_tells_a_stranger_only_whether_it_is_ready() {
    let desk = TokenDesk::open();
    let viewer = desk.create("anna", "viewer", &[]);
    let daemon = Daemon::start(&desk.config());
    assert_eq!(daemon.get("/readyz").ok(), json!({ "status": "ready" }));
    assert!(Visitor::holding(&daemon, &viewer).get("/readyz").ok()["dependencies"]["store"].is_object());
}

#[test]
fn a_streamer_reports_as_itself_and_only_the_channels_its_token_is_for() {
    let desk = TokenDesk::open();
    let own = desk.create("radio-1", "streamer", &["--channel", "jazz", "--channel", "-100*"]);
    let fleet = desk.create("bots", "streamer", &["--source", "bot-*"]);
    let viewer = desk.create("anna", "viewer", &[]);
    let daemon = Daemon::start(&desk.config());
    let (own, fleet) = (Visitor::holding(&daemon, &own), Visitor::holding(&daemon, &fleet));
    let report = |source: &str, channels: &[&str]| {
        let reports: Vec<Value> = channels
            .iter()
            .map(|channel| json!({ "channel_id": channel, "session": "s", "seq": 1, "state": "live", "listeners": 1 }))
            .collect();
        json!({ "source": source, "reports": reports })
    };
    own.post("/api/v1/ingest", &report("radio-1", &["jazz", "-1001234"])).ok();
    let refused = own.post("/api/v1/ingest", &report("radio-2", &["jazz"])).problem(403, "source_not_yours");
    assert_eq!(refused["field"], "source");
    let refused = own.post("/api/v1/ingest", &report("radio-1", &["jazz", "rock"])).problem(403, "channel_not_yours");
    assert_eq!(refused["field"], "reports[1].channel_id");
    own.post("/api/v1/streams/rock/listeners", &json!({ "listeners_count": 1 })).problem(403, "channel_not_yours");
    fleet.post("/api/v1/ingest", &report("bot-7", &["rock"])).ok();
    fleet.post("/api/v1/ingest", &report("radio-1", &["jazz"])).problem(403, "source_not_yours");

    // The simplest report comes from the token's name.
    own.post("/api/v1/streams/-100777/listeners", &json!({ "listeners_count": 2 })).ok();
    let seen = Visitor::holding(&daemon, &viewer).get("/api/v1/streams/-100777").ok();
    assert_eq!(seen["sources"], json!(["radio-1"]), "{seen}");
}

#[test]
fn a_streamer_is_not_given_anothers_stop() {
    let desk = TokenDesk::open();
    let (mine, theirs) = (desk.create("radio-1", "streamer", &[]), desk.create("radio-2", "streamer", &[]));
    let config =
        format!("{}[auto_end]\ntimeout = 2\nwarnings = [1]\n[ingest]\nreport_interval = \"500ms\"\n", desk.config());
    let daemon = Daemon::start(&config);
    let (mine, theirs) = (Visitor::holding(&daemon, &mine), Visitor::holding(&daemon, &theirs));
    let mut jazz = Streamer::new("radio-1", "jazz").every(0.5);
    let stop = eventually("the stop", || {
        let answer = mine.post("/api/v1/ingest", &jazz.request(0)).ok();
        theirs.post("/api/v1/ingest", &json!({ "source": "radio-1", "reports": [] })).problem(403, "source_not_yours");
        let own = theirs.post("/api/v1/ingest", &json!({ "source": "radio-2", "reports": [] })).ok();
        assert_eq!(own["commands"], json!([]));
        answer["commands"].as_array()?.first().cloned()
    });
    assert_eq!(stop["channel_id"], "jazz");
}

#[test]
fn live_messages_need_a_viewers_token_in_a_header_a_cookie_or_the_subprotocol() {
    let desk = TokenDesk::open();
    let (viewer, radio) = (desk.create("anna", "viewer", &[]), desk.create("radio-1", "streamer", &[]));
    let daemon = Daemon::start(&desk.config());
    let own = format!("http://{}", daemon.address());
    let open = |headers: &[(&str, &str)]| Live::try_open_with(daemon.address(), "", headers);
    assert_eq!(open(&[]).err().unwrap().status, 401);
    assert_eq!(open(&[("authorization", &format!("Bearer {radio}"))]).err().unwrap().status, 403);
    assert_eq!(open(&[("authorization", &format!("Bearer {viewer}x"))]).err().unwrap().status, 401);

    open(&[("authorization", &format!("Bearer {viewer}"))]).unwrap().until_type("snapshot");
    let cookie = format!("sattva-token={viewer}");
    open(&[("cookie", &cookie), ("origin", &own)]).unwrap().until_type("snapshot");
    assert_eq!(open(&[("cookie", &cookie), ("origin", "https://evil.example")]).err().unwrap().status, 403);
    let offer = format!("sattva.v1, sattva.token.{}", viewer.strip_prefix("sattva_").unwrap());
    let mut live = open(&[("sec-websocket-protocol", &offer)]).unwrap();
    live.until_type("snapshot");
}

#[test]
fn a_browser_signs_in_keeps_its_token_where_no_script_can_read_it_and_signs_out() {
    let desk = TokenDesk::open();
    let operator = desk.create("anna", "operator", &[]);
    let daemon = Daemon::start(&desk.config());
    let own = format!("http://{}", daemon.address());
    let page = Visitor::of(&daemon).with("origin", &own);
    let before = page.get("/api/v1/session").ok();
    assert_eq!(before, json!({ "required": true, "signed_in": false, "may_view": false, "may_operate": false }));

    page.post("/api/v1/session", &json!({ "token": "sattva_wrong" })).problem(401, "token_unknown");
    page.post("/api/v1/session", &json!({ "tokn": "" })).problem(400, "bad_body");
    let signed_in = page.sends("POST", "/api/v1/session", &json!({ "token": operator }));
    assert_eq!(signed_in.answer.ok()["role"], "operator");
    let cookie = signed_in.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "it would never come back over http: {cookie}");
    let kept = cookie.split(';').next().unwrap().to_owned();

    let browser = page.clone().with("cookie", &kept);
    assert_eq!(browser.get("/api/v1/session").ok()["name"], "anna");
    browser.get("/api/v1/streams").ok();
    browser.post("/api/v1/streams/jazz/auto-end/pause", &Value::Null).problem(404, "not_found");
    let foreign = Visitor::of(&daemon).with("cookie", &kept).with("origin", "https://evil.example");
    foreign.post("/api/v1/streams/jazz/stop", &Value::Null).problem(403, "origin_not_allowed");
    let program = Visitor::of(&daemon).with("cookie", &kept);
    program.post("/api/v1/streams/jazz/stop", &Value::Null).problem(403, "origin_missing");

    let by_tls = page.clone().with("x-forwarded-proto", "https");
    assert!(
        by_tls.sends("POST", "/api/v1/session", &json!({ "token": operator })).header("set-cookie").contains("Secure")
    );

    let signed_out = browser.sends("DELETE", "/api/v1/session", &Value::Null);
    assert_eq!(signed_out.answer.status, 204);
    assert!(signed_out.header("set-cookie").contains("Max-Age=0"), "{}", signed_out.header("set-cookie"));
}

#[test]
fn whose_token_is_revoked_is_out_at_once_and_their_open_page_within_a_heartbeat() {
    let desk = TokenDesk::open();
    let (anna, eve) = (desk.create("anna", "viewer", &[]), desk.create("eve", "viewer", &[]));
    let daemon = Daemon::start(&format!("{}[websocket]\nheartbeat = \"1s\"\n", desk.config()));
    let open = |token: &str| {
        let bearer = format!("Bearer {token}");
        Live::try_open_with(daemon.address(), "", &[("authorization", &bearer)]).unwrap()
    };
    let (mut annas, mut eves) = (open(&anna), open(&eve));
    desk.revoke("eve");
    // Nobody has told the daemon yet.
    Visitor::holding(&daemon, &eve).get("/api/stats").ok();
    daemon.signal(Signal::HUP);
    assert_eq!(eves.farewell(), Farewell::Close(1008));
    Visitor::holding(&daemon, &eve).get("/api/stats").problem(401, "token_unknown");
    Visitor::holding(&daemon, &anna).get("/api/stats").ok();
    annas.until_type("stats");
    let figures = desk.create("scraper", "metrics", &[]);
    daemon.signal(Signal::HUP);
    let scraped = eventually("the new token to be known", || {
        let answer = Visitor::holding(&daemon, &figures).get("/metrics");
        (answer.status == 200).then_some(answer.text)
    });
    assert!(scraped.contains("sattva_websocket_sessions_ended_total{reason=\"not_admitted\"} 1"));
}

#[test]
fn a_token_that_expires_opens_nothing_from_then_on() {
    let desk = TokenDesk::open();
    let guest = desk.create("guest", "viewer", &["--expires-in", "4s"]);
    let daemon = Daemon::start(&format!("{}[websocket]\nheartbeat = \"1s\"\n", desk.config()));
    let bearer = format!("Bearer {guest}");
    let mut live = Live::try_open_with(daemon.address(), "", &[("authorization", &bearer)]).unwrap();
    assert_eq!(live.farewell(), Farewell::Close(1008));
    Visitor::holding(&daemon, &guest).get("/api/stats").problem(401, "token_expired");
}

#[test]
fn a_broken_file_of_tokens_changes_nothing_and_a_missing_one_lets_no_daemon_start() {
    let desk = TokenDesk::open();
    let ended = Plan::new(&desk.config()).run_to_its_end(&["serve", "--config", "config.toml"]);
    assert_eq!(ended.code, Some(78), "{}", ended.said);
    assert!(ended.said.contains("sattva-monitor token create"), "{}", ended.said);

    let anna = desk.create("anna", "viewer", &[]);
    let daemon = Daemon::start(&desk.config());
    fs::write(desk.path(), "[[token]]\nname = \"anna\"\n").unwrap();
    daemon.signal(Signal::HUP);
    let visitor = Visitor::holding(&daemon, &anna);
    let ready = eventually("the refusal", || {
        let ready = visitor.get("/readyz").ok();
        (ready["status"] == "degraded").then_some(ready)
    });
    let detail = ready["dependencies"]["configuration"]["detail"].as_str().unwrap();
    assert!(detail.contains("access.tokens_file") && detail.contains("is not a file of tokens"), "{detail}");
    visitor.get("/api/stats").ok();
    assert_eq!(daemon.get("/api/stats").status, 401);
}

#[test]
fn guesses_are_cut_short_and_a_right_token_from_the_same_address_passes_all_the_same() {
    let desk = TokenDesk::open();
    let anna = desk.create("anna", "viewer", &[]);
    let daemon = Daemon::start(&desk.config());
    let statuses: Vec<u16> = (0..30)
        .map(|number| Visitor::holding(&daemon, &format!("sattva_guess{number}")).get("/api/stats").status)
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
    assert!(statuses[10..].iter().all(|status| *status == 429), "{statuses:?}");
    let cut = Visitor::holding(&daemon, "sattva_guess").get("/api/stats");
    cut.problem(429, "too_many_requests");
    assert!(cut.retry_after.is_some_and(|seconds| (1..=6).contains(&seconds)), "{:?}", cut.retry_after);
    Visitor::holding(&daemon, &anna).get("/api/stats").ok();
    let lines = daemon.log().lines().filter(|line| line.contains("a wrong token was tried")).count();
    assert_eq!(lines, 10);
}

#[test]
fn no_token_is_in_any_log_and_one_in_a_url_is_refused() {
    let desk = TokenDesk::open();
    let anna = desk.create("anna", "operator", &[]);
    let daemon = Plan::new(&format!("{}[log]\nlevel = \"trace\"\n", desk.config())).start();
    let secret = anna.strip_prefix("sattva_").unwrap();
    for path in
        [format!("/api/stats?token={anna}"), format!("/ws/stats?x={anna}"), format!("/metrics?access_token={secret}")]
    {
        Visitor::of(&daemon).get(&path).problem(400, "token_in_url");
    }
    let visitor = Visitor::holding(&daemon, &anna);
    visitor.get("/api/stats").ok();
    visitor.post("/api/v1/streams/jazz/stop", &Value::Null).problem(404, "not_found");
    Visitor::holding(&daemon, &format!("{anna}x")).get("/api/stats").problem(401, "token_unknown");
    let own = format!("http://{}", daemon.address());
    let signed = Visitor::of(&daemon).with("origin", &own).post("/api/v1/session", &json!({ "token": anna }));
    assert!(!signed.text.contains(secret));
    Live::try_open_with(daemon.address(), "", &[("authorization", &format!("Bearer {anna}"))]).unwrap();
    let log = daemon.log();
    assert!(log.contains("operator action"), "the log has nothing in it");
    let line = log.lines().find(|line| line.contains(secret));
    assert_eq!(line, None);
    assert!(!fs::read_to_string(desk.path()).unwrap().contains(secret));
}

#[test]
fn whatever_an_operator_does_is_in_the_log_with_who_it_was_and_how_it_went() {
    let desk = TokenDesk::open();
    let (anna, radio) = (desk.create("anna", "operator", &[]), desk.create("radio-1", "streamer", &[]));
    let daemon = Daemon::start(&desk.config());
    let mut jazz = Streamer::new("radio-1", "jazz");
    Visitor::holding(&daemon, &radio).post("/api/v1/ingest", &jazz.request(3)).ok();
    let anna = Visitor::holding(&daemon, &anna);
    anna.post("/api/v1/streams/jazz/auto-end/pause", &Value::Null).ok();
    anna.post("/api/v1/streams/jazz/stop", &json!({})).problem(409, "somebody_listens");
    let audited =
        |outcome: &str| daemon.logged(|line| line["target"] == "audit" && line["outcome"] == outcome).unwrap();
    let paused = audited("200");
    assert_eq!((paused["who"].as_str(), paused["channel"].as_str()), (Some("anna"), Some("jazz")), "{paused}");
    assert_eq!((paused["address"].as_str(), paused["action"].as_str()), (Some("127.0.0.1"), Some(r#""pause""#)));
    let explained = anna.get("/api/v1/streams/jazz/explain").ok();
    let decision = explained["decisions"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((decision["event"].as_str(), decision["by"].as_str()), (Some("paused"), Some("anna")), "{decision}");
    let refused = audited("somebody_listens");
    assert!(refused["action"].as_str().unwrap().contains(r#""force":false"#), "{refused}");
}

#[test]
fn off_loopback_it_starts_with_tokens_and_not_without() {
    let desk = TokenDesk::open();
    let open = Plan::new("[http]\nlisten = \"0.0.0.0:0\"\n").run_to_its_end(&["serve", "--config", "config.toml"]);
    assert_eq!(open.code, Some(78));
    assert!(open.said.contains("open_to_the_network") && open.said.contains("token create"), "{}", open.said);
    desk.create("anna", "operator", &[]);
    let closed = Plan::new(&format!("[http]\nlisten = \"0.0.0.0:0\"\n{}", desk.config()));
    assert_eq!(closed.run_to_its_end(&["check-config", "--config", "config.toml"]).code, Some(0));
    fs::write(desk.path(), "").unwrap();
    let empty = closed.run_to_its_end(&["check-config", "--config", "config.toml"]);
    assert_eq!(empty.code, Some(0), "a file without tokens lets nobody in: {}", empty.said);
}

#[test]
fn who_asks_too_often_waits_and_behind_a_trusted_proxy_each_client_for_itself() {
    let limit = "[http]\nmax_requests_per_second_per_ip = 2\n";
    let daemon = Daemon::start(&format!("{limit}trusted_proxies = [\"127.0.0.1\"]\n"));
    let client = |address: &str| Visitor::of(&daemon).with("x-forwarded-for", address);
    let (eve, anna) = (client("203.0.113.9"), client("198.51.100.4, 203.0.113.10"));
    let busy: Vec<u16> = (0..40).map(|_| eve.get("/healthz").status).collect();
    assert!(busy.contains(&429) && busy[..20].iter().all(|status| *status == 200), "{busy:?}");
    anna.get("/healthz").ok();

    let daemon = Daemon::start(limit);
    let lies = |number: u8| Visitor::of(&daemon).with("x-forwarded-for", &format!("203.0.113.{number}"));
    let busy: Vec<u16> = (0..40).map(|number| lies(number).get("/healthz").status).collect();
    assert!(busy.contains(&429), "a header of a stranger was believed: {busy:?}");
}

#[test]
fn places_for_live_sessions_are_counted_by_the_clients_own_address_behind_a_trusted_proxy() {
    let config = "[http]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[websocket]\nmax_sessions_per_ip = 1\n";
    let daemon = Daemon::start(config);
    let open = |address: &str| Live::try_open_with(daemon.address(), "", &[("x-forwarded-for", address)]);
    let _first = open("203.0.113.9").unwrap();
    assert_eq!(open("203.0.113.9").err().unwrap().status, 503);
    let _second = open("203.0.113.10").unwrap();
}

#[test]
fn the_command_makes_lists_and_revokes_and_says_what_is_wrong() {
    use std::os::unix::fs::PermissionsExt;
    let desk = TokenDesk::open();
    let token = desk.create("radio-1", "streamer", &["--channel", "-100*", "--expires-in", "90days"]);
    assert!(token.starts_with("sattva_") && token.len() == 50, "{token}");
    assert_eq!(fs::metadata(desk.path()).unwrap().permissions().mode() & 0o777, 0o644);
    let listed = String::from_utf8(desk.command(&["list"]).stdout).unwrap();
    assert!(listed.contains("radio-1") && listed.contains("-100*") && !listed.contains(&token), "{listed}");

    let said = |arguments: &[&str]| {
        let ended = desk.command(arguments);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        String::from_utf8(ended.stderr).unwrap()
    };
    assert!(said(&["create", "--name", "radio-1", "--role", "viewer"]).contains("already"));
    assert!(said(&["create", "--name", "a b", "--role", "viewer"]).contains("is no name"));
    assert!(said(&["create", "--name", "x", "--role", "viewer", "--channel", "jazz"]).contains("only a streamer's"));
    assert!(said(&["revoke", "nobody"]).contains("no token named"));
    desk.revoke("radio-1");
    assert!(desk.command(&["list"]).stdout.is_empty());
}

#[test]
fn without_tokens_everybody_is_told_that_none_is_needed() {
    let daemon = Daemon::start("");
    let session = daemon.json("/api/v1/session");
    assert_eq!(session, json!({ "required": false, "signed_in": false, "may_view": true, "may_operate": true }));
    let_pass(Duration::from_millis(10));
    assert_eq!(daemon.figures().labels_of("sattva_access_refused_total", "reason").len(), 7);
}
