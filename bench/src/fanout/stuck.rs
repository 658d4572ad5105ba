//! Clients that never read: what each makes the server hold, what the others notice, and how soon it is gone.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{
    audience::Crowd,
    contestant::Contestant::{self, Bun, Sattva},
    load::Load,
    publisher::Programme,
    unsent,
};
use crate::figure::{Figure, Goal, Measured, Peer};

/// Large messages, so that a socket is soon full.
const BYTES: usize = 8000;
const CASES: [Case; 2] =
    [Case { connections: 1000, stuck: 100, rate: 20.0 }, Case { connections: 200, stuck: 20, rate: 200.0 }];
const SETTLING: Duration = Duration::from_millis(500);
/// Between two looks at who is still there.
const LOOK_EVERY: f64 = 0.25;
/// Whoever is not gone after this long stays.
const PATIENCE: Duration = Duration::from_secs(30);
const GROWTH: Goal = Goal::AtMost(64.0, "kB");
const NOTICED: Goal = Goal::AtMost(1.25, "×");
const GONE: Goal = Goal::AtMost(10.0, "s");

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Seconds of each measurement; with stuck clients until they are gone, if that is longer.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Measurements with and without stuck clients, by turns; the median counts.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    connections: usize,
    stuck: usize,
    rate: f64,
}

/// What came of one measurement.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    /// Of those who read, in milliseconds.
    p99: f64,
    /// kB the server has grown by at most.
    growth: f64,
    /// kB that waited in the kernel at most.
    unsent: f64,
    /// Seconds from the first message until the last stuck client was gone.
    gone: f64,
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for case in CASES {
        let (mut with, mut without, mut bun) = (Vec::new(), Vec::new(), Vec::new());
        let harmless = Case { stuck: 0, connections: case.connections - case.stuck, ..case };
        for _ in 0..args.repetitions.max(1) {
            without.push(harmless.play(Sattva, args.seconds, Duration::ZERO)?);
            with.push(case.play(Sattva, args.seconds, PATIENCE)?);
            let without = harmless.play(Bun, args.seconds, Duration::ZERO)?;
            bun.push(case.held(&case.play(Bun, args.seconds, Duration::ZERO)?, &without));
        }
        figures.extend(case.rows(&with, &without, &bun));
    }
    Ok(figures)
}

impl Case {
    fn play(&self, who: Contestant, seconds: f64, patience: Duration) -> Result<Outcome> {
        self.measure(who, seconds, patience).with_context(|| format!("{}, {self:?}", who.name()))
    }

    fn measure(&self, who: Contestant, seconds: f64, patience: Duration) -> Result<Outcome> {
        let Self { connections, stuck, rate } = *self;
        let home = tempfile::tempdir()?;
        let server = who.start(home.path(), false)?;
        let process = server.process();
        let mut load =
            Load::new(&server, Crowd { connections, stuck, deflate: false, per_tick: 1, query: "", hear_all: 0 })?;
        load.gather(connections)?;
        load.begin(&server, Programme { door: who.door(), per_tick: 1, bytes: BYTES })?;
        load.rest(SETTLING)?;
        process.forget_peak()?;
        let (idle, files) = (process.resident()?, process.open_files()?);
        let began = Instant::now();
        let (mut gone, mut waiting) = (None, 0);
        let ticks = (rate * LOOK_EVERY).ceil() as u32;
        while began.elapsed().as_secs_f64() < seconds || (gone.is_none() && began.elapsed() < patience) {
            load.keep_pace(ticks, Duration::from_secs_f64(rate.recip()))?;
            if began.elapsed().as_secs_f64() <= LOOK_EVERY * 2.0 {
                // A stream that begins is on disk before it is told.
                load.forget_latencies();
            }
            waiting = waiting.max(unsent::bytes(server.address)?);
            if gone.is_none() && process.open_files()? + stuck <= files {
                gone = Some(began.elapsed().as_secs_f64());
            }
        }
        let growth = process.peak()?.saturating_sub(idle) as f64 / 1024.0;
        // Who closes first keeps the port for a minute: it must not be the clients, who need theirs again.
        drop(server);
        let p99 = load.audience.latencies.quantile(0.99).as_secs_f64() * 1e3;
        Ok(Outcome { p99, growth, unsent: waiting as f64 / 1024.0, gone: gone.unwrap_or(f64::INFINITY) })
    }

    /// kB that each stuck client makes a server hold: what it grows by without any is not theirs.
    fn held(&self, with: &Outcome, without: &Outcome) -> f64 {
        (with.growth - without.growth).max(0.0) / self.stuck as f64
    }

    fn rows(&self, with: &[Outcome], without: &[Outcome], bun: &[f64]) -> [Figure; 3] {
        let Self { connections, stuck, rate } = self;
        let what = format!("{stuck} of {connections} clients never read {rate} messages of {BYTES} bytes a second");
        let held: Vec<f64> = with.iter().zip(without).map(|(with, without)| self.held(with, without)).collect();
        let mut growth = Figure::alone(
            format!("{what}: memory for each of them"),
            Measured::of(held.iter().copied()),
            0,
            GROWTH,
            "kB",
        );
        let unsent = Measured::of(with.iter().map(|outcome| outcome.unsent / *stuck as f64));
        growth.measured = format!("{}, and {:.0} kB in the kernel", growth.measured, unsent.median);
        growth.peer = Some(Peer {
            measured: format!("Bun: {}", Measured::of(bun.iter().copied()).with_digits(0, "kB")),
            // At least one, so that nothing is not divided by.
            ratio: Some(Measured::of(held.iter().zip(bun).map(|(held, bun)| bun / held.max(1.0)))),
        });
        let p99 = |outcomes: &[Outcome]| Measured::of(outcomes.iter().map(|outcome| outcome.p99)).with_digits(2, "ms");
        let ratio = Measured::of(with.iter().zip(without).map(|(with, without)| with.p99 / without.p99));
        let noticed = Figure {
            what: format!("{what}: p99 of the others, and what it is to that without them"),
            measured: p99(with),
            peer: Some(Peer { measured: format!("none of them there: {}", p99(without)), ratio: Some(ratio) }),
            compared: ratio.median,
            goal: Some(NOTICED),
        };
        let gone = Measured::of(with.iter().map(|outcome| outcome.gone));
        [growth, noticed, Figure::alone(format!("{what}: until the last of them is gone"), gone, 1, GONE, "s")]
    }
}
