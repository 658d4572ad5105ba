//! The body of an ingest request: read without copying, then checked as a whole.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use sattva_actors::{
    clock::WallTime,
    identity::{ChannelId, SourceId, check_session},
    protocol::{Ack, Identity, QueueOps, Report, Status},
    wire::Track,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor},
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

#[derive(Debug)]
pub struct IngestRequest<'a> {
    pub source: Cow<'a, str>,
    pub reports: Vec<ReportIn<'a>>,
    pub acks: Vec<Ack>,
    pub wait_seconds: u64,
    unknown: Option<Cow<'a, str>>,
}

#[derive(Debug)]
pub struct ReportIn<'a> {
    channel_id: ChannelIdIn<'a>,
    session: Cow<'a, str>,
    started_at: Option<Cow<'a, str>>,
    seq: u64,
    state: Status,
    listeners: Option<u32>,
    joins: Option<u64>,
    queue_size: Option<u32>,
    queue_ops: Option<QueueOpsIn>,
    track: Option<Track>,
    observed_at: Option<Cow<'a, str>>,
    interval_seconds: Option<f64>,
    unknown: Option<Cow<'a, str>>,
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

impl<'de> Deserialize<'de> for ChannelIdIn<'de> {
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
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for ReportIn<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(ReportVisitor)
    }
}

/// Written out, because a derived one cannot tell which fields it did not know.
struct ReportVisitor;

impl<'de> Visitor<'de> for ReportVisitor {
    type Value = ReportIn<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut channel_id, mut session, mut seq, mut state) = (None, None, None, None);
        let (mut started_at, mut observed_at) = (None::<Option<Text<'de>>>, None::<Option<Text<'de>>>);
        let (mut listeners, mut joins, mut queue_size) = (None, None, None);
        let (mut queue_ops, mut track, mut interval_seconds) = (None, None, None);
        let mut unknown = None;
        while let Some(Text(field)) = map.next_key::<Text<'de>>()? {
            match field.as_ref() {
                "channel_id" => channel_id = Some(map.next_value()?),
                "session" => session = Some(map.next_value::<Text<'de>>()?.0),
                "seq" => seq = Some(map.next_value()?),
                "state" => state = Some(map.next_value()?),
                "started_at" => started_at = Some(map.next_value()?),
                "listeners" => listeners = map.next_value()?,
                "joins" => joins = map.next_value()?,
                "queue_size" => queue_size = map.next_value()?,
                "queue_ops" => queue_ops = map.next_value()?,
                "track" => track = map.next_value()?,
                "observed_at" => observed_at = Some(map.next_value()?),
                "interval_seconds" => interval_seconds = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    unknown = Some(field);
                }
            }
        }
        Ok(ReportIn {
            channel_id: channel_id.ok_or_else(|| A::Error::missing_field("channel_id"))?,
            session: session.ok_or_else(|| A::Error::missing_field("session"))?,
            seq: seq.ok_or_else(|| A::Error::missing_field("seq"))?,
            state: state.ok_or_else(|| A::Error::missing_field("state"))?,
            started_at: started_at.flatten().map(|text| text.0),
            observed_at: observed_at.flatten().map(|text| text.0),
            listeners,
            joins,
            queue_size,
            queue_ops,
            track,
            interval_seconds,
            unknown,
        })
    }
}

impl<'de> Deserialize<'de> for IngestRequest<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Body;
        impl<'de> Visitor<'de> for Body {
            type Value = IngestRequest<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with source and reports")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut source, mut reports, mut acks, mut wait, mut unknown) = (None, None, None, None, None);
                while let Some(Text(field)) = map.next_key::<Text<'de>>()? {
                    match field.as_ref() {
                        "source" => source = Some(map.next_value::<Text<'de>>()?.0),
                        "reports" => reports = map.next_value::<Option<Vec<ReportIn<'de>>>>()?,
                        "acks" => acks = map.next_value::<Option<Vec<Ack>>>()?,
                        "wait_seconds" => wait = map.next_value::<Option<u64>>()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            unknown = Some(field);
                        }
                    }
                }
                Ok(IngestRequest {
                    source: source.ok_or_else(|| A::Error::missing_field("source"))?,
                    reports: reports.unwrap_or_default(),
                    acks: acks.unwrap_or_default(),
                    wait_seconds: wait.unwrap_or(0),
                    unknown,
                })
            }
        }
        d.deserialize_map(Body)
    }
}

/// Reads JSON; when it is wrong it is read once more, slowly, to name the field.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| named::<T>(body, &error))
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
pub type Checked = (SourceId, Vec<(ChannelId, Report)>, Vec<Ack>, Option<String>);

