//! `/api/v1/session`: how a browser signs in, by a token that it then keeps in a cookie no script can read.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    delete, get, post, web,
};
use sattva_actors::wire::Object;
use serde::{Deserialize, Serialize};

use super::{Front, body::Body, gate::COOKIE, problem::Problem, request_id::RequestId};
use crate::access::{
    caller::Caller,
    role::{Need, Role},
};

/// It is there on standby, too.
pub const PATH: &str = "/api/v1/session";
/// A browser that is not used for so long forgets its token; one that is used keeps it.
const KEPT: Duration = Duration::days(30);

/// What a page may know of whoever looks at it.
#[derive(Debug, Serialize)]
struct Session<'a> {
    /// Whether a token is needed at all.
    required: bool,
    signed_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    may_view: bool,
    may_operate: bool,
}

impl<'a> Session<'a> {
    fn of(front: &Front, caller: Option<&'a Caller>) -> Self {
        Self {
            required: !front.gate.is_open(),
            signed_in: caller.is_some_and(|caller| caller.entry().is_some()),
            name: caller.and_then(Caller::token_name),
            role: caller.and_then(Caller::role),
            may_view: caller.is_some_and(|caller| caller.may(Need::View)),
            may_operate: caller.is_some_and(|caller| caller.may(Need::Operate)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: String,
}

/// Only what TLS carries may hold it, where the browser came by TLS.
fn cookie(front: &Front, request: &HttpRequest, token: String) -> Cookie<'static> {
    Cookie::build(COOKIE, token)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(front.encrypts || request.connection_info().scheme() == "https")
        .max_age(KEPT)
        .finish()
}

#[get("/api/v1/session")]
pub async fn get(front: web::Data<Front>, request: HttpRequest) -> HttpResponse {
    let caller = request.extensions().get::<Caller>().cloned();
    let mut response = HttpResponse::Ok();
    match request.cookie(COOKIE) {
        // It is still in use.
        Some(kept) if caller.is_some() => {
            response.cookie(cookie(&front, &request, kept.value().to_owned()));
        }
        // It opens nothing any more.
        Some(_) => {
            forget(&front, &mut response, &request);
        }
        None => {}
    }
    response.json(Session::of(&front, caller.as_ref()))
}

#[post("/api/v1/session")]
pub async fn sign_in(front: web::Data<Front>, request: HttpRequest, body: Body) -> Result<HttpResponse, Problem> {
    let wrong = || Problem::bad_request("bad_body", "the body is not {\"token\": \"…\"}").field("token");
    let Object(SignIn { token }) = serde_json::from_slice(&body.0).map_err(|_| wrong())?;
    let caller = front.gate.sign_in(&request, token.trim(), front.clock.now())?;
    let id = RequestId::current();
    let request_id = id.as_ref().map(RequestId::as_str);
    tracing::info!(target: "audit", request_id, who = caller.name(), address = %caller.address, action = "sign_in", "operator action");
    let mut response = HttpResponse::Ok();
    if caller.entry().is_some() {
        response.cookie(cookie(&front, &request, token.trim().to_owned()));
    }
    Ok(response.json(Session::of(&front, Some(&caller))))
}

#[delete("/api/v1/session")]
pub async fn sign_out(front: web::Data<Front>, request: HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    forget(&front, &mut response, &request);
    response.finish()
}

fn forget(front: &Front, response: &mut actix_web::HttpResponseBuilder, request: &HttpRequest) {
    let mut empty = cookie(front, request, String::new());
    empty.make_removal();
    response.cookie(empty);
}
