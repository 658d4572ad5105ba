//! `GET /api/v1/history`: one figure over time. `GET /api/v1/history/events`: what happened to one channel.

use std::time::Duration;

use actix_web::{HttpResponse, get, web};
use sattva_actors::{clock::WallTime, identity::ChannelId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Front, problem::Problem, streams::channel_id};
use crate::history::{Answer, Event, HistoryError, Metric, POINTS_MAX, Point, Question, Series, What};

/// Without `from`: the last hour.
const SPAN: i64 = 3600;
/// Without `step`: as coarse as a screen needs.
const POINTS: i64 = 720;
/// Events in one answer: the newest.
const EVENTS_MAX: usize = 5_000;
/// Nothing is kept for longer than a tenth of this.
const SPAN_MAX: i64 = 10 * 366 * 86_400;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    metric: Metric,
    channel_id: Option<String>,
    /// RFC 3339, or seconds since 1970.
    from: Option<String>,
    to: Option<String>,
    /// Seconds, or a duration such as `1m`.
    step: Option<String>,
}

fn time(field: &'static str, text: &str) -> Result<i64, Problem> {
    let seconds = text.parse::<i64>().ok().filter(|seconds| (0..=253_402_300_799).contains(seconds));
    let read = || WallTime::parse_rfc3339(text).map(|at| at.as_millis().div_euclid(1000)).filter(|at| *at >= 0);
    seconds.or_else(read).ok_or_else(|| {
        let detail = format!("{text:?} is no time such as 2026-01-31T12:00:00Z, nor seconds since 1970");
        Problem::bad_request("bad_time", detail).field(field)
    })
}

fn step(text: &str) -> Result<i64, Problem> {
    let seconds = text.parse().map(Duration::from_secs).or_else(|_| humantime::parse_duration(text));
    seconds
        .ok()
        .and_then(|step| i64::try_from(step.as_secs()).ok())
        .filter(|step| (1..=SPAN_MAX).contains(step))
        .ok_or_else(|| Problem::bad_request("bad_step", format!("{text:?} is no step such as 60 or 5m")).field("step"))
}

/// A stretch of time in seconds, up to now and so long where nothing else is said.
pub(super) fn stretch(from: Option<&str>, to: Option<&str>, now: i64, long: i64) -> Result<(i64, i64), Problem> {
    let to = to.map_or(Ok(now), |text| time("to", text))?;
    let from = from.map_or(Ok((to - long).max(0)), |text| time("from", text))?;
    if from >= to || to - from > SPAN_MAX {
        let detail = "from must be before to, and no more than ten years";
        return Err(Problem::bad_request("bad_time", detail).field("from"));
    }
    Ok((from, to))
}

impl Asked {
    fn question(&self, now: i64) -> Result<Question, Problem> {
        let (from, to) = stretch(self.from.as_deref(), self.to.as_deref(), now, SPAN)?;
        let step = self.step.as_deref().map_or(Ok(((to - from) / POINTS).max(1)), step)?;
        if (to - from) / step > POINTS_MAX {
            let detail = format!("that would be more than {POINTS_MAX} points; ask for longer steps, or for less time");
            return Err(Problem::bad_request("too_many_points", detail).field("step"));
        }
        let channel = self.channel_id.as_deref().map(channel_id).transpose()?;
        if channel.is_some() && !self.metric.is_of_channels() {
            let detail = format!("{} is measured of all channels together only", self.metric.as_str());
            return Err(Problem::bad_request("bad_query", detail).field("channel_id"));
        }
        Ok(Question { series: Series { metric: self.metric, channel }, from, to, step })
    }
}

fn shown(metric: Metric, channel: Option<&ChannelId>, answer: &Answer) -> Value {
    let number = |hundredths: i64| json!(hundredths as f64 / 100.0);
    let row = |(at, point): &(i64, Option<Point>)| {
        let at = WallTime::from_millis(at * 1000).to_string();
        match point {
            Some(point) => json!([at, number(point.avg), number(point.min), number(point.max)]),
            None => json!([at, null, null, null]),
        }
    };
    let points: Vec<Value> = answer.points.iter().map(row).collect();
    json!({ "metric": metric, "channel_id": channel, "step_seconds": answer.step, "points": points })
}

