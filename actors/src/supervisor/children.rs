//! The channels of a house, each at its slot, found by name.

use std::hash::BuildHasher;

use actix::Addr;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{channel::ChannelActor, identity::ChannelId};

pub struct Child {
    pub id: ChannelId,
    pub addr: Addr<ChannelActor>,
    /// Which of the actors that have borne this name.
    pub number: u64,
    /// The batch that last named this channel, and where in it its reports are gathered.
    pub mark: (u64, u32),
}

/// A name is kept once, with its child: the index holds only slots.
#[derive(Default)]
pub struct Children {
    at: Vec<Option<Child>>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

fn bears(at: &[Option<Child>], slot: u32, name: &str) -> bool {
    at[slot as usize].as_ref().is_some_and(|child| child.id.as_str() == name)
}

/// Of the name that a slot in the index stands for.
fn hash_at(at: &[Option<Child>], hasher: &DefaultHashBuilder, slot: u32) -> u64 {
    at[slot as usize].as_ref().map_or(0, |child| hasher.hash_one(child.id.as_str()))
}

impl Children {
    pub fn reserve(&mut self, more: usize) {
        self.at.reserve_exact(more);
        self.index.reserve(more, |slot| hash_at(&self.at, &self.hasher, *slot));
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn slot_of(&self, name: &str) -> Option<usize> {
        let hash = self.hasher.hash_one(name);
        self.index.find(hash, |slot| bears(&self.at, *slot, name)).map(|slot| *slot as usize)
    }

    pub fn get(&self, name: &str) -> Option<&Child> {
        self.at(self.slot_of(name)?)
    }

    pub fn at(&self, slot: usize) -> Option<&Child> {
        self.at.get(slot)?.as_ref()
    }

    pub fn at_mut(&mut self, slot: usize) -> Option<&mut Child> {
        self.at.get_mut(slot)?.as_mut()
    }

    /// The name and the slot must both be free.
    pub fn insert(&mut self, slot: usize, child: Child) {
        if slot >= self.at.len() {
            self.at.resize_with(slot + 1, || None);
        }
        let hash = self.hasher.hash_one(child.id.as_str());
        self.at[slot] = Some(child);
        self.index.insert_unique(hash, slot as u32, |slot| hash_at(&self.at, &self.hasher, *slot));
    }

    /// Its slot and itself.
    pub fn remove(&mut self, name: &str) -> Option<(usize, Child)> {
        let hash = self.hasher.hash_one(name);
        let entry = self.index.find_entry(hash, |slot| bears(&self.at, *slot, name)).ok()?;
        let slot = entry.remove().0 as usize;
        Some((slot, self.at[slot].take()?))
    }

    pub fn slots(&self) -> impl Iterator<Item = usize> {
        self.at.iter().enumerate().filter(|(_, child)| child.is_some()).map(|(slot, _)| slot)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Child> {
        self.at.iter().flatten()
    }
}
