//! The body of an ingest request: read without copying, then checked as a whole.

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc, time::Duration};

use sattva_actors::{
    clock::WallTime,
    identity::{ChannelId, SourceId, check_session},
    protocol::{Ack, Identity, QueueOps, Report, Status},
    wire::{Object, Track},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, Visitor},
};

use crate::http::problem::Problem;

/// More listeners than this on one stream are a mistake.
pub const LISTENERS_MAX: u32 = 10_000_000;
/// Numbers that pass through JavaScript unharmed.
const COUNTER_MAX: u64 = 1 << 53;
/// A source's rhythm, in seconds.
const INTERVAL: std::ops::RangeInclusive<f64> = 0.1..=3600.0;
/// Characters of a track's texts.
const TRACK_TEXT_MAX: usize = 1000;
/// Acknowledgements in one request, and the length of their texts.
const ACKS_MAX: usize = 10_000;
const ACK_TEXT_MAX: usize = 1000;
/// Unknown fields of one request that are named, and how much of each name.
const UNKNOWN_MAX: usize = 16;
const UNKNOWN_NAME_MAX: usize = 64;
/// Characters of what a body says itself that are told of one that is wrong.
const TOLD_MAX: usize = 300;

#[derive(Debug, Deserialize)]
pub struct IngestRequest<'a> {
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    reports: Option<Vec<Object<ReportIn<'a>>>>,
    acks: Option<Vec<Object<Ack>>>,
    wait_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub struct ReportIn<'a> {
    #[serde(borrow)]
    channel_id: ChannelIdIn<'a>,
    #[serde(borrow)]
    session: Text<'a>,
    #[serde(borrow)]
    started_at: Option<Text<'a>>,
    seq: u64,
    state: Status,
    listeners: Option<u32>,
    joins: Option<u64>,
    queue_size: Option<u32>,
    queue_ops: Option<Object<QueueOpsIn>>,
    track: Option<Object<Track>>,
    #[serde(borrow)]
    pub observed_at: Option<Text<'a>>,
    interval_seconds: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct QueueOpsIn {
    add: u64,
    remove: u64,
    r#move: u64,
    clear: u64,
    skip: u64,
    priority_add: u64,
}

/// A name as text, or as the number Telegram makes of it.
#[derive(Debug)]
struct ChannelIdIn<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for ChannelIdIn<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = ChannelIdIn<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an integer")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(ChannelIdIn(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(ChannelIdIn(Cow::Owned(text.to_owned())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(ChannelIdIn(Cow::Owned(number.to_string())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(ChannelIdIn(Cow::Owned(number.to_string())))
            }
        }
        d.deserialize_any(Name)
    }
}

/// A text that is borrowed where it has no escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The names of fields that nobody here knows, without their places in lists.
pub type Unknown = BTreeSet<String>;

/// Reads JSON, and what of it nobody knows; when it is wrong it is read once more, slowly, to name the field.
pub fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<(T, Unknown), Problem> {
    let mut unknown = Unknown::new();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_ignored::deserialize::<_, _, T>(&mut reader, |path| {
        if unknown.len() < UNKNOWN_MAX {
            unknown.insert(field_name(&path).chars().take(UNKNOWN_NAME_MAX).collect());
        }
    });
    match read.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok((value, unknown)),
        Err(error) => Err(named::<T>(body, &error)),
    }
}

fn field_name(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path::{Map, NewtypeStruct, NewtypeVariant, Root, Seq, Some};
    match path {
        Root => String::new(),
        Map { parent, key } => match field_name(parent) {
            above if above.is_empty() => key.clone(),
            above => format!("{above}.{key}"),
        },
        Seq { parent, .. } | Some { parent } | NewtypeStruct { parent } | NewtypeVariant { parent } => {
            field_name(parent)
        }
    }
}

/// As much of a text as is told again.
pub fn excerpt(text: &str) -> &str {
    text.char_indices().nth(TOLD_MAX).map_or(text, |(end, _)| &text[..end])
}

fn named<'de, T: Deserialize<'de>>(body: &'de [u8], error: &serde_json::Error) -> Problem {
    // A field of the wrong type can look like a mistake in the JSON, so the JSON is judged by itself.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
        return Problem::bad_request("not_json", format!("the body is not JSON: {error}"));
    }
    let reader = &mut serde_json::Deserializer::from_slice(body);
    let (path, what) = match serde_path_to_error::deserialize::<_, T>(reader) {
        Err(error) => (error.path().to_string(), error.inner().to_string()),
        Ok(_) => (".".to_owned(), error.to_string()),
    };
    let what = excerpt(&what);
    // A missing field is part of the object whose path this is.
    let field = match what.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        Some(name) if path == "." => name.to_owned(),
        Some(name) => format!("{path}.{name}"),
        None if path == "." => return Problem::bad_request("bad_report", format!("the body: {what}")),
        None => path,
    };
    Problem::bad_request("bad_report", format!("{field}: {what}")).field(field)
}

