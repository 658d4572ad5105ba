//! How many files the daemon may have open at a time, and what that leaves for whom.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the store, the log, timers, listeners, and what the adapters ask of other servers.
const RESERVED: u64 = 128;
/// More than so many connections that are no session are of no use to anybody, and each costs memory.
const CONNECTIONS_MAX: usize = 8192;

/// A session's connection; over TLS with the two ends of a pipe.
const FILES_PER_SESSION: usize = 1;
const FILES_PER_SESSION_OVER_TLS: usize = 3;

/// What there is room for. A connection takes one open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The limit it was made from.
    pub open_files: u64,
    pub sessions: usize,
    /// Connections that are no session, or not yet: streamers, operators, scrapes. It stands while the daemon runs.
    pub connections: usize,
    files_per_session: usize,
}

impl Room {
    /// Sessions get what is asked for, but never more than three quarters: those who report and operate come first.
    pub fn of(open_files: u64, sessions_wanted: usize, over_tls: bool) -> Self {
        let files_per_session = if over_tls { FILES_PER_SESSION_OVER_TLS } else { FILES_PER_SESSION };
        let free = usize::try_from(open_files.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
        let sessions = sessions_wanted.min((free - free / 4) / files_per_session);
        let connections = (free - sessions * files_per_session).min(CONNECTIONS_MAX);
        Self { open_files, sessions, connections, files_per_session }
    }

    /// What a later wish for sessions can have.
    pub fn sessions_for(&self, wanted: usize) -> usize {
        let free = usize::try_from(self.open_files.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
        wanted.min((free - self.connections) / self.files_per_session)
    }
}

/// Raises the limit as far as this process may, and returns it.
pub fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        tracing::warn!(limit = current, "the limit of open files could not be raised to the most that is allowed");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sessions and connections.
    fn room(open_files: u64, wanted: usize, over_tls: bool) -> (usize, usize) {
        let room = Room::of(open_files, wanted, over_tls);
        (room.sessions, room.connections)
    }

    #[test]
    fn sessions_get_what_is_asked_for_and_the_rest_is_for_connections() {
        assert_eq!(room(12_000, 10_000, false), (8904, 2968));
        assert_eq!(room(20_000, 10_000, false), (10_000, 8192));
    }

    #[test]
    fn sessions_over_tls_take_three_files_and_leave_as_much_to_those_who_report() {
        assert_eq!(room(12_000, 10_000, true), (2968, 2968));
        assert_eq!(room(20_000, 1000, true), (1000, 8192));
        assert_eq!(room(4128, 1000, true), (1000, 1000));
        assert_eq!(Room::of(4128, 900, true).sessions_for(100_000), 900);
    }

    #[test]
    fn a_wish_that_grows_while_the_daemon_runs_gets_no_more_than_the_connections_leave() {
        assert_eq!(room(2000, 100, false), (100, 1772));
        let room = Room::of(2000, 100, false);
        assert_eq!((room.sessions_for(50), room.sessions_for(1000)), (50, 100));
        assert_eq!(Room::of(20_000, 1000, false).sessions_for(100_000), 11_680);
    }

    #[test]
    fn where_files_are_few_those_who_report_still_get_in() {
        assert_eq!(room(1024, 1000, false), (672, 224));
        assert_eq!(room(1024, 1000, true), (224, 224));
        assert_eq!(room(100, 1000, false), (0, 0));
        assert_eq!(room(u64::MAX, 1000, false).0, 1000);
    }
}
