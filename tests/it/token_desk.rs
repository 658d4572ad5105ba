//! The file of the tokens, written by the command that is there for it; and whoever holds one.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Answer, Daemon};

pub struct TokenDesk {
    dir: TempDir,
}

impl TokenDesk {
    pub fn open() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("tokens.toml")
    }

    /// For a configuration file.
    pub fn config(&self) -> String {
        format!("[access]\ntokens_file = \"{}\"\n", self.path().display())
    }

    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sattva-monitor"));
        command.env_clear().current_dir(self.dir.path()).arg("token").args(arguments);
        command.arg("--file").arg(self.path()).output().unwrap()
    }

    pub fn create(&self, name: &str, role: &str, more: &[&str]) -> String {
        let made = self.command(&[&["create", "--name", name, "--role", role], more].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    pub fn revoke(&self, name: &str) {
        let done = self.command(&["revoke", name]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

/// Somebody who sends these headers with everything.
#[derive(Clone)]
pub struct Visitor {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    agent: ureq::Agent,
}

/// An answer with its headers.
pub struct Reply {
    pub answer: Answer,
    headers: Vec<(String, String)>,
}

impl Visitor {
    pub fn of(daemon: &Daemon) -> Self {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        Self { address: daemon.address(), headers: Vec::new(), agent }
    }

    pub fn holding(daemon: &Daemon, token: &str) -> Self {
        Self::of(daemon).with("authorization", &format!("Bearer {token}"))
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn sends(&self, method: &str, path: &str, body: &Value) -> Reply {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.agent.run(request.header("content-type", "application/json").body(body).unwrap()).unwrap();
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Reply { headers, answer: Answer::from(response) }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.sends("GET", path, &Value::Null).answer
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.sends("POST", path, body).answer
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}
