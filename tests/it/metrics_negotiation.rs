//! `/metrics` in the format that its scraper asks for.

use crate::daemon::Daemon;

/// As Prometheus asks.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

fn scrape(daemon: &Daemon, accept: Option<&str>, encoding: Option<&str>) -> (String, Option<String>, Vec<u8>) {
    // One that neither asks for an encoding by itself nor takes it off.
    let agent: ureq::Agent = ureq::Agent::config_builder().accept("").accept_encoding("identity").build().into();
    let mut request = agent.get(format!("http://{}/metrics", daemon.address()));
    for (name, value) in [("accept", accept), ("accept-encoding", encoding)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let mut answer = request.call().unwrap();
    let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (kind, encoded) = (header("content-type").unwrap(), header("content-encoding"));
    (kind, encoded, answer.body_mut().read_to_vec().unwrap())
}

fn text_of(daemon: &Daemon, accept: Option<&str>) -> (String, String) {
    let (kind, encoded, body) = scrape(daemon, accept, None);
    assert_eq!(encoded, None);
    (kind, String::from_utf8(body).unwrap())
}

#[test]
fn who_prefers_openmetrics_gets_it_with_counters_named_so_and_an_end() {
    let daemon = Daemon::start("");
    daemon.get("/healthz");
    let (kind, text) = text_of(&daemon, Some(PROMETHEUS));
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.contains("# TYPE sattva_http_requests counter\n"), "{text}");
    assert!(text.contains("\nsattva_http_requests_total{"), "{text}");
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        assert!(!line.contains("_total "), "{line}");
    }
}

#[test]
fn whoever_does_not_prefer_it_gets_the_text_format() {
    let daemon = Daemon::start("");
    for accept in [
        None,
        Some("*/*"),
        Some("text/plain"),
        Some("text/html, */*;q=0.8"),
        Some("application/openmetrics-text;q=0.5, text/plain"),
    ] {
        let (kind, text) = text_of(&daemon, accept);
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8", "{accept:?}");
        assert!(text.contains("# TYPE sattva_http_requests_total counter\n") && !text.contains("# EOF"), "{accept:?}");
    }
}