impl<'a> IngestRequest<'a> {
    pub fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        serde_json::from_slice(body).map_err(|error| named::<Self>(body, &error))
    }

    pub fn check(self, report_interval: Duration) -> Result<Checked, Problem> {
        let source = SourceId::new(&self.source)
            .map_err(|error| Problem::bad_request("bad_source", error.to_string()).field("source"))?;
        if self.acks.len() > ACKS_MAX {
            return Err(Problem::too_large(format!("more than {ACKS_MAX} acknowledgements")).field("acks"));
        }
        let mut acks = self.acks;
        for ack in &mut acks {
            if let Some(detail) = ack.detail.as_mut()
                && detail.len() > ACK_TEXT_MAX
            {
                *detail = detail.chars().take(ACK_TEXT_MAX / 4).collect();
            }
        }
        let mut unknown = self.unknown;
        let mut reports = Vec::with_capacity(self.reports.len());
        for (index, mut report) in self.reports.into_iter().enumerate() {
            unknown = unknown.or(report.unknown.take());
            let checked = report.check(report_interval).map_err(|(field, detail)| {
                let field = format!("reports[{index}].{field}");
                Problem::bad_request("bad_report", format!("{field}: {detail}")).field(field)
            })?;
            reports.push(checked);
        }
        Ok((source, reports, acks, unknown.map(Cow::into_owned)))
    }
}

type Wrong = (&'static str, String);

fn time(field: &'static str, text: Option<&str>) -> Result<Option<WallTime>, Wrong> {
    text.map(|text| {
        WallTime::parse_rfc3339(text)
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
        check_session(&self.session).map_err(|error| ("session", error.to_string()))?;
        let listeners_max = u64::from(LISTENERS_MAX);
        at_most("seq", Some(self.seq), COUNTER_MAX)?;
        at_most("listeners", self.listeners.map(u64::from), listeners_max)?;
        at_most("joins", self.joins, COUNTER_MAX)?;
        at_most("queue_size", self.queue_size.map(u64::from), listeners_max)?;
        if let Some(track) = &self.track {
            check_track(track)?;
        }
        let interval = interval(self.interval_seconds, default_interval).map_err(|why| ("interval_seconds", why))?;
        let ops = |o: QueueOpsIn| Box::new(QueueOps([o.add, o.remove, o.r#move, o.clear, o.skip, o.priority_add]));
        let report = Report {
            identity: Identity::Numbered {
                session: self.session.as_ref().into(),
                started_at: time("started_at", self.started_at.as_deref())?,
                seq: self.seq,
            },
            status: self.state,
            listeners: self.listeners,
            joins: self.joins,
            queue_size: self.queue_size,
            queue_ops: self.queue_ops.map(ops),
            track: self.track.map(Arc::new),
            observed_at: time("observed_at", self.observed_at.as_deref())?,
            interval,
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

    fn check(body: &str) -> Result<Checked, String> {
        let request = IngestRequest::parse(body.as_bytes()).map_err(|p| p.to_string())?;
        request.check(Duration::from_secs(5)).map_err(|p| p.to_string())
    }

    const GOOD: &str = r#"{"source":"radio-1","reports":[{"channel_id":-1001234567890,"session":"s","seq":1,"state":"live","listeners":3,"joins":17,"queue_ops":{"add":12},"track":{"id":7,"title":"A \"B\""},"observed_at":"2026-01-31T12:00:00+03:00"}]}"#;

    #[test]
    fn a_telegram_id_may_be_a_number_and_a_time_may_have_any_offset() {
        let (source, reports, _, unknown) = check(GOOD).unwrap();
        let (channel, report) = &reports[0];
        assert_eq!((source.as_str(), channel.as_str()), ("radio-1", "-1001234567890"));
        assert_eq!(report.observed_at.unwrap().to_string(), "2026-01-31T09:00:00.000Z");
        assert_eq!(report.queue_ops.as_ref().unwrap().0[0], 12);
        assert_eq!(unknown, None);
    }

    #[test]
    fn what_a_report_leaves_out_is_unknown() {
        let (_, reports, _, _) = check(
            r#"{"source":"a","reports":[{"channel_id":"x","session":"s","seq":1,"state":"live","listeners":null}]}"#,
        )
        .unwrap();
        let report = &reports[0].1;
        assert_eq!((report.listeners, report.joins, report.queue_size), (None, None, None));
    }

    #[test]
    fn a_field_nobody_knows_is_ignored_and_named() {
        let (_, _, _, unknown) = check(
            r#"{"source":"a","reports":[{"channel_id":"x","session":"s","seq":1,"state":"live","mood":{"a":[1]}}]}"#,
        )
        .unwrap();
        assert_eq!(unknown.as_deref(), Some("mood"));
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
