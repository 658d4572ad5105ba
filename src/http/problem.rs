//! Errors as RFC 9457 problem documents, each with a stable code.

use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError, http::StatusCode};
use sattva_actors::fleet::letter::Said;
use serde::Serialize;

use super::request_id;

#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    /// For programs; it never changes its meaning.
    pub code: &'static str,
    detail: String,
    /// The field that is wrong, such as `reports[3].listeners`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip)]
    header: Option<Box<(&'static str, String)>>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u16(status.as_u16())
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:sattva:problem:{code}");
        Self { kind, title, status, code, detail: detail.into(), field: None, header: None }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "The request is not valid", detail)
    }

    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, "Not possible in this state", detail)
    }

    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, "Not allowed", detail)
    }

    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large", detail)
    }

    /// Sending it again later is safe.
    pub fn busy(code: &'static str, detail: impl Into<String>, retry_after: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Not possible right now", detail)
            .header("Retry-After", retry_after.to_string())
    }

    /// The response's own, beside those every problem has.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.header = Some(Box::new((name, value.into())));
        self
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// For another daemon, which passes it on as it is, but for the id of the request that was made there.
    pub fn said(&self) -> Said {
        let retry_after = self.header.as_deref().filter(|(name, _)| *name == "Retry-After");
        Said {
            status: self.status.as_u16(),
            retry_after: retry_after.and_then(|(_, seconds)| seconds.parse().ok()),
            body: serde_json::to_string(self).unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.content_type("application/problem+json");
        if let Some((name, value)) = self.header.as_deref() {
            response.insert_header((*name, value.as_str()));
        }
        response.body(request_id::noted_in(serde_json::to_string(self).unwrap_or_default()))
    }
}

impl Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}
