//! `/api/v1/streams`: the state of all and of one, and what an operator may do.

use std::time::Duration;

use actix_web::{HttpResponse, get, post, web};
use sattva_actors::{
    channel::{auto_end::Reason, journal::Decision},
    identity::ChannelId,
    protocol::{Action, ActionError, Describe, Forget, Inspect, Inspection, Operate, ReadJournal},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    Front,
    body::{Body, is_object},
    problem::Problem,
};

/// The house answers a question within this, or is too busy.
const PATIENCE: Duration = Duration::from_secs(5);
/// One `extend` gives at most a day.
const EXTEND_MAX: u64 = 86_400;

/// Asks an actor and waits for its answer.
pub(super) async fn ask<T>(sent: bool, answer: oneshot::Receiver<T>) -> Result<T, Problem> {
    let busy = || Problem::busy("busy", "the daemon is too busy to answer; try again in a second", 1);
    if !sent {
        return Err(busy());
    }
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        _ => Err(busy()),
    }
}

pub(super) fn channel_id(text: &str) -> Result<ChannelId, Problem> {
    ChannelId::new(text).map_err(|error| Problem::bad_request("bad_channel_id", error.to_string()).field("channel_id"))
}

#[get("/api/v1/streams")]
pub async fn list(front: web::Data<Front>) -> Result<HttpResponse, Problem> {
    let (reply, answer) = oneshot::channel();
    let sent = front.house.supervisor.try_send(Describe { reply }).is_ok();
    let mut streams = ask(sent, answer).await?;
    streams.sort_by(|a, b| a.channel_id.cmp(&b.channel_id));
    Ok(HttpResponse::Ok().json(json!({ "streams": streams })))
}

async fn inspect(front: &Front, channel: ChannelId) -> Result<Box<Inspection>, Problem> {
    let (reply, answer) = oneshot::channel();
    let sent = front.house.supervisor.try_send(Inspect { channel: channel.clone(), reply }).is_ok();
    ask(sent, answer).await?.ok_or_else(|| no_such_channel(&channel))
}

fn no_such_channel(channel: &ChannelId) -> Problem {
    Problem::not_found(format!("there is no channel {channel}; a streamer's first report registers it"))
}

#[get("/api/v1/streams/{channel_id}")]
pub async fn one(front: web::Data<Front>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let inspection = inspect(&front, channel_id(&path)?).await?;
    Ok(HttpResponse::Ok().json(&inspection.state))
}

#[get("/api/v1/streams/{channel_id}/auto-end")]
pub async fn auto_end(front: web::Data<Front>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let inspection = inspect(&front, channel_id(&path)?).await?;
    Ok(HttpResponse::Ok().json(timer(&inspection)))
}

fn timer(inspection: &Inspection) -> serde_json::Value {
    let timer = &inspection.state.auto_end;
    let policy = &inspection.policy;
    json!({
        "is_active": timer.ends_at.is_some(),
        "phase": timer.phase,
        "remaining_seconds": timer.remaining_seconds,
        "ends_at": timer.ends_at.map(|at| at.to_string()),
        "policy": {
            "enabled": policy.enabled,
            "timeout_seconds": policy.timeouts.all_left.get().as_secs_f64(),
            "never_joined_timeout_seconds": policy.timeouts.never_joined.get().as_secs_f64(),
            "warning_seconds": policy.warnings(Reason::AllLeft).map(|w| w.as_secs_f64()).collect::<Vec<_>>(),
            "dry_run": policy.dry_run,
        },
        "paused": inspection.held,
        "why": inspection.why,
    })
}

#[get("/api/v1/streams/{channel_id}/explain")]
pub async fn explain(front: web::Data<Front>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let channel = channel_id(&path)?;
    let inspection = inspect(&front, channel.clone()).await?;
    let (reply, answer) = oneshot::channel();
    let sent = front.house.store.try_send(ReadJournal { channel, reply }).is_ok();
    // The state is worth showing even when the journal cannot be read.
    let (decisions, journal_error): (Vec<Decision>, Option<String>) = match ask(sent, answer).await {
        Ok(Ok(decisions)) => (decisions, None),
        Ok(Err(error)) => (Vec::new(), Some(error)),
        Err(problem) => (Vec::new(), Some(problem.to_string())),
    };
    Ok(HttpResponse::Ok().json(json!({
        "why": inspection.why,
        "state": inspection.state,
        "auto_end": timer(&inspection),
        "evidence": inspection.reporters,
        "commands": inspection.commands,
        "decisions": decisions,
        "journal_error": journal_error,
    })))
}

