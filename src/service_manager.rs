//! The service manager: told when the daemon is ready, reloads or stops, and what it does meanwhile. Without one nothing is
//! told to anybody.

use sattva_actors::{channel::cell::Totals, clock::WallTime};
use sd_notify::NotifyState;

/// How the last reload went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Reload {
    #[default]
    None,
    Applied(WallTime),
    Refused(String),
}

/// What `systemctl status` shows in one line.
#[derive(Debug, Default)]
pub struct ServiceManager {
    shown: String,
    reload: Reload,
}

impl ServiceManager {
    pub fn ready(&mut self, totals: &Totals) {
        self.shown = line(totals.active_streams, totals.total_listeners, &self.reload);
        tell(&[NotifyState::Ready, NotifyState::Status(&self.shown)]);
    }

    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        tell(&[NotifyState::Reloading, NotifyState::MonotonicUsec(microseconds)]);
    }

    /// To be followed by [`Self::ready`].
    pub fn reloaded(&mut self, at: WallTime) {
        self.reload = Reload::Applied(at);
    }

    /// To be followed by [`Self::ready`]; `why` is one line.
    pub fn refused(&mut self, why: String) {
        self.reload = Reload::Refused(why);
    }

    /// Whether there is one to tell anything.
    pub fn is_there(&self) -> bool {
        std::env::var_os("NOTIFY_SOCKET").is_some()
    }

    /// Tells what has changed.
    pub fn show(&mut self, totals: &Totals) {
        let line = line(totals.active_streams, totals.total_listeners, &self.reload);
        if line != self.shown {
            self.shown = line;
            tell(&[NotifyState::Status(&self.shown)]);
        }
    }

    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("closing sessions and writing what is to be kept")]);
    }
}

/// The actors are alive.
pub fn feed_watchdog() {
    tell(&[NotifyState::Watchdog]);
}

fn line(streams: u64, listeners: u64, reload: &Reload) -> String {
    let figures = format!("{}, {}", number(streams, "stream"), number(listeners, "listener"));
    match reload {
        Reload::None => figures,
        Reload::Applied(at) => format!("{figures}; configuration reloaded at {at}"),
        Reload::Refused(why) => format!("{figures}; reload refused, the old configuration stays: {why}"),
    }
}

fn number(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_many_there_are_and_how_the_last_reload_went() {
        assert_eq!(line(1, 0, &Reload::None), "1 stream, 0 listeners");
        let at = Reload::Applied(WallTime::from_millis(1_800_000_000_000));
        assert_eq!(line(12, 1, &at), "12 streams, 1 listener; configuration reloaded at 2027-01-15T08:00:00.000Z");
        let refused = Reload::Refused("a.toml:3: what".to_owned());
        assert_eq!(
            line(0, 0, &refused),
            "0 streams, 0 listeners; reload refused, the old configuration stays: a.toml:3: what"
        );
    }
}
