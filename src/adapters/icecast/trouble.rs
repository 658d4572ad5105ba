//! Whether a server answers, told once when that changes. Pure.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sattva_actors::clock::Timestamp;

use super::stats::BadStats;

/// A trouble that turns into another one is told no sooner than this after the last line.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Why a request to the server failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("no answer within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("it refuses user and password (HTTP {0})")]
    Denied(u16),
    #[error("it answers with HTTP {0}")]
    Status(u16),
    #[error("its answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("https is not supported here")]
    NoTls,
    #[error(transparent)]
    Stats(#[from] BadStats),
}

impl Failure {
    /// What a person can do about it.
    pub const fn todo(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "start the server, or correct its url in the configuration",
            Self::Slow(_) | Self::Broken(_) => "see whether the server or the network between is overloaded",
            Self::Denied(_) => "set user and password_file to those of the server's admin, <admin-user> in icecast.xml",
            Self::Status(404) | Self::Stats(BadStats::NotIcestats) => {
                "set url to the root of an Icecast server, as in http://127.0.0.1:8000"
            }
            Self::Status(_) | Self::Stats(_) | Self::TooLarge(_) => {
                "see the server's error log; a proxy between may have answered in its place"
            }
            Self::NoTls => "set url to the server's http address, best over a private network",
        }
    }
}

/// What is to be told of a request's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    None,
    Began,
    Recovered { after: Duration },
}

/// For whoever wants to know whether a server is watched right now.
#[derive(Clone, Debug, Default)]
pub struct ServerHealth(Arc<Mutex<Option<String>>>);

impl ServerHealth {
    /// A server that could not even be asked.
    pub fn failing(why: String) -> Self {
        Self(Arc::new(Mutex::new(Some(why))))
    }

    /// Why the server cannot be watched, or nothing.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

#[derive(Debug, Default)]
pub struct Trouble(Option<Current>);

#[derive(Debug)]
struct Current {
    since: Timestamp,
    told: Timestamp,
    kind: std::mem::Discriminant<Failure>,
}

impl Trouble {
    pub fn on_failure(&mut self, now: Timestamp, failure: &Failure) -> News {
        let kind = std::mem::discriminant(failure);
        match &mut self.0 {
            None => {
                self.0 = Some(Current { since: now, told: now, kind });
                News::Began
            }
            Some(current) if current.kind != kind && now.since(current.told) >= TOLD_EVERY => {
                (current.kind, current.told) = (kind, now);
                News::Began
            }
            Some(_) => News::None,
        }
    }

    pub fn on_success(&mut self, now: Timestamp) -> News {
        self.0.take().map_or(News::None, |current| News::Recovered { after: now.since(current.since) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_when_it_begins_and_when_it_is_over() {
        let mut trouble = Trouble::default();
        let at = Timestamp::from_secs;
        let (refused, slow) = (Failure::Unreachable("refused".into()), Failure::Slow(Duration::from_secs(10)));
        assert_eq!(trouble.on_success(at(0)), News::None);
        assert_eq!(trouble.on_failure(at(5), &refused), News::Began);
        assert_eq!(trouble.on_failure(at(10), &refused), News::None);
        assert_eq!(trouble.on_failure(at(15), &slow), News::None);
        assert_eq!(trouble.on_failure(at(65), &slow), News::Began);
        assert_eq!(trouble.on_failure(at(3600), &slow), News::None);
        assert_eq!(trouble.on_success(at(3605)), News::Recovered { after: Duration::from_secs(3600) });
        assert_eq!(trouble.on_success(at(3610)), News::None);
        assert_eq!(trouble.on_failure(at(3615), &refused), News::Began);
    }
}
