//! Outlets: where an adapter's reports, answers, questions and registration go.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context, Recipient};
use sattva_actors::{
    clock::Timestamp,
    identity::{ChannelId, SourceId},
    mailbox::deliver,
    protocol::{
        Ack, Batch, Delivered, Instruction, KnownSession, KnownSessions, RegisterOutlet, Report, SourcePattern, Tally,
    },
    store::StoreHealth,
};
use tokio::sync::oneshot;

/// Commands that may wait for an adapter; StreamControl waits for room.
pub const MAILBOX: usize = 1024;
/// When the supervisor did not say which sessions it knows, it is asked again after this.
pub const ASK_AGAIN: Duration = Duration::from_secs(1);
/// That a stream is over is said at this many looks: the channel's mailbox may have been full at one.
pub const FAREWELLS: u8 = 3;

pub struct Outlets {
    pub batches: Recipient<Batch>,
    pub known_sessions: Recipient<KnownSessions>,
    pub registrations: Recipient<RegisterOutlet>,
    pub delivered: Recipient<Delivered>,
    /// Whether another daemon may have the channels by now, and know better than a stop that waits here.
    pub store: Arc<StoreHealth>,
}

impl Outlets {
    /// What was last reported by sources whose names begin so; `None` where the supervisor did not say.
    pub fn known(&self, source_prefix: String) -> impl Future<Output = Option<Vec<KnownSession>>> + 'static {
        let (reply, answer) = oneshot::channel();
        let asked = self.known_sessions.send(KnownSessions { source_prefix, reply });
        async move {
            asked.await.ok()?;
            answer.await.ok()
        }
    }

    /// Commands for sources whose names begin so go to `outlet` from now on, which looks first who listens; without one
    /// they go nowhere.
    pub fn register<A>(&self, ctx: &mut Context<A>, source_prefix: String, outlet: Option<Recipient<Instruction>>)
    where
        A: Actor<Context = Context<A>>,
    {
        let sources = SourcePattern::BeginsWith(source_prefix.clone());
        let register = RegisterOutlet { owner: source_prefix, sources, outlet, looks_first: true };
        deliver(ctx, &self.registrations, register);
    }

    /// A report of what a look at `server` has shown.
    pub fn tell(&self, server: &str, source: SourceId, received: Timestamp, (channel, report): (ChannelId, Report)) {
        if let Err(error) = self.batches.try_send(batch(source, received, vec![(channel, report)], Vec::new())) {
            // The next look says it again, and silence is believed to be nothing but silence.
            tracing::warn!(server, %error, "a report could not be handed over");
        }
    }

    /// What became of a stop at `server`.
    pub fn answer<A>(&self, ctx: &mut Context<A>, server: &str, source: SourceId, now: Timestamp, ack: Ack)
    where
        A: Actor<Context = Context<A>>,
    {
        tracing::info!(server, command = %ack.id, outcome = ?ack.outcome, detail = ack.detail.as_deref().unwrap_or("-"), "a stop command is answered");
        // Tried at once, so that the answer goes before the reports that follow from it.
        deliver(ctx, &self.batches, batch(source, now, Vec::new(), vec![ack]));
    }
}

fn batch(source: SourceId, received: Timestamp, reports: Vec<(ChannelId, Report)>, acks: Vec<Ack>) -> Batch {
    let (tally, _) = Tally::new();
    Batch { source, received, reports, acks, tally }
}
