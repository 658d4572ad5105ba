//! What the types cannot say: ranges, names, URLs. Every problem is found, not only the first.

use std::{collections::BTreeSet, path::Path, time::Duration};

use sattva_actors::identity::{ChannelId, SourceId};

use super::{
    AutoEnd, Config, Icecast, Ingest, Janus, NginxRtmp, RedisControl, Webhook,
    duration::show,
    key::Key,
    limits::{self, Counts, Durations},
    log_levels,
    problem::Problem,
    urls,
};
use crate::access::address;

/// By OpenTelemetry's convention.
const GRPC_PORT: &str = ":4317";

pub fn validate(config: &Config) -> Vec<Problem> {
    let mut checks = Checks(Vec::new());
    let http = &config.http;
    checks.count("http.workers", http.workers, limits::WORKERS);
    checks.count("http.max_body_bytes", http.max_body_bytes, limits::MAX_BODY_BYTES);
    for (index, text) in http.allowed_origins.iter().enumerate() {
        checks.that(Key::from("http.allowed_origins").index(index), urls::origin(text));
    }
    for (index, text) in http.trusted_proxies.iter().enumerate() {
        checks.that(Key::from("http.trusted_proxies").index(index), address::parse_network(text).map(|_| ()));
    }
    if let Some(most) = http.max_requests_per_second_per_ip {
        checks.count("http.max_requests_per_second_per_ip", most as usize, limits::REQUESTS_PER_SECOND);
    }
    if http.tls_certificate_file.is_some() != http.tls_key_file.is_some() {
        let (there, missing) = match http.tls_key_file {
            None => ("http.tls_certificate_file", "tls_key_file"),
            Some(_) => ("http.tls_key_file", "tls_certificate_file"),
        };
        checks.0.push(
            Problem::new(there, "a certificate is of no use without its key").advice(format!("name `{missing}`, too")),
        );
    }
    checks.auto_end(&config.auto_end);
    for (id, channel) in &config.channels {
        let key = Key::from("channels").name(id);
        if ChannelId::new(id).is_err() {
            checks.0.push(
                Problem::new(key.clone(), format!("`{}` is not a channel id", id.escape_debug()))
                    .expected("1 to 64 of A-Z a-z 0-9 _ . : @ -, in quotes: [channels.\"-1001234567890\"]"),
            );
        }
        let own = [("timeout", channel.timeout), ("never_joined_timeout", channel.never_joined_timeout)];
        for (name, timeout) in own {
            if let Some(timeout) = timeout {
                checks.duration(key.clone().name(name), timeout, limits::TIMEOUT);
            }
        }
    }
    checks.duration("stats.broadcast_interval", config.stats.broadcast_interval, limits::BROADCAST_INTERVAL);
    checks.duration("stats.sample_interval", config.stats.sample_interval, limits::SAMPLE_INTERVAL);
    checks.ingest(&config.ingest);
    checks.that("store.state_dir", state_dir(config));
    if let Some(url) = &config.store.redis_url {
        checks.that("store.redis_url", urls::redis_url(url));
    }
    for (index, sentinel) in config.store.redis_sentinels.iter().enumerate() {
        let key = Key::from("store.redis_sentinels").index(index);
        checks.that(key, urls::host_and_port(sentinel).map(|_| ()));
    }
    checks.duration("store.redis_lease", config.store.redis_lease, limits::REDIS_LEASE);
    if let Some(port) = config.metrics.port {
        checks.port("metrics.port", port.into());
    }
    checks.count("metrics.max_channels", config.metrics.max_channels, limits::METRIC_CHANNELS);
    let websocket = &config.websocket;
    checks.count("websocket.max_sessions", websocket.max_sessions, limits::MAX_SESSIONS);
    if let Some(most) = websocket.max_sessions_per_ip {
        checks.count("websocket.max_sessions_per_ip", most, limits::MAX_SESSIONS);
    }
    checks.duration("websocket.heartbeat", websocket.heartbeat, limits::HEARTBEAT);
    checks.that("log.level", log_levels::read(&config.log.level).map(|_| ()));
    if let Some(url) = &config.traces.otlp_endpoint {
        checks.that("traces.otlp_endpoint", urls::collector(url));
    }
    let share = config.traces.sample_share;
    if !limits::SHARE.contains(&share) {
        let (least, most) = limits::SHARE.into_inner();
        let problem = Problem::new("traces.sample_share", format!("{share} is no share"));
        checks.0.push(problem.expected(format!("a number from {least} to {most}")));
    }
    checks.names("icecast", "server", config.icecast.iter().map(|server| &server.name));
    for (index, server) in config.icecast.iter().enumerate() {
        checks.icecast(&Key::from("icecast").index(index), server);
    }
    checks.names("nginx_rtmp", "server", config.nginx_rtmp.iter().map(|server| &server.name));
    for (index, server) in config.nginx_rtmp.iter().enumerate() {
        checks.nginx_rtmp(&Key::from("nginx_rtmp").index(index), server);
    }
    checks.names("janus", "server", config.janus.iter().map(|server| &server.name));
    for (index, server) in config.janus.iter().enumerate() {
        checks.janus(&Key::from("janus").index(index), server);
    }
    checks.names("redis_control", "server", config.redis_control.iter().map(|server| &server.name));
    for (index, server) in config.redis_control.iter().enumerate() {
        checks.redis_control(&Key::from("redis_control").index(index), server);
    }
    checks.names("webhook", "webhook", config.webhook.iter().map(|webhook| &webhook.name));
    for (index, webhook) in config.webhook.iter().enumerate() {
        checks.webhook(&Key::from("webhook").index(index), webhook);
    }
    checks.0
}

