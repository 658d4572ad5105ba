//! A request's body, whole, with a problem document for one that is too large.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, error::PayloadError, web::Bytes};

use super::problem::Problem;

#[derive(Debug)]
pub struct Body(pub Bytes);

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move { bytes.await.map(Self).map_err(|error| unreadable(&error)) })
    }
}

/// Whether what may be JSON would be an object: serde also takes a list of the right values for a struct.
pub fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

fn unreadable(error: &actix_web::Error) -> Problem {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => {
            Problem::too_large("the body is larger than http.max_body_bytes allows; send fewer reports at once")
        }
        _ => Problem::bad_request("bad_body", format!("the body could not be read: {error}")),
    }
}
