//! What other programs want of channels: whoever sets `auto_end:{id}:paused` pauses one, whoever deletes it resumes
//! it. Redis tells of the keys that have changed; which of them differ from what a daemon put there is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use redis::{PushInfo, PushKind, Script, Value};

use super::{MIRROR, RedisStore};
use crate::{identity::ChannelId, protocol::Action, store::StoreError, territory::Slot};

/// What the keys are called that Redis is to tell of.
pub const PREFIX: &str = "auto_end:";
const SUFFIX: &str = ":paused";
/// Channels that are looked at again until a wish has come true; of more, some wait for their next change.
const UNSETTLED_MAX: usize = 10_000;

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
    fn changed(&mut self, push: &PushInfo, held: impl Iterator<Item = Slot>) {
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
        while let Some(slot) = self.wishes.slots.first().copied() {
            if held.contains(&slot) {
                self.look(slot, &[])?;
            }
            self.wishes.slots.remove(&slot);
        }
        let mut of_slot: BTreeMap<Slot, Vec<String>> = BTreeMap::new();
        for channel in std::mem::take(&mut self.wishes.channels) {
            of_slot.entry(Slot::of(&channel)).or_default().push(channel);
        }
        for (slot, channels) in of_slot.into_iter().filter(|(slot, _)| held.contains(slot)) {
            if let Err(error) = self.look(slot, &channels) {
                self.wishes.slots.insert(slot);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Asks of some channels of a slot, or of all.
    fn look(&mut self, slot: Slot, channels: &[String]) -> Result<(), StoreError> {
        let mut call = WISHES.prepare_invoke();
        call.key(MIRROR).arg(slot.number());
        channels.iter().for_each(|channel| {
            call.arg(channel);
        });
        let wishes: Vec<(String, String)> = self.call(&call)?;
        let wishes = self.wishes.told(wishes);
        self.untold.wishes.extend(wishes);
        Ok(())
    }
}
