//! `GET /api/v1/reports`: what a stretch of the past amounts to, for people and for spreadsheets.

use actix_web::{HttpRequest, HttpResponse, get, http::header, web};
use sattva_actors::{clock::WallTime, identity::ChannelId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Front,
    history::{now, read, stretch},
    problem::Problem,
    streams::channel_id,
};
use crate::history::{By, Inquiry, Key, Played, Report, Row, Rows, TrackFigures};

/// Without `from`: the last day.
const SPAN: i64 = 86_400;
/// Rows of one answer.
const ROWS_MAX: usize = 10_000;

/// What is told of channels and days; docs/api.md says what each figure means.
const FIGURES: [&str; 9] = [
    "listener_minutes",
    "average",
    "peak",
    "known_minutes",
    "unknown_minutes",
    "minutes_without_listeners",
    "sessions",
    "auto_ends",
    "minutes_saved",
];
const OF_TRACKS: [&str; 9] =
    ["title", "artist", "plays", "minutes", "listener_minutes", "average", "peak", "gained", "lost"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Csv,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    by: Option<By>,
    channel_id: Option<String>,
    /// RFC 3339, or seconds since 1970.
    from: Option<String>,
    to: Option<String>,
    /// Without it, what `Accept` asks for.
    format: Option<Format>,
}

impl Asked {
    fn inquiry(&self, now: i64) -> Result<Inquiry, Problem> {
        let (from, to) = stretch(self.from.as_deref(), self.to.as_deref(), now, SPAN)?;
        if from >= now {
            return Err(Problem::bad_request("bad_time", "from is in the future: there is nothing yet").field("from"));
        }
        let channel = self.channel_id.as_deref().map(channel_id).transpose()?;
        let by = self.by.unwrap_or(By::Channel);
        if by == By::Track && channel.is_none() {
            let detail = "tracks are told of one channel: give its channel_id";
            return Err(Problem::bad_request("bad_query", detail).field("channel_id"));
        }
        Ok(Inquiry { by, channel, from, to })
    }
}

/// Whoever names CSV before JSON, or alone.
fn wants_csv(accept: Option<&str>) -> bool {
    let mut kinds = accept.unwrap_or_default().split(',').filter_map(|kind| kind.split(';').next()).map(str::trim);
    kinds.find_map(|kind| match kind {
        "text/csv" => Some(true),
        "application/json" | "application/*" | "*/*" => Some(false),
        _ => None,
    }) == Some(true)
}

/// A report as a table: what its columns are called, its rows, and the total behind them.
struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
    total: Vec<Value>,
}

/// To a hundredth: what is measured every 5 s is no finer.
fn number(value: f64) -> Value {
    json!((value * 100.0).round() / 100.0)
}

fn figures(row: &Row) -> Vec<Value> {
    let (streams, heard) = (&row.streams, row.heard());
    vec![
        number(heard.listener_minutes()),
        heard.average().map_or(Value::Null, number),
        heard.peak().map_or(Value::Null, number),
        number(streams.known_minutes()),
        number(streams.unknown_minutes()),
        number(streams.minutes_without_listeners()),
        json!(streams.sessions),
        json!(streams.auto_ends),
        number(streams.minutes_saved()),
    ]
}

fn track((played, track): (&Played, &TrackFigures)) -> Vec<Value> {
    let heard = &track.figures;
    vec![
        json!(played.title),
        json!(played.artist),
        json!(track.plays),
        number(track.played_minutes()),
        number(heard.listener_minutes()),
        heard.average().map_or(Value::Null, number),
        heard.peak().map_or(Value::Null, number),
        json!(track.gained),
        json!(track.lost),
    ]
}

fn name(key: &Key) -> Value {
    match key {
        Key::Channel(channel) => json!(channel),
        Key::Day(begins) => json!(WallTime::from_millis(begins * 1000).to_string()[..10]),
    }
}

impl Table {
    fn of(report: &Report, by: By) -> Self {
        let total = figures(&report.total);
        match &report.rows {
            Rows::Tracks(tracks) => {
                Self { columns: OF_TRACKS.to_vec(), rows: tracks.iter().map(track).collect(), total }
            }
            Rows::Figures(rows) => {
                let first = if by == By::Day { "day" } else { "channel_id" };
                let row = |(key, row): (&Key, &Row)| [vec![name(key)], figures(row)].concat();
                let columns = [vec![first], FIGURES.to_vec()].concat();
                Self { columns, rows: rows.iter().map(row).collect(), total }
            }
        }
    }

