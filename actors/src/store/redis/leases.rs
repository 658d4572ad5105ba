//! Which slots a daemon holds, as Redis told it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    identity::ChannelId,
    territory::{Slot, Territory},
};

/// What `tenure.lua` answers: Redis's time in milliseconds since 1970, the life of its data, the number of each slot that
/// is this daemon's with its fence and how it is held, and how many of them are too many.
pub type Tenures = (i64, i64, Vec<(u16, u64, String)>, usize);

#[derive(Debug, Default)]
pub struct Leases(BTreeMap<Slot, Lease>);

#[derive(Debug)]
struct Lease {
    fence: u64,
    /// The fence under which what is in memory was read; it outlives a Redis that loses its data.
    tenure: u64,
    /// What was left there has been read: from here on the truth is in this daemon's memory.
    read: bool,
    /// Its channels leave, and then it is given back.
    leaving: bool,
}

/// What a renewal changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub lost: Vec<Slot>,
    /// Held as before, but Redis has forgotten what is in them.
    pub anew: Vec<Slot>,
}

impl Leases {
    /// The slots whose truth is here, with their fences.
    pub fn held(&self) -> impl Iterator<Item = (Slot, u64)> {
        self.0.iter().filter(|(_, lease)| lease.read).map(|(slot, lease)| (*slot, lease.fence))
    }

