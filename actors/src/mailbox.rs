//! Handing messages over, and how full the mailboxes are that everything passes through.

use actix::{Actor, AsyncContext, Context, Message, Recipient, fut::ActorFutureExt, prelude::SendError};
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

/// Hands over a message that must not be lost: at once where there is room, else as soon as there is.
/// Nothing is sent to an actor that has stopped. Waiting is the exception, for an actor polls everything
/// it waits for each time it wakes.
pub fn deliver<A, M>(ctx: &mut Context<A>, to: &Recipient<M>, message: M)
where
    A: Actor<Context = Context<A>>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    if let Err(SendError::Full(message)) = to.try_send(message) {
        let sent = to.send(message);
        ctx.spawn(actix::fut::wrap_future::<_, A>(sent).map(|_, _, _| ()));
    }
}

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
