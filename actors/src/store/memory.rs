//! A store that keeps everything in memory: for stories in virtual time, and to show what any store
//! must do. Clones share what they keep, and can be told to fail.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Committed, Group, Loaded, Store, StoreError};
use crate::{
    channel::journal::{DECISIONS_KEPT, Decision},
    clock::{Stamp, Timestamp},
    identity::ChannelId,
};

#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    records: HashMap<ChannelId, Vec<u8>>,
    journal: HashMap<ChannelId, Vec<Decision>>,
    pulse: Option<(Stamp, Timestamp)>,
    fence: u64,
    fails: bool,
}

impl MemoryStore {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn load(&self) -> Loaded {
        let mut kept = self.kept();
        kept.fence += 1;
        let mut records: Vec<_> = kept.records.iter().map(|(id, record)| (id.clone(), record.clone())).collect();
        records.sort();
        Loaded { records, pulse: kept.pulse, fence: kept.fence, notice: None }
    }

    /// Every write fails, or works again.
    pub fn fail(&self, fails: bool) {
        self.kept().fails = fails;
    }

    pub fn decisions(&self, channel: &str) -> Vec<Decision> {
        self.kept().journal.get(channel).cloned().unwrap_or_default()
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, group: &Group) -> Result<Committed, StoreError> {
        let mut kept = self.kept();
        if kept.fails {
            return Err(StoreError::Failed("told to fail".into()));
        }
        for (channel, record) in &group.records {
            match record {
                Some(record) => {
                    kept.records.insert(channel.clone(), record.clone());
                }
                None => {
                    kept.records.remove(channel);
                }
            }
        }
        for channel in &group.forgotten {
            kept.journal.remove(channel);
        }
        for (channel, decision) in &group.decisions {
            let journal = kept.journal.entry(channel.clone()).or_default();
            if journal.len() >= DECISIONS_KEPT as usize {
                journal.remove(0);
            }
            journal.push(decision.clone());
        }
        kept.pulse = group.pulse.or(kept.pulse);
        Ok(Committed::default())
    }

    fn record(&mut self, channel: &ChannelId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.kept().records.get(channel).cloned())
    }

    fn journal(&mut self, channel: &ChannelId) -> Result<Vec<Decision>, StoreError> {
        Ok(self.decisions(channel.as_str()))
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
