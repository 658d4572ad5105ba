//! Which channels are this daemon's own. A daemon that has its store to itself has all of them. Daemons that share
//! one divide its slots; each slot is held under a fence, which rises whenever it changes hands.

use std::collections::BTreeMap;

/// How many slots a shared store has. Part of its format.
pub const SLOTS: u16 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// The slot of a channel: its id's 64-bit FNV-1a, halves folded, modulo [`SLOTS`]. Part of the format.
    pub fn of(channel: &str) -> Self {
        let hash = channel
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(((hash ^ (hash >> 32)) % u64::from(SLOTS)) as u16)
    }

    pub fn numbered(number: u16) -> Option<Self> {
        (number < SLOTS).then_some(Self(number))
    }

    pub const fn number(self) -> u16 {
        self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Territory {
    /// Every channel there is, under the number of this start of the daemon.
    Whole { fence: u64 },
    /// The channels of these slots, each with its fence.
    Slots(BTreeMap<Slot, u64>),
}

impl Default for Territory {
    fn default() -> Self {
        Self::Slots(BTreeMap::new())
    }
}

impl Territory {
    /// The fence under which a channel is held; `None` for another daemon's.
    pub fn fence_of(&self, channel: &str) -> Option<u64> {
        match self {
            Self::Whole { fence } => Some(*fence),
            Self::Slots(slots) => slots.get(&Slot::of(channel)).copied(),
        }
    }

    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Slots(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channels_slot_never_changes() {
        // Stored states rest on these.
        let slots = ["jazz", "-1001234567890", "icecast:main:live.ogg", "a"].map(|id| Slot::of(id).number());
        assert_eq!(slots, [46, 21, 154, 192]);
    }

    #[test]
    fn channels_with_numbers_for_names_fall_into_every_slot() {
        let mut load = [0_u32; SLOTS as usize];
        for n in 0..100_000_u64 {
            load[usize::from(Slot::of(&format!("-100{}", 1_000_000_000 + n)).number())] += 1;
        }
        let (least, most) = (load.iter().min().unwrap(), load.iter().max().unwrap());
        assert!(*least > 250 && *most < 550, "{least} to {most} where 391 are the mean");
    }

    #[test]
    fn only_the_channels_of_its_slots_are_a_sharing_daemons_own() {
        let territory = Territory::Slots([(Slot::of("jazz"), 7)].into());
        assert_eq!(territory.fence_of("jazz"), Some(7));
        let elsewhere = (0..).map(|n| format!("c{n}")).find(|id| Slot::of(id) != Slot::of("jazz")).unwrap();
        assert_eq!(territory.fence_of(&elsewhere), None);
        assert_eq!(Territory::Whole { fence: 3 }.fence_of(&elsewhere), Some(3));
    }
}
