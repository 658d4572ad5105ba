//! The daemon itself if it runs, and every server it is to talk to: each is asked one harmless question.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use sattva_actors::{secret_file::first_line, store::redis::Link};
use serde_json::Value;

use super::{Check, Finding, check};
use crate::{
    cli::ask::url_of,
    config::{Config, Icecast, Janus, NginxRtmp, RedisControl, Webhook},
    outbound, webhooks, wiring,
};

/// A request, answer and all.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of an answer no more is read.
const ANSWER_MAX: usize = 64 << 20;

pub fn checks(config: &Config, token_file: Option<PathBuf>) -> Vec<Check> {
    let mut checks = vec![check("daemon".into(), daemon(config.clone(), token_file))];
    if let Some(port) = config.metrics.port.filter(|_| config.metrics.enabled) {
        let address = SocketAddr::new(config.http.listen.ip(), port);
        checks.push(check("metrics.port".into(), async move { vec![metrics_port(address)] }));
    }
    if config.store.redis_url.is_some() {
        let link = wiring::link(&config.store);
        checks.push(check("store.redis_url".into(), redis("store.redis_url".into(), link, true)));
    }
    for server in config.icecast.clone() {
        checks.push(check(format!("icecast {}", server.name), icecast(server)));
    }
    for server in config.nginx_rtmp.clone() {
        checks.push(check(format!("nginx_rtmp {}", server.name), nginx_rtmp(server)));
    }
    for server in config.janus.clone() {
        checks.push(check(format!("janus {}", server.name), janus(server)));
    }
    for RedisControl { name, url, password_file, .. } in config.redis_control.clone() {
        let link = Link::to(&url).map(|link| Link { password_file, ..link });
        checks.push(check(format!("redis_control {name}"), redis(format!("redis_control {name}"), link, false)));
    }
    for hook in config.webhook.clone() {
        checks.push(check(format!("webhook {}", hook.name), webhook(hook)));
    }
    checks
}

/// An answer's status and text.
async fn get(url: &str, login: Option<(&str, &str)>, bearer: Option<&str>) -> Result<(u16, Vec<u8>), String> {
    let mut request = outbound::client(PATIENCE).get(url);
    if let Some((user, password)) = login {
        request = request.basic_auth(user, password);
    }
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    let mut response = request.send().await.map_err(|error| error.to_string())?;
    let body = response.body().limit(ANSWER_MAX).await.map_err(|error| error.to_string())?;
    Ok((response.status().as_u16(), body.to_vec()))
}

async fn daemon(config: Config, token_file: Option<PathBuf>) -> Vec<Finding> {
    let listen = config.http.listen;
    let token = match token_file.as_deref().map(|path| first_line(path, "a token")).transpose() {
        Ok(token) => token,
        Err(error) => return vec![Finding::fail("daemon", error, "correct --token-file")],
    };
    let Ok(url) = url_of(&config) else { return Vec::new() };
    let ready = format!("{url}readyz");
    match get(&ready, None, token.as_deref()).await {
        Ok((_, body)) => match serde_json::from_slice::<Value>(&body) {
            Ok(ready) if ready["status"].is_string() => daemon_says(listen, &ready),
            _ => {
                let todo = "stop that program, or name another port in http.listen";
                vec![Finding::fail("daemon", format!("something else answers at {listen}"), todo)]
            }
        },
        Err(_) => match TcpListener::bind(listen) {
            Ok(_) => vec![Finding::warn(
                "daemon",
                format!("it does not run; {listen} is free"),
                "systemctl start sattva-monitor",
            )],
            Err(error) => {
                let todo = "stop the program that has the port (ss -ltnp), or name another one in http.listen";
                vec![Finding::fail("daemon", format!("it does not answer, and {listen} cannot be had: {error}"), todo)]
            }
        },
    }
}

fn daemon_says(listen: SocketAddr, ready: &Value) -> Vec<Finding> {
    let status = ready["status"].as_str().unwrap_or_default();
    let mut findings = vec![match status {
        "ready" => Finding::ok("daemon", format!("it runs at {listen} and is ready")),
        "degraded" => Finding::warn(
            "daemon",
            format!("it runs at {listen}, and is degraded"),
            "see the lines below; with --token-file it tells more",
        ),
        other => Finding::warn(
            "daemon",
            format!("it runs at {listen}, and says `{other}`"),
            "see docs/operations.md, Readiness",
        ),
    }];
    for (name, dependency) in ready["dependencies"].as_object().into_iter().flatten() {
        if dependency["status"] != "ok" {
            let detail = dependency["detail"].as_str().unwrap_or_default();
            findings.push(Finding::fail(format!("daemon: {name}"), detail, "see docs/troubleshooting.md"));
        }
    }
    findings
}

fn metrics_port(address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok("metrics.port", format!("{address} is free")),
        Err(error) => Finding::warn(
            "metrics.port",
            format!("{address}: {error}"),
            "fine if the daemon itself has it; 9090 is Prometheus's own port",
        ),
    }
}

/// Looks at a Redis without writing to it.
async fn redis(name: String, link: Result<Link, String>, is_store: bool) -> Vec<Finding> {
    let link = match link {
        Ok(link) => link,
        Err(error) => return vec![Finding::fail(name, error, "correct the URL")],
    };
    let asked = tokio::task::spawn_blocking(move || -> Result<(String, String), String> {
        let mut connection = link.dial().map_err(|error| error.to_string())?;
        let info: String = ::redis::cmd("INFO").query(&mut connection).map_err(|error| link.explain(&error))?;
        Ok((link.address(), info))
    });
    match asked.await {
        Ok(Ok((address, info))) => redis_says(&name, &address, &info, is_store),
        Ok(Err(error)) => vec![Finding::fail(name, error, "see docs/troubleshooting.md, Redis")],
        Err(error) => vec![Finding::fail(name, error.to_string(), "please report this")],
    }
}