    /// As [`Self::held`], with the fence under which each was taken, and whether its channels leave.
    pub fn tenures(&self) -> impl Iterator<Item = (Slot, u64, u64, bool)> {
        self.held().map(|(slot, fence)| (slot, fence, self.0[&slot].tenure, self.0[&slot].leaving))
    }

    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.held().map(|(slot, _)| slot)
    }

    pub fn territory(&self) -> Territory {
        let ours = self.0.iter().filter(|(_, lease)| lease.read && !lease.leaving);
        Territory::Slots(ours.map(|(slot, lease)| (*slot, lease.tenure)).collect())
    }

    /// The slot of a channel and its fence, if it is held, and has been since this tenure of the channel began.
    pub fn fence_of(&self, channel: &ChannelId, tenure: Option<u64>) -> Option<(Slot, u64)> {
        let slot = Slot::of(channel.as_str());
        let lease = self.0.get(&slot).filter(|lease| lease.read && tenure.is_none_or(|tenure| tenure == lease.tenure));
        lease.map(|lease| (slot, lease.fence))
    }

    /// Takes in the slots that Redis says are held, each with its fence and how it is held: see `tenure.lua`.
    pub fn renewed(&mut self, slots: Vec<(u16, u64, String)>) -> Change {
        let slots = slots.into_iter().filter_map(|(slot, fence, how)| Some((Slot::numbered(slot)?, (fence, how))));
        let slots: BTreeMap<Slot, (u64, String)> = slots.collect();
        let mut change = Change::default();
        self.0.retain(|slot, lease| {
            let stays = match slots.get(slot) {
                Some((fence, how)) if how == "anew" && lease.read => {
                    lease.fence = *fence;
                    change.anew.push(*slot);
                    true
                }
                Some((fence, _)) => *fence == lease.fence,
                None => false,
            };
            if !stays && lease.read {
                change.lost.push(*slot);
            }
            stays
        });
        for (slot, (fence, _)) in slots {
            self.0.entry(slot).or_insert(Lease { fence, tenure: fence, read: false, leaving: false });
        }
        change
    }

    /// Makes so many slots leave, those that already do among them: answers which are new.
    pub fn give_up(&mut self, surplus: usize) -> Vec<Slot> {
        let already = self.0.values().filter(|lease| lease.leaving).count();
        let staying = self.0.iter_mut().rev().filter(|(_, lease)| lease.read && !lease.leaving);
        staying
            .take(surplus.saturating_sub(already))
            .map(|(slot, lease)| {
                lease.leaving = true;
                *slot
            })
            .collect()
    }

    /// These are held no longer: answers those that were, with their fences.
    pub fn let_go(&mut self, slots: &[Slot]) -> Vec<(Slot, u64)> {
        let leaving = slots.iter().filter(|slot| self.0.get(slot).is_some_and(|lease| lease.leaving));
        let leaving: Vec<Slot> = leaving.copied().collect();
        leaving.iter().filter_map(|slot| Some((*slot, self.0.remove(slot)?.fence))).collect()
    }

    /// The slots whose contents are still to be read.
    pub fn unread(&self) -> impl Iterator<Item = Slot> {
        self.0.iter().filter(|(_, lease)| !lease.read).map(|(slot, _)| *slot)
    }

    pub fn read(&mut self, slots: &[Slot]) {
        for slot in slots {
            if let Some(lease) = self.0.get_mut(slot) {
                lease.read = true;
            }
        }
    }

    /// Another daemon has them: answers those that were held.
    pub fn lose(&mut self, slots: &BTreeSet<Slot>) -> Vec<Slot> {
        slots.iter().filter(|slot| self.0.remove(slot).is_some()).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u16) -> Slot {
        Slot::numbered(number).unwrap()
    }

    fn told(slots: &[(u16, u64, &str)]) -> Vec<(u16, u64, String)> {
        slots.iter().map(|(slot, fence, how)| (*slot, *fence, (*how).to_owned())).collect()
    }

    fn holding(slots: &[(u16, u64)]) -> Leases {
        let mut leases = Leases::default();
        leases.renewed(slots.iter().map(|(slot, fence)| (*slot, *fence, "taken".to_owned())).collect());
        let unread: Vec<Slot> = leases.unread().collect();
        leases.read(&unread);
        leases
    }

    #[test]
    fn a_slot_is_held_only_when_what_was_left_in_it_has_been_read() {
        let mut leases = Leases::default();
        assert_eq!(leases.renewed(told(&[(3, 10, "taken")])), Change::default());
        assert_eq!((leases.held().count(), leases.unread().collect::<Vec<_>>()), (0, vec![slot(3)]));
        leases.read(&[slot(3)]);
        assert_eq!(leases.held().collect::<Vec<_>>(), [(slot(3), 10)]);
    }

    #[test]
    fn what_redis_does_not_name_or_names_under_another_fence_is_lost() {
        let mut leases = holding(&[(1, 10), (2, 11), (3, 12)]);
        let change = leases.renewed(told(&[(1, 10, "kept"), (2, 20, "taken")]));
        assert_eq!(change, Change { lost: vec![slot(2), slot(3)], anew: vec![] });
        assert_eq!(leases.unread().collect::<Vec<_>>(), [slot(2)], "to be read again: another had it meanwhile");
    }

    #[test]
    fn what_redis_has_forgotten_stays_as_it_is_in_memory() {
        let mut leases = holding(&[(1, 10)]);
        assert_eq!(leases.renewed(told(&[(1, 30, "anew")])), Change { lost: vec![], anew: vec![slot(1)] });
        assert_eq!(leases.held().collect::<Vec<_>>(), [(slot(1), 30)]);
    }

    #[test]
    fn what_is_too_much_leaves_once_and_is_written_until_it_has() {
        let mut leases = holding(&[(1, 10), (2, 11), (3, 12)]);
        assert_eq!(leases.give_up(1), [slot(3)]);
        assert_eq!(leases.give_up(1), [], "it is on its way");
        assert_eq!(leases.give_up(2), [slot(2)]);
        let Territory::Slots(ours) = leases.territory() else { panic!("it is shared") };
        assert_eq!(ours.keys().copied().collect::<Vec<_>>(), [slot(1)]);
        assert_eq!(leases.held().count(), 3, "held until their channels have left");
        assert_eq!(leases.let_go(&[slot(1), slot(3)]), [(slot(3), 12)]);
        assert_eq!(leases.held().count(), 2);
    }

    #[test]
    fn what_began_under_an_earlier_fence_is_not_written_under_a_later_one() {
        let jazz = ChannelId::new("jazz").unwrap();
        let number = Slot::of("jazz").number();
        let mut leases = holding(&[(number, 10)]);
        // Another daemon had it in between.
        leases.renewed(told(&[(number, 20, "taken")]));
        leases.read(&[slot(number)]);
        assert_eq!(leases.fence_of(&jazz, Some(10)), None);
        assert_eq!(leases.fence_of(&jazz, Some(20)), Some((slot(number), 20)));
        // Nobody else could have had it.
        leases.renewed(told(&[(number, 30, "anew")]));
        assert_eq!(leases.fence_of(&jazz, Some(20)), Some((slot(number), 30)));
        assert_eq!(leases.territory().fence_of("jazz"), Some(20));
    }
}
