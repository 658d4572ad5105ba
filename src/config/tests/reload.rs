use super::*;

/// What a reload from the defaults to this file changes.
fn check(file: &str, applied: &[&str], needs_restart: &[&str]) {
    let new = Scene::empty().file(file).config();
    let changes = diff(&Config::default(), &new);
    assert_eq!(changes.applied, applied, "applied, of {file}");
    assert_eq!(changes.needs_restart, needs_restart, "needs a restart, of {file}");
}

#[test]
fn nothing_changes_when_nothing_differs() {
    check("", &[], &[]);
    check("auto_end.timeout = 300\nauto_end.warnings = [10, 30, 60]", &[], &[]);
    assert_eq!(diff(&Config::default(), &Config::default()), Changes::default());
}

#[test]
fn what_can_change_live_is_applied() {
    check("auto_end.timeout = 60", &["auto_end.timeout"], &[]);
    check("auto_end.enabled = false\nauto_end.dry_run = true", &["auto_end.dry_run", "auto_end.enabled"], &[]);
    check("http.allowed_origins = [\"https://a.example\"]", &["http.allowed_origins"], &[]);
    check(
        "http.max_body_bytes = 1024\nhttp.open_to_the_network = true",
        &["http.open_to_the_network"],
        &["http.max_body_bytes"],
    );
    check(
        "stats.broadcast_interval = 1\nwebsocket.heartbeat = 5",
        &["stats.broadcast_interval", "websocket.heartbeat"],
        &[],
    );
    check("ingest.retired_sources = [\"radio-1\"]", &["ingest.retired_sources"], &[]);
    check("metrics.max_channels = 5\nlog.level = \"debug\"", &["log.level", "metrics.max_channels"], &[]);
}

#[test]
fn what_stands_before_the_first_connection_needs_a_restart() {
    check("http.listen = \"127.0.0.1:1\"\nhttp.workers = 2", &[], &["http.listen", "http.workers"]);
    check(
        "store.state_dir = \"a\"\nstore.redis_url = \"redis://localhost\"",
        &[],
        &["store.redis_url", "store.state_dir"],
    );
    check("metrics.enabled = false\nmetrics.port = 9109", &[], &["metrics.enabled", "metrics.port"]);
    check("log.format = \"json\"", &[], &["log.format"]);
    check("traces.otlp_endpoint = \"http://127.0.0.1:4318\"", &[], &["traces.otlp_endpoint"]);
    check("log.format = \"json\"\nlog.level = \"warn\"", &["log.level"], &["log.format"]);
}

#[test]
fn channels_and_servers_are_named() {
    check(
        "[channels.\"a.b\"]\ntimeout = 60\n[channels.jazz]\ndry_run = true",
        &["channels.\"a.b\"", "channels.jazz"],
        &[],
    );
    let server =
        |name: &str, url: &str| format!("[[icecast]]\nname = \"{name}\"\nurl = \"{url}\"\npassword_file = \"p\"\n");
    let one = Scene::empty().file(&server("one", "http://a.example")).config();
    let two = format!("{}{}", server("two", "http://b.example"), server("one", "http://c.example"));
    let changes = diff(&one, &Scene::empty().file(&two).config());
    assert_eq!(changes.applied, ["icecast.one.url", "icecast.two"]);
    check(
        "[[nginx_rtmp]]\nname = \"n\"\nrtmp_only = true\nstat_url = \"http://a\"\nstop = false\n\
         [[janus]]\nname = \"j\"\nurl = \"http://a\"\nstreamer_ids = [\"1\"]",
        &["janus.j", "nginx_rtmp.n"],
        &[],
    );
}

#[test]
fn one_key_of_a_channel_is_told_from_the_others() {
    let old = Scene::empty().file("[channels.jazz]\ntimeout = 60\ndry_run = true").config();
    let new = Scene::empty().file("[channels.jazz]\ntimeout = 90\ndry_run = true").config();
    assert_eq!(diff(&old, &new).applied, ["channels.jazz.timeout"]);
    assert_eq!(diff(&new, &Config::default()).applied, ["channels.jazz"]);
}

#[test]
fn a_new_password_alone_is_a_change_and_is_not_shown() {
    let with = |password: &str| Scene::empty().env("REDIS_URL", &format!("redis://:{password}@localhost")).config();
    let changes = diff(&with("hunter2"), &with("hunter3"));
    assert_eq!(changes.needs_restart, ["store.redis_url"]);
    assert!(!format!("{changes:?}").contains("hunter"));
}
