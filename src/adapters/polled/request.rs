//! Requests to a server over HTTP: each bounded in time and in size.

use std::{rc::Rc, time::Duration};

use awc::{
    Client, ClientRequest, ClientResponse,
    error::{ConnectError, PayloadError, SendRequestError},
    http::StatusCode,
};
use bytes::Bytes;
use futures_util::Stream;

use super::trouble::Failure;
use crate::outbound;

/// A request is given up after this, answer and all.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The largest answer to a look: some 15 000 Icecast mounts.
pub const LOOK_ANSWER_MAX: usize = 16 * 1024 * 1024;
/// The largest answer to a stop.
pub const STOP_ANSWER_MAX: usize = 64 * 1024;

/// Lives on the arbiter it was made on.
#[derive(Clone)]
pub struct Requests {
    client: Client,
    credentials: Option<Rc<(String, String)>>,
}

impl Requests {
    pub fn new(credentials: Option<(String, String)>) -> Self {
        Self { client: outbound::client(TIME_LIMIT), credentials: credentials.map(Rc::new) }
    }

    pub async fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, Failure> {
        let request = self.ready(self.client.get(url));
        whole(async { request.send().await }, limit).await
    }

    pub async fn post_json(&self, url: &str, body: &serde_json::Value, limit: usize) -> Result<Vec<u8>, Failure> {
        let request = self.ready(self.client.post(url));
        whole(async { request.send_json(body).await }, limit).await
    }

    fn ready(&self, request: ClientRequest) -> ClientRequest {
        let request = request.no_decompress().force_close();
        match self.credentials.as_deref() {
            Some((user, password)) => request.basic_auth(user, password),
            None => request,
        }
    }
}

/// Waits for a whole answer.
async fn whole<S: Stream<Item = Result<Bytes, PayloadError>>>(
    sent: impl Future<Output = Result<ClientResponse<S>, SendRequestError>>,
    limit: usize,
) -> Result<Vec<u8>, Failure> {
    let whole = async {
        let mut answer = sent.await.map_err(unsent)?;
        match answer.status() {
            StatusCode::OK => {}
            denied @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Err(Failure::Denied(denied.as_u16()));
            }
            other => return Err(Failure::Status(other.as_u16())),
        }
        match answer.body().limit(limit).await {
            Ok(body) => Ok(body.to_vec()),
            Err(PayloadError::Overflow) => Err(Failure::TooLarge(limit)),
            Err(error) => Err(Failure::Broken(error.to_string())),
        }
    };
    tokio::time::timeout(TIME_LIMIT, whole).await.unwrap_or(Err(Failure::Slow(TIME_LIMIT)))
}

fn unsent(error: SendRequestError) -> Failure {
    match error {
        SendRequestError::Connect(ConnectError::SslIsNotSupported) => Failure::NoTls,
        SendRequestError::Connect(ConnectError::Timeout) | SendRequestError::Timeout => Failure::Slow(TIME_LIMIT),
        SendRequestError::Connect(error) => Failure::Unreachable(error.to_string()),
        other => Failure::Broken(other.to_string()),
    }
}
