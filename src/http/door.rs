//! What stands before every route: the gate, which knows callers by their tokens; pages of other origins, which may not
//! act on, nor listen to, this daemon; and on standby nobody is told of channels, for it has none.

use std::net::IpAddr;

use actix_web::{
    Error, HttpMessage, HttpRequest, ResponseError,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web,
};

use super::{Front, gate::COOKIE, problem::Problem, session, upgrade::Reception};
use crate::access::{caller::Caller, role::Need};

/// Whether a request that a browser made for a page of `origin` may pass: a page of this daemon, or one
/// that is listed. A name is only trusted where it is listed, for a foreign page can have its own name
/// resolve to this machine.
pub fn is_allowed(origin: &str, host: Option<&str>, allowed: &[String]) -> bool {
    let own = |host: &str| {
        let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host)) && is_address(host)
    };
    host.is_some_and(own) || allowed.iter().any(|a| a == origin)
}

/// An IP address or `localhost`, with or without a port.
fn is_address(host: &str) -> bool {
    let without_port = host.rsplit_once(':').map_or(host, |(name, port)| match port.parse::<u16>() {
        Ok(_) => name,
        Err(_) => host,
    });
    let ip = without_port.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(without_port);
    without_port.eq_ignore_ascii_case("localhost") || ip.parse::<IpAddr>().is_ok()
}

/// A request passes when its caller may do what it asks for, and when no foreign page has made a browser send it.
pub async fn check<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // Whatever its path is spelled like: only such a request can open a session.
    let upgrades = Reception::of(request.request()).is_some();
    if *request.method() == Method::HEAD && !upgrades {
        // It asks for what GET would answer; the body is left out where the answer is written.
        request.head_mut().method = Method::GET;
    }
    let verdict = match request.app_data::<web::Data<Front>>() {
        Some(front) => judge(front, request.request(), upgrades),
        None => Ok(None),
    };
    match verdict {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(problem) => Ok(request.into_response(ResponseError::error_response(&problem)).map_into_right_body()),
    }
}

/// Who asks, where it may pass.
fn judge(front: &Front, request: &HttpRequest, upgrades: bool) -> Result<Option<Caller>, Problem> {
    let now = front.clock.now();
    let reads = matches!(*request.method(), Method::GET | Method::OPTIONS);
    let visitor = front.gate.who(request, now)?;
    front.gate.check_url(request)?;
    if !reads || upgrades || request.path().starts_with("/ws/") {
        check_origin(front, request, reads)?;
    }
    let need = || Need::of(reads, request.match_pattern().as_deref());
    let caller = front.gate.admit(visitor, need, now)?;
    let on_standby = front.store.slots() == Some(0);
    let about_channels = request.path().starts_with("/api/") || request.path().starts_with("/ws/");
    if on_standby && about_channels && request.path() != session::PATH {
        return Err(Problem::busy(
            "elsewhere",
            "another daemon has the channels, or none yet: ask it, or ask again",
            1,
        ));
    }
    Ok(caller)
}

/// Whatever changes something, and the WebSocket, asks for the origin.
fn check_origin(front: &Front, request: &HttpRequest, reads: bool) -> Result<(), Problem> {
    let headers = request.headers();
    let Some(origin) = headers.get(header::ORIGIN) else {
        // Every browser says where such a request was made. A program has no use for the cookie.
        if !reads && !headers.contains_key(header::AUTHORIZATION) && request.cookie(COOKIE).is_some() {
            let detail =
                "a cookie is for browsers, which send an Origin with it; a program sends `Authorization: Bearer …`";
            return Err(Problem::forbidden("origin_missing", detail));
        }
        return Ok(());
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let allowed = |origin| is_allowed(origin, host, &front.config.load().http.allowed_origins);
    if origin.to_str().is_ok_and(allowed) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "origin_not_allowed",
        "a page of this origin may not use this daemon; if it should, or if the daemon is reached by a name, add the origin to http.allowed_origins",
    ))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn the_daemons_own_pages_pass_and_look_alikes_do_not() {
        for host in ["127.0.0.1:8080", "[::1]:8080", "localhost:8080", "192.0.2.7:8080", "192.0.2.7"] {
            assert!(is_allowed(&format!("http://{host}"), Some(host), &[]), "{host}");
            assert!(is_allowed(&format!("https://{host}"), Some(host), &[]), "{host}");
        }
        for origin in [
            "null",
            "",
            "http://127.0.0.1",
            "http://127.0.0.1:80801",
            "http://127.0.0.1:8080.evil.example",
            "http://evil.example/127.0.0.1:8080",
            "file://127.0.0.1:8080",
        ] {
            assert!(!is_allowed(origin, Some("127.0.0.1:8080"), &[]), "{origin:?} must not pass");
        }
    }

    #[test]
    fn a_foreign_name_that_resolves_to_this_machine_does_not_pass() {
        for host in ["evil.example:8080", "localhost.evil.example:8080", "127.0.0.1.evil.example", "1:2:evil"] {
            assert!(!is_allowed(&format!("http://{host}"), Some(host), &[]), "{host}");
        }
        let allowed = ["https://radio.example".to_owned()];
        assert!(is_allowed("https://radio.example", Some("radio.example"), &allowed));
    }

    #[test]
    fn a_listed_origin_passes_only_when_it_is_the_same_to_the_letter() {
        let allowed = ["https://dash.example".to_owned()];
        assert!(is_allowed("https://dash.example", Some("radio.example"), &allowed));
        assert!(!is_allowed("https://dash.example.evil", Some("radio.example"), &allowed));
        assert!(!is_allowed("http://dash.example", Some("radio.example"), &allowed));
    }
}
