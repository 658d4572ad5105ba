//! Vitals: whether the actors that a stop depends on still answer. The watchdog is fed only while they do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use actix::{Message, Recipient};

use crate::clock::Timestamp;

/// An actor that has not answered for so long is stuck, or gone. An answer stands in line behind everything else.
pub const SILENT_AFTER: Duration = Duration::from_secs(5);

/// Asks an actor for a sign of life.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct SignOfLife {
    asked: Timestamp,
    given: Arc<AtomicU64>,
}

impl SignOfLife {
    pub fn give(&self) {
        self.given.fetch_max(self.asked.as_micros(), Relaxed);
    }
}

struct Organ {
    name: &'static str,
    asks: Recipient<SignOfLife>,
    given: Arc<AtomicU64>,
}

pub struct Vitals {
    organs: Vec<Organ>,
    silent: Option<&'static str>,
}

impl Vitals {
    /// All are alive when they are born.
    pub fn new(now: Timestamp, actors: impl IntoIterator<Item = (&'static str, Recipient<SignOfLife>)>) -> Self {
        let organ = |(name, asks)| Organ { name, asks, given: Arc::new(AtomicU64::new(now.as_micros())) };
        Self { organs: actors.into_iter().map(organ).collect(), silent: None }
    }

    /// Asks everybody, and tells whether all have answered lately.
    pub fn check(&mut self, now: Timestamp) -> bool {
        let last = |organ: &Organ| Timestamp::from_micros(organ.given.load(Relaxed));
        let silent = self.organs.iter().find(|organ| now.since(last(organ)) > SILENT_AFTER).map(|organ| organ.name);
        for organ in &self.organs {
            // One whose mailbox is full, or gone, gives no sign either.
            let _ = organ.asks.try_send(SignOfLife { asked: now, given: Arc::clone(&organ.given) });
        }
        if silent != std::mem::replace(&mut self.silent, silent) {
            match silent {
                Some(actor) => tracing::error!(
                    actor,
                    "an actor gives no sign of life; unless it does soon, the service manager's watchdog starts the daemon anew"
                ),
                None => tracing::info!("every actor gives signs of life again"),
            }
        }
        silent.is_none()
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, ActorContext, Context, Handler};

    use super::*;

    struct Answering;

    impl Actor for Answering {
        type Context = Context<Self>;
    }

    impl Handler<SignOfLife> for Answering {
        type Result = ();

        fn handle(&mut self, sign: SignOfLife, _: &mut Self::Context) {
            sign.give();
        }
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Die;

    impl Handler<Die> for Answering {
        type Result = ();

        fn handle(&mut self, Die: Die, ctx: &mut Self::Context) {
            ctx.stop();
        }
    }

    #[test]
    fn all_is_well_while_everybody_answers_and_not_when_one_is_gone() {
        actix::System::new().block_on(async {
            let (one, other) = (Answering.start(), Answering.start());
            let mut vitals =
                Vitals::new(Timestamp::ZERO, [("one", one.clone().recipient()), ("other", other.clone().recipient())]);
            let mut well = Vec::new();
            for second in 0..20 {
                if second == 10 {
                    other.send(Die).await.unwrap();
                }
                well.push(vitals.check(Timestamp::from_secs(second)));
                // Until they have answered.
                let _ = one.send(SignOfLife { asked: Timestamp::ZERO, given: Arc::default() }).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(well[..15], [true; 15]);
            assert_eq!(well[15..], [false; 5]);
        });
    }
}
