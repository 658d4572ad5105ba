//! What outsiders may read of a channel at any moment without asking it: the figures of a scrape.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed},
};

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
    pub id: ChannelId,
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

impl Cell {
    pub fn new(id: ChannelId) -> Self {
        Self {
            id,
            listeners: AtomicI64::new(NONE),
            queue_size: AtomicI64::new(NONE),
            evidence_at: AtomicU64::new(0),
            ends_at: AtomicU64::new(0),
            phase: AtomicU8::new(1),
            activity: AtomicU8::new(Activity::Hidden as u8),
        }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub active_streams: u64,
    pub unknown_streams: u64,
    pub lost_streams: u64,
    pub total_listeners: u64,
    pub queue_items: u64,
    pub counting: u64,
    pub stop_failed: u64,
}

/// All channels' cells. A slot keeps its place while its channel lives.
#[derive(Debug, Default)]
pub struct Cells(RwLock<Slots>);

#[derive(Debug, Default)]
struct Slots {
    cells: Vec<Option<Arc<Cell>>>,
    free: Vec<usize>,
}

impl Cells {
    pub fn add(&self, cell: Arc<Cell>) -> usize {
        let mut slots = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(slot) = slots.free.pop() {
            slots.cells[slot] = Some(cell);
            return slot;
        }
        slots.cells.push(Some(cell));
        slots.cells.len() - 1
    }

    pub fn remove(&self, slot: usize) {
        let mut slots = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        slots.cells[slot] = None;
        slots.free.push(slot);
    }

    /// Visits the channels from `slot` on until `visit` has had enough; answers where to go on, or
    /// `None` at the end.
    pub fn visit_from(&self, slot: usize, mut visit: impl FnMut(&Cell) -> bool) -> Option<usize> {
        let slots = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (offset, cell) in slots.cells.iter().enumerate().skip(slot) {
            if let Some(cell) = cell
                && !visit(cell)
            {
                return Some(offset + 1);
            }
        }
        None
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let positive = |n: i64| n.max(0) as u64;
        self.visit_from(0, |cell| {
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
            true
        });
        totals
    }
}
