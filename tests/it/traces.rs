//! Traces: what took how long, told to a collector, which nobody ever waits for.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    collector::{self, Collector},
    daemon::{Daemon, Plan},
    patience::{PATIENCE, eventually, let_pass},
    receiver::Receiver,
    redis_server::free_port,
    streamer::Streamer,
    token_desk::Visitor,
    webhooks::SECRET,
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TROUBLE: &str = "the collector does not take the traces";
/// What a request may take, whatever the collector does, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

fn traced(daemon: &Daemon, flags: &str) -> Visitor {
    Visitor::of(daemon).with("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-{flags}"))
}

fn troubles(daemon: &Daemon) -> usize {
    daemon.log().lines().filter(|line| line.contains(TROUBLE)).count()
}

fn with_webhook(collector: &Collector, receiver: &Receiver, more: &str) -> Daemon {
    let hook = format!(
        "[[webhook]]\nname = \"ops\"\nurl = \"{}?key=hidden\"\nsecret_file = \"hook.secret\"\n",
        receiver.url()
    );
    let config = format!("[auto_end]\ntimeout = 2\nwarnings = []\n{}{hook}{more}", collector.config());
    Plan::new(&config).file("hook.secret", SECRET).start()
}

#[test]
fn a_request_is_told_of_within_the_trace_that_its_client_began() {
    let collector = Collector::open();
    let daemon = Daemon::start(&collector.config());
    let hidden = "/api/v1/streams/nobody?key=hidden";
    let asks = traced(&daemon, "01").with("x-request-id", "page-17").with("authorization", "Bearer hidden");
    assert_eq!(asks.get(hidden).status, 404);
    let span = collector.until("GET /api/v1/streams/{channel_id}");
    assert_eq!((span.trace(), span.parent(), span.kind()), (TRACE, "b7ad6b7169203331", 2));
    assert!(!span.failed() && span.began() <= span.ended());
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/v1/streams/{channel_id}"),
        ("url.path", "/api/v1/streams/nobody"),
        ("url.scheme", "http"),
        ("http.response.status_code", "404"),
        ("sattva.request.id", "page-17"),
    ] {
        assert_eq!(span.says(key).as_deref(), Some(value), "{key}");
    }
    assert!(!span.whole().contains("hidden"), "{}", span.whole());

    // Who asks without one begins one, and who says that it is not kept is not told of.
    assert_eq!(traced(&daemon, "00").get("/api/v1/openapi.json").status, 200);
    assert_eq!(Visitor::of(&daemon).get("/hidden").status, 404);
    let own = collector.until("GET");
    assert!(own.trace() != TRACE && own.parent().is_empty() && own.says("url.path").is_none());
    assert!(!own.whole().contains("hidden"), "{}", own.whole());
    assert!(collector.spans().iter().all(|span| span.name() != "GET /api/v1/openapi.json"));
    let sent = eventually("what was sent to be counted", || {
        daemon.figures().get("sattva_trace_spans_total{outcome=\"sent\"}")
    });
    assert!(sent >= 2.0, "{sent}");
}

#[test]
fn by_default_there_is_no_thread_for_traces_and_nobody_is_told_of_any() {
    let receiver = Receiver::open();
    let more = format!("[[webhook]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"hook.secret\"\n", receiver.url());
    let without = Plan::new(&more).file("hook.secret", SECRET).start();
    assert_eq!(traced(&without, "01").get("/healthz").status, 200);
    Streamer::new("radio-1", "jazz").hears(&without, 0);
    assert!(!receiver.until("auto_end", 1)[0].headers.contains_key("traceparent"));
    assert!(!without.figures().0.contains("sattva_trace_"));

    let collector = Collector::open();
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address()))];
    let plan = environment.iter().fold(Plan::new(&more), |plan, (name, value)| plan.env(name, value));
    let with = plan.file("hook.secret", SECRET).start();
    collector.until("GET /readyz");
    assert_eq!(with.threads().len(), without.threads().len() + 1, "{:?} {:?}", with.threads(), without.threads());
}

#[test]
fn only_a_share_of_what_nobody_else_traces_is_told_of() {
    let collector = Collector::open();
    let daemon = Daemon::start(&format!("{}sample_share = 0\n", collector.config()));
    for _ in 0..20 {
        assert_eq!(daemon.get("/healthz").status, 200);
    }
    assert_eq!(traced(&daemon, "01").get("/api/stats").status, 200);
    collector.until("GET /api/stats");
    assert_eq!(collector.spans().len(), 1);
}

