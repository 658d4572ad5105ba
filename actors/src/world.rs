//! What all channels of one arbiter share: the clock, the rules in force, the tables they write and
//! the outlets they may use. Given at construction; a channel knows nothing else of the house.

use std::{
    cell::RefCell,
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
};

use actix::Recipient;

use crate::{
    alarms::Alarms,
    channel::{Retired, cell::Cells, metrics::ChannelMetrics},
    chronicle::Chronicle,
    clock::{BootId, Clock, Now, Stamp},
    continuity::Continuity,
    mailbox::MailboxDepths,
    protocol::{Offer, Publish, Retract, Rulebook, Save},
    territory::Territory,
    traces::Traces,
};

#[derive(Debug)]
pub struct World {
    pub clock: Clock,
    pub boot: BootId,
    /// Which channels are this daemon's.
    pub territory: RefCell<Territory>,
    pub continuity: Continuity,
    pub alarms: Alarms,
    pub cells: Arc<Cells>,
    pub chronicle: Arc<Chronicle>,
    pub traces: Traces,
    pub rules: RefCell<Arc<Rulebook>>,
    pub metrics: ChannelMetrics,
    pub depths: MailboxDepths,
    pub outlets: Outlets,
    pub attention: Arc<Attention>,
    /// Channels, by number, that have left by themselves, which their supervisor has not heard of yet.
    pub retiring: RefCell<HashSet<u64>>,
}

/// Whether anyone looks at what channels publish.
#[derive(Debug, Default)]
pub struct Attention {
    /// Sessions that are subscribed; without any, nothing is published but what hooks are told.
    pub sessions: AtomicUsize,
    /// Another daemon has sessions, which are told of everything too.
    pub neighbours: AtomicBool,
    /// They could not be told of a change.
    pub untold: AtomicBool,
    /// Hooks that are told of every warning and auto-end event.
    pub hooks: AtomicUsize,
    /// A publication found the broker's mailbox full: everybody needs a new snapshot.
    pub overflowed: AtomicBool,
    /// What hooks were to be told of was among them so often.
    pub unannounced: AtomicU64,
}

#[derive(Debug)]
pub struct Outlets {
    pub broker: Recipient<Publish>,
    pub offers: Recipient<Offer>,
    pub retractions: Recipient<Retract>,
    pub store: Recipient<Save>,
    pub retirement: Recipient<Retired>,
}

impl World {
    pub fn stamp(&self, now: Now) -> Stamp {
        Stamp { boot: self.boot, now }
    }
}
