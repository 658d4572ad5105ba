//! `/api/v1/streams`: the state of all and of one, and what an operator may do. What is asked of a channel that another
//! daemon has is asked there.

use std::time::Duration;

use actix_web::{
    HttpResponse, get,
    http::{StatusCode, header::RETRY_AFTER},
    post, web,
};
use sattva_actors::{
    channel::{auto_end::Reason, journal::Decision},
    fleet::{
        AskElsewhere,
        letter::{Question, Said},
    },
    identity::ChannelId,
    protocol::{Action, ActionError, Describe, Forget, Inspect, Inspection, Operate, ReadJournal},
    wire::Object,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Front,
    body::Body,
    problem::Problem,
    request_id::{self, RequestId},
};
use crate::access::caller::Caller;

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
    let sent = front.house.describe.try_send(Describe { reply }).is_ok();
    let mut streams = ask(sent, answer).await?;
    streams.sort_by(|a, b| a.channel_id.cmp(&b.channel_id));
    Ok(HttpResponse::Ok().json(json!({ "streams": streams })))
}

/// Answered here, or by the daemon that has the channel.
async fn about(front: &Front, channel: ChannelId, question: Question) -> Result<HttpResponse, Problem> {
    let elsewhere = front.house.fleet.as_ref().filter(|_| !front.store.holds(channel.as_str()));
    let Some(fleet) = elsewhere else { return Ok(HttpResponse::Ok().json(answer(front, channel, question).await?)) };
    let (reply, said) = oneshot::channel();
    let sent = fleet.try_send(AskElsewhere { channel: channel.clone(), question, reply }).is_ok();
    match tokio::time::timeout(PATIENCE, said).await {
        Ok(Ok(said)) if sent => Ok(response(said)),
        _ => Err(refused(&channel, ActionError::Elsewhere)),
    }
}

fn by(caller: &Caller, action: Action) -> Question {
    Question::Operate { action, by: caller.token_name().map(Into::into) }
}

/// Whatever an operator does is written down, and how it went.
async fn operated(
    front: &Front,
    caller: &Caller,
    channel: ChannelId,
    question: Question,
) -> Result<HttpResponse, Problem> {
    let action = match &question {
        Question::Operate { action, .. } => json!(action),
        other => json!(other),
    };
    let outcome = about(front, channel.clone(), question).await;
    let said = match &outcome {
        Ok(answer) => answer.status().as_str().to_owned(),
        Err(problem) => problem.code.to_owned(),
    };
    let (who, address) = (caller.name(), caller.address);
    let id = RequestId::current();
    let request_id = id.as_ref().map(RequestId::as_str);
    tracing::info!(target: "audit", request_id, who, %address, %action, %channel, outcome = said, "operator action");
    outcome
}

/// What this daemon says of a channel of its own.
pub async fn answer(front: &Front, channel: ChannelId, question: Question) -> Result<Value, Problem> {
    match question {
        Question::State => Ok(json!(inspect(front, channel).await?.state)),
        Question::AutoEnd => Ok(timer(&*inspect(front, channel).await?)),
        Question::Explain => explained(front, channel).await,
        Question::Operate { action, by } => {
            let (reply, answer) = oneshot::channel();
            let asked = Operate { channel: channel.clone(), action, by, reply };
            let sent = front.house.supervisor.try_send(asked).is_ok();
            ask(sent, answer).await?.map(|operation| json!(operation)).map_err(|error| refused(&channel, error))
        }
        Question::Forget { source } => {
            let (reply, answer) = oneshot::channel();
            let sent = front.house.supervisor.try_send(Forget { channel: channel.clone(), source, reply }).is_ok();
            ask(sent, answer).await?.map_err(|error| refused(&channel, error))?;
            Ok(json!({ "forgotten": true }))
        }
    }
}

/// As another daemon said it; of whose request, only this one knows.
fn response(said: Said) -> HttpResponse {
    let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = said.retry_after {
        response.insert_header((RETRY_AFTER, seconds));
    }
    if status.is_success() {
        return response.content_type("application/json").body(said.body);
    }
    response.content_type("application/problem+json").body(request_id::noted_in(said.body))
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
    about(&front, channel_id(&path)?, Question::State).await
}

#[get("/api/v1/streams/{channel_id}/auto-end")]
pub async fn auto_end(front: web::Data<Front>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    about(&front, channel_id(&path)?, Question::AutoEnd).await
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
    about(&front, channel_id(&path)?, Question::Explain).await
}

async fn explained(front: &Front, channel: ChannelId) -> Result<Value, Problem> {
    let inspection = inspect(front, channel.clone()).await?;
    let (reply, answer) = oneshot::channel();
    let sent = front.house.store.try_send(ReadJournal { channel, reply }).is_ok();
    // The state is worth showing even when the journal cannot be read.
    let (decisions, journal_error): (Vec<Decision>, Option<String>) = match ask(sent, answer).await {
        Ok(Ok(decisions)) => (decisions, None),
        Ok(Err(error)) => (Vec::new(), Some(error)),
        Err(problem) => (Vec::new(), Some(problem.to_string())),
    };
    Ok(json!({
        "why": inspection.why,
        "state": inspection.state,
        "auto_end": timer(&inspection),
        "evidence": inspection.reporters,
        "commands": inspection.commands,
        "decisions": decisions,
        "journal_error": journal_error,
    }))
}

/// What an operator wants. A word nobody knows may be a misspelt one, and then the wrong thing would be done.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
    let mut reader = serde_json::Deserializer::from_slice(body);
    let Object(wish) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
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
        ActionError::NotKept => Problem::busy("not_kept", detail, 1),
        ActionError::Busy => Problem::busy("busy", detail, 1),
        ActionError::Elsewhere => Problem::busy("elsewhere", detail, 1),
    }
}

#[post("/api/v1/streams/{channel_id}/auto-end/{action}")]
pub async fn operate(
    front: web::Data<Front>,
    path: web::Path<(String, String)>,
    caller: Caller,
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
    operated(&front, &caller, channel, by(&caller, action)).await
}

#[post("/api/v1/streams/{channel_id}/stop")]
pub async fn stop(
    front: web::Data<Front>,
    path: web::Path<String>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let wish = wish(&body.0)?;
    operated(&front, &caller, channel_id(&path)?, by(&caller, Action::Stop { force: wish.force })).await
}

/// `{"source": …}` takes one reporter out of the sum; without it the whole channel is forgotten.
#[post("/api/v1/streams/{channel_id}/forget")]
pub async fn forget(
    front: web::Data<Front>,
    path: web::Path<String>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let source = wish(&body.0)?.source;
    operated(&front, &caller, channel_id(&path)?, Question::Forget { source }).await
}
