//! StatsActor: samples the host, off the arbiter, and publishes the statistics everybody sees.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, WrapFuture, fut::ActorFutureExt};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::{
    channel::cell::Cells,
    clock::{Clock, Now},
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
pub fn system_stats(cells: &Cells, sample: HostSample, started: Now, now: Now) -> SystemStats {
    let totals = cells.totals();
    SystemStats {
        active_streams: totals.active_streams,
        total_listeners: totals.total_listeners,
        queue_items: totals.queue_items,
        cpu_percent: sample.cpu_percent,
        memory_percent: sample.memory_percent,
        uptime_seconds: now.at.since(started.at).as_secs(),
    }
}

#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct SetInterval(pub Duration);

pub struct StatsActor {
    clock: Clock,
    started: Now,
    interval: Duration,
    cells: Arc<Cells>,
    broker: Recipient<Publish>,
    latest: LatestSample,
    /// One `System`, kept: the CPU's load is the difference between two looks.
    system: Option<System>,
    next: Option<actix::SpawnHandle>,
}

impl StatsActor {
    pub fn new(
        clock: Clock,
        started: Now,
        interval: Duration,
        cells: Arc<Cells>,
        broker: Recipient<Publish>,
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
        Self { clock, started, interval, cells, broker, latest, system, next: None }
    }

    fn plan(&mut self, ctx: &mut Context<Self>, after: Duration) {
        if let Some(planned) = self.next.take() {
            ctx.cancel_future(planned);
        }
        // Re-armed each time rather than run at an interval, which would burst after a stall.
        self.next = Some(ctx.run_later(after, Self::sample));
    }

    fn sample(&mut self, ctx: &mut Context<Self>) {
        let Some(mut system) = self.system.take() else {
            self.publish();
            let interval = self.interval;
            self.plan(ctx, interval);
            return;
        };
        let look = tokio::task::spawn_blocking(move || {
            system.refresh_cpu_usage();
            system.refresh_memory();
            system
        });
        ctx.spawn(look.into_actor(self).map(|looked, stats, ctx| {
            match looked {
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
                }
                Err(error) => {
                    tracing::error!(%error, "the host could not be sampled; CPU and memory stay as they were")
                }
            }
            stats.publish();
            let interval = stats.interval;
            stats.plan(ctx, interval);
        }));
    }

    fn publish(&self) {
        let now = self.clock.now();
        let stats = system_stats(&self.cells, self.latest.get(), self.started, now);
        // A missed sample is followed by the next one.
        let _ = self.broker.try_send(Publish { at: now.wall, publication: Publication::Stats(stats) });
    }
}

impl Actor for StatsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.plan(ctx, FIRST_LOOK);
    }
}

impl Handler<SetInterval> for StatsActor {
    type Result = ();

    fn handle(&mut self, SetInterval(interval): SetInterval, ctx: &mut Self::Context) {
        self.interval = interval;
        self.plan(ctx, interval);
    }
}
