//! Rings when a channel's time has come: one timer for all of them.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures_util::Stream;
use tokio::time::{Instant, Sleep};

use crate::{clock::Timestamp, world::World};

/// Slots whose time has come.
pub struct Ring(pub Vec<usize>);

pub struct AlarmClock {
    world: Rc<World>,
    sleep: Pin<Box<Sleep>>,
    /// Until when it sleeps.
    armed: Timestamp,
}

impl AlarmClock {
    pub fn new(world: Rc<World>) -> Self {
        Self { world, sleep: Box::pin(tokio::time::sleep_until(Instant::now())), armed: Timestamp::NEVER }
    }
}

impl Stream for AlarmClock {
    type Item = Ring;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Ring>> {
        let this = &mut *self;
        loop {
            let now = this.world.clock.now().at;
            let due = this.world.alarms.due(now);
            if !due.is_empty() {
                return Poll::Ready(Some(Ring(due)));
            }
            let next = this.world.alarms.next(cx);
            if next == Timestamp::NEVER {
                return Poll::Pending;
            }
            if next != this.armed {
                this.sleep.as_mut().reset(Instant::now() + next.since(now));
                this.armed = next;
            }
            if this.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            // The two clocks may not agree to the last bit: it is armed anew if it is not time yet.
            this.armed = Timestamp::NEVER;
        }
    }
}
