//! A count on its way to zero: a listener counts at once, nobody only after a while. Pure.

use std::time::Duration;

use sattva_actors::clock::Timestamp;

/// A look later than so many intervals after the last one has not seen what was between.
const BLIND_AFTER: u32 = 3;

/// What was counted of one connection.
#[derive(Clone, Debug, Default)]
pub struct Settling {
    /// The last look, and since when every one of them has shown nobody.
    last: Option<(Timestamp, Option<Timestamp>)>,
    /// Who was there last.
    heard: Option<u32>,
}

impl Settling {
    /// The count to believe after a look: while nobody has not settled, those who were there last are there,
    /// and where nobody was seen yet it is unknown.
    pub fn count(&mut self, at: Timestamp, counted: Option<u32>, settle: Duration, interval: Duration) -> Option<u32> {
        let unbroken = self.last.filter(|(last, _)| at.since(*last) <= interval * BLIND_AFTER);
        let nobody = (counted == Some(0)).then(|| unbroken.and_then(|(_, nobody)| nobody).unwrap_or(at));
        self.last = Some((at, nobody));
        match (counted, nobody) {
            (_, Some(since)) if at.since(since) < settle => self.heard,
            (counted, _) => {
                self.heard = counted.filter(|n| *n > 0);
                counted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is believed after looks at `(second, count)`, with a settling time of ten seconds.
    fn believed(looks: &[(u64, Option<u32>)]) -> Vec<Option<u32>> {
        let mut settling = Settling::default();
        let seconds = Duration::from_secs;
        let count = |(at, counted): &(u64, Option<u32>)| {
            settling.count(Timestamp::from_secs(100 + at), *counted, seconds(10), seconds(5))
        };
        looks.iter().map(count).collect()
    }

    #[test]
    fn nobody_counts_only_after_the_settling_time_and_a_listener_at_once() {
        let looks = [(0, Some(2)), (5, Some(0)), (10, Some(0)), (15, Some(0)), (20, Some(1)), (25, Some(0))];
        assert_eq!(believed(&looks), [Some(2), Some(2), Some(2), Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn who_comes_back_in_between_begins_it_anew() {
        let looks = [(0, Some(1)), (5, Some(0)), (14, Some(3)), (15, Some(0)), (24, Some(0)), (25, Some(0))];
        assert_eq!(believed(&looks), [Some(1), Some(1), Some(3), Some(3), Some(3), Some(0)]);
    }

    #[test]
    fn a_stream_first_seen_without_listeners_is_unknown_until_that_has_settled() {
        assert_eq!(believed(&[(0, Some(0)), (9, Some(0)), (10, Some(0))]), [None, None, Some(0)]);
    }

    #[test]
    fn a_count_that_was_unknown_or_not_looked_at_has_not_been_zero() {
        let looks = [(0, Some(1)), (5, Some(0)), (10, None), (15, Some(0)), (20, Some(0)), (25, Some(0))];
        assert_eq!(believed(&looks), [Some(1), Some(1), None, None, None, Some(0)]);
        assert_eq!(believed(&[(0, Some(0)), (16, Some(0)), (26, Some(0))]), [None, None, Some(0)]);
    }

    #[test]
    fn without_a_settling_time_every_count_is_believed_at_once() {
        let mut settling = Settling::default();
        for (at, counted) in [(0, Some(0)), (1, Some(2)), (2, Some(0)), (3, None), (90, Some(0))] {
            let at = Timestamp::from_secs(at);
            assert_eq!(settling.count(at, counted, Duration::ZERO, Duration::from_secs(5)), counted);
        }
    }
}