    fn to_json(&self, report: &Report, inquiry: &Inquiry) -> Value {
        let object = |columns: &[&str], cells: &[Value]| -> Value {
            let pairs = columns.iter().zip(cells).map(|(column, cell)| ((*column).to_owned(), cell.clone()));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        json!({
            "by": inquiry.by,
            "channel_id": inquiry.channel,
            "from": WallTime::from_millis(report.from * 1000).to_string(),
            "to": WallTime::from_millis(report.to * 1000).to_string(),
            "step_seconds": report.step,
            "rows": self.rows.iter().map(|cells| object(&self.columns, cells)).collect::<Vec<_>>(),
            "total": object(&FIGURES, &self.total),
        })
    }

    /// As RFC 4180 has it. The last row is the total, without a name; a table of tracks has none.
    fn to_csv(&self) -> String {
        let mut csv = self.columns.join(",");
        csv.push_str("\r\n");
        let total = [vec![Value::Null], self.total.clone()].concat();
        let total = (self.columns != OF_TRACKS).then_some(&total);
        for row in self.rows.iter().chain(total) {
            let cells: Vec<String> = row.iter().map(cell).collect();
            csv.push_str(&cells.join(","));
            csv.push_str("\r\n");
        }
        csv
    }
}

/// A text that a spreadsheet would take for a formula begins with an apostrophe: a streamer may call its tracks anything.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '@', '\t', '\r']) || is_signed_text(text) => {
            format!("'{text}")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// A channel of Telegram is a negative number, and stays one.
fn is_signed_text(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| !rest.chars().all(|c| c.is_ascii_digit()))
}

fn file_name(channel: Option<&ChannelId>, report: &Report) -> String {
    let day = |at: i64| WallTime::from_millis(at * 1000).to_string()[..10].to_owned();
    // Of all characters that a channel's name may have, this alone is none for a file's.
    let channel = channel.map_or_else(|| "all".to_owned(), |channel| channel.as_str().replace(':', "_"));
    format!("report-{channel}-{}-{}.csv", day(report.from), day(report.to))
}

#[get("/api/v1/reports")]
pub async fn get(
    request: HttpRequest,
    front: web::Data<Front>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let now = now(&front);
    let inquiry = asked.inquiry(now)?;
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let csv = asked.format.map_or_else(|| wants_csv(accept), |format| format == Format::Csv);
    let report = read({
        let inquiry = inquiry.clone();
        move || front.history.report(&inquiry, now)
    });
    let report = report.await?;
    let table = Table::of(&report, inquiry.by);
    if table.rows.len() > ROWS_MAX {
        let detail = format!("that would be more than {ROWS_MAX} rows; ask for one channel, for less time, or by day");
        return Err(Problem::bad_request("too_many_rows", detail).field("by"));
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((header::VARY, "accept"));
    if !csv {
        return Ok(response.json(table.to_json(&report, &inquiry)));
    }
    let attachment = format!("attachment; filename=\"{}\"", file_name(inquiry.channel.as_ref(), &report));
    response.insert_header((header::CONTENT_DISPOSITION, attachment));
    Ok(response.content_type("text/csv; charset=utf-8; header=present").body(table.to_csv()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn inquiry(query: &str) -> Result<Inquiry, String> {
        let asked = web::Query::<Asked>::from_query(query).map_err(|error| error.to_string())?;
        asked.inquiry(NOW).map_err(|problem| problem.to_string())
    }

    #[test]
    fn without_more_the_last_day_of_every_channel_is_meant() {
        let asked = inquiry("").unwrap();
        assert_eq!((asked.by, asked.channel, asked.from, asked.to), (By::Channel, None, NOW - 86_400, NOW));
        assert_eq!(inquiry("by=track&channel_id=jazz&format=csv").unwrap().by, By::Track);
    }

    #[test]
    fn what_cannot_be_reported_is_refused_with_the_reason() {
        for (query, wrong) in [
            ("by=hour", "hour"),
            ("by=track", "channel_id"),
            ("format=pdf", "pdf"),
            ("channel=jazz", "channel"),
            ("channel_id=a%20b", "bad_channel_id"),
            ("from=yesterday", "bad_time"),
            ("from=1800000000&to=1800000001", "future"),
            ("from=1700000000&to=1600000000", "bad_time"),
        ] {
            let refused = inquiry(query).unwrap_err();
            assert!(refused.contains(wrong), "{query}: {refused}");
        }
    }

    #[test]
    fn the_figures_are_those_that_the_api_describes() {
        let document: Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
        let names = |pointer: &str| -> Vec<String> {
            let mut names: Vec<String> =
                document.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let sorted = |columns: [&str; 9]| {
            let mut columns = columns.map(str::to_owned).to_vec();
            columns.sort();
            columns
        };
        assert_eq!(names("/components/schemas/ReportFigures/properties"), sorted(FIGURES));
        let of_tracks = "/components/schemas/Report/properties/rows/items/oneOf/2/properties";
        assert_eq!(names(of_tracks), sorted(OF_TRACKS));
    }

    #[test]
    fn csv_comes_to_those_who_name_it_first() {
        assert!(wants_csv(Some("text/csv")));
        assert!(wants_csv(Some("text/csv;q=0.9, application/json;q=0.8")));
        for other in [None, Some("*/*"), Some("application/json, text/csv"), Some("text/html")] {
            assert!(!wants_csv(other), "{other:?}");
        }
    }

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_is_never_a_formula() {
        for (value, written) in [
            (json!("So What"), "So What"),
            (json!("A, \"B\"\nC"), "\"A, \"\"B\"\"\nC\""),
            (json!("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\""),
            (json!("@SUM"), "'@SUM"),
            (json!("-2+3"), "'-2+3"),
            (json!("-1001234567890"), "-1001234567890"),
            (json!(-1.5), "-1.5"),
            (Value::Null, ""),
        ] {
            assert_eq!(cell(&value), written);
        }
    }
}
