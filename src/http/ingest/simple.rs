//! The simplest report: how many listen. Its channel is in the path.

use std::time::Duration;

use sattva_actors::{
    protocol::{Identity, Report, Status},
    wire::Object,
};
use serde::Deserialize;

use super::request::{self, LISTENERS_MAX, Unknown};
use crate::http::problem::Problem;

#[derive(Debug, Deserialize)]
struct SimpleReport {
    listeners_count: u32,
    state: Option<Status>,
    interval_seconds: Option<f64>,
}

/// The report, and the fields of the body that nobody knows.
pub fn read(body: &[u8], report_interval: Duration) -> Result<(Report, Unknown), Problem> {
    let (Object(simple), unknown) = request::read::<Object<SimpleReport>>(body)?;
    if simple.listeners_count > LISTENERS_MAX {
        let detail = format!("listeners_count is {}; more than {LISTENERS_MAX} cannot be", simple.listeners_count);
        return Err(Problem::bad_request("bad_report", detail).field("listeners_count"));
    }
    let interval = request::interval(simple.interval_seconds, report_interval)
        .map_err(|detail| Problem::bad_request("bad_report", detail).field("interval_seconds"))?;
    let report = Report {
        identity: Identity::Simple,
        status: simple.state.unwrap_or(Status::Live),
        listeners: Some(simple.listeners_count),
        joins: None,
        queue_size: None,
        queue_ops: None,
        track: None,
        observed_at: None,
        interval,
        can_stop: true,
    };
    Ok((report, unknown))
}
