//! Reports as CloudEvents 1.0 in JSON batches: each event's `data` is a report.

use std::time::Duration;

use actix_web::http::header::HeaderValue;
use sattva_actors::wire::Object;
use serde::Deserialize;

use super::request::{self, Checked, IngestRequest, ReportIn, Text, Unknown};
use crate::http::problem::Problem;

pub const CONTENT_TYPE: &str = "application/cloudevents-batch+json";
/// What every event's `type` is.
pub const REPORT: &str = "sattva.report";

#[derive(Debug, Deserialize)]
struct CloudEvent<'a> {
    #[serde(borrow)]
    specversion: Text<'a>,
    /// Reports are told apart by session and seq.
    #[serde(borrow, rename = "id")]
    _id: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    time: Option<Text<'a>>,
    #[serde(borrow)]
    data: Object<ReportIn<'a>>,
    #[serde(rename = "datacontenttype")]
    _content_type: Option<Text<'a>>,
}

/// Whether a request's content type says so.
pub fn is_meant(content_type: Option<&HeaderValue>) -> bool {
    let said = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(CONTENT_TYPE))
}

/// A batch as a request like any other. One source at a time: the answer holds its commands.
pub fn read(body: &[u8]) -> Result<(IngestRequest<'_>, Unknown), Problem> {
    let (events, unknown) = request::read::<Vec<Object<CloudEvent<'_>>>>(body)?;
    let wrong = |index: usize, field: &str, detail: String| {
        let field = format!("[{index}].{field}");
        Problem::bad_request("bad_report", format!("{field}: {detail}")).field(field)
    };
    let mut source: Option<Text<'_>> = None;
    let mut reports = Vec::with_capacity(events.len());
    for (index, event) in events.into_iter().enumerate() {
        let Object(CloudEvent { specversion, source: own, kind, time, mut data, .. }) = event;
        if specversion.0 != "1.0" {
            let own = request::excerpt(&specversion.0);
            return Err(wrong(index, "specversion", format!("{own:?}; events of version 1.0 are taken")));
        }
        if kind.0 != REPORT {
            let own = request::excerpt(&kind.0);
            return Err(wrong(index, "type", format!("{own:?}; events of type {REPORT} are taken")));
        }
        if source.as_ref().is_some_and(|first| first.0 != own.0) {
            return Err(wrong(index, "source", "another one than that of the first event; send them apart".into()));
        }
        source.get_or_insert(own);
        data.0.observed_at = data.0.observed_at.or(time);
        reports.push(data);
    }
    let Some(source) = source else {
        return Err(Problem::bad_request("bad_report", "the body: no event, so there is no source to answer"));
    };
    Ok((IngestRequest::of(source, reports), unknown))
}

/// A wrong field is named as in the batch, not as in a plain request.
pub fn check(request: IngestRequest<'_>, every: Duration) -> Result<Checked, Problem> {
    request.check_as(every, |index, field| format!("[{index}].data.{field}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(body: &str) -> Result<(Checked, Unknown), String> {
        let (request, unknown) = read(body.as_bytes()).map_err(|problem| problem.to_string())?;
        let checked = check(request, Duration::from_secs(5)).map_err(|problem| problem.to_string())?;
        Ok((checked, unknown))
    }

    fn event(source: &str, more: &str) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"1","source":"{source}","type":"sattva.report","time":"2026-01-31T12:00:00Z",
            "data":{{"channel_id":-100,"session":"s","seq":1,"state":"live","listeners":0{more}}}}}"#
        )
    }

    #[test]
    fn a_batch_of_events_is_a_request_of_their_source() {
        let own_time = r#","observed_at":"2026-01-31T11:00:00Z""#;
        let body = format!("[{},{}]", event("radio-1", ""), event("radio-1", own_time));
        let (Checked { source, reports, acks }, unknown) = taken(&body).unwrap();
        assert_eq!((source.as_str(), reports.len(), acks.len(), unknown.len()), ("radio-1", 2, 0, 0));
        assert_eq!((reports[0].0.as_str(), reports[0].1.listeners), ("-100", Some(0)));
        let times: Vec<_> = reports.iter().map(|(_, report)| report.observed_at.unwrap().to_string()).collect();
        assert_eq!(times, ["2026-01-31T12:00:00.000Z", "2026-01-31T11:00:00.000Z"]);
    }

    #[test]
    fn an_extension_is_ignored_and_named() {
        let body = format!("[{}]", event("radio-1", "").replacen('{', r#"{"traceparent":"x","#, 1));
        assert!(taken(&body).unwrap().1.contains("traceparent"));
    }

    #[test]
    fn one_wrong_event_and_the_batch_is_refused_with_its_index() {
        let good = event("radio-1", "");
        for (bad, named) in [
            (good.replace("1.0", "0.3"), "[1].specversion"),
            (good.replace("sattva.report", "com.example.other"), "[1].type"),
            (event("radio-2", ""), "[1].source"),
            (event("radio-1", r#","joins":-1"#), "[1].data.joins"),
            (event("radio-1", r#","interval_seconds":0"#), "[1].data.interval_seconds"),
            (good.replace("12:00:00Z", "noon"), "[1].data.observed_at"),
        ] {
            let error = taken(&format!("[{good},{bad}]")).unwrap_err();
            assert!(error.contains(named), "{bad}\n gave {error}\n not {named}");
        }
        for body in ["", "{", "{}", "[]", "[1]", "null"] {
            assert!(taken(body).is_err(), "{body}");
        }
    }

    #[test]
    fn the_content_type_says_what_it_is() {
        let meant = |text| is_meant(Some(&HeaderValue::from_static(text)));
        assert!(
            meant("application/cloudevents-batch+json") && meant("Application/CloudEvents-Batch+JSON; charset=utf-8")
        );
        assert!(!meant("application/json") && !is_meant(None));
    }
}