/// What is odd but harmless.
pub fn remarks(config: &Config) -> Vec<String> {
    let AutoEnd { timeout, warnings, .. } = &config.auto_end;
    let mut remarks = Vec::new();
    let skipped: Vec<String> =
        warnings.iter().filter(|warning| *warning >= timeout).map(|warning| show(*warning)).collect();
    if !skipped.is_empty() {
        remarks.push(format!(
            "auto_end.warnings: {} not shorter than the timeout of {}, skipped",
            skipped.join(", "),
            show(*timeout)
        ));
    }
    if config.metrics.port == Some(config.http.listen.port()) {
        remarks.push("metrics.port is the port of http.listen: the extra listener cannot be bound".to_owned());
    }
    if config.traces.otlp_endpoint.as_deref().is_some_and(|url| url.trim_end_matches('/').ends_with(GRPC_PORT)) {
        remarks.push("traces.otlp_endpoint: on port 4317 collectors speak gRPC, and OTLP over HTTP on 4318".to_owned());
    }
    remarks
}

struct Checks(Vec<Problem>);

impl Checks {
    fn that(&mut self, key: impl Into<Key>, verdict: Result<(), String>) {
        if let Err(what) = verdict {
            self.0.push(Problem::new(key, what));
        }
    }

    fn count(&mut self, key: &str, value: usize, range: Counts) {
        if !range.contains(&(value as u64)) {
            let (least, most) = range.into_inner();
            let what = format!("{value} is too {}", if (value as u64) < least { "small" } else { "large" });
            self.0.push(Problem::new(key, what).expected(format!("a whole number from {least} to {most}")));
        }
    }

    fn port(&mut self, key: &str, port: u64) {
        if !limits::PORT.contains(&port) {
            self.0.push(Problem::new(key, format!("{port} is not a port")).advice("choose a port from 1 to 65535"));
        }
    }

    fn duration(&mut self, key: impl Into<Key>, value: Duration, range: Durations) {
        if !range.contains(&value) {
            let what = if value.is_zero() {
                "0 is no duration here".to_owned()
            } else {
                format!("{} is too {}", show(value), if value < *range.start() { "short" } else { "long" })
            };
            let (least, most) = range.into_inner();
            self.0.push(Problem::new(key, what).expected(format!("from {} to {}", show(least), show(most))));
        }
    }