/// Whatever becomes of the traces, requests are answered at once, the log has one line of it, and the daemon ends soon.
#[track_caller]
fn nobody_waits_for(address: SocketAddr) -> Daemon {
    let mut daemon = Daemon::start(&collector::config(address));
    let mut jazz = Streamer::new("radio-1", "jazz");
    eventually("the trouble to be told", || {
        let began = Instant::now();
        jazz.hears(&daemon, 1);
        assert!(began.elapsed() < AT_ONCE, "a request took {:?}", began.elapsed());
        (troubles(&daemon) > 0).then_some(())
    });
    // Longer than it takes until it is tried again.
    let_pass(Duration::from_millis(3500));
    assert_eq!(troubles(&daemon), 1, "{}", daemon.log());
    daemon.signal(Signal::TERM);
    let began = Instant::now();
    assert!(daemon.wait_for_its_end().success());
    assert!(began.elapsed() < Duration::from_secs(6), "the end took {:?}", began.elapsed());
    daemon
}

#[test]
fn a_collector_that_is_not_there_delays_nothing_and_is_said_once() {
    nobody_waits_for(SocketAddr::from(([127, 0, 0, 1], free_port())));
}

#[test]
fn a_collector_that_answers_503_delays_nothing_and_is_said_once() {
    let collector = Collector::open();
    collector.answers(|| (503, String::new()));
    nobody_waits_for(collector.address());
    assert!(collector.calls() >= 2);
}

#[test]
fn a_collector_that_never_answers_delays_nothing_and_is_said_once() {
    let collector = Collector::open();
    collector.answers(|| {
        let_pass(2 * PATIENCE);
        (200, String::new())
    });
    nobody_waits_for(collector.address());
}

#[test]
fn what_was_noted_while_the_collector_was_away_is_told_when_it_is_back() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let daemon = Daemon::start(&collector::config(address));
    assert_eq!(traced(&daemon, "01").get("/api/stats").status, 200);
    eventually("the trouble to be told", || (troubles(&daemon) > 0).then_some(()));
    let collector = Collector::open_at(address);
    assert_eq!(collector.until("GET /api/stats").trace(), TRACE);
    eventually("the end of the trouble to be told", || {
        daemon.logged(|line| line["message"] == "the collector takes the traces again")
    });
}

#[test]
fn what_a_collector_refuses_is_not_sent_again() {
    let collector = Collector::open();
    collector.answers(|| (400, String::new()));
    let daemon = Daemon::start(&collector.config());
    traced(&daemon, "01").get("/api/stats");
    let lost = || daemon.figures().get("sattva_trace_spans_total{outcome=\"lost\"}").filter(|lost| *lost >= 1.0);
    eventually("it to be lost", lost);
    let_pass(Duration::from_millis(2500));
    let times = collector.spans().iter().filter(|span| span.name() == "GET /api/stats").count();
    assert_eq!((times, troubles(&daemon)), (1, 1));
}

#[test]
fn the_last_requests_are_told_of_before_the_daemon_ends() {
    let collector = Collector::open();
    let mut daemon = Daemon::start(&collector.config());
    traced(&daemon, "01").get("/api/stats");
    daemon.signal(Signal::TERM);
    assert!(daemon.wait_for_its_end().success());
    assert_eq!(collector.until("GET /api/stats").trace(), TRACE);
}

