//! When each channel is to be woken, in one dense table: 100 000 channels that wait cost a look over a few
//! cache lines a second, and no timer each.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::BinaryHeap,
    task::{Context, Waker},
    time::Duration,
};

use crate::clock::Timestamp;

/// What is due within so long of a sweep is kept in its order. Sweeps come more often than that.
const NEAR: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
struct Row {
    wake_at: Timestamp,
    /// The last known zero of a running countdown.
    zero_at: Timestamp,
}

const NOTHING: Row = Row { wake_at: Timestamp::NEVER, zero_at: Timestamp::NEVER };

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Row>,
    /// Every row that is due before the horizon is in here; what is no longer so in the rows does not count.
    near: BinaryHeap<Reverse<(Timestamp, usize)>>,
    horizon: Timestamp,
    /// Who waits for the next one.
    waits: Option<(Timestamp, Waker)>,
}

#[derive(Debug, Default)]
pub struct Alarms(RefCell<Table>);

impl Alarms {
    /// A slot's next alarm, in place of any before, and its last known zero.
    pub fn set(&self, slot: usize, wake_at: Option<Timestamp>, zero_at: Option<Timestamp>) {
        let mut table = self.0.borrow_mut();
        if slot >= table.rows.len() {
            table.rows.resize(slot + 1, NOTHING);
        }
        let (before, horizon) = (table.rows[slot].wake_at, table.horizon);
        let wake_at = wake_at.unwrap_or(Timestamp::NEVER);
        table.rows[slot] = Row { wake_at, zero_at: zero_at.unwrap_or(Timestamp::NEVER) };
        if wake_at < horizon && wake_at != before {
            table.near.push(Reverse((wake_at, slot)));
            if let Some((_, waker)) = table.waits.take_if(|(until, _)| wake_at < *until) {
                waker.wake();
            }
        }
    }

    pub fn clear(&self, slot: usize) {
        self.set(slot, None, None);
    }

    /// Who could not be woken is woken at this time, if not sooner.
    pub fn ring_again(&self, slot: usize, at: Timestamp) {
        let row = self.0.borrow().rows.get(slot).copied().unwrap_or(NOTHING);
        self.set(slot, Some(row.wake_at.min(at)), Some(row.zero_at));
    }

    /// Looks over the whole table; every running countdown was certain of its zero until what is returned.
    pub fn sweep(&self, now: Timestamp) -> Timestamp {
        let mut table = self.0.borrow_mut();
        let Table { rows, near, horizon, .. } = &mut *table;
        let next = now.plus(NEAR);
        let mut certain_until = now;
        for (slot, row) in rows.iter().enumerate() {
            certain_until = certain_until.min(row.zero_at);
            if row.wake_at < next && row.wake_at >= *horizon {
                near.push(Reverse((row.wake_at, slot)));
            }
        }
        *horizon = next.max(*horizon);
        if let Some((_, waker)) = table.waits.take() {
            waker.wake();
        }
        certain_until
    }

    /// The slots whose time has come, the earliest first. Each is told of once.
    pub fn due(&self, now: Timestamp) -> Vec<usize> {
        let mut table = self.0.borrow_mut();
        let mut due = Vec::new();
        while let Some(Reverse((at, slot))) = table.near.peek().copied()
            && at <= now
        {
            table.near.pop();
            let row = &mut table.rows[slot];
            if row.wake_at == at {
                row.wake_at = Timestamp::NEVER;
                due.push(slot);
            }
        }
        due
    }

    /// When to ask again, unless it is told that it is sooner.
    pub fn next(&self, cx: &Context<'_>) -> Timestamp {
        let mut table = self.0.borrow_mut();
        let next = table.near.peek().map_or(Timestamp::NEVER, |Reverse((at, _))| *at);
        match &mut table.waits {
            Some((until, waker)) if waker.will_wake(cx.waker()) => *until = next,
            waits => *waits = Some((next, cx.waker().clone())),
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn each_channel_is_woken_once_when_its_time_has_come() {
        let alarms = Alarms::default();
        alarms.sweep(at(0));
        alarms.set(3, Some(at(1)), None);
        alarms.set(1, Some(at(2)), None);
        assert_eq!(alarms.due(at(1)), [3]);
        assert!(alarms.due(at(1)).is_empty());
        assert_eq!(alarms.due(at(2)), [1]);
    }

    #[test]
    fn an_alarm_that_is_set_anew_or_cleared_does_not_ring_at_its_old_time() {
        let alarms = Alarms::default();
        alarms.sweep(at(0));
        alarms.set(0, Some(at(1)), None);
        alarms.set(0, Some(at(2)), None);
        alarms.set(1, Some(at(1)), None);
        alarms.clear(1);
        assert!(alarms.due(at(1)).is_empty());
        assert_eq!(alarms.due(at(2)), [0]);
    }

    #[test]
    fn who_could_not_be_woken_is_woken_later_but_no_later_than_it_wants() {
        let alarms = Alarms::default();
        alarms.sweep(at(0));
        alarms.set(0, Some(at(1)), Some(at(0)));
        assert_eq!(alarms.due(at(1)), [0]);
        alarms.ring_again(0, at(2));
        alarms.ring_again(0, at(3));
        assert_eq!((alarms.due(at(1)), alarms.due(at(2))), (vec![], vec![0]));
        assert_eq!(alarms.sweep(at(2)), at(0));
    }

    #[test]
    fn countdowns_are_certain_until_the_oldest_of_their_zeros() {
        let alarms = Alarms::default();
        assert_eq!(alarms.sweep(at(100)), at(100));
        alarms.set(0, None, Some(at(95)));
        alarms.set(1, None, Some(at(97)));
        assert_eq!(alarms.sweep(at(100)), at(95));
        alarms.clear(0);
        assert_eq!(alarms.sweep(at(100)), at(97));
    }

    proptest! {
        /// Against a list of what is set: whatever is set, cleared and swept, and however late.
        #[test]
        fn no_alarm_is_missed_none_rings_early_and_none_twice(
            steps in prop::collection::vec((0_u64..2500, 0_usize..6, prop::option::of(0_u64..9000)), 1..200),
        ) {
            let alarms = Alarms::default();
            let mut expected = [None; 6];
            let (mut now, mut swept) = (0, 0);
            alarms.sweep(at(0));
            for (pass, slot, wake_in) in steps {
                // Time goes by with a sweep each second; each rings when it is asked for the first time after.
                let until = now + pass;
                while now < until {
                    now = until.min(swept + 1000);
                    if now == swept + 1000 {
                        alarms.sweep(Timestamp::from_micros(now * 1000));
                        swept = now;
                    }
                    let due = alarms.due(Timestamp::from_micros(now * 1000));
                    let mut should: Vec<usize> = (0..6).filter(|s| expected[*s].is_some_and(|at| at <= now)).collect();
                    should.sort_by_key(|slot| (expected[*slot], *slot));
                    prop_assert_eq!(&due, &should, "at {} ms", now);
                    for slot in due {
                        expected[slot] = None;
                    }
                }
                expected[slot] = wake_in.map(|wake_in| now + wake_in);
                alarms.set(slot, expected[slot].map(|at| Timestamp::from_micros(at * 1000)), None);
            }
        }
    }
}