fn redis_says(name: &str, address: &str, info: &str, is_store: bool) -> Vec<Finding> {
    let told = |field: &str| {
        info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap_or_default().trim()
    };
    let mut findings = vec![Finding::ok(name, format!("Redis {} answers at {address}", told("redis_version")))];
    if !is_store {
        return findings;
    }
    if told("role") != "master" {
        findings.push(Finding::fail(
            name,
            "it is a replica, and takes no writes",
            "name the primary, or store.redis_sentinels",
        ));
    }
    if told("maxmemory_policy") != "noeviction" && told("maxmemory") != "0" {
        let detail = format!("when it is full it drops keys ({})", told("maxmemory_policy"));
        findings.push(Finding::fail(
            name,
            detail,
            "CONFIG SET maxmemory-policy noeviction: else countdowns and pauses are lost",
        ));
    }
    if told("aof_enabled") == "0" {
        let todo = "appendonly yes: else a restart of Redis loses what was paused, and countdowns begin anew";
        findings.push(Finding::warn(name, "it keeps no append-only file", todo));
    }
    findings
}

/// What an HTTP answer of a watched server means.
fn answered(name: String, url: &str, answer: Result<(u16, Vec<u8>), String>, expected: &str) -> Vec<Finding> {
    vec![match answer {
        Ok((200, body)) if String::from_utf8_lossy(&body).contains(expected) => {
            Finding::ok(name, format!("{url} answers"))
        }
        Ok((200, _)) => Finding::fail(name, format!("{url} answers with something else"), "correct the URL"),
        Ok((401 | 403, _)) => Finding::fail(
            name,
            format!("{url} refuses the user or the password"),
            "correct user and password file, then reload",
        ),
        Ok((status, _)) => Finding::fail(
            name,
            format!("{url} answers with HTTP {status}"),
            "correct the URL, or see that server's log",
        ),
        Err(error) => {
            Finding::fail(name, format!("{url}: {error}"), "see whether it runs, and whether the URL is right")
        }
    }]
}

async fn icecast(server: Icecast) -> Vec<Finding> {
    let name = format!("icecast {}", server.name);
    let password = match first_line(&server.password_file, "the admin's password") {
        Ok(password) => password,
        Err(error) => return vec![Finding::fail(name, error, "write the admin's password into it")],
    };
    let url = format!("{}/admin/stats", server.url.trim_end_matches('/'));
    let answer = get(&url, Some((&server.user, &password)), None).await;
    answered(name, &url, answer, "<icestats")
}

async fn nginx_rtmp(server: NginxRtmp) -> Vec<Finding> {
    let name = format!("nginx_rtmp {}", server.name);
    let password = match server.password_file.as_deref().map(|path| first_line(path, "the password")).transpose() {
        Ok(password) => password,
        Err(error) => return vec![Finding::fail(name, error, "write the password into it")],
    };
    let login = password.as_deref().map(|password| (server.user.as_str(), password));
    let answer = get(&server.stat_url, login, None).await;
    answered(name, &server.stat_url, answer, "<rtmp")
}

async fn janus(server: Janus) -> Vec<Finding> {
    let name = format!("janus {}", server.name);
    for path in [&server.api_secret_file, &server.room_secret_file].into_iter().flatten() {
        if let Err(error) = first_line(path, "the secret") {
            return vec![Finding::fail(name, error, "write the secret into it")];
        }
    }
    let url = format!("{}/info", server.url.trim_end_matches('/'));
    let answer = get(&url, None, None).await;
    answered(name, &url, answer, "server_info")
}

/// A receiver is told nothing: only whether it can be reached.
async fn webhook(hook: Webhook) -> Vec<Finding> {
    let name = format!("webhook {}", hook.name);
    if let Err(error) = webhooks::secrets(Path::new(&hook.secret_file)) {
        return vec![Finding::fail(name, error, "write the secrets into it")];
    }
    let Some((host, port)) = url::Url::parse(&hook.url)
        .ok()
        .and_then(|url| Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?)))
    else {
        return vec![Finding::fail(name, "its URL has no host", "correct the URL")];
    };
    match tokio::net::TcpStream::connect((host.as_str(), port)).await {
        Ok(_) => vec![Finding::ok(name, format!("{host}:{port} takes connections"))],
        Err(error) => {
            vec![Finding::fail(name, format!("{host}:{port}: {error}"), "start the receiver, or correct the URL")]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn a_redis_that_forgets_is_told_of() {
        let verdicts = |info: &str| -> Vec<Verdict> {
            redis_says("r", "a:1", info, true).into_iter().map(|finding| finding.verdict).collect()
        };
        let good = "redis_version:7\r\nrole:master\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";
        assert_eq!(verdicts(good), [Verdict::Ok]);
        let bad = "redis_version:7\r\nrole:slave\r\nmaxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:0\r\n";
        assert_eq!(verdicts(bad), [Verdict::Ok, Verdict::Fail, Verdict::Fail, Verdict::Warn]);
        assert_eq!(redis_says("r", "a:1", bad, false).len(), 1);
    }

    #[test]
    fn each_answer_of_a_server_has_its_meaning() {
        let verdict = |answer| answered("i".into(), "u", answer, "<icestats")[0].verdict;
        assert_eq!(verdict(Ok((200, b"<icestats>".to_vec()))), Verdict::Ok);
        assert_eq!(verdict(Ok((200, b"<html>".to_vec()))), Verdict::Fail);
        assert_eq!(verdict(Ok((401, Vec::new()))), Verdict::Fail);
        assert_eq!(verdict(Err("no route".into())), Verdict::Fail);
    }
}
