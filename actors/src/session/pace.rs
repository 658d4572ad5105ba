//! How many of one thing came since a moment.

use std::time::Duration;

use crate::clock::Timestamp;

#[derive(Clone, Copy, Debug)]
pub struct Pace {
    since: Timestamp,
    count: u32,
}

/// The most that may come within a time.
#[derive(Clone, Copy, Debug)]
pub struct PaceLimit {
    pub most: u32,
    pub within: Duration,
}

impl Pace {
    pub fn new(since: Timestamp) -> Self {
        Self { since, count: 0 }
    }

    /// Counts one more; true where that is too many for the time.
    pub fn exceeds(&mut self, now: Timestamp, limit: PaceLimit) -> bool {
        if now.since(self.since) >= limit.within {
            *self = Self::new(now);
        }
        self.count += 1;
        self.count > limit.most
    }
}