/// A source's rhythm, or why it cannot be.
pub fn interval(seconds: Option<f64>, default: Duration) -> Result<Duration, String> {
    match seconds {
        None => Ok(default),
        Some(seconds) if INTERVAL.contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Some(seconds) => {
            Err(format!("interval_seconds is {seconds}; it must be from {} to {}", INTERVAL.start(), INTERVAL.end()))
        }
    }
}

/// What a request is after it was checked: one wrong report and nothing of it counts.
#[derive(Debug)]
pub struct Checked {
    pub source: SourceId,
    pub reports: Vec<(ChannelId, Report)>,
    pub acks: Vec<Ack>,
}

impl<'a> IngestRequest<'a> {
    pub fn read(body: &'a [u8]) -> Result<(Self, Unknown), Problem> {
        read(body).map(|(Object(request), unknown)| (request, unknown))
    }

    pub fn of(source: Text<'a>, reports: Vec<Object<ReportIn<'a>>>) -> Self {
        Self { source, reports: Some(reports), acks: None, wait_seconds: None }
    }

    pub fn reports(&self) -> usize {
        self.reports.as_ref().map_or(0, Vec::len)
    }

    pub fn wait_seconds(&self) -> u64 {
        self.wait_seconds.unwrap_or(0)
    }

    pub fn check(self, report_interval: Duration) -> Result<Checked, Problem> {
        self.check_as(report_interval, |index, field| format!("reports[{index}].{field}"))
    }

    /// `name` tells where a field of a report stands in the body.
    pub fn check_as(self, report_interval: Duration, name: impl Fn(usize, &str) -> String) -> Result<Checked, Problem> {
        let count = self.reports();
        let source = SourceId::new(&self.source.0)
            .map_err(|error| Problem::bad_request("bad_source", error.to_string()).field("source"))?;
        let mut acks: Vec<Ack> = self.acks.into_iter().flatten().map(|Object(ack)| ack).collect();
        if acks.len() > ACKS_MAX {
            return Err(Problem::too_large(format!("more than {ACKS_MAX} acknowledgements")).field("acks"));
        }
        for (index, ack) in acks.iter_mut().enumerate() {
            if ack.id.len() > ACK_TEXT_MAX {
                let field = format!("acks[{index}].id");
                let detail = format!("{field}: longer than {ACK_TEXT_MAX} bytes, so it is none of ours");
                return Err(Problem::bad_request("bad_report", detail).field(field));
            }
            if let Some(detail) = ack.detail.as_mut()
                && detail.len() > ACK_TEXT_MAX
            {
                *detail = detail.chars().take(ACK_TEXT_MAX / 4).collect();
            }
        }
        let mut reports = Vec::with_capacity(count);
        for (index, Object(report)) in self.reports.into_iter().flatten().enumerate() {
            let checked = report.check(report_interval).map_err(|(field, detail)| {
                let field = name(index, field);
                Problem::bad_request("bad_report", format!("{field}: {detail}")).field(field)
            })?;
            reports.push(checked);
        }
        Ok(Checked { source, reports, acks })
    }
}

