//! `/healthz`: the process answers. `/readyz`: what it rests on, each by name, and whether reports are to come here.

use std::time::Duration;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, get, http::StatusCode, web};
use sattva_actors::protocol::Inspect;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Front, Stage};
use crate::access::{caller::Caller, role::Need};

/// The actors answer within this, or they are stuck.
const ACTORS_ANSWER: Duration = Duration::from_secs(2);

#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

#[get("/readyz")]
pub async fn readyz(front: web::Data<Front>, request: HttpRequest) -> HttpResponse {
    let mut troubles = troubles(&front);
    troubles.push(("actors".to_owned(), actors_stuck(&front).await));
    let standing = Standing::of(&front, troubles.iter().any(|(_, trouble)| trouble.is_some()));
    // A balancer has no token and needs no more; names and errors of other servers are for those who may see streams.
    if !request.extensions().get::<Caller>().is_some_and(|caller| caller.may(Need::View) || caller.may(Need::Scrape)) {
        return HttpResponse::build(standing.code()).json(json!({ "status": standing.as_str() }));
    }
    let dependencies = troubles.into_iter().map(|(name, trouble)| {
        let state = match trouble {
            None => json!({ "status": "ok" }),
            Some(detail) => json!({ "status": "failing", "detail": detail }),
        };
        (name, state)
    });
    let dependencies = Value::Object(dependencies.collect());
    HttpResponse::build(standing.code()).json(json!({ "status": standing.as_str(), "dependencies": dependencies }))
}

/// What the daemon rests on, each by name, and what is wrong with it.
pub fn troubles(front: &Front) -> Vec<(String, Option<String>)> {
    let own = [
        ("store", front.store.failure()),
        ("store_file", front.store_notice.clone()),
        ("configuration", front.reload.failure()),
        ("history", front.history.health.trouble()),
    ];
    let own = own.map(|(name, trouble)| (name.to_owned(), trouble));
    let webhooks = front.webhooks.troubles().into_iter();
    let webhooks = webhooks.map(|(webhook, trouble)| (format!("webhook:{webhook}"), trouble));
    own.into_iter().chain(front.adapters.troubles()).chain(webhooks).collect()
}

/// Whether reports are to come to this daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Starting,
    Ready,
    /// Reports are taken, but something it rests on fails.
    Degraded,
    /// Another daemon has everything: reports are to go there.
    Standby,
    /// Another daemon may have everything by now, and does not hear what is reported here.
    CutOff,
    Stopping,
}

impl Standing {
    pub const ALL: [Self; 6] =
        [Self::Starting, Self::Ready, Self::Degraded, Self::Standby, Self::CutOff, Self::Stopping];

    pub fn of(front: &Front, something_fails: bool) -> Self {
        match front.stage() {
            Stage::Serving if front.store.is_cut_off(front.clock.now().at) => Self::CutOff,
            Stage::Serving if front.store.slots() == Some(0) => Self::Standby,
            Stage::Starting => Self::Starting,
            Stage::Stopping => Self::Stopping,
            Stage::Serving if something_fails => Self::Degraded,
            Stage::Serving => Self::Ready,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Standby => "standby",
            Self::CutOff => "cut_off",
            Self::Stopping => "stopping",
        }
    }

    const fn code(self) -> StatusCode {
        match self {
            Self::Ready | Self::Degraded => StatusCode::OK,
            Self::Starting | Self::Standby | Self::CutOff | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A question that goes the whole way to the supervisor and back.
async fn actors_stuck(front: &Front) -> Option<String> {
    let (reply, answer) = oneshot::channel();
    let Ok(nobody) = sattva_actors::identity::ChannelId::new("readyz") else { return None };
    if front.house.supervisor.try_send(Inspect { channel: nobody, reply }).is_err() {
        return Some("the supervisor takes no messages".into());
    }
    match tokio::time::timeout(ACTORS_ANSWER, answer).await {
        Ok(Ok(_)) => None,
        _ => Some(format!("the supervisor did not answer within {} s", ACTORS_ANSWER.as_secs())),
    }
}
