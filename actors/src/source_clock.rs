//! How late a source's reports are, told from its own clock without trusting that clock to be right.

use std::time::Duration;

use crate::clock::WallTime;

/// The smallest offset is remembered over the last one to two of these, so that a source whose clock
/// is set back is believed again.
const WINDOW_MS: i64 = 600_000;
/// A report that seems older than this is late, or its source has a wrong clock: in doubt, late.
const PLAUSIBLE_SKEW_MS: u64 = 60_000;

/// A source whose clock has been wrong by the same for so long is believed to have a wrong clock, and to
/// report in time: what was held up arrives at shrinking distances.
const STEADY_FOR_MS: i64 = 60_000;
/// So much may such an offset vary: the smallest one of each stretch of this length, for a count that is
/// reported again and again grows older until it is taken anew.
const STEADY_WITHIN_MS: i64 = 2_000;
const STRETCH_MS: i64 = 20_000;

/// Per source: the smallest difference seen between arrival and `observed_at`.
#[derive(Clone, Debug, Default)]
pub struct SourceClock {
    window_began: i64,
    before: Option<i64>,
    current: Option<i64>,
    implausible: Option<Implausible>,
}

/// Offsets past what is plausible that have been much the same.
#[derive(Clone, Copy, Debug)]
struct Implausible {
    since: i64,
    stretch_began: i64,
    /// The smallest of this stretch, and the range of those of the stretches before.
    least: i64,
    leasts: Option<(i64, i64)>,
}

impl SourceClock {
    /// How much older than its arrival a report is.
    pub fn lag(&mut self, arrived: WallTime, observed_at: WallTime) -> Duration {
        let arrived = arrived.as_millis();
        let offset = arrived.saturating_sub(observed_at.as_millis());
        if arrived - self.window_began >= WINDOW_MS {
            self.before = self.current.take();
            self.window_began = arrived;
        }
        let smallest_seen = self.before.into_iter().chain(self.current).min();
        let near = |known: i64| offset.abs_diff(known) <= PLAUSIBLE_SKEW_MS;
        let smallest = if near(0) || smallest_seen.is_some_and(near) {
            self.implausible = None;
            self.learn(offset);
            smallest_seen.map_or(offset, |seen| seen.min(offset))
        } else if let Some(least) = self.steady(arrived, offset) {
            (self.before, self.current) = (None, Some(least));
            least
        } else {
            // It corrects nothing: late or wrong, it is not to be believed. One from the future may have been held up too.
            return Duration::from_millis(offset.abs_diff(smallest_seen.unwrap_or(0)));
        };
        Duration::from_millis(offset.saturating_sub(smallest).max(0) as u64)
    }

    fn learn(&mut self, offset: i64) {
        self.current = Some(self.current.map_or(offset, |current| current.min(offset)));
    }

    /// The smallest of offsets that have been much the same for long enough.
    fn steady(&mut self, arrived: i64, offset: i64) -> Option<i64> {
        let new = Implausible { since: arrived, stretch_began: arrived, least: offset, leasts: None };
        let run = match self.implausible {
            None => new,
            Some(run) if arrived - run.stretch_began < STRETCH_MS => {
                Implausible { least: run.least.min(offset), ..run }
            }
            Some(run) => {
                let (least, most) = run.leasts.unwrap_or((run.least, run.least));
                let (least, most) = (least.min(run.least), most.max(run.least));
                let same = most - least <= STEADY_WITHIN_MS;
                let next = Implausible { stretch_began: arrived, least: offset, leasts: Some((least, most)), ..run };
                if same { next } else { new }
            }
        };
        self.implausible = Some(run);
        let (least, _) = run.leasts.filter(|_| arrived - run.since >= STEADY_FOR_MS)?;
        Some(least.min(run.least))
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
    fn a_clock_that_is_minutes_wrong_is_believed_once_it_has_been_so_for_a_minute() {
        for skew in [-900, -120, 120, 900] {
            let mut clock = SourceClock::default();
            let lags: Vec<u64> = (0..20).map(|n| lag(&mut clock, 10_000 + 5 * n, 10_000 + 5 * n - skew)).collect();
            assert_eq!(lags[12..], [0; 8], "skew {skew}: {lags:?}");
            // From then on it is told apart what comes late.
            assert_eq!(lag(&mut clock, 10_100, 10_100 - skew - 30), 30);
        }
    }

    #[test]
    fn a_wrong_clock_is_believed_though_each_count_is_reported_a_few_times() {
        for skew in [-120, 120] {
            let mut clock = SourceClock::default();
            // Taken every 15 s, reported every 5 s.
            let lags: Vec<u64> = (0..40).map(|n| lag(&mut clock, 10_000 + 5 * n, 10_000 + n / 3 * 15 - skew)).collect();
            let expected: Vec<u64> = (0..40).map(|n| n % 3 * 5).collect();
            assert_eq!(lags[15..], expected[15..], "skew {skew}: {lags:?}");
        }
    }

    #[test]
    fn what_is_held_up_ever_less_is_not_taken_for_a_wrong_clock() {
        let mut clock = SourceClock::default();
        for n in 0..60 {
            // A backlog that is worked off: a second of it in each second.
            let lag = lag(&mut clock, 10_000 + 2 * n, 9_500 + 4 * n);
            assert!(lag >= 380, "{n}: {lag}");
        }
    }

    #[test]
    fn what_was_held_up_for_long_and_arrives_all_at_once_stays_old() {
        let mut clock = SourceClock::default();
        for n in 0..100 {
            assert!(lag(&mut clock, 10_000 + n / 10, 6_000 + 5 * n) > 3_000);
        }
    }

    #[test]
    fn one_report_from_the_future_is_not_believed_and_makes_the_others_no_older() {
        let mut clock = SourceClock::default();
        assert_eq!(lag(&mut clock, 10_000, 10_000), 0);
        assert!(lag(&mut clock, 10_005, 99_999) > 80_000);
        assert_eq!(lag(&mut clock, 10_010, 10_010), 0);
    }

    #[test]
    fn what_was_held_up_while_a_source_set_its_clock_forward_is_not_taken_for_new() {
        let mut clock = SourceClock::default();
        assert_eq!(lag(&mut clock, 10_000, 10_000), 0);
        // It was taken 30 s ago, an hour ahead.
        assert!(lag(&mut clock, 10_040, 13_610) >= 30);
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
