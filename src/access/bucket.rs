//! How much one may do at a time: a bucket of so many, which fills again by itself.

use std::{collections::HashMap, hash::Hash, time::Duration};

use sattva_actors::clock::Timestamp;

/// Who is remembered at a time; whoever comes beyond that takes the place of those whose buckets are full again.
const REMEMBERED: usize = 10_000;

/// So many at once, and one more each `every`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub most: u32,
    pub every: Duration,
}

impl Rate {
    /// An empty bucket is full again after this.
    fn fills_in(self) -> Duration {
        self.every * self.most
    }
}

/// One bucket for each of many.
#[derive(Debug)]
pub struct Buckets<K> {
    /// When each bucket will be full.
    full_at: HashMap<K, Timestamp>,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { full_at: HashMap::new() }
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Takes one out of a bucket.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub fn take(&mut self, key: K, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        if self.full_at.len() >= REMEMBERED && !self.full_at.contains_key(&key) {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= REMEMBERED {
                // So many at once are no crowd of honest ones: all newcomers wait.
                return Err(rate.every);
            }
        }
        let full_at = self.full_at.entry(key).or_insert(now);
        let then = (*full_at).max(now).plus(rate.every);
        let over = then.since(now).checked_sub(rate.fills_in()).filter(|over| !over.is_zero());
        match over {
            Some(wait) => Err(wait),
            None => {
                *full_at = then;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { most: 3, every: Duration::from_secs(2) };

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_secs(100).plus(Duration::from_millis(milliseconds))
    }

    #[test]
    fn so_many_are_taken_at_once_and_then_one_each_time_it_has_filled_a_little() {
        let mut buckets = Buckets::default();
        for _ in 0..3 {
            assert_eq!(buckets.take("a", RATE, at(0)), Ok(()));
        }
        assert_eq!(buckets.take("a", RATE, at(0)), Err(Duration::from_secs(2)));
        assert_eq!(buckets.take("a", RATE, at(500)), Err(Duration::from_millis(1500)));
        assert_eq!(buckets.take("a", RATE, at(2000)), Ok(()));
        assert!(buckets.take("a", RATE, at(2000)).is_err());
        for _ in 0..3 {
            assert_eq!(buckets.take("a", RATE, at(60_000)), Ok(()));
        }
        assert!(buckets.take("a", RATE, at(60_000)).is_err());
    }

    #[test]
    fn nobody_pays_for_another() {
        let mut buckets = Buckets::default();
        while buckets.take("a", RATE, at(0)).is_ok() {}
        assert_eq!(buckets.take("b", RATE, at(0)), Ok(()));
    }

    #[test]
    fn only_so_many_are_remembered_and_those_who_are_quiet_make_room() {
        let mut buckets = Buckets::default();
        for number in 0..REMEMBERED {
            buckets.take(number, RATE, at(0)).unwrap();
        }
        assert!(buckets.take(REMEMBERED, RATE, at(0)).is_err());
        assert_eq!(buckets.take(0, RATE, at(0)), Ok(()));
        assert_eq!(buckets.take(REMEMBERED, RATE, at(2001)), Ok(()));
        assert!(buckets.full_at.len() <= 2);
    }
}
