//! Requests to an Icecast server's admin pages: each bounded in time and in size.

use std::{rc::Rc, time::Duration};

use awc::{
    Client,
    error::{ConnectError, PayloadError, SendRequestError},
    http::StatusCode,
};

use super::{
    kill::Killed,
    names,
    stats::{self, Mount},
    trouble::Failure,
};

/// A request is given up after this, answer and all.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The largest statistics that are read: some 15 000 mounts.
const STATS_MAX: usize = 16 * 1024 * 1024;
/// The largest answer to a kill that is read.
const KILL_ANSWER_MAX: usize = 64 * 1024;

#[derive(Clone)]
pub struct Server {
    client: Client,
    root: Rc<str>,
    credentials: Rc<(String, String)>,
}

impl Server {
    /// Lives on the arbiter it was made on.
    pub fn new(url: &str, user: &str, password: &str) -> Self {
        let client = Client::builder().timeout(TIME_LIMIT).disable_redirects().finish();
        let credentials = Rc::new((user.to_owned(), password.to_owned()));
        Self { client, root: url.trim_end_matches('/').into(), credentials }
    }

    pub async fn stats(self) -> Result<Vec<Mount>, Failure> {
        let body = self.get(format!("{}/admin/stats", self.root), STATS_MAX).await?;
        Ok(stats::parse(&body)?)
    }

    pub async fn kill(self, mount: String) -> Killed {
        let url = format!("{}/admin/killsource?mount={}", self.root, names::in_query(&mount));
        match self.get(url, KILL_ANSWER_MAX).await {
            Err(denied @ Failure::Denied(_)) => {
                Killed::Denied(format!("the server lets no source be killed: {denied}"))
            }
            // 400: there is no such source any more. The rest may have been done all the same.
            _ => Killed::Perhaps,
        }
    }

    async fn get(&self, url: String, limit: usize) -> Result<Vec<u8>, Failure> {
        let (user, password) = &*self.credentials;
        let request = self.client.get(url).basic_auth(user, password).no_decompress().force_close();
        let whole = async {
            let mut answer = request.send().await.map_err(unsent)?;
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
}

fn unsent(error: SendRequestError) -> Failure {
    match error {
        SendRequestError::Connect(ConnectError::SslIsNotSupported) => Failure::NoTls,
        SendRequestError::Connect(ConnectError::Timeout) | SendRequestError::Timeout => Failure::Slow(TIME_LIMIT),
        SendRequestError::Connect(error) => Failure::Unreachable(error.to_string()),
        other => Failure::Broken(other.to_string()),
    }
}
