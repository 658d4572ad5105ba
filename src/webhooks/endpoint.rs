//! One POST to an endpoint, signed, and bounded in time and size.

use std::{rc::Rc, time::Duration};

use awc::{
    Client,
    error::{ConnectError, SendRequestError},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, USER_AGENT},
    },
};
use bytes::Bytes;
use sattva_actors::traces::{Context, TRACEPARENT};

use super::signature::{self, Secrets};
use crate::outbound;

/// A try is given up after this, answer and all.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
/// What is read of an answer.
const ANSWER_MAX: usize = 16 << 10;

#[derive(Clone)]
pub struct Endpoint {
    client: Client,
    url: Rc<str>,
    secrets: Rc<Secrets>,
}

/// A message has been taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub status: u16,
    /// What the endpoint says to it.
    pub body: Vec<u8>,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untaken {
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("no answer within {} s", TIME_LIMIT.as_secs())]
    Slow,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("it answers with HTTP {status}")]
    Troubled { status: u16, wait: Option<Duration> },
    #[error("it refuses the message with HTTP {0}")]
    Refused(u16),
    #[error("it is gone for good (HTTP 410)")]
    Gone,
}

impl Untaken {
    /// What a person can do about it.
    pub const fn todo(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "start the receiver, or correct the webhook's url",
            Self::Slow | Self::Broken(_) => "let the receiver answer first and work afterwards",
            Self::Troubled { .. } => "see the receiver's log",
            Self::Refused(_) => "see the receiver's log: another secret, or a route that does not take POST",
            Self::Gone => "remove the webhook from the configuration, or correct its url; then reload",
        }
    }

    /// What the endpoint answered, if it did.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Troubled { status, .. } | Self::Refused(status) => Some(*status),
            Self::Gone => Some(410),
            Self::Unreachable(_) | Self::Slow | Self::Broken(_) => None,
        }
    }

    /// In a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Slow => "timeout",
            Self::Broken(_) => "broken",
            Self::Troubled { .. } => "troubled",
            Self::Refused(_) => "refused",
            Self::Gone => "gone",
        }
    }
}

impl Endpoint {
    pub fn new(url: &str, secrets: Rc<Secrets>) -> Self {
        Self { client: outbound::client(TIME_LIMIT), url: url.into(), secrets }
    }

    /// `at` is in seconds since 1970; `within` is the span that the endpoint may go on from.
    pub async fn post(self, id: String, body: Bytes, at: i64, within: Option<Context>) -> Result<Taken, Untaken> {
        let mut request = self
            .client
            .post(&*self.url)
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header((USER_AGENT, outbound::AGENT))
            .insert_header((signature::ID, id.as_str()))
            .insert_header((signature::TIMESTAMP, at.to_string()))
            .insert_header((signature::SIGNATURE, self.secrets.sign(&id, at, &body)))
            .no_decompress();
        if let Some(context) = within {
            request = request.insert_header((TRACEPARENT, context.to_string()));
        }
        let whole = async {
            let mut answer = request.send_body(body).await.map_err(unsent)?;
            let status = answer.status();
            if status == StatusCode::GONE {
                return Err(Untaken::Gone);
            }
            if !status.is_success() {
                return Err(refusal(status, outbound::retry_after(answer.headers())));
            }
            // It has been taken, whatever becomes of the answer's body.
            let body = answer.body().limit(ANSWER_MAX).await.unwrap_or_default().to_vec();
            Ok(Taken { status: status.as_u16(), body })
        };
        tokio::time::timeout(TIME_LIMIT, whole).await.unwrap_or(Err(Untaken::Slow))
    }
}

fn refusal(status: StatusCode, wait: Option<Duration>) -> Untaken {
    match status.as_u16() {
        // Too slow, too early, too many: another time it may go well.
        status @ (408 | 425 | 429) => Untaken::Troubled { status, wait },
        status @ 400..500 => Untaken::Refused(status),
        status => Untaken::Troubled { status, wait },
    }
}

fn unsent(error: SendRequestError) -> Untaken {
    match error {
        SendRequestError::Connect(ConnectError::Timeout) | SendRequestError::Timeout => Untaken::Slow,
        SendRequestError::Connect(error) => Untaken::Unreachable(error.to_string()),
        other => Untaken::Broken(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_endpoint_that_will_not_change_its_mind_refuses() {
        for status in [400, 401, 403, 404, 405, 413, 422] {
            assert_eq!(refusal(StatusCode::from_u16(status).unwrap(), None), Untaken::Refused(status));
        }
        // A redirect is not followed: the body may hold what only the configured endpoint is to see.
        for status in [302, 408, 425, 429, 500, 502, 503, 504] {
            let wait = Some(Duration::from_secs(7));
            assert_eq!(refusal(StatusCode::from_u16(status).unwrap(), wait), Untaken::Troubled { status, wait });
        }
    }
}
