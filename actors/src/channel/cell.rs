//! What outsiders may read of a channel at any moment without asking it: the figures of a scrape.

use std::{
    ops::Deref,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
};

use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, identity::ChannelId};

/// Stands for "no figure": unknown, or nothing to show.
pub const NONE: i64 = -1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Activity {
    /// Ended more than a minute ago, or never reported.
    Hidden = 0,
    Active = 1,
    /// Ended less than a minute ago: its figures read 0.
    JustEnded = 2,
    /// Unknown for too long to count.
    Lost = 3,
}

#[derive(Debug)]
pub struct Cell {
    pub listeners: AtomicI64,
    pub queue_size: AtomicI64,
    /// When the oldest count was taken, µs on the boot clock; 0 = never since the start.
    pub evidence_at: AtomicU64,
    /// When the countdown ends, µs on the boot clock; 0 = none runs.
    pub ends_at: AtomicU64,
    /// See [`crate::protocol::phase_code`].
    pub phase: AtomicU8,
    activity: AtomicU8,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            listeners: AtomicI64::new(NONE),
            queue_size: AtomicI64::new(NONE),
            evidence_at: AtomicU64::new(0),
            ends_at: AtomicU64::new(0),
            phase: AtomicU8::new(1),
            activity: AtomicU8::new(Activity::Hidden as u8),
        }
    }
}

impl Cell {
    /// As if nothing had ever been told.
    fn clear(&self) {
        let Self { listeners, queue_size, evidence_at, ends_at, phase, activity } = Self::default();
        self.listeners.store(listeners.into_inner(), Relaxed);
        self.queue_size.store(queue_size.into_inner(), Relaxed);
        self.evidence_at.store(evidence_at.into_inner(), Relaxed);
        self.ends_at.store(ends_at.into_inner(), Relaxed);
        self.phase.store(phase.into_inner(), Relaxed);
        self.activity.store(activity.into_inner(), Relaxed);
    }

    pub fn set_activity(&self, activity: Activity) {
        self.activity.store(activity as u8, Relaxed);
    }

    pub fn activity(&self) -> Activity {
        match self.activity.load(Relaxed) {
            1 => Activity::Active,
            2 => Activity::JustEnded,
            3 => Activity::Lost,
            _ => Activity::Hidden,
        }
    }

    pub fn set_time(field: &AtomicU64, at: Option<Timestamp>) {
        field.store(at.map_or(0, Timestamp::as_micros), Relaxed);
    }
}

/// Sums over all channels; they cannot drift, for nothing is ever added to or taken from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    pub active_streams: u64,
    pub unknown_streams: u64,
    pub lost_streams: u64,
    pub total_listeners: u64,
    pub queue_items: u64,
    pub counting: u64,
    pub stop_failed: u64,
}

impl Totals {
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            active_streams: self.active_streams + other.active_streams,
            unknown_streams: self.unknown_streams + other.unknown_streams,
            lost_streams: self.lost_streams + other.lost_streams,
            total_listeners: self.total_listeners + other.total_listeners,
            queue_items: self.queue_items + other.queue_items,
            counting: self.counting + other.counting,
            stop_failed: self.stop_failed + other.stop_failed,
        }
    }
}

/// Cells lie together, so that a sum over 100 000 channels reads memory in its order.
const TOGETHER: usize = 256;

type Block = [Cell; TOGETHER];

/// One channel's cell, where it alone writes.
#[derive(Debug)]
pub struct Place {
    block: Arc<Block>,
    slot: usize,
}

impl Place {
    /// Its number, its own until it is given back.
    pub fn slot(&self) -> usize {
        self.slot
    }
}

impl Deref for Place {
    type Target = Cell;

    fn deref(&self) -> &Cell {
        &self.block[self.slot % TOGETHER]
    }
}

/// All channels' cells. A slot keeps its place while its channel lives.
#[derive(Debug, Default)]
pub struct Cells(RwLock<Slots>);

#[derive(Debug, Default)]
struct Slots {
    blocks: Vec<Arc<Block>>,
    /// Whose each slot is.
    names: Vec<Option<ChannelId>>,
    free: Vec<usize>,
}

impl Cells {
    pub fn add(&self, id: ChannelId) -> Place {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.free.pop().unwrap_or(slots.names.len());
        if slot == slots.names.len() {
            slots.names.push(None);
        }
        slots.names[slot] = Some(id);
        if slot / TOGETHER == slots.blocks.len() {
            slots.blocks.push(Arc::new(std::array::from_fn(|_| Cell::default())));
        }
        Place { block: Arc::clone(&slots.blocks[slot / TOGETHER]), slot }
    }

    /// Gives a slot back; whoever wrote there writes no more.
    pub fn remove(&self, slot: usize) {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        slots.names[slot] = None;
        slots.blocks[slot / TOGETHER][slot % TOGETHER].clear();
        slots.free.push(slot);
    }

    /// Visits the channels from `slot` on until `visit` has had enough; answers where to go on, or
    /// `None` at the end.
    pub fn visit_from(&self, slot: usize, mut visit: impl FnMut(&ChannelId, &Cell) -> bool) -> Option<usize> {
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for slot in slot..slots.names.len() {
            if let Some(name) = &slots.names[slot]
                && !visit(name, &slots.blocks[slot / TOGETHER][slot % TOGETHER])
            {
                return Some(slot + 1);
            }
        }
        None
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let positive = |n: i64| n.max(0) as u64;
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // What belongs to nobody is cleared, and adds nothing.
        for cell in slots.blocks.iter().flat_map(|block| block.iter()) {
            match cell.activity() {
                Activity::Active => {
                    let listeners = cell.listeners.load(Relaxed);
                    totals.active_streams += 1;
                    totals.unknown_streams += u64::from(listeners == NONE);
                    totals.total_listeners += positive(listeners);
                    totals.queue_items += positive(cell.queue_size.load(Relaxed));
                }
                Activity::Lost => totals.lost_streams += 1,
                Activity::JustEnded | Activity::Hidden => {}
            }
            let phase = cell.phase.load(Relaxed);
            totals.counting += u64::from(phase == 2);
            totals.stop_failed += u64::from(phase == 6);
        }
        totals
    }
}
