//! How many files the daemon may have open at a time, and what that leaves for whom.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the store, the log, timers, listeners, and what the adapters ask of other servers.
const RESERVED: u64 = 128;
/// More than so many connections that are no session are of no use to anybody, and each costs memory.
const CONNECTIONS_MAX: usize = 8192;

/// What there is room for. Everybody who is connected takes one open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The limit it was made from.
    pub open_files: u64,
    pub sessions: usize,
    /// Connections that are no session, or not yet: streamers, operators, scrapes. It stands while the daemon runs.
    pub connections: usize,
}

impl Room {
    /// Sessions get what is asked for, but never more than three quarters: those who report and operate come first.
    pub fn of(open_files: u64, sessions_wanted: usize) -> Self {
        let free = usize::try_from(open_files.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
        let sessions = sessions_wanted.min(free - free / 4);
        Self { open_files, sessions, connections: (free - sessions).min(CONNECTIONS_MAX) }
    }

    /// What a later wish for sessions can have.
    pub fn sessions_for(&self, wanted: usize) -> usize {
        let free = usize::try_from(self.open_files.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
        wanted.min(free - self.connections)
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

    #[test]
    fn sessions_get_what_is_asked_for_and_the_rest_is_for_connections() {
        assert_eq!(Room::of(12_000, 10_000), Room { open_files: 12_000, sessions: 8904, connections: 2968 });
        assert_eq!(Room::of(20_000, 10_000), Room { open_files: 20_000, sessions: 10_000, connections: 8192 });
    }

    #[test]
    fn a_wish_that_grows_while_the_daemon_runs_gets_no_more_than_the_connections_leave() {
        let room = Room::of(2000, 100);
        assert_eq!(room, Room { open_files: 2000, sessions: 100, connections: 1772 });
        assert_eq!((room.sessions_for(50), room.sessions_for(1000)), (50, 100));
        assert_eq!(Room::of(20_000, 1000).sessions_for(100_000), 11_680);
    }

    #[test]
    fn where_files_are_few_those_who_report_still_get_in() {
        assert_eq!(Room::of(1024, 1000), Room { open_files: 1024, sessions: 672, connections: 224 });
        assert_eq!(Room::of(100, 1000), Room { open_files: 100, sessions: 0, connections: 0 });
        assert_eq!(Room::of(u64::MAX, 1000).sessions, 1000);
    }
}