    fn auto_end(&mut self, auto_end: &AutoEnd) {
        let key = Key::from("auto_end.warnings");
        self.duration("auto_end.timeout", auto_end.timeout, limits::TIMEOUT);
        if let Some(timeout) = auto_end.never_joined_timeout {
            self.duration("auto_end.never_joined_timeout", timeout, limits::TIMEOUT);
        }
        self.duration("auto_end.lost_after", auto_end.lost_after, limits::LOST_AFTER);
        if auto_end.warnings.len() > limits::WARNINGS {
            let what = format!("{} warnings are too many", auto_end.warnings.len());
            self.0.push(Problem::new(key.clone(), what).expected(format!("at most {}", limits::WARNINGS)));
        }
        for (index, warning) in auto_end.warnings.iter().enumerate() {
            let key = key.clone().index(index);
            if warning.subsec_nanos() != 0 {
                let what = format!("{} is not a whole number of seconds", show(*warning));
                self.0.push(Problem::new(key.clone(), what).expected("whole seconds"));
            } else {
                self.duration(key, *warning, limits::WARNING);
            }
        }
    }

    fn ingest(&mut self, ingest: &Ingest) {
        self.duration("ingest.report_interval", ingest.report_interval, limits::REPORT_INTERVAL);
        self.duration("ingest.forget_ended_after", ingest.forget_ended_after, limits::FORGET_ENDED_AFTER);
        self.count("ingest.max_reports_per_request", ingest.max_reports_per_request, limits::MAX_REPORTS_PER_REQUEST);
        self.count("ingest.max_channels", ingest.max_channels, limits::MAX_CHANNELS);
        for (index, source) in ingest.retired_sources.iter().enumerate() {
            let verdict = SourceId::new(source).map(|_| ()).map_err(|wrong| wrong.to_string());
            self.that(Key::from("ingest.retired_sources").index(index), verdict);
        }
    }

    fn webhook(&mut self, key: &Key, webhook: &Webhook) {
        self.that(key.clone().name("url"), urls::webhook(&webhook.url));
        self.file(key, "secret_file", Some(&webhook.secret_file));
        for (index, pattern) in webhook.stops_for.iter().enumerate() {
            let name = pattern.strip_suffix('*').unwrap_or(pattern);
            let fine = SourceId::new(name).is_ok() && !name.contains('*');
            let verdict = if fine {
                Ok(())
            } else {
                Err(format!("`{}` is neither a source nor the beginning of one, as in `bot-*`", pattern.escape_debug()))
            };
            self.that(key.clone().name("stops_for").index(index), verdict);
        }
        if !webhook.events && webhook.stops_for.is_empty() {
            let what = "nothing would ever be sent to this webhook";
            self.0.push(Problem::new(key.clone(), what).advice("set `events = true`, or name sources in `stops_for`"));
        }
    }

    fn redis_control(&mut self, key: &Key, server: &RedisControl) {
        self.polled(key, &server.channel_prefix, server.poll_interval, server.settle);
        self.duration(key.clone().name("update_interval"), server.update_interval, limits::POLL_INTERVAL);
        self.file(key, "password_file", server.password_file.as_deref());
        self.that(key.clone().name("url"), urls::redis_without_password(&server.url));
        self.texts(key, "channels", &server.channels);
    }