/// What an operator wants. A word nobody knows may be a misspelt one, and then the wrong thing would be done.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "an object with what is wanted")]
struct Wish {
    seconds: Option<u64>,
    force: bool,
    source: Option<String>,
}

/// The body may be empty; if there is one it must be JSON.
fn wish(body: &[u8]) -> Result<Wish, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(Wish::default());
    }
    if !is_object(body) {
        return Err(Problem::bad_request("bad_body", "the body is not a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let wish = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let what = error.inner().to_string();
        let problem = Problem::bad_request("bad_body", format!("the body is not valid: {what}"));
        let misspelt = what.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        match (misspelt, error.path().to_string()) {
            (Some(field), _) => problem.field(field),
            (None, path) if path != "." => problem.field(path),
            (None, _) => problem,
        }
    })?;
    reader.end().map_err(|error| Problem::bad_request("bad_body", format!("the body is not valid: {error}")))?;
    Ok(wish)
}

async fn act(front: &Front, channel: ChannelId, action: Action) -> Result<HttpResponse, Problem> {
    let (reply, answer) = oneshot::channel();
    let sent = front.house.supervisor.try_send(Operate { channel: channel.clone(), action, reply }).is_ok();
    match ask(sent, answer).await? {
        Ok(state) => Ok(HttpResponse::Ok().json(state)),
        Err(error) => Err(refused(&channel, error)),
    }
}

fn refused(channel: &ChannelId, error: ActionError) -> Problem {
    let detail = error.to_string();
    match error {
        ActionError::NoSuchChannel => no_such_channel(channel),
        ActionError::NoSuchSource => Problem::not_found(detail),
        ActionError::StreamIsOver => Problem::conflict("stream_is_over", detail),
        ActionError::NothingToExtend => Problem::conflict("no_countdown", detail),
        ActionError::SomebodyListens => Problem::conflict("somebody_listens", detail),
        ActionError::CountUnknown => Problem::conflict("count_unknown", detail),
        ActionError::AlreadyStopping => Problem::conflict("already_stopping", detail),
        ActionError::StoreFailing => Problem::busy("store_failing", detail, 5),
        ActionError::Busy => Problem::busy("busy", detail, 1),
        ActionError::Elsewhere => Problem::busy("elsewhere", detail, 1),
    }
}

#[post("/api/v1/streams/{channel_id}/auto-end/{action}")]
pub async fn operate(
    front: web::Data<Front>,
    path: web::Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (channel, action) = path.into_inner();
    let channel = channel_id(&channel)?;
    let wish = wish(&body.0)?;
    let action = match action.as_str() {
        "pause" => Action::Pause,
        "resume" => Action::Resume,
        "cancel" => Action::Cancel,
        "extend" => match wish.seconds {
            Some(seconds @ 1..=EXTEND_MAX) => Action::Extend(Duration::from_secs(seconds)),
            _ => {
                let detail = format!("extend wants {{\"seconds\": N}} with N from 1 to {EXTEND_MAX}");
                return Err(Problem::bad_request("bad_seconds", detail).field("seconds"));
            }
        },
        other => {
            let other: String = other.chars().take(40).collect();
            return Err(Problem::not_found(format!(
                "there is no action {other:?}; there are pause, resume, extend, cancel"
            )));
        }
    };
    act(&front, channel, action).await
}

#[post("/api/v1/streams/{channel_id}/stop")]
pub async fn stop(front: web::Data<Front>, path: web::Path<String>, body: Body) -> Result<HttpResponse, Problem> {
    let wish = wish(&body.0)?;
    act(&front, channel_id(&path)?, Action::Stop { force: wish.force }).await
}

async fn forget_it(front: &Front, channel: ChannelId, source: Option<String>) -> Result<HttpResponse, Problem> {
    let (reply, answer) = oneshot::channel();
    let sent = front.house.supervisor.try_send(Forget { channel: channel.clone(), source, reply }).is_ok();
    match ask(sent, answer).await? {
        Ok(()) => Ok(HttpResponse::Ok().json(json!({ "forgotten": true }))),
        Err(error) => Err(refused(&channel, error)),
    }
}

/// `{"source": …}` takes one reporter out of the sum; without it the whole channel is forgotten.
#[post("/api/v1/streams/{channel_id}/forget")]
pub async fn forget(front: web::Data<Front>, path: web::Path<String>, body: Body) -> Result<HttpResponse, Problem> {
    forget_it(&front, channel_id(&path)?, wish(&body.0)?.source).await
}
