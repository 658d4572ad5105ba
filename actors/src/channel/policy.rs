//! How one channel is to be ended: what the configuration says, settled per channel.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::auto_end::Reason;
use crate::clock::Span;

/// How long a stop command may be delivered and retried; past it the stop has failed.
pub const STOP_VALIDITY: Duration = Duration::from_secs(60);
/// A stop that failed is tried again at most this often.
pub const STOP_RETRY_EVERY: Duration = Duration::from_secs(300);
/// A session that starts this soon after an unheard one vanished is the same empty stream.
pub const INHERITANCE: Duration = Duration::from_secs(60);

/// A reporter that comes by at least this often collects a stop while it is valid, whenever it is
/// decided; for a slower one it is decided on a report, whose answer carries it.
pub const COLLECTS_WITHIN: Duration = Duration::from_secs(30);

/// How long a stream must be without listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Since the last one left.
    pub all_left: Span,
    /// From the start, while nobody has joined.
    pub never_joined: Span,
}

impl Timeouts {
    pub const fn both(timeout: Duration) -> Self {
        Self { all_left: Span::of(timeout), never_joined: Span::of(timeout) }
    }

    pub const fn of(&self, reason: Reason) -> Duration {
        match reason {
            Reason::NeverJoined => self.never_joined.get(),
            Reason::AllLeft | Reason::StopFailed | Reason::Operator => self.all_left.get(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub enabled: bool,
    pub timeouts: Timeouts,
    /// Descending, without repetition.
    pub warnings: Arc<[Duration]>,
    pub dry_run: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(Duration::from_secs(300), &[60, 30, 10])
    }
}

impl Policy {
    pub fn new(timeout: Duration, warning_seconds: &[u64]) -> Self {
        let mut warnings: Vec<Duration> = warning_seconds.iter().map(|s| Duration::from_secs(*s)).collect();
        warnings.sort_unstable_by(|a, b| b.cmp(a));
        warnings.dedup();
        Self { enabled: true, timeouts: Timeouts::both(timeout), warnings: warnings.into(), dry_run: false }
    }

    /// The warnings that apply: one that is not shorter than the timeout is skipped.
    pub fn warnings(&self, reason: Reason) -> impl DoubleEndedIterator<Item = Duration> + '_ {
        let timeout = self.timeouts.of(reason);
        self.warnings.iter().copied().filter(move |w| *w < timeout)
    }

    /// The last warning before the end, after which its whole time must go by.
    pub fn last_warning(&self, reason: Reason) -> Option<Duration> {
        self.warnings(reason).next_back()
    }
}