/// Asks where a wait for the disk holds nobody up.
pub(super) async fn read<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Problem> {
    match web::block(ask).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error @ HistoryError::Busy)) => Err(Problem::busy("busy", error.to_string(), 1)),
        Ok(Err(error)) => Err(Problem::busy("history_unavailable", error.to_string(), 60)),
        Err(_) => Err(Problem::busy("busy", "the daemon is too busy to answer; try again in a second", 1)),
    }
}

/// Seconds since 1970.
pub(super) fn now(front: &Front) -> i64 {
    front.clock.now().wall.as_millis().div_euclid(1000)
}

#[get("/api/v1/history")]
pub async fn get(front: web::Data<Front>, asked: web::Query<Asked>) -> Result<HttpResponse, Problem> {
    let now = now(&front);
    let question = asked.question(now)?;
    let answer = read(move || {
        let answer = front.history.answer(&question, now)?;
        Ok(shown(question.series.metric, question.series.channel.as_ref(), &answer))
    });
    Ok(HttpResponse::Ok().json(answer.await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedEvents {
    channel_id: String,
    /// As above.
    from: Option<String>,
    to: Option<String>,
}

fn shown_event(Event { at, what }: &Event) -> Value {
    let at = WallTime::from_millis(*at).to_string();
    match what {
        What::Started => json!({ "at": at, "type": "stream_update", "event": "started" }),
        What::Stopped => json!({ "at": at, "type": "stream_update", "event": "stopped" }),
        What::Track { track, listeners } => {
            let track = track.as_ref().map(|track| json!({ "title": track.title, "artist": track.artist }));
            json!({
                "at": at, "type": "stream_update", "event": "track_changed",
                "current_track": track, "listeners": listeners,
            })
        }
        What::AutoEnd { event, phase, reason } => {
            json!({ "at": at, "type": "auto_end", "event": event, "phase": phase, "reason": reason })
        }
    }
}

#[get("/api/v1/history/events")]
pub async fn events(front: web::Data<Front>, asked: web::Query<AskedEvents>) -> Result<HttpResponse, Problem> {
    let channel = channel_id(&asked.channel_id)?;
    let (from, to) = stretch(asked.from.as_deref(), asked.to.as_deref(), now(&front), SPAN)?;
    let events = read({
        let channel = channel.clone();
        move || front.history.events(&channel, from * 1000, to * 1000)
    });
    let events = events.await?;
    let left_out = events.len().saturating_sub(EVENTS_MAX);
    let shown: Vec<Value> = events[left_out..].iter().map(shown_event).collect();
    Ok(HttpResponse::Ok().json(json!({ "channel_id": channel, "events": shown, "left_out": left_out })))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn question(query: &str) -> Result<Question, String> {
        let asked = web::Query::<Asked>::from_query(query).map_err(|error| error.to_string())?;
        asked.question(NOW).map_err(|problem| problem.to_string())
    }

    #[test]
    fn without_more_the_last_hour_is_meant_in_as_many_steps_as_a_screen_has_room_for() {
        let asked = question("metric=streams").unwrap();
        assert_eq!((asked.from, asked.to, asked.step), (NOW - 3600, NOW, 5));
        let week = question("metric=listeners&channel_id=jazz&from=2027-01-08T08:00:00Z&to=1800000000").unwrap();
        assert_eq!((week.to - week.from, week.step), (7 * 86_400, 840));
        assert_eq!(question("metric=cpu&step=5m").unwrap().step, 300);
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_the_reason() {
        for (query, wrong) in [
            ("", "metric"),
            ("metric=volume", "volume"),
            ("metric=cpu&volume=11", "volume"),
            ("metric=cpu&channel_id=jazz", "together only"),
            ("metric=queue&channel_id=a%20b", "bad_channel_id"),
            ("metric=cpu&from=yesterday", "bad_time"),
            ("metric=cpu&from=-1", "bad_time"),
            ("metric=cpu&from=1800000000", "bad_time"),
            ("metric=cpu&to=99999999999999999999", "bad_time"),
            ("metric=cpu&step=0", "bad_step"),
            ("metric=cpu&step=-5", "bad_step"),
            ("metric=cpu&step=1&from=0", "bad_time"),
            ("metric=cpu&step=5&from=1700000000", "too_many_points"),
        ] {
            let refused = question(query).unwrap_err();
            assert!(refused.contains(wrong), "{query}: {refused}");
        }
    }
}
