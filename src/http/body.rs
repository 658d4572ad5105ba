//! A request's body, whole, with a problem document for one that is too large.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::header::CONTENT_LENGTH,
    web::{self, Bytes},
};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::{Front, problem::Problem};

/// How long a body that is too large is read all the same.
const HEAR_OUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Body(pub Bytes);

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if is_too_large(request) {
            let rest = payload.take();
            return Box::pin(async move {
                hear_out(rest).await;
                Err(too_large())
            });
        }
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move { bytes.await.map(Self).map_err(|error| unreadable(&error)) })
    }
}

/// As its head says.
fn is_too_large(request: &HttpRequest) -> bool {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let front = request.app_data::<web::Data<Front>>();
    length.zip(front).is_some_and(|(length, front)| length > front.config.load().http.max_body_bytes)
}

/// A client that still sends may not see an answer before the end of the connection.
async fn hear_out(mut rest: Payload) {
    let _ = timeout(HEAR_OUT, async { while let Some(Ok(_)) = rest.next().await {} }).await;
}

/// Whether what may be JSON would be an object: serde also takes a list of the right values for a struct.
pub fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

fn too_large() -> Problem {
    Problem::too_large("the body is larger than http.max_body_bytes allows; send fewer reports at once")
}

fn unreadable(error: &actix_web::Error) -> Problem {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => too_large(),
        _ => Problem::bad_request("bad_body", format!("the body could not be read: {error}")),
    }
}