type Wrong = (&'static str, String);

fn time(field: &'static str, text: Option<Text<'_>>) -> Result<Option<WallTime>, Wrong> {
    text.map(|Text(text)| {
        WallTime::parse_rfc3339(&text)
            .ok_or_else(|| (field, "not an RFC 3339 timestamp such as 2026-01-31T12:00:00.000Z".to_owned()))
    })
    .transpose()
}

fn at_most(field: &'static str, value: Option<u64>, max: u64) -> Result<(), Wrong> {
    match value {
        Some(value) if value > max => Err((field, format!("{value} cannot be; the limit is {max}"))),
        _ => Ok(()),
    }
}

impl ReportIn<'_> {
    fn check(self, default_interval: Duration) -> Result<(ChannelId, Report), Wrong> {
        let channel = ChannelId::new(&self.channel_id.0).map_err(|error| ("channel_id", error.to_string()))?;
        check_session(&self.session.0).map_err(|error| ("session", error.to_string()))?;
        let listeners_max = u64::from(LISTENERS_MAX);
        at_most("seq", Some(self.seq), COUNTER_MAX)?;
        at_most("listeners", self.listeners.map(u64::from), listeners_max)?;
        at_most("joins", self.joins, COUNTER_MAX)?;
        at_most("queue_size", self.queue_size.map(u64::from), listeners_max)?;
        if let Some(Object(track)) = &self.track {
            check_track(track)?;
        }
        let interval = interval(self.interval_seconds, default_interval).map_err(|why| ("interval_seconds", why))?;
        let ops = self.queue_ops.map(|Object(o)| [o.add, o.remove, o.r#move, o.clear, o.skip, o.priority_add]);
        for count in ops.iter().flatten() {
            at_most("queue_ops", Some(*count), COUNTER_MAX)?;
        }
        let report = Report {
            identity: Identity::Numbered {
                session: self.session.0.as_ref().into(),
                started_at: time("started_at", self.started_at)?,
                seq: self.seq,
            },
            status: self.state,
            listeners: self.listeners,
            joins: self.joins,
            queue_size: self.queue_size,
            queue_ops: ops.map(|ops| Box::new(QueueOps(ops))),
            track: self.track.map(|Object(track)| Arc::new(track)),
            observed_at: time("observed_at", self.observed_at)?,
            interval,
            can_stop: true,
        };
        Ok((channel, report))
    }
}

fn check_track(track: &Track) -> Result<(), Wrong> {
    let texts =
        [Some(&track.title), track.id.as_ref(), track.artist.as_ref(), track.url.as_ref(), track.started_at.as_ref()];
    if texts.into_iter().flatten().any(|text| text.chars().count() > TRACK_TEXT_MAX) {
        return Err(("track", format!("a text is longer than {TRACK_TEXT_MAX} characters")));
    }
    if track.started_at.as_deref().is_some_and(|at| WallTime::parse_rfc3339(at).is_none()) {
        return Err(("track.started_at", "not an RFC 3339 timestamp such as 2026-01-31T12:00:00.000Z".to_owned()));
    }
    if track.duration_seconds.is_some_and(|seconds| !(0.0..1e9).contains(&seconds)) {
        return Err(("track.duration_seconds", "not a plausible duration".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<(Checked, Unknown), String> {
        let (request, unknown) = IngestRequest::read(body.as_bytes()).map_err(|p| p.to_string())?;
        Ok((request.check(Duration::from_secs(5)).map_err(|p| p.to_string())?, unknown))
    }

    const GOOD: &str = r#"{"source":"radio-1","reports":[{"channel_id":-1001234567890,"session":"s","seq":1,"state":"live","listeners":3,"joins":17,"queue_ops":{"add":12},"track":{"id":7,"title":"A \"B\""},"observed_at":"2026-01-31T12:00:00+03:00"}]}"#;

    #[test]
    fn a_telegram_id_may_be_a_number_and_a_time_may_have_any_offset() {
        let (Checked { source, reports, .. }, unknown) = check(GOOD).unwrap();
        let (channel, report) = &reports[0];
        assert_eq!((source.as_str(), channel.as_str()), ("radio-1", "-1001234567890"));
        assert_eq!(report.observed_at.unwrap().to_string(), "2026-01-31T09:00:00.000Z");
        assert_eq!(report.queue_ops.as_ref().unwrap().0[0], 12);
        assert!(unknown.is_empty());
    }

    #[test]
    fn what_a_report_leaves_out_is_unknown() {
        let (Checked { reports, .. }, _) = check(
            r#"{"source":"a","reports":[{"channel_id":"x","session":"s","seq":1,"state":"live","listeners":null}]}"#,
        )
        .unwrap();
        let report = &reports[0].1;
        assert_eq!((report.listeners, report.joins, report.queue_size), (None, None, None));
    }

    #[test]
    fn every_field_nobody_knows_is_ignored_and_named_wherever_it_stands() {
        let (_, unknown) = check(
            r#"{"source":"a","colour":1,"acks":[{"id":"x","outcome":"ok","by":"me"}],"reports":[{"channel_id":"x",
            "session":"s","seq":1,"state":"live","mood":{"a":[1]},"track":{"title":"t","year":1999},
            "queue_ops":{"add":1,"shuffle":2}}]}"#,
        )
        .unwrap();
        let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
        assert_eq!(unknown, ["acks.by", "colour", "reports.mood", "reports.queue_ops.shuffle", "reports.track.year"]);
    }

    #[test]
    fn what_is_told_of_a_wrong_body_is_short_however_long_its_texts_are() {
        let long = "я".repeat(100_000);
        for body in [
            format!(r#"{{"source":"{long}"}}"#),
            format!(r#"{{"source":"a","reports":"{long}"}}"#),
            format!(r#"{{"source":"a","reports":[{{"channel_id":"x","session":"s","seq":1,"state":"{long}"}}]}}"#),
            format!(r#"{{"source":"a","reports":[{{"channel_id":"x","session":"s","seq":"{long}"}}]}}"#),
        ] {
            let told = check(&body).unwrap_err();
            assert!(told.len() < 1000, "{} bytes", told.len());
        }
    }

    #[test]
    fn a_list_of_the_right_values_is_no_object_wherever_it_stands() {
        let body = |of_report: &str, more: &str| {
            format!(
                r#"{{"source":"a","reports":[{{"channel_id":"x","session":"s","seq":1,"state":"live"{of_report}}}]{more}}}"#
            )
        };
        check(&body("", "")).unwrap();
        for (wrong, named) in [
            (r#"["a",[],[],0]"#.to_owned(), "the body"),
            (
                r#"{"source":"a","reports":[["x","s",null,1,"live",0,null,null,null,null,null,null]]}"#.into(),
                "reports[0]",
            ),
            (body(r#","track":[null,"t",null,null,null,null]"#, ""), "reports[0].track"),
            (body(r#","queue_ops":[1,0,0,0,0,0]"#, ""), "reports[0].queue_ops"),
            (body("", r#","acks":[["id","ok",null]]"#), "acks[0]"),
        ] {
            let told = check(&wrong).unwrap_err();
            assert!(
                told.contains(&format!("{named}: invalid type: sequence, expected a JSON object")),
                "{wrong}: {told}"
            );
        }
    }

    #[test]
    fn each_wrong_body_names_what_is_wrong() {
        let report = |fields: &str| {
            format!(
                r#"{{"source":"a","reports":[{{"channel_id":"ok","session":"s","seq":1,"state":"live"}},{{{fields}}}]}}"#
            )
        };
        for (body, expect) in [
            ("".to_owned(), "not_json"),
            ("{".to_owned(), "not_json"),
            ("hello".to_owned(), "not_json"),
            ("[]".to_owned(), "bad_report"),
            (format!("{GOOD}x"), "not_json"),
            (r#"{"reports":[]}"#.to_owned(), "source: missing field `source`"),
            (r#"{"source":"a b"}"#.to_owned(), "bad_source"),
            (report(r#""session":"s","seq":1,"state":"live""#), "reports[1].channel_id"),
            (report(r#""channel_id":"a/b","session":"s","seq":1,"state":"live""#), "reports[1].channel_id"),
            (report(r#""channel_id":"a","session":"","seq":1,"state":"live""#), "reports[1].session"),
            (report(r#""channel_id":"a","session":"s","seq":-1,"state":"live""#), "reports[1].seq"),
            (report(r#""channel_id":"a","session":"s","seq":1,"state":"dancing""#), "reports[1].state"),
            (report(r#""channel_id":"a","session":"s","seq":1,"state":1"#), "reports[1].state"),
            ("[1,".to_owned(), "not_json"),
            (report(r#""channel_id":"a","session":"s","seq":1,"state":"live","listeners":-1"#), "reports[1].listeners"),
            (
                report(r#""channel_id":"a","session":"s","seq":1,"state":"live","listeners":"3""#),
                "reports[1].listeners",
            ),
            (
                report(r#""channel_id":"a","session":"s","seq":1,"state":"live","listeners":4000000000"#),
                "reports[1].listeners",
            ),
            (
                report(r#""channel_id":"a","session":"s","seq":1,"state":"live","listeners":1.5"#),
                "reports[1].listeners",
            ),
            (
                report(r#""channel_id":"a","session":"s","seq":1,"state":"live","joins":18446744073709551615"#),
                "reports[1].joins",
            ),
            (
                report(
                    r#""channel_id":"a","session":"s","seq":1,"state":"live","queue_ops":{"skip":18446744073709551615}"#,
                ),
                "reports[1].queue_ops",
            ),
            (
                report(r#""channel_id":"a","session":"s","seq":1,"state":"live","started_at":"yesterday""#),
                "reports[1].started_at",
            ),
            (
                report(r#""channel_id":"a","session":"s","seq":1,"state":"live","interval_seconds":0"#),
                "reports[1].interval_seconds",
            ),
            (
                report(r#""channel_id":"a","session":"s","seq":1,"state":"live","track":{"artist":"x"}"#),
                "reports[1].track",
            ),
        ] {
            let error = check(&body).expect_err(&body);
            assert!(error.contains(expect), "{body}\n gave {error}\n not {expect}");
        }
    }
}
