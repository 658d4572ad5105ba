//! Who may come in: pages of other origins may not act on, nor listen to, this daemon.

use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web,
};

use super::{Front, problem::Problem};

/// Whether a request that a browser made for a page of `origin` may pass.
pub fn is_allowed(origin: &str, host: Option<&str>, allowed: &[String]) -> bool {
    let own = |host: &str| {
        let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    };
    host.is_some_and(own) || allowed.iter().any(|a| a == origin)
}

/// Plain reads are open; whatever changes something, and the WebSocket, asks for the origin.
pub async fn check<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads && !request.path().starts_with("/ws/") {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let allowed = match (origin.to_str(), request.app_data::<web::Data<Front>>()) {
            (Ok(origin), Some(front)) => {
                let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
                is_allowed(origin, host, &front.config.load().http.allowed_origins)
            }
            _ => false,
        };
        if !allowed {
            let problem = Problem::forbidden(
                "origin_not_allowed",
                "this page's origin may not use this daemon; add it to http.allowed_origins if it should",
            );
            let response = actix_web::ResponseError::error_response(&problem);
            return Ok(request.into_response(response).map_into_right_body());
        }
    }
    Ok(next.call(request).await?.map_into_left_body())
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn the_daemons_own_pages_pass_and_look_alikes_do_not() {
        let check = |origin: &str| is_allowed(origin, Some("radio.example:8080"), &[]);
        assert!(check("http://radio.example:8080"));
        assert!(check("https://radio.example:8080"));
        for origin in [
            "null",
            "",
            "http://radio.example",
            "http://radio.example:80801",
            "http://radio.example:8080.evil.example",
            "http://evil.example/radio.example:8080",
            "file://radio.example:8080",
        ] {
            assert!(!check(origin), "{origin:?} must not pass");
        }
    }

    #[test]
    fn a_listed_origin_passes_only_when_it_is_the_same_to_the_letter() {
        let allowed = ["https://dash.example".to_owned()];
        assert!(is_allowed("https://dash.example", Some("radio.example"), &allowed));
        assert!(!is_allowed("https://dash.example.evil", Some("radio.example"), &allowed));
        assert!(!is_allowed("http://dash.example", Some("radio.example"), &allowed));
    }
}
