//! What a token is for, and what a request asks for.

use serde::{Deserialize, Serialize};

/// What the holder of a token is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything, changes nothing.
    Viewer,
    /// Sees everything, and pauses, resumes, extends, keeps alive, stops and forgets.
    Operator,
    /// Reports streams and is given their commands; sees nothing else.
    Streamer,
    /// Scrapes /metrics; sees nothing else.
    Metrics,
}

/// What a request needs its caller to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It tells nothing of any stream.
    Nothing,
    View,
    Scrape,
    Report,
    Operate,
}

impl Need {
    /// Of a route, by its pattern. One that is not listed is for viewers to read and for operators to change: a new one
    /// is closed until somebody opens it.
    pub fn of(reads: bool, route: Option<&str>) -> Self {
        match route {
            Some(
                "/"
                | "/monitoring"
                | "/monitoring/{path:.*}"
                | "/healthz"
                | "/readyz"
                | "/api/v1/openapi.json"
                | "/api/v1/session",
            ) => Self::Nothing,
            Some("/metrics") => Self::Scrape,
            Some("/api/v1/ingest" | "/api/v1/streams/{channel_id}/listeners") => Self::Report,
            _ if reads => Self::View,
            _ => Self::Operate,
        }
    }
}

impl Role {
    pub const fn allows(self, need: Need) -> bool {
        match need {
            Need::Nothing => true,
            Need::View => matches!(self, Self::Viewer | Self::Operator),
            Need::Scrape => matches!(self, Self::Viewer | Self::Operator | Self::Metrics),
            Need::Report => matches!(self, Self::Streamer),
            Need::Operate => matches!(self, Self::Operator),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Streamer => "streamer",
            Self::Metrics => "metrics",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_it_is_for_and_nothing_else() {
        let needs = [Need::Nothing, Need::View, Need::Scrape, Need::Report, Need::Operate];
        let may = |role: Role| needs.map(|need| role.allows(need));
        assert_eq!(may(Role::Viewer), [true, true, true, false, false]);
        assert_eq!(may(Role::Operator), [true, true, true, false, true]);
        assert_eq!(may(Role::Streamer), [true, false, false, true, false]);
        assert_eq!(may(Role::Metrics), [true, false, true, false, false]);
    }

    #[test]
    fn a_route_nobody_has_thought_of_is_closed() {
        assert_eq!(Need::of(true, None), Need::View);
        assert_eq!(Need::of(false, None), Need::Operate);
        assert_eq!(Need::of(false, Some("/api/v1/streams/{channel_id}/anything")), Need::Operate);
        assert_eq!(Need::of(true, Some("/ws/stats")), Need::View);
    }
}
