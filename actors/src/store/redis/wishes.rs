//! What other programs want of channels: whoever sets `auto_end:{id}:paused` pauses one, whoever deletes it resumes
//! it. Redis tells of the keys that have changed; which of them differ from what a daemon put there is asked.

use std::{collections::BTreeSet, sync::LazyLock, time::Instant};

use redis::{PushInfo, PushKind, Script, Value};

use super::{MIRROR, OPERATIONS_TOGETHER, RENEW_EVERY, RedisStore};
use crate::{identity::ChannelId, protocol::Action, store::StoreError, territory::Slot};

/// What the keys are called that Redis is to tell of.
pub const PREFIX: &str = "auto_end:";
const SUFFIX: &str = ":paused";
/// Channels that are looked at again until a wish has come true; of more, some wait for their next change.
const UNSETTLED_MAX: usize = 10_000;

/// Slots that are looked at in one call: more would keep Redis from everybody else for too long.
const SLOTS_TOGETHER: usize = 32;

static WISHES: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("wishes.lua")));

#[derive(Debug, Default)]
pub struct Wishes {
    /// Slots all of whose channels are to be looked at.
    slots: BTreeSet<Slot>,
    channels: BTreeSet<String>,
}

impl Wishes {
    pub fn look_into(&mut self, slots: impl IntoIterator<Item = Slot>) {
        self.slots.extend(slots);
    }

    /// Takes in what Redis tells of keys; `None` for all of them.
    pub fn changed(&mut self, push: &PushInfo, held: impl Iterator<Item = Slot>) {
        if push.kind != PushKind::Invalidate {
            return;
        }
        for keys in &push.data {
            let Value::Array(keys) = keys else {
                self.slots.extend(held);
                return;
            };
            let keys = keys.iter().filter_map(|key| redis::from_redis_value_ref::<String>(key).ok());
            let channels = keys.filter_map(|key| Some(key.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.to_owned()));
            self.channels.extend(channels);
        }
        while self.channels.len() > UNSETTLED_MAX {
            self.channels.pop_last();
        }
    }

    /// Takes in wishes, which are told of again until they differ no more.
    pub fn told(&mut self, wishes: Vec<(String, String)>) -> Vec<(ChannelId, Action)> {
        let wishes = wishes.into_iter().filter_map(|(channel, wish)| {
            let action = match wish.as_str() {
                "pause" => Action::Pause,
                "resume" => Action::Resume,
                _ => return None,
            };
            let id = ChannelId::new(&channel).ok()?;
            self.channels.insert(channel);
            Some((id, action))
        });
        wishes.collect()
    }
}

impl RedisStore {
    pub(super) fn look_for_wishes(&mut self) -> Result<(), StoreError> {
        let held: BTreeSet<Slot> = self.leases.slots().collect();
        let line = self.line()?;
        let pushes: Vec<PushInfo> = line.pushes.try_iter().collect();
        for push in pushes {
            self.wishes.changed(&push, held.iter().copied());
        }
        let began = Instant::now();
        self.wishes.slots.retain(|slot| held.contains(slot));
        // The leases come first: what is left is looked at the next time.
        while !self.wishes.slots.is_empty() && began.elapsed() < RENEW_EVERY {
            let slots: Vec<Slot> = self.wishes.slots.iter().take(SLOTS_TOGETHER).copied().collect();
            self.look(&slots, &[])?;
            self.wishes.slots.retain(|slot| !slots.contains(slot));
        }
        let channels = std::mem::take(&mut self.wishes.channels).into_iter().map(|id| (Slot::of(&id), id));
        let channels: Vec<(Slot, String)> = channels.filter(|(slot, _)| held.contains(slot)).collect();
        for together in channels.chunks(OPERATIONS_TOGETHER) {
            if let Err(error) = self.look(&[], together) {
                self.wishes.slots.extend(channels.iter().map(|(slot, _)| *slot));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Asks of all channels of some slots, and of some others.
    fn look(&mut self, slots: &[Slot], channels: &[(Slot, String)]) -> Result<(), StoreError> {
        let mut call = WISHES.prepare_invoke();
        call.key(MIRROR).arg(slots.len());
        for slot in slots {
            call.arg(slot.number());
        }
        for (slot, channel) in channels {
            call.arg(slot.number()).arg(channel);
        }
        let wishes: Vec<(String, String)> = self.call(&call)?;
        let wishes = self.wishes.told(wishes);
        self.untold.wishes.extend(wishes);
        Ok(())
    }
}