    /// The names of all in one list, each of them a server or whatever it is `called`.
    fn names<'names>(&mut self, kind: &str, called: &str, all: impl Iterator<Item = &'names String>) {
        let mut names = BTreeSet::new();
        for (index, name) in all.enumerate() {
            let key = Key::from(kind).index(index).name("name");
            if !names.insert(name) {
                let problem = Problem::new(key.clone(), format!("`{name}` is the name of another {called}"));
                self.0.push(problem.advice("give each a name of its own"));
            }
            let fine = is_name(name, limits::SERVER_NAME_LENGTH, ".");
            self.usable(key, name, fine, "1 to 32 of A-Z a-z 0-9 _ . -");
        }
    }

    fn usable(&mut self, key: Key, text: &str, fine: bool, expected: &str) {
        if !fine {
            let what = format!("`{}` cannot be used", text.escape_debug());
            self.0.push(Problem::new(key, what).expected(expected));
        }
    }

    /// What every server that is polled has.
    fn polled(&mut self, key: &Key, channel_prefix: &str, poll_interval: Duration, settle: Duration) {
        let fine = channel_prefix.is_empty() || is_name(channel_prefix, limits::CHANNEL_PREFIX_LENGTH, ".:@");
        self.usable(key.clone().name("channel_prefix"), channel_prefix, fine, "at most 32 of A-Z a-z 0-9 _ . : @ -");
        self.duration(key.clone().name("poll_interval"), poll_interval, limits::POLL_INTERVAL);
        if settle > *limits::SETTLE.end() {
            self.duration(key.clone().name("settle"), settle, limits::SETTLE);
        }
    }

    fn user(&mut self, key: &Key, user: &str) {
        let fine = !user.is_empty() && !user.contains(|c: char| c == ':' || c.is_control());
        self.usable(key.clone().name("user"), user, fine, "a user name without a colon, usually \"admin\"");
    }

    fn file(&mut self, key: &Key, name: &str, path: Option<&Path>) {
        if path.is_some_and(|path| path.as_os_str().is_empty()) {
            self.0.push(Problem::new(key.clone().name(name), "is empty"));
        }
    }

    /// Texts that are compared with what a server shows.
    fn texts(&mut self, key: &Key, name: &str, texts: &[String]) {
        for (index, text) in texts.iter().enumerate() {
            let fine = !text.is_empty() && !text.chars().any(char::is_control);
            let key = key.clone().name(name).index(index);
            self.usable(key, text, fine, "a text that is not empty, without control characters");
        }
    }

    fn icecast(&mut self, key: &Key, server: &Icecast) {
        self.polled(key, &server.channel_prefix, server.poll_interval, server.settle);
        self.user(key, &server.user);
        self.file(key, "password_file", Some(&server.password_file));
        self.that(key.clone().name("url"), urls::server(&server.url));
        self.texts(key, "ignored_user_agents", &server.ignored_user_agents);
        for (index, mount) in server.mounts.iter().enumerate() {
            let fine = mount.len() > 1
                && mount.starts_with('/')
                && !mount.contains(|c: char| c.is_control() || c.is_whitespace() || c == '?' || c == '#');
            let verdict = if fine {
                Ok(())
            } else {
                Err(format!("`{}` is not a mount; one begins with /, such as /live.mp3", mount.escape_debug()))
            };
            self.that(key.clone().name("mounts").index(index), verdict);
        }
    }

    fn nginx_rtmp(&mut self, key: &Key, server: &NginxRtmp) {
        self.polled(key, &server.channel_prefix, server.poll_interval, server.settle);
        self.user(key, &server.user);
        self.file(key, "password_file", server.password_file.as_deref());
        self.that(key.clone().name("stat_url"), urls::server(&server.stat_url));
        match &server.control_url {
            Some(url) => self.that(key.clone().name("control_url"), urls::server(url)),
            None if server.stop => {
                let problem =
                    Problem::new(key.clone().name("control_url"), "is missing, and streams are to be stopped");
                let advice = "give the URL of a location with `rtmp_control all`, or set `stop = false`";
                self.0.push(problem.advice(advice));
            }
            None => {}
        }
        self.texts(key, "applications", &server.applications);
        self.texts(key, "ignored_addresses", &server.ignored_addresses);
        self.texts(key, "ignored_flashvers", &server.ignored_flashvers);
    }

    fn janus(&mut self, key: &Key, server: &Janus) {
        self.polled(key, &server.channel_prefix, server.poll_interval, server.settle);
        self.file(key, "api_secret_file", server.api_secret_file.as_deref());
        self.file(key, "room_secret_file", server.room_secret_file.as_deref());
        self.that(key.clone().name("url"), urls::server(&server.url));
        if server.streamer_displays.is_empty() && server.streamer_ids.is_empty() {
            let problem = Problem::new(key.clone().name("streamer_ids"), "nobody is named who streams");
            self.0.push(problem.advice("name the streamer's id here, or its display name in streamer_displays"));
        }
        self.texts(key, "rooms", &server.rooms);
        self.texts(key, "streamer_displays", &server.streamer_displays);
        self.texts(key, "streamer_ids", &server.streamer_ids);
        self.texts(key, "ignored_displays", &server.ignored_displays);
        self.texts(key, "ignored_ids", &server.ignored_ids);
    }
}

fn is_name(text: &str, most: usize, punctuation: &str) -> bool {
    (1..=most).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-' || punctuation.contains(c))
}

fn state_dir(config: &Config) -> Result<(), String> {
    if config.store.state_dir.as_os_str().is_empty() { Err("is empty".to_owned()) } else { Ok(()) }
}
