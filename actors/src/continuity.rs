//! Whether the daemon has been awake and its clocks agreed: if not, what it knew is in doubt.

use std::{cell::Cell, time::Duration};

use crate::clock::{Now, Timestamp};

/// Longer than this without any input is a stall: reports may have been missed meanwhile.
pub const STALL: Duration = Duration::from_secs(2);
/// The wall clock may drift from the boot clock by this much between two inputs.
pub const CLOCK_STEP_MS: i64 = 2000;

/// Shared by everything that decides on one arbiter.
#[derive(Debug)]
pub struct Continuity {
    last: Cell<Now>,
    trusted_since: Cell<Timestamp>,
    may_stop: Cell<bool>,
    stalls: Cell<u64>,
    clock_anomalies: Cell<u64>,
}

impl Continuity {
    pub fn new(now: Now) -> Self {
        Self {
            last: Cell::new(now),
            trusted_since: Cell::new(now.at),
            may_stop: Cell::new(true),
            stalls: Cell::new(0),
            clock_anomalies: Cell::new(0),
        }
    }

    /// Takes note of an input; evidence from before the moment it answers with is not believed.
    pub fn observe(&self, now: Now) -> Timestamp {
        let last = self.last.replace(now);
        let passed = now.at.since(last.at);
        let drift = (now.wall.as_millis() - last.wall.as_millis()) - passed.as_millis() as i64;
        if passed > STALL {
            self.stalls.set(self.stalls.get() + 1);
            self.trusted_since.set(now.at);
        }
        if drift.abs() > CLOCK_STEP_MS {
            self.clock_anomalies.set(self.clock_anomalies.get() + 1);
            self.trusted_since.set(now.at);
        }
        self.trusted_since.get()
    }

    pub fn trusted_since(&self) -> Timestamp {
        self.trusted_since.get()
    }

    /// Without a store that takes writes no stop is decided.
    pub fn store_failed(&self) {
        self.may_stop.set(false);
    }

    /// The store is back: what was known while it was away is to be reported anew.
    pub fn store_recovered(&self, now: Timestamp) {
        self.may_stop.set(true);
        self.trusted_since.set(now);
    }

    /// The clock of the store that daemons share has jumped, or this machine's.
    pub fn clock_doubted(&self, now: Timestamp) {
        self.clock_anomalies.set(self.clock_anomalies.get() + 1);
        self.trusted_since.set(now);
    }

    pub fn may_stop(&self) -> bool {
        self.may_stop.get()
    }

    pub fn stalls(&self) -> u64 {
        self.stalls.get()
    }

    pub fn clock_anomalies(&self) -> u64 {
        self.clock_anomalies.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::WallTime;

    fn now(secs: u64, wall: i64) -> Now {
        Now { at: Timestamp::from_secs(secs), wall: WallTime::from_millis(wall * 1000) }
    }

    #[test]
    fn steady_time_keeps_trust() {
        let continuity = Continuity::new(now(10, 100));
        assert_eq!(continuity.observe(now(12, 102)), Timestamp::from_secs(10));
        assert_eq!(continuity.observe(now(14, 104)), Timestamp::from_secs(10));
    }

    #[test]
    fn a_stall_puts_everything_in_doubt() {
        let continuity = Continuity::new(now(10, 100));
        assert_eq!(continuity.observe(now(13, 103)), Timestamp::from_secs(13));
        assert_eq!(continuity.stalls(), 1);
    }

    #[test]
    fn a_wall_clock_that_jumps_puts_everything_in_doubt() {
        let continuity = Continuity::new(now(10, 100));
        assert_eq!(continuity.observe(now(11, 4000)), Timestamp::from_secs(11));
        assert_eq!(continuity.observe(now(12, 90)), Timestamp::from_secs(12));
        assert_eq!(continuity.clock_anomalies(), 2);
    }
}
