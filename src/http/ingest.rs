//! `POST /api/v1/ingest` and the simple `POST /api/v1/streams/{channel_id}/listeners`: reports in,
//! commands in the answer.

pub mod cloud_events;
pub mod request;
pub mod simple;
mod sources;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::Addr;
use actix_web::{HttpRequest, HttpResponse, http::header::CONTENT_TYPE, post, web};
use futures_util::future::{Either, select};
use sattva_actors::{
    channel::stop::Stop,
    fleet::{CollectElsewhere, Fleet, Forward, letter::Reported},
    identity::{ChannelId, SourceId},
    protocol::{Ack, Batch, Collect, Report, StopCommand, Tally},
    wire::Command,
};
use serde::Serialize;
use tokio::sync::oneshot;

use self::request::{Checked, IngestRequest};
pub use self::sources::UnknownFields;
use super::{Front, Stage, body::Body, problem::Problem, streams};
use crate::access::caller::Caller;

/// The longest an answer is held back until there is a command.
const WAIT_MAX: u64 = 30;
/// Other daemons wait so long for a command before they are asked again.
const ASKED_AGAIN: Duration = Duration::from_secs(1);
/// The source of the simplest report that comes without a token.
const SIMPLE_SOURCE: &str = "simple";
/// An answer waits this long for the channels and the disk.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Answer {
    accepted: u32,
    duplicates: u32,
    /// Reports of new channels for which there is no room.
    #[serde(skip_serializing_if = "is_zero")]
    refused: u32,
    report_every_seconds: f64,
    commands: Vec<Command>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[post("/api/v1/ingest")]
pub async fn ingest(
    front: web::Data<Front>,
    request: HttpRequest,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let config = front.config.load();
    let events = cloud_events::is_meant(request.headers().get(CONTENT_TYPE));
    let (request, unknown) = if events { cloud_events::read(&body.0)? } else { IngestRequest::read(&body.0)? };
    if request.reports() > config.ingest.max_reports_per_request {
        return Err(Problem::too_large(format!(
            "{} reports in one request; at most {} are taken",
            request.reports(),
            config.ingest.max_reports_per_request
        ))
        .field("reports"));
    }
    let wait = Duration::from_secs(request.wait_seconds().min(WAIT_MAX));
    let every = config.ingest.report_interval;
    let checked = if events { cloud_events::check(request, every)? } else { request.check(every)? };
    check_scope(&front, &caller, &checked)?;
    front.unknown_fields.note(&checked.source, unknown);
    take_in(&front, checked, None, wait, config.ingest.report_interval).await
}

/// A streamer reports as those sources, and those channels, that its token is for. All or nothing.
fn check_scope(front: &Front, caller: &Caller, checked: &Checked) -> Result<(), Problem> {
    caller
        .check_source(checked.source.as_str())
        .map_err(|error| front.gate.out_of_scope(error, "source".to_owned()))?;
    for (index, (channel, _)) in checked.reports.iter().enumerate() {
        caller
            .check_channel(channel.as_str())
            .map_err(|error| front.gate.out_of_scope(error, format!("reports[{index}].channel_id")))?;
    }
    Ok(())
}

type Reports = Vec<(ChannelId, Report)>;

/// What is another daemon's, and what is our own. Of a daemon that has none beside it everything is.
fn sort_out(front: &Front, reports: Reports, acks: Vec<Ack>) -> ((Reports, Vec<Ack>), (Reports, Vec<Ack>)) {
    if front.house.fleet.is_none() {
        return ((Vec::new(), Vec::new()), (reports, acks));
    }
    let is_theirs = |channel: &str| !front.store.holds(channel);
    let (their_reports, our_reports) = reports.into_iter().partition(|(channel, _)| is_theirs(channel.as_str()));
    let (their_acks, our_acks) = acks.into_iter().partition(|ack| {
        Stop::channel_of(&ack.id).is_some_and(|channel| ChannelId::new(channel).is_ok() && is_theirs(channel))
    });
    ((their_reports, their_acks), (our_reports, our_acks))
}

/// The commands of the first who has any. Others are asked again and again: whoever has gone is to be waited for no more.
async fn whoever_is_first(
    fleet: &Addr<Fleet>,
    mut ours: oneshot::Receiver<Vec<StopCommand>>,
    (source, only, wait): (SourceId, Option<ChannelId>, Duration),
) -> Vec<StopCommand> {
    let until = Instant::now() + wait;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let (reply, theirs) = oneshot::channel();
        let collect = Collect { source: source.clone(), only: only.clone(), wait: left.min(ASKED_AGAIN), reply };
        let sent = fleet.try_send(CollectElsewhere(collect)).is_ok();
        match select(&mut ours, theirs).await {
            Either::Left((commands, theirs)) => {
                let mut commands = commands.unwrap_or_default();
                if commands.is_empty() && sent {
                    commands = theirs.await.unwrap_or_default();
                }
                return commands;
            }
            Either::Right((Ok(commands), _)) if !commands.is_empty() => return commands,
            Either::Right(_) if !sent || left.is_zero() => return ours.await.unwrap_or_default(),
            Either::Right(_) => {}
        }
    }
}

