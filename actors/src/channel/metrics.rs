//! Counters of what channels do. Per-channel figures are read from the cells instead.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use crate::{protocol::QueueOps, wire::AutoEndEvent};

#[derive(Clone, Debug)]
pub struct ChannelMetrics {
    auto_end_events: [IntCounter; AutoEndEvent::ALL.len()],
    queue_operations: [IntCounter; QueueOps::NAMES.len()],
    pub warnings_sent: IntCounter,
    pub reports_accepted: IntCounter,
    pub reports_duplicate: IntCounter,
    stop_commands: [IntCounter; CommandFate::ALL.len()],
}

/// What becomes of a stop command, in the order it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandFate {
    Decided,
    Delivered,
    Acked,
    Confirmed,
    Withdrawn,
    Failed,
}

impl CommandFate {
    const ALL: [Self; 6] =
        [Self::Decided, Self::Delivered, Self::Acked, Self::Confirmed, Self::Withdrawn, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Delivered => "delivered",
            Self::Acked => "acked",
            Self::Confirmed => "confirmed",
            Self::Withdrawn => "withdrawn",
            Self::Failed => "failed",
        }
    }
}

fn vector(registry: &Registry, name: &str, help: &str, label: &str) -> prometheus::Result<IntCounterVec> {
    let vector = IntCounterVec::new(Opts::new(name, help), &[label])?;
    registry.register(Box::new(vector.clone()))?;
    Ok(vector)
}

impl ChannelMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let events = vector(registry, "sattva_auto_end_events_total", "Auto-end events, by what happened.", "event")?;
        let operations =
            vector(registry, "sattva_queue_operations_total", "Queue operations reported by streamers.", "operation")?;
        let commands =
            vector(registry, "sattva_stop_commands_total", "Stop commands, by how far they came.", "outcome")?;
        let reports =
            vector(registry, "sattva_reports_total", "Reports of streamers and adapters, by verdict.", "verdict")?;
        Ok(Self {
            auto_end_events: AutoEndEvent::ALL.map(|event| events.with_label_values(&[event.as_str()])),
            queue_operations: QueueOps::NAMES.map(|name| operations.with_label_values(&[name])),
            warnings_sent: counter("sattva_auto_end_warnings_total", "Auto-end warnings sent.")?,
            reports_accepted: reports.with_label_values(&["accepted"]),
            reports_duplicate: reports.with_label_values(&["duplicate"]),
            stop_commands: CommandFate::ALL.map(|fate| commands.with_label_values(&[fate.as_str()])),
        })
    }

    pub fn auto_end_event(&self, event: AutoEndEvent) {
        self.auto_end_events[event as usize].inc();
    }

    pub fn stop_command(&self, fate: CommandFate, how_many: usize) {
        self.stop_commands[fate as usize].inc_by(how_many as u64);
    }

    pub fn queue_operations(&self, ops: &QueueOps) {
        for (counter, n) in self.queue_operations.iter().zip(ops.0) {
            if n > 0 {
                counter.inc_by(n);
            }
        }
    }
}
