//! Fields that streamers send and nobody here knows: counted, and named once per source in the log.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use prometheus::{IntCounter, Registry};
use sattva_actors::identity::SourceId;

use super::request::Unknown;

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

    /// Takes note of the fields of one request.
    pub fn note(&self, source: &SourceId, fields: Unknown) {
        if fields.is_empty() {
            return;
        }
        self.total.inc();
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        for field in fields {
            let told = (source.clone(), field);
            if named.len() < NAMED_MAX && !named.contains(&told) {
                tracing::warn!(%source, field = %told.1.escape_debug(), "a report has a field this daemon does not know; it is ignored (the streamer may be newer)");
                named.insert(told);
            }
        }
    }
}