/// Answers with the source's commands, or with those of one channel `only`.
async fn take_in(
    front: &Front,
    Checked { source, reports, acks }: Checked,
    only: Option<ChannelId>,
    wait: Duration,
    every: Duration,
) -> Result<HttpResponse, Problem> {
    if front.stage() == Stage::Stopping {
        return Err(Problem::busy("stopping", "the daemon is stopping; report again to its successor", 1));
    }
    let busy = || Problem::busy("busy", "the daemon is too busy to take this in; send it again, that is safe", 1);
    if front.config.load().ingest.retired_sources.iter().any(|retired| retired == source.as_str()) {
        return Err(Problem::forbidden("source_retired", format!("{source} is listed in ingest.retired_sources")));
    }
    let _queued = front.supervisor_depth.enter();
    let (tally, answer) = Tally::new();
    let received = front.clock.now().at;
    let ((their_reports, their_acks), (reports, acks)) = sort_out(front, reports, acks);
    let abroad = !their_reports.is_empty() || !their_acks.is_empty();
    let asks_only = !abroad && reports.is_empty();
    if let Some(fleet) = &front.house.fleet {
        let forward = |reports, acks, tally| {
            let reported = Reported { source: source.clone(), reports, acks, only: only.clone() };
            fleet.try_send(Forward { reported, received, tally })
        };
        if abroad {
            forward(their_reports, their_acks, Arc::clone(&tally)).map_err(|_| busy())?;
        }
        if !reports.is_empty() && !front.store.is_ours(received) {
            // Whoever has these channels by now is to know as well; the answer tells what became of them here.
            let (apart, _) = Tally::new();
            let _ = forward(reports.clone(), acks.clone(), apart);
        }
    }
    let batch = Batch { source: source.clone(), received, reports, acks, tally };
    front.house.supervisor.try_send(batch).map_err(|_| busy())?;
    let counted = match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(counted)) if counted.elsewhere => {
            let detail = "another daemon has this channel, or none yet; send it again, that is safe";
            return Err(Problem::busy("elsewhere", detail, 1));
        }
        Ok(Ok(counted)) if !counted.busy => counted,
        _ => return Err(busy()),
    };
    // Reports of known channels are taken in beside it, and their commands must come through.
    if counted.refused > 0 && counted.accepted + counted.duplicates == 0 {
        return Err(Problem::busy(
            "too_many_channels",
            "there is no room for more channels: see ingest.max_channels",
            60,
        ));
    }
    // Nearly always there is no command, and nobody needs to be asked.
    let mut commands = counted.commands;
    let wait = if commands.is_empty() { wait } else { Duration::ZERO };
    // What comes of reports comes with them; whoever waits, or has none, may mean channels that others have.
    let fleet = front.house.fleet.as_ref().filter(|_| !wait.is_zero() || asks_only);
    if counted.offered || front.commands_waiting.any() || !wait.is_zero() || fleet.is_some() {
        let (reply, collected) = oneshot::channel();
        let collect = Collect { source: source.clone(), only: only.clone(), wait, reply };
        front.house.control.try_send(collect).map_err(|_| busy())?;
        // The reports are in; a command missed here is offered again.
        commands.extend(match fleet {
            None => collected.await.unwrap_or_default(),
            Some(fleet) => whoever_is_first(fleet, collected, (source, only, wait)).await,
        });
    }
    let now = front.clock.now().at;
    let answer = Answer {
        accepted: counted.accepted,
        duplicates: counted.duplicates,
        refused: counted.refused,
        report_every_seconds: every.as_secs_f64(),
        commands: commands.into_iter().map(|command| Command::at(now, command)).collect(),
    };
    Ok(HttpResponse::Ok().json(answer))
}

#[post("/api/v1/streams/{channel_id}/listeners")]
pub async fn listeners(
    front: web::Data<Front>,
    path: web::Path<String>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let channel = streams::channel_id(&path)?;
    caller.check_channel(channel.as_str()).map_err(|error| front.gate.out_of_scope(error, "channel_id".to_owned()))?;
    let every = front.config.load().ingest.report_interval;
    let (report, unknown) = simple::read(&body.0, every)?;
    let source = SourceId::new(caller.token_name().unwrap_or(SIMPLE_SOURCE))
        .map_err(|error| Problem::bad_request("bad_source", error.to_string()))?;
    front.unknown_fields.note(&source, unknown);
    let checked = Checked { source, reports: vec![(channel.clone(), report)], acks: Vec::new() };
    // Streamers that report so share the source, so each gets what concerns its channel.
    take_in(&front, checked, Some(channel), Duration::ZERO, every).await
}
