//! Asks a running daemon, as its operator at a terminal would.

use std::{path::PathBuf, time::Duration};

use awc::http::{StatusCode, header::ACCEPT};
use sattva_actors::secret_file::first_line;
use serde_json::Value;
use url::Url;

use super::ConfigFile;
use crate::{
    config::{self, Flags, Sources},
    outbound,
};

/// An answer is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer is longer: ten thousand streams and their tracks.
const ANSWER_MAX: usize = 64 << 20;

#[derive(Debug, clap::Args)]
pub struct Whom {
    /// The daemon's URL; otherwise the address that the configuration names.
    #[arg(long, env = "SATTVA_URL")]
    url: Option<Url>,
    /// File whose first line is a viewer's or an operator's token, where the daemon wants one.
    #[arg(long, value_name = "FILE", env = "SATTVA_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    files: ConfigFile,
    /// Print what the daemon answers, as JSON.
    #[arg(long)]
    pub json: bool,
}

pub struct Asker {
    url: Url,
    client: awc::Client,
    token: Option<String>,
}

/// What a daemon said.
#[derive(Debug)]
pub struct Said {
    pub status: StatusCode,
    pub body: Value,
}

#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{0}")]
    Config(#[from] config::ConfigError),
    #[error("--token-file: {0}")]
    Token(String),
    #[error(
        "{url} does not answer: {error}; is the daemon running there? (systemctl status sattva-monitor, or give --url)"
    )]
    Unreachable { url: Url, error: String },
    #[error("{url} answers with something else than JSON (HTTP {status}); is it a Sattva Monitor?")]
    SomethingElse { url: Url, status: u16 },
    #[error("{what} (HTTP {status}, {code}){todo}")]
    Refused { what: String, status: u16, code: String, todo: &'static str },
}

/// Where the configuration says that the daemon listens; one that listens everywhere is asked on loopback.
pub fn url_of(config: &config::Config) -> Result<Url, String> {
    let mut address = config.http.listen;
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
        address.set_ip(loopback.parse().map_err(|_| "no loopback address".to_owned())?);
    }
    let scheme = if config.http.tls_key_file.is_some() { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{address}/")).map_err(|error| error.to_string())
}

impl Asker {
    pub fn new(args: &Whom) -> Result<Self, AskError> {
        let url = match &args.url {
            Some(url) => url.clone(),
            None => {
                let loaded = config::load(&Sources::of_this_process(args.files.config.clone(), Flags::default()))?;
                let wrong = |what| config::ConfigError::from(config::Problem::new("http.listen", what));
                url_of(&loaded.config).map_err(wrong)?
            }
        };
        let token = args.token_file.as_deref().map(|path| first_line(path, "a token")).transpose();
        Ok(Self { url, client: outbound::client(PATIENCE), token: token.map_err(AskError::Token)? })
    }

    /// Whatever it answers, as long as it is JSON.
    pub async fn get(&self, path: &str) -> Result<Said, AskError> {
        let url = self.url.join(path).unwrap_or_else(|_| self.url.clone());
        let unreachable = |error: String| AskError::Unreachable { url: self.url.clone(), error };
        let mut request = self.client.get(url.as_str()).insert_header((ACCEPT, "application/json"));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut response = request.send().await.map_err(|error| unreachable(error.to_string()))?;
        let status = response.status();
        let body = response.body().limit(ANSWER_MAX).await.map_err(|error| unreachable(error.to_string()))?;
        match serde_json::from_slice(&body) {
            Ok(body) => Ok(Said { status, body }),
            Err(_) => Err(AskError::SomethingElse { url, status: status.as_u16() }),
        }
    }

    /// What it answers, if that is not a problem.
    pub async fn ask(&self, path: &str) -> Result<Value, AskError> {
        let said = self.get(path).await?;
        if said.status.is_success() {
            return Ok(said.body);
        }
        let text = |key: &str| said.body[key].as_str().unwrap_or_default().to_owned();
        let todo = match said.status.as_u16() {
            401 => "; give --token-file FILE, or set SATTVA_TOKEN_FILE",
            403 => "; it takes a viewer's or an operator's token",
            503 => "; ask again in a second",
            _ => "",
        };
        Err(AskError::Refused { what: text("detail"), status: said.status.as_u16(), code: text("code"), todo })
    }
}
