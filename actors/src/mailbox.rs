//! How full the mailboxes are that everything passes through.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

/// Held by a message while it waits; the count falls when it is dropped, whoever drops it.
#[derive(Debug)]
pub struct Queued(IntGauge);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Clone, Debug)]
pub struct MailboxDepth(IntGauge);

impl MailboxDepth {
    pub fn enter(&self) -> Queued {
        self.0.inc();
        Queued(self.0.clone())
    }
}

/// One gauge per mailbox that can become a bottleneck.
#[derive(Clone, Debug)]
pub struct MailboxDepths {
    pub supervisor: MailboxDepth,
    pub broker: MailboxDepth,
    pub store: MailboxDepth,
}

impl MailboxDepths {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let depths =
            IntGaugeVec::new(Opts::new("sattva_mailbox_depth", "Messages on their way to an actor."), &["actor"])?;
        registry.register(Box::new(depths.clone()))?;
        let depth = |actor| MailboxDepth(depths.with_label_values(&[actor]));
        Ok(Self { supervisor: depth("supervisor"), broker: depth("broker"), store: depth("store") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_until_it_is_dropped() {
        let depths = MailboxDepths::register(&Registry::new()).unwrap();
        let waiting = depths.store.enter();
        assert_eq!(depths.store.0.get(), 1);
        drop(waiting);
        assert_eq!(depths.store.0.get(), 0);
    }
}
