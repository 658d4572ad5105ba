//! `sattva-monitor explain CHANNEL`: why a stream is, or is not, about to be ended.

use serde_json::Value;

use super::ask::{self, AskError, Asker};
use crate::terminal::{length, plain};

/// Decisions that are shown.
const DECISIONS: usize = 15;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The channel's id, such as -1001234567890.
    #[arg(allow_hyphen_values = true)]
    channel: String,
    #[command(flatten)]
    ask: ask::Whom,
}

/// What is to be printed.
///
/// # Errors
/// When the daemon does not answer, or not that.
pub async fn run(args: Args) -> Result<String, AskError> {
    let channel = percent_encoding::utf8_percent_encode(&args.channel, percent_encoding::NON_ALPHANUMERIC);
    let answer = Asker::new(&args.ask)?.ask(&format!("api/v1/streams/{channel}/explain")).await?;
    Ok(if args.ask.json { format!("{answer:#}\n") } else { in_words(&answer) })
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

fn seconds(value: &Value) -> String {
    value.as_f64().map_or_else(|| "–".to_owned(), length)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn in_words(answer: &Value) -> String {
    let state = &answer["state"];
    let mut lines = vec![
        format!("{}: {}", text(&state["channel_id"]), text(&answer["why"])),
        String::new(),
        format!(
            "State        {}, session {}, since {}",
            text(&state["state"]),
            text(&state["session"]),
            text(&state["started_at"])
        ),
        format!("Listeners    {}", listeners(state)),
        format!("Auto-end     {}", auto_end(answer)),
    ];
    if let Some(track) = state["current_track"].as_object() {
        let artist =
            track.get("artist").filter(|artist| !artist.is_null()).map(|artist| format!("{} – ", text(artist)));
        lines.push(format!("Track        {}{}", artist.unwrap_or_default(), text(&track["title"])));
    }
    lines.push(String::new());
    lines.push("Evidence".to_owned());
    for reporter in list(&answer["evidence"]) {
        let believed = if reporter["believed"] == true { "" } else { ", not believed any more" };
        lines.push(format!(
            "  {}: {}, listeners {}, joins {}, {} old (it reports every {}){believed}",
            text(&reporter["source"]),
            text(&reporter["state"]),
            text(&reporter["listeners"]),
            text(&reporter["joins"]),
            seconds(&reporter["age_seconds"]),
            seconds(&reporter["interval_seconds"]),
        ));
    }
    if list(&answer["evidence"]).is_empty() {
        lines.push("  nobody reports it".to_owned());
    }
    let commands = list(&answer["commands"]);
    if !commands.is_empty() {
        lines.push(String::new());
        lines.push("Commands".to_owned());
        for command in commands {
            let more = [&command["outcome"], &command["detail"]].into_iter().filter(|value| !value.is_null());
            let more: Vec<String> = more.map(text).collect();
            let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(": ")) };
            lines.push(format!(
                "  {} for {}: {}{more}",
                text(&command["type"]),
                text(&command["source"]),
                text(&command["state"])
            ));
        }
    }
    lines.push(String::new());
    lines.push("Last decisions (UTC)".to_owned());
    let decisions = list(&answer["decisions"]);
    for decision in &decisions[decisions.len().saturating_sub(DECISIONS)..] {
        let by = decision["by"].as_str().map_or_else(String::new, |name| format!(" (by {})", plain(name)));
        lines.push(format!(
            "  {}  {}: {}{by}, listeners {}",
            text(&decision["at"]),
            text(&decision["event"]),
            text(&decision["because"]),
            text(&decision["listeners"])
        ));
    }
    if let Some(error) = answer["journal_error"].as_str() {
        lines.push(format!("  the journal cannot be read: {}", plain(error)));
    } else if decisions.is_empty() {
        lines.push("  none yet".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

pub fn listeners(state: &Value) -> String {
    let number = text(&state["listeners"]);
    if state["listeners_known"] == true { number } else { format!("unknown (last known {number})") }
}

fn auto_end(answer: &Value) -> String {
    let timer = &answer["auto_end"];
    let phase = text(&timer["phase"]);
    match (timer["ends_at"].as_str(), timer["remaining_seconds"].as_f64()) {
        (Some(ends_at), Some(left)) => format!("{phase}, ends in {} at {}", length(left), plain(ends_at)),
        (None, Some(left)) => format!("{phase}, {} left", length(left)),
        _ => phase,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_one_asks_at_three_in_the_morning_is_there_in_words() {
        let answer = json!({
            "why": "Counting down: nobody listens.",
            "state": { "channel_id": "jazz", "state": "live", "session": "s", "started_at": "2026-11-24T01:33:42.788Z",
                       "listeners": 0, "listeners_known": true,
                       "current_track": { "title": "So \u{1b}[2JWhat", "artist": "Miles" } },
            "auto_end": { "phase": "counting", "ends_at": "2026-11-24T01:38:42.788Z", "remaining_seconds": 61.2 },
            "evidence": [{ "source": "radio-1", "state": "live", "listeners": 0, "joins": null, "age_seconds": 2.0,
                           "interval_seconds": 5.0, "believed": true }],
            "commands": [{ "type": "stop", "source": "radio-1", "state": "failed", "outcome": "error", "detail": "no" }],
            "decisions": [{ "at": "2026-11-24T01:33:42.788Z", "event": "started", "because": "never_joined", "listeners": 0 },
                          { "at": "2026-11-24T01:34:00.000Z", "event": "paused", "because": "an operator paused auto-end",
                            "by": "anna", "listeners": 0 }],
            "journal_error": null,
        });
        let words = in_words(&answer);
        for expected in [
            "jazz: Counting down: nobody listens.",
            "counting, ends in 1 min 1 s at 2026-11-24T01:38:42.788Z",
            "Track        Miles – So \u{fffd}[2JWhat",
            "radio-1: live, listeners 0, joins –, 2 s old (it reports every 5 s)",
            "stop for radio-1: failed (error: no)",
            "2026-11-24T01:33:42.788Z  started: never_joined, listeners 0",
            "paused: an operator paused auto-end (by anna), listeners 0",
        ] {
            assert!(words.contains(expected), "{expected} is not in\n{words}");
        }
        assert!(!words.contains('\u{1b}'));
    }

    #[test]
    fn what_is_not_known_is_said_to_be_unknown() {
        let words = in_words(&json!({ "state": { "listeners": 3, "listeners_known": false } }));
        assert!(words.contains("unknown (last known 3)") && words.contains("nobody reports it"), "{words}");
    }
}
