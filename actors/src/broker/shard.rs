//! Shard: the Broker's hand on one thread. It passes what the Broker sends on to this thread's sessions,
//! and lets those go that do not keep up, for a jammed client cannot be relied on to leave.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{AcqRel, Relaxed},
        },
    },
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, Handler, Recipient};

use super::{
    BrokerMetrics, Flush,
    audience::{Audience, Line},
    burst::Burst,
    subscriptions::Filter,
};
use crate::{
    clock::Clock,
    protocol::{Deliver, Dismiss},
    session::deflate::Encoding,
};

/// Messages of the Broker that may wait for one thread.
const MAILBOX: usize = 262_144;
/// How often clients are looked at that take nothing.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How the Broker reaches a thread.
#[derive(Clone)]
pub struct ShardHandle {
    pub number: u64,
    pub deliver: Recipient<Deliver>,
    /// Something could not be delivered: everybody on the thread has lost it.
    pub has_lost: Arc<AtomicBool>,
}

/// A thread's sessions, as they enter and leave them.
pub struct Entrance<L> {
    audience: Rc<RefCell<Audience<L>>>,
    pub handle: ShardHandle,
}

impl<L> Clone for Entrance<L> {
    fn clone(&self) -> Self {
        Self { audience: Rc::clone(&self.audience), handle: self.handle.clone() }
    }
}

impl<L: Line> Entrance<L> {
    pub fn enter(&self, session: u64, encoding: Encoding, filter: Filter, line: L) {
        self.audience.borrow_mut().enter(session, encoding, filter, line);
    }

    pub fn leave(&self, session: u64) {
        self.audience.borrow_mut().leave(session);
    }
}

pub struct Shard<L> {
    clock: Clock,
    audience: Rc<RefCell<Audience<L>>>,
    has_lost: Arc<AtomicBool>,
    waiting: Burst,
}

impl<L: Line> Shard<L> {
    /// Starts on the caller's thread, for the sessions of that thread.
    pub fn open(clock: Clock, metrics: BrokerMetrics) -> Entrance<L> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let audience = Rc::new(RefCell::new(Audience::new(metrics)));
        let has_lost = Arc::<AtomicBool>::default();
        let shard =
            Self { clock, audience: Rc::clone(&audience), has_lost: Arc::clone(&has_lost), waiting: Burst::default() };
        let deliver = shard.start().recipient();
        Entrance { audience, handle: ShardHandle { number: NUMBERS.fetch_add(1, Relaxed), deliver, has_lost } }
    }

    fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let slow = self.audience.borrow().send(&self.waiting.take());
        self.dismiss(&slow, Dismiss::TooSlow);
    }

    fn dismiss(&self, sessions: &[u64], why: Dismiss) {
        let mut audience = self.audience.borrow_mut();
        for session in sessions {
            if let Some(line) = audience.leave(*session) {
                line.dismiss(why);
            }
        }
    }

    fn dismiss_everybody(&self, why: Dismiss) {
        let sessions = self.audience.borrow().sessions();
        self.dismiss(&sessions, why);
    }

    fn sweep(&mut self, ctx: &mut Context<Self>) {
        let stalled = self.audience.borrow().stalled(self.clock.now().at);
        self.dismiss(&stalled, Dismiss::TooSlow);
        ctx.run_later(SWEEP_EVERY, Self::sweep);
    }
}

impl<L: Line> Actor for Shard<L> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_later(SWEEP_EVERY, Self::sweep);
    }
}

impl<L: Line> Handler<Deliver> for Shard<L> {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, ctx: &mut Self::Context) {
        if self.has_lost.swap(false, AcqRel) {
            tracing::warn!("a thread has fallen far behind: its sessions have to begin anew");
            self.dismiss_everybody(Dismiss::TooSlow);
        }
        if let Deliver::Live(messages) = deliver {
            if self.waiting.is_empty() {
                // Handled when what is in the mailbox now has been.
                ctx.notify(Flush);
            }
            self.waiting.extend(&messages);
            if self.waiting.is_full() {
                self.flush();
            }
            return;
        }
        // Everything else has its place among the live messages.
        self.flush();
        match deliver {
            Deliver::Live(_) => {}
            Deliver::Refine { session, filter, waits } => self.audience.borrow_mut().refine(session, filter, waits),
            Deliver::Snapshot { session, frame, since } => {
                let sent = self.audience.borrow_mut().send_snapshot(session, frame, since);
                if sent.is_err() {
                    self.dismiss(&[session], Dismiss::TooSlow);
                }
            }
            Deliver::Dismiss { session, why } => self.dismiss(&[session], why),
            Deliver::DismissEverybody(why) => self.dismiss_everybody(why),
        }
    }
}

impl<L: Line> Handler<Flush> for Shard<L> {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.flush();
    }
}
