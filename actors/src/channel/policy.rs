//! How one channel is to be ended: what the configuration says, settled per channel.

use std::{sync::Arc, time::Duration};

/// How long a stop command may be delivered and retried; past it the stop has failed.
pub const STOP_VALIDITY: Duration = Duration::from_secs(60);
/// A stop that failed is tried again at most this often.
pub const STOP_RETRY_EVERY: Duration = Duration::from_secs(300);
/// A session that starts this soon after an unheard one vanished is the same empty stream.
pub const INHERITANCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub enabled: bool,
    pub timeout: Duration,
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
        Self { enabled: true, timeout, warnings: warnings.into(), dry_run: false }
    }

    /// The warnings that apply: one that is not shorter than the timeout is skipped.
    pub fn warnings(&self) -> impl DoubleEndedIterator<Item = Duration> + '_ {
        self.warnings.iter().copied().filter(|w| *w < self.timeout)
    }

    /// The last warning before the end, after which its whole time must go by.
    pub fn last_warning(&self) -> Option<Duration> {
        self.warnings().next_back()
    }
}
