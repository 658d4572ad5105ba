//! Fields that streamers send and nobody here knows: counted, and named once per source in the log.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use prometheus::{IntCounter, Registry};
use sattva_actors::identity::SourceId;

/// Names remembered; past it they are only counted.
const NAMED_MAX: usize = 10_000;

#[derive(Debug)]
pub struct UnknownFields {
    named: Mutex<HashSet<(SourceId, String)>>,
    total: IntCounter,
}

impl UnknownFields {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let total = IntCounter::new(
            "sattva_ingest_unknown_fields_total",
            "Requests with a field this daemon does not know: their streamer may be newer.",
        )?;
        registry.register(Box::new(total.clone()))?;
        Ok(Self { named: Mutex::default(), total })
    }

    pub fn note(&self, source: &SourceId, field: &str) {
        self.total.inc();
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < NAMED_MAX && named.insert((source.clone(), field.to_owned())) {
            tracing::warn!(%source, field, "a report has a field this daemon does not know; it is ignored (the streamer may be newer)");
        }
    }
}
