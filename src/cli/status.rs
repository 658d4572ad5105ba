//! `sattva-monitor status`: how a daemon is, and what it watches, in one screen.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    ask::{self, AskError, Asker},
    explain::listeners,
};
use crate::terminal::{length, plain};

/// Streams that are named; the rest is counted.
const NAMED: usize = 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    ask: ask::Whom,
}

/// How the daemon is, as the exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Well = 0,
    /// Degraded, or a stream does not end.
    Troubled = 1,
    NotReady = 2,
}

/// What is to be printed.
///
/// # Errors
/// When the daemon does not answer, or not that.
pub async fn run(args: Args) -> Result<(String, Verdict), AskError> {
    let asker = Asker::new(&args.ask)?;
    let ready = asker.get("readyz").await?.body;
    // On standby there are no streams to tell of, and that is no error.
    let (stats, streams) = match (asker.ask("api/stats").await, asker.ask("api/v1/streams").await) {
        (Ok(stats), Ok(streams)) => (stats, streams),
        (Err(AskError::Refused { status: 503, .. }), _) | (_, Err(AskError::Refused { status: 503, .. })) => {
            (Value::Null, json!({ "streams": [] }))
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    let verdict = verdict(&ready, &streams);
    if args.ask.json {
        let all = json!({ "readiness": ready, "stats": stats, "streams": streams["streams"] });
        return Ok((format!("{all:#}\n"), verdict));
    }
    Ok((in_words(&ready, &stats, &streams), verdict))
}

fn list(streams: &Value) -> &[Value] {
    streams["streams"].as_array().map_or(&[], Vec::as_slice)
}

fn phase(stream: &Value) -> &str {
    stream["auto_end"]["phase"].as_str().unwrap_or_default()
}

fn verdict(ready: &Value, streams: &Value) -> Verdict {
    match ready["status"].as_str() {
        Some("ready") if list(streams).iter().all(|stream| phase(stream) != "stop_failed") => Verdict::Well,
        Some("ready" | "degraded") => Verdict::Troubled,
        _ => Verdict::NotReady,
    }
}

/// The loudest first.
fn urgency(stream: &Value) -> (u8, u64) {
    let left = stream["auto_end"]["remaining_seconds"].as_f64().map_or(u64::MAX, |left| left as u64);
    let rank = match phase(stream) {
        "stop_failed" => 0,
        "stopping" => 1,
        "counting" => 2,
        "frozen" => 3,
        _ if stream["listeners_known"] != true => 4,
        "paused" => 5,
        _ => 6,
    };
    (rank, left)
}

fn in_words(ready: &Value, stats: &Value, streams: &Value) -> String {
    let status = ready["status"].as_str().unwrap_or("unknown");
    let mut lines = vec![match stats["version"].as_str() {
        Some(version) => format!("{}, version {}, up {}", plain(status), plain(version), uptime(stats)),
        None => plain(status),
    }];
    for (name, dependency) in ready["dependencies"].as_object().into_iter().flatten() {
        if dependency["status"] != "ok" {
            let detail = dependency["detail"].as_str().unwrap_or_default();
            lines.push(format!("  {} fails: {}", plain(name), plain(detail)));
        }
    }
    if !stats.is_null() {
        let percent = |key: &str| stats[key].as_f64().unwrap_or_default();
        lines.push(format!(
            "{} streams, {} listeners, {} in queues; the host: CPU {:.0} %, memory {:.0} %",
            stats["active_streams"],
            stats["total_listeners"],
            stats["queue_items"],
            percent("cpu_percent"),
            percent("memory_percent")
        ));
    }
    let mut phases = BTreeMap::<&str, usize>::new();
    list(streams).iter().for_each(|stream| *phases.entry(phase(stream)).or_default() += 1);
    if !phases.is_empty() {
        let phases: Vec<String> =
            phases.into_iter().map(|(phase, number)| format!("{number} {}", plain(phase))).collect();
        lines.push(format!("auto-end: {}", phases.join(", ")));
    }
    let mut urgent: Vec<&Value> = list(streams).iter().filter(|stream| urgency(stream).0 < 6).collect();
    urgent.sort_by_key(|stream| urgency(stream));
    if !urgent.is_empty() {
        lines.push(String::new());
    }
    for stream in urgent.iter().take(NAMED) {
        let left = stream["auto_end"]["remaining_seconds"].as_f64();
        let left = left.map(|left| format!(", {} left", length(left))).unwrap_or_default();
        lines.push(format!(
            "  {:<24} {}{left}, listeners {}",
            plain(stream["channel_id"].as_str().unwrap_or_default()),
            plain(phase(stream)),
            listeners(stream)
        ));
    }
    if urgent.len() > NAMED {
        lines.push(format!("  … and {} more", urgent.len() - NAMED));
    }
    if !urgent.is_empty() {
        lines.push(String::new());
        lines.push("Why: sattva-monitor explain CHANNEL".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

fn uptime(stats: &Value) -> String {
    stats["uptime_seconds"].as_f64().map_or_else(|| "–".to_owned(), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(channel: &str, phase: &str, left: Option<f64>) -> Value {
        json!({ "channel_id": channel, "listeners": 0, "listeners_known": true,
                "auto_end": { "phase": phase, "remaining_seconds": left } })
    }

    #[test]
    fn the_loudest_streams_come_first_and_quiet_ones_are_only_counted() {
        let streams = json!({ "streams": [
            stream("quiet", "watching", None), stream("later", "counting", Some(200.0)),
            stream("soon", "counting", Some(9.0)), stream("stuck", "stop_failed", None),
        ] });
        let ready = json!({ "status": "degraded", "dependencies": {
            "store": { "status": "failing", "detail": "full\u{1b}[2J" }, "actors": { "status": "ok" } } });
        let stats = json!({ "version": "1", "uptime_seconds": 60, "active_streams": 4, "total_listeners": 0,
                            "queue_items": 0, "cpu_percent": 1.2, "memory_percent": 3.0 });
        let words = in_words(&ready, &stats, &streams);
        let order: Vec<usize> = ["stuck", "soon", "later"].map(|name| words.find(name).unwrap()).to_vec();
        assert!(order.is_sorted(), "{words}");
        assert!(!words.contains("quiet") && words.contains("1 watching"), "{words}");
        assert!(words.contains("store fails: full\u{fffd}[2J") && !words.contains("actors"), "{words}");
        assert_eq!(verdict(&ready, &streams), Verdict::Troubled);
    }

    #[test]
    fn the_exit_code_says_whether_somebody_has_to_get_up() {
        let ready = |status: &str| json!({ "status": status });
        let calm = json!({ "streams": [stream("jazz", "counting", Some(5.0))] });
        let stuck = json!({ "streams": [stream("jazz", "stop_failed", None)] });
        assert_eq!(verdict(&ready("ready"), &calm), Verdict::Well);
        assert_eq!(verdict(&ready("ready"), &stuck), Verdict::Troubled);
        assert_eq!(verdict(&ready("degraded"), &calm), Verdict::Troubled);
        assert_eq!(verdict(&ready("standby"), &calm), Verdict::NotReady);
    }
}
