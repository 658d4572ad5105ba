//! When each channel's evidence expires, in one dense table: a sweep over 100 000 channels reads a
//! few cache lines instead of waking every channel.

use std::cell::RefCell;

use crate::clock::Timestamp;

#[derive(Clone, Copy, Debug)]
struct Row {
    expires_at: Timestamp,
    /// The last known zero of a running countdown.
    zero_at: Timestamp,
}

const NOTHING: Row = Row { expires_at: Timestamp::NEVER, zero_at: Timestamp::NEVER };

/// What a sweep found.
#[derive(Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Slots whose evidence has expired.
    pub expired: Vec<usize>,
    /// Every running countdown was certain of its zero until here.
    pub certain_until: Timestamp,
}

#[derive(Debug, Default)]
pub struct Freshness(RefCell<Vec<Row>>);

impl Freshness {
    pub fn set(&self, slot: usize, expires_at: Option<Timestamp>, zero_at: Option<Timestamp>) {
        let mut rows = self.0.borrow_mut();
        if slot >= rows.len() {
            rows.resize(slot + 1, NOTHING);
        }
        rows[slot] =
            Row { expires_at: expires_at.unwrap_or(Timestamp::NEVER), zero_at: zero_at.unwrap_or(Timestamp::NEVER) };
    }

    pub fn clear(&self, slot: usize) {
        self.set(slot, None, None);
    }

    pub fn sweep(&self, now: Timestamp) -> Sweep {
        let mut expired = Vec::new();
        let mut certain_until = now;
        for (slot, row) in self.0.borrow_mut().iter_mut().enumerate() {
            certain_until = certain_until.min(row.zero_at);
            if row.expires_at <= now {
                expired.push(slot);
                // Told once; the channel sets it anew when it hears of its reporters again.
                row.expires_at = Timestamp::NEVER;
            }
        }
        Sweep { expired, certain_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_sweep_names_each_expired_channel_once() {
        let table = Freshness::default();
        table.set(3, Some(at(10)), None);
        table.set(1, Some(at(20)), None);
        assert_eq!(table.sweep(at(10)).expired, [3]);
        assert!(table.sweep(at(11)).expired.is_empty());
        assert_eq!(table.sweep(at(20)).expired, [1]);
    }

    #[test]
    fn countdowns_are_certain_until_the_oldest_of_their_zeros() {
        let table = Freshness::default();
        assert_eq!(table.sweep(at(100)).certain_until, at(100));
        table.set(0, None, Some(at(95)));
        table.set(1, None, Some(at(97)));
        assert_eq!(table.sweep(at(100)).certain_until, at(95));
        table.clear(0);
        assert_eq!(table.sweep(at(100)).certain_until, at(97));
    }
}
