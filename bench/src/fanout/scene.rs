//! One measurement: so many connections, so many messages, one server.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{audience::Crowd, contestant::Contestant, load::Load, publisher::Programme};
use crate::process::Process;

/// A message as the daemon's mostly are; 204 bytes or so deflated.
pub const BYTES: usize = 300;
/// After the last connection has opened.
const SETTLING: Duration = Duration::from_millis(500);
/// Before what counts.
const WARM_UP: f64 = 1.0;
/// The first connections bring along what all share: from this part of them on, each counts for itself.
const FIRST: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scene {
    pub connections: usize,
    pub deflate: bool,
    /// Messages that come together.
    pub burst: usize,
    pub pace: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Bursts a second.
    Rate(f64),
    /// As many as one core can.
    Saturated,
}

/// What one server did in one measurement.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// What was asked for, the server does not do: it sent plain messages.
    pub declined: bool,
    /// Server CPU for one message to one client, in microseconds.
    pub cost: f64,
    pub per_second: f64,
    /// In milliseconds.
    pub p50: f64,
    pub p99: f64,
    /// Shares of a core.
    pub server: f64,
    pub load: f64,
    /// Memory of one more connection that is idle, in kB.
    pub memory: f64,
}

impl Scene {
    pub fn play(&self, who: Contestant, seconds: f64) -> Result<Outcome> {
        self.measure(who, seconds).with_context(|| format!("{}, {self:?}", who.name()))
    }

    fn measure(&self, who: Contestant, seconds: f64) -> Result<Outcome> {
        let Self { connections, deflate, burst, pace } = *self;
        let home = tempfile::tempdir()?;
        let server = who.start(home.path(), deflate)?;
        let process = server.process();
        let mut load =
            Load::new(&server, Crowd { connections, stuck: 0, deflate, per_tick: burst, query: "", hear_all: 0 })?;
        load.gather(connections / FIRST)?;
        load.rest(SETTLING)?;
        let (few, memory) = (load.audience.opened(), process.resident()?);
        load.gather(connections)?;
        load.rest(SETTLING)?;
        let memory = process.resident()?.saturating_sub(memory) as f64 / 1024.0 / (connections - few).max(1) as f64;
        load.begin(&server, Programme { door: who.door(), per_tick: burst, bytes: BYTES })?;
        match pace {
            Pace::Rate(rate) => {
                load.keep_pace((WARM_UP * rate).ceil() as u32, Duration::from_secs_f64(rate.recip()))?
            }
            Pace::Saturated => drop(load.saturate(Duration::from_secs_f64(WARM_UP))?),
        }
        load.forget_latencies();
        let look = || -> Result<_> { Ok((process.cpu()?, Process::this().cpu()?)) };
        let before = look()?;
        let deliveries = load.audience.deliveries;
        let (counted, took) = match pace {
            Pace::Rate(rate) => {
                let ticks = (seconds * rate).ceil().max(1.0);
                load.keep_pace(ticks as u32, Duration::from_secs_f64(rate.recip()))?;
                (load.audience.deliveries - deliveries, Duration::from_secs_f64(ticks / rate))
            }
            Pace::Saturated => load.saturate(Duration::from_secs_f64(seconds))?,
        };
        let after = look()?;
        // Who closes first keeps the port for a minute: it must not be the clients, who need theirs again.
        drop(server);
        let (cpu, own) = (after.0 - before.0, after.1 - before.1);
        let (deliveries, took) = ((load.audience.deliveries - deliveries) as f64, took.as_secs_f64());
        let milliseconds = |share: f64| load.audience.latencies.quantile(share).as_secs_f64() * 1e3;
        Ok(Outcome {
            declined: deflate && !load.audience.is_deflated()?,
            cost: cpu.as_secs_f64() * 1e6 / deliveries,
            per_second: counted as f64 / took,
            p50: milliseconds(0.5),
            p99: milliseconds(0.99),
            server: cpu.as_secs_f64() / took,
            load: own.as_secs_f64() / took,
            memory,
        })
    }
}
