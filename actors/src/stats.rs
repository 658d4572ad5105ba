//! StatsActor: samples the host, off the arbiter, and publishes the statistics everybody sees.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, WrapFuture, fut::ActorFutureExt};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::{
    channel::cell::Cells,
    clock::{Clock, Now},
    fleet::Elsewhere,
    mailbox::MailboxDepth,
    protocol::{Publication, Publish},
    wire::SystemStats,
};

/// sysinfo needs this long between two looks at the CPU.
const FIRST_LOOK: Duration = Duration::from_millis(250);

/// Percentages of the host; `None` where they cannot be known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostSample {
    pub cpu_percent: Option<f64>,
    pub memory_percent: Option<f64>,
}

/// The newest sample, for whoever asks.
#[derive(Clone, Debug, Default)]
pub struct LatestSample(Arc<Mutex<HostSample>>);

impl LatestSample {
    pub fn get(&self) -> HostSample {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, sample: HostSample) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sample;
    }
}

/// The statistics as they are now.
pub fn system_stats(cells: &Cells, elsewhere: &Elsewhere, sample: HostSample, started: Now, now: Now) -> SystemStats {
    let totals = cells.totals().plus(&elsewhere.totals());
    SystemStats {
        active_streams: totals.active_streams,
        total_listeners: totals.total_listeners,
        queue_items: totals.queue_items,
        cpu_percent: sample.cpu_percent,
        memory_percent: sample.memory_percent,
        uptime_seconds: now.at.since(started.at).as_secs(),
    }
}

/// How often the host is looked at, and how often everybody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Rhythm {
    pub sample: Duration,
    pub broadcast: Duration,
}

pub struct StatsActor {
    clock: Clock,
    started: Now,
    rhythm: Rhythm,
    cells: Arc<Cells>,
    elsewhere: Arc<Elsewhere>,
    broker: Recipient<Publish>,
    depth: MailboxDepth,
    latest: LatestSample,
    /// One `System`, kept: the CPU's load is the difference between two looks.
    system: Option<System>,
    next_sample: Option<SpawnHandle>,
    next_broadcast: Option<SpawnHandle>,
}

impl StatsActor {
    pub fn new(
        clock: Clock,
        started: Now,
        rhythm: Rhythm,
        (cells, elsewhere): (Arc<Cells>, Arc<Elsewhere>),
        (broker, depth): (Recipient<Publish>, MailboxDepth),
        latest: LatestSample,
    ) -> Self {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = match System::new_with_specifics(what) {
            Ok(system) => Some(system),
            Err(error) => {
                tracing::warn!(%error, "the host cannot be sampled; CPU and memory stay unknown");
                None
            }
        };
        Self {
            clock,
            started,
            rhythm,
            cells,
            elsewhere,
            broker,
            depth,
            latest,
            system,
            next_sample: None,
            next_broadcast: None,
        }
    }

    // Both are re-armed each time rather than run at an interval, which would burst after a stall.

    fn plan_sample(&mut self, ctx: &mut Context<Self>, after: Duration) {
        if let Some(planned) = self.next_sample.replace(ctx.run_later(after, Self::sample)) {
            ctx.cancel_future(planned);
        }
    }

    fn plan_broadcast(&mut self, ctx: &mut Context<Self>, after: Duration) {
        if let Some(planned) = self.next_broadcast.replace(ctx.run_later(after, Self::broadcast)) {
            ctx.cancel_future(planned);
        }
    }

    fn sample(&mut self, ctx: &mut Context<Self>) {
        let Some(mut system) = self.system.take() else { return };
        let look = tokio::task::spawn_blocking(move || {
            system.refresh_cpu_usage();
            system.refresh_memory();
            system
        });
        ctx.spawn(look.into_actor(self).map(|looked, stats, ctx| match looked {
            Ok(system) => {
                // No memory at all means that /proc is hidden from us.
                let visible = system.total_memory() > 0;
                let percent = |part: u64, whole: u64| part as f64 * 100.0 / whole as f64;
                let round = |p: f64| (p.clamp(0.0, 100.0) * 10.0).round() / 10.0;
                stats.latest.set(HostSample {
                    cpu_percent: visible.then(|| round(f64::from(system.global_cpu_usage()))),
                    memory_percent: visible.then(|| round(percent(system.used_memory(), system.total_memory()))),
                });
                stats.system = Some(system);
                let after = stats.rhythm.sample;
                stats.plan_sample(ctx, after);
            }
            Err(error) => {
                tracing::error!(%error, "the host could not be sampled; CPU and memory stay as they were until a restart");
            }
        }));
    }

    fn broadcast(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let stats = system_stats(&self.cells, &self.elsewhere, self.latest.get(), self.started, now);
        // A missed one is followed by the next.
        let queued = self.depth.enter();
        let _ = self.broker.try_send(Publish { at: now.wall, publication: Publication::Stats(stats), queued });
        let after = self.rhythm.broadcast;
        self.plan_broadcast(ctx, after);
    }
}

impl Actor for StatsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.plan_sample(ctx, FIRST_LOOK);
        // The first statistics carry the first look.
        self.plan_broadcast(ctx, FIRST_LOOK * 2);
    }
}

impl Handler<Rhythm> for StatsActor {
    type Result = ();

    fn handle(&mut self, rhythm: Rhythm, ctx: &mut Self::Context) {
        let old = std::mem::replace(&mut self.rhythm, rhythm);
        if old.sample != rhythm.sample {
            self.plan_sample(ctx, rhythm.sample);
        }
        if old.broadcast != rhythm.broadcast {
            self.plan_broadcast(ctx, rhythm.broadcast);
        }
    }
}
