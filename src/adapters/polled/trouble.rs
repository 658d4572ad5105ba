//! Whether a server answers, told once when that changes. Pure.

use std::time::Duration;

use sattva_actors::clock::Timestamp;

use super::kind::Kind;

/// A trouble that turns into another one is told no sooner than this after the last line.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Why a look at the server failed.
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
    /// Something else answers there.
    #[error("{0}")]
    Foreign(String),
    /// The answer is not believed.
    #[error("{0}")]
    Unbelievable(String),
    /// The answer is believed, but the server is not as it must be to be watched.
    #[error("{what}")]
    Unfit { what: String, todo: &'static str },
}

impl Failure {
    /// What a person can do about it.
    pub const fn todo(&self, kind: &Kind) -> &'static str {
        match self {
            Self::Unreachable(_) => "start the server, or correct its url in the configuration",
            Self::Slow(_) | Self::Broken(_) => "see whether the server or the network between is overloaded",
            Self::Denied(_) => kind.when_denied,
            Self::Status(404) | Self::Foreign(_) => kind.when_foreign,
            Self::Status(_) | Self::Unbelievable(_) | Self::TooLarge(_) => {
                "see the server's error log; a proxy between may have answered in its place"
            }
            Self::NoTls => "set url to the server's http address, best over a private network",
            Self::Unfit { todo, .. } => todo,
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
