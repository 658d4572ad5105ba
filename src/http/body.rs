//! A request's body, whole, with a problem document for one that is too large.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::{StatusCode, header::CONTENT_LENGTH},
    web::{self, Bytes},
};
use futures_util::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{Front, problem::Problem};

/// How long a body that is too large is read all the same.
const HEAR_OUT: Duration = Duration::from_secs(1);
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(15);
/// KiB of large bodies that are on their way at a time, all clients together.
const BODIES_KIB: usize = 64 << 10;
/// Bytes of a body that is not large: whoever fills the room for large ones is not to keep small ones out.
const SMALL: usize = 64 << 10;
/// When a body that found no room may be sent again.
const RETRY_AFTER: u32 = 1;

/// Room for large bodies, counted when they begin by what they may become.
#[derive(Debug)]
pub struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BODIES_KIB)))
    }
}

impl BodyBudget {
    /// `None` when there is no room; the largest one finds some when nobody else is there.
    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = if bytes <= SMALL { 0 } else { (bytes / 1024).min(BODIES_KIB) };
        Arc::clone(&self.0).try_acquire_many_owned(kib as u32).ok()
    }
}

#[derive(Debug)]
pub struct Body(pub Bytes);

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let front = request.app_data::<web::Data<Front>>();
        let most = front.map_or(0, |front| front.config.load().http.max_body_bytes);
        let length = length(request);
        if length.is_some_and(|length| length > most) {
            let rest = payload.take();
            return Box::pin(async move {
                hear_out(rest).await;
                Err(too_large())
            });
        }
        let Some(room) = front.and_then(|front| front.bodies.take(length.unwrap_or(most))) else {
            let rest = payload.take();
            return Box::pin(async move {
                hear_out(rest).await;
                Err(Problem::busy("busy", "too much is being sent at once; send it again", RETRY_AFTER))
            });
        };
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move {
            let bytes = timeout(BODY_TIME, bytes).await;
            drop(room);
            match bytes {
                Ok(bytes) => bytes.map(Self).map_err(|error| unreadable(&error)),
                Err(_) => Err(too_late()),
            }
        })
    }
}

/// As its head says.
fn length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A client that still sends may not see an answer before the end of the connection.
async fn hear_out(mut rest: Payload) {
    let _ = timeout(HEAR_OUT, async { while let Some(Ok(_)) = rest.next().await {} }).await;
}

fn too_large() -> Problem {
    Problem::too_large("the body is larger than http.max_body_bytes allows; send fewer reports at once")
}

fn too_late() -> Problem {
    let detail =
        format!("the body did not arrive within {} s; send it again, or fewer reports at once", BODY_TIME.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "too_late", "The request took too long", detail)
}

fn unreadable(error: &actix_web::Error) -> Problem {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => too_large(),
        _ => Problem::bad_request("bad_body", format!("the body could not be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_find_room_while_there_is_some_and_small_ones_always() {
        let budget = BodyBudget::default();
        let large: Vec<_> = std::iter::from_fn(|| budget.take(4 << 20)).take(1000).collect();
        assert_eq!(large.len(), BODIES_KIB / (4 << 10));
        assert!(budget.take(SMALL + 1).is_none());
        assert!(budget.take(SMALL).is_some());
        drop(large);
        assert!(budget.take(usize::MAX).is_some());
    }
}
