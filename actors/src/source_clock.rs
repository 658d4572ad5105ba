//! How late a source's reports are, told from its own clock without trusting that clock to be right.

use std::time::Duration;

use crate::clock::WallTime;

/// The smallest offset is remembered over the last one to two of these, so that a source whose clock
/// is set back is believed again.
const WINDOW_MS: i64 = 600_000;
/// A report that seems older than this is late, or its source has a wrong clock: in doubt, late.
const PLAUSIBLE_SKEW_MS: i64 = 60_000;

/// Per source: the smallest difference seen between arrival and `observed_at`.
#[derive(Clone, Debug, Default)]
pub struct SourceClock {
    window_began: i64,
    before: Option<i64>,
    current: Option<i64>,
}

impl SourceClock {
    /// How much older than its arrival a report is.
    pub fn lag(&mut self, arrived: WallTime, observed_at: WallTime) -> Duration {
        let offset = arrived.as_millis().saturating_sub(observed_at.as_millis());
        if arrived.as_millis() - self.window_began >= WINDOW_MS {
            self.before = self.current.take();
            self.window_began = arrived.as_millis();
        }
        // A skew past what is plausible corrects nothing: late or wrong, it is not to be believed.
        let own = if offset > PLAUSIBLE_SKEW_MS { 0 } else { offset };
        let smallest = self.before.into_iter().chain(self.current).fold(own, i64::min);
        self.current = Some(self.current.map_or(own, |current| current.min(own)));
        Duration::from_millis(offset.saturating_sub(smallest).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag(clock: &mut SourceClock, arrived: i64, observed: i64) -> u64 {
        clock.lag(WallTime::from_millis(arrived * 1000), WallTime::from_millis(observed * 1000)).as_secs()
    }

    #[test]
    fn a_constant_skew_is_no_lag() {
        let mut clock = SourceClock::default();
        assert_eq!(lag(&mut clock, 10_000, 9_960), 0);
        assert_eq!(lag(&mut clock, 10_005, 9_965), 0);
    }

    #[test]
    fn a_report_that_was_held_up_is_as_old_as_it_was_held_up() {
        let mut clock = SourceClock::default();
        lag(&mut clock, 10_000, 10_000);
        assert_eq!(lag(&mut clock, 10_100, 10_010), 90);
        assert_eq!(lag(&mut clock, 10_101, 10_100), 1);
    }

    #[test]
    fn a_first_report_from_an_hour_ago_is_an_hour_old() {
        let mut clock = SourceClock::default();
        assert_eq!(lag(&mut clock, 10_000, 6_400), 3600);
        assert_eq!(lag(&mut clock, 10_005, 6_405), 3600);
    }

    #[test]
    fn a_clock_set_back_is_believed_again_within_two_windows() {
        let mut clock = SourceClock::default();
        assert_eq!(lag(&mut clock, 10_000, 10_000), 0);
        assert_eq!(lag(&mut clock, 10_010, 10_000), 10);
        assert_eq!(lag(&mut clock, 10_700, 10_690), 10);
        assert_eq!(lag(&mut clock, 11_400, 11_390), 0);
    }
}