#[test]
fn a_stop_is_told_of_from_its_decision_to_its_end_and_what_is_sent_for_it_is_a_part_of_it() {
    let (collector, receiver) = (Collector::open(), Receiver::open());
    receiver.answers(|_| (200, json!({ "outcome": "ok" }).to_string()));
    let daemon = with_webhook(&collector, &receiver, "events = false\nstops_for = [\"radio-*\"]\n");
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    jazz.hears_nobody_until(&daemon, || !receiver.received().is_empty());
    eventually("the acknowledgement", || (daemon.explain("jazz")["commands"][0]["state"] == "acked").then_some(()));
    jazz.stops(&daemon);

    let (stop, command, try_) = (collector.until("stop"), collector.until("stop command"), collector.until("POST"));
    assert_eq!((stop.parent(), command.parent(), try_.parent()), ("", stop.id(), command.id()));
    assert!(command.is_within(&stop) && try_.is_within(&command), "{stop:?} {command:?} {try_:?}");
    assert_eq!(stop.says("sattva.channel.id").as_deref(), Some("jazz"));
    assert_eq!(stop.says("sattva.stop.reason").as_deref(), Some("no_listeners"));
    assert_eq!(stop.says("sattva.stop.outcome").as_deref(), Some("confirmed"));
    assert_eq!(command.says("sattva.source").as_deref(), Some("radio-1"));
    assert_eq!(command.says("sattva.command.answer").as_deref(), Some("ok"));
    assert_eq!(command.events(), ["delivered", "acknowledged"]);
    assert_eq!((try_.kind(), try_.says("http.response.status_code").as_deref()), (3, Some("200")));
    let sent = &receiver.received()[0].headers["traceparent"];
    assert_eq!(*sent, format!("00-{}-{}-01", stop.trace(), try_.id()));
}

#[test]
fn a_stop_that_fails_says_so() {
    let (collector, receiver) = (Collector::open(), Receiver::open());
    receiver.answers(|_| (200, json!({ "outcome": "error", "detail": "the bot is not there" }).to_string()));
    let daemon = with_webhook(&collector, &receiver, "events = false\nstops_for = [\"radio-*\"]\n");
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    jazz.hears_nobody_until(&daemon, || !receiver.received().is_empty());
    let (stop, command) = (collector.until("stop"), collector.until("stop command"));
    assert!(stop.failed() && command.failed());
    assert_eq!(stop.says("sattva.stop.outcome").as_deref(), Some("failed"));
    assert_eq!(command.says("sattva.command.answer").as_deref(), Some("error"));
}

#[test]
fn an_event_for_a_webhook_is_told_of_with_each_of_its_tries() {
    let (collector, receiver) = (Collector::open(), Receiver::open());
    receiver.answers(|_| (500, String::new()));
    let daemon = with_webhook(&collector, &receiver, "");
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
    receiver.until("auto_end", 1);
    receiver.answers(|_| (204, String::new()));
    let (event, tries) = (collector.until("webhook event"), collector.until_all("POST", 2));
    assert_eq!(event.says("sattva.webhook.outcome").as_deref(), Some("delivered"));
    for (number, (try_, status)) in tries.iter().zip(["500", "204"]).enumerate() {
        assert!(try_.parent() == event.id() && try_.is_within(&event), "{try_:?} {event:?}");
        assert_eq!(try_.says("http.response.status_code").as_deref(), Some(status));
        assert_eq!(try_.says("server.address").as_deref(), Some("127.0.0.1"));
        assert_eq!((try_.failed(), try_.says("error.type").is_some()), (number == 0, number == 0));
        assert!(!try_.whole().contains("hidden"), "{}", try_.whole());
        let sent = &receiver.received()[number].headers["traceparent"];
        assert_eq!(*sent, format!("00-{}-{}-01", event.trace(), try_.id()));
    }
    assert_eq!(tries[0].says("sattva.webhook.message.id"), tries[1].says("sattva.webhook.message.id"));
}

#[test]
fn a_collector_is_named_as_the_others_name_it_and_another_one_after_a_restart() {
    for (setting, wrong) in [
        ("otlp_endpoint = \"127.0.0.1:4318\"", "otlp_endpoint"),
        ("otlp_endpoint = \"http://127.0.0.1:4318/v1/traces\"", "/v1/traces"),
        ("otlp_endpoint = \"http://user:hidden@127.0.0.1:4318\"", "password"),
        ("sample_share = 1.5", "from 0 to 1"),
    ] {
        let ended =
            Plan::new(&format!("[traces]\n{setting}\n")).run_to_its_end(&["check-config", "--config", "config.toml"]);
        assert!(
            ended.code != Some(0) && ended.said.contains(wrong) && !ended.said.contains("hidden"),
            "{}",
            ended.said
        );
    }
    let collector = Collector::open();
    let daemon = Daemon::start("");
    daemon.write_config(&collector.config());
    daemon.signal(Signal::HUP);
    let reloaded = eventually("the reload", || daemon.logged(|line| line["message"] == "configuration reloaded"));
    assert_eq!(reloaded["needs_restart"], Value::from("[\"traces.otlp_endpoint\"]"));
}
