//! `/healthz`: the process answers. `/readyz`: what it rests on, each by name, and whether reports are to come here.

use std::time::Duration;

use actix_web::{HttpResponse, get, http::StatusCode, web};
use sattva_actors::protocol::Inspect;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::{Front, Stage};

/// The actors answer within this, or they are stuck.
const ACTORS_ANSWER: Duration = Duration::from_secs(2);

#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

#[get("/readyz")]
pub async fn readyz(front: web::Data<Front>) -> HttpResponse {
    let mut dependencies = Map::new();
    let mut state = |name: &str, failure: Option<String>| {
        let value = match failure {
            None => json!({ "status": "ok" }),
            Some(detail) => json!({ "status": "failing", "detail": detail }),
        };
        dependencies.insert(name.to_owned(), value);
    };
    state("store", front.store.failure());
    state("store_file", front.store_notice.clone());
    state("actors", actors_stuck(&front).await);
    state("configuration", front.reload.failure());
    state("history", front.history.health.trouble());
    for (server, trouble) in front.adapters.troubles() {
        state(&server, trouble);
    }
    for (webhook, trouble) in front.webhooks.troubles() {
        state(&format!("webhook:{webhook}"), trouble);
    }
    let failing = dependencies.values().any(|d| d["status"] != "ok");
    let (code, status) = match front.stage() {
        // Another daemon may have everything by now, and does not hear what is reported here.
        Stage::Serving if front.store.is_cut_off(front.clock.now().at, front.config.load().store.redis_lease) => {
            (StatusCode::SERVICE_UNAVAILABLE, "cut_off")
        }
        // Another daemon has everything: reports are to go there.
        Stage::Serving if front.store.slots() == Some(0) => (StatusCode::SERVICE_UNAVAILABLE, "standby"),
        Stage::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Stage::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        Stage::Serving if failing => (StatusCode::OK, "degraded"),
        Stage::Serving => (StatusCode::OK, "ready"),
    };
    HttpResponse::build(code).json(json!({ "status": status, "dependencies": Value::Object(dependencies) }))
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
