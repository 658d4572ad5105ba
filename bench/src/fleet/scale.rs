//! As many channels as one machine holds, on one Redis: what the Redis and the daemons need for them, and how soon the rest
//! has what one of them had. `docs/scaling.md` reckons with it.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::house::{House, PATIENCE};
use crate::{
    connection::Connection,
    figure::{Figure, Measured},
    process::Process,
    server::{LOOK_EVERY, pause, pause_until},
    streamer::{CHANNELS, Streamer},
};

const DAEMONS: usize = 3;
/// Requests that are under way at a time.
const CONNECTIONS: usize = 6;
/// Until what was reported once counts no more, and all that follows from it has been dealt with.
const SETTLING: Duration = Duration::from_secs(75);
/// Those that report again do so this often.
const REPORT_EVERY: u64 = 10;
/// Nothing counts down to its end while it is measured.
const SETTINGS: &str = "[auto_end]\ntimeout = \"12h\"\n[metrics]\nmax_channels = 1000\n[ingest]\nmax_channels = ";

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 1_000_000)]
    channels: u64,
    /// Reports a second, a hundred to a request, while their cost is measured.
    #[arg(long, default_value_t = 4_000)]
    rate: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// CPU time until now.
struct Spent {
    at: Instant,
    daemons: Duration,
    redis: Duration,
}

impl Spent {
    fn by(house: &House) -> Result<Self> {
        Ok(Self { at: Instant::now(), daemons: house.cpu()?, redis: house.redis().cpu()? })
    }

    /// Of daemons and of Redis since then, of one core.
    fn shares_since(&self, before: &Self) -> [f64; 2] {
        let time = self.at.duration_since(before.at).as_secs_f64();
        [self.daemons - before.daemons, self.redis - before.redis].map(|spent| spent.as_secs_f64() / time)
    }
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let mut house = House::start(DAEMONS, &format!("{SETTINGS}{}\n", args.channels * 2))?;
    let processes: Vec<Process> = house.daemons.iter().map(|daemon| daemon.process()).collect();
    let memory = || processes.iter().map(|process| process.resident()).sum::<Result<u64>>();
    let (ours, redis) = (memory()?, house.redis().resident()?);
    let mut streamers: Vec<Streamer> =
        (0..args.channels.div_ceil(CHANNELS)).map(|number| Streamer::new(number as usize, CHANNELS)).collect();

    let (began, before) = (Instant::now(), Spent::by(&house)?);
    fill(&house, &mut streamers)?;
    let (filled, after) = (began.elapsed(), Spent::by(&house)?);
    let channels = streamers.len() as f64 * CHANNELS as f64;
    let micros = |spent: Duration| spent.as_secs_f64() * 1e6 / channels;
    let first = [after.daemons - before.daemons, after.redis - before.redis].map(micros);
    pause(SETTLING);
    let bytes = [(memory()? - ours) as f64, (house.redis().resident()? - redis) as f64].map(|bytes| bytes / channels);

    let before = Spent::by(&house)?;
    pause(Duration::from_secs(args.seconds));
    let idle = Spent::by(&house)?.shares_since(&before).map(|share| share * 100.0);

    let those = (REPORT_EVERY * u64::from(args.rate) / CHANNELS) as usize;
    let those = &mut streamers[..those.clamp(1, channels as usize / CHANNELS as usize)];
    // What has counted no more is counted again.
    report(&house, those, args.rate, Duration::from_secs(REPORT_EVERY))?;
    let before = Spent::by(&house)?;
    let reports = report(&house, those, args.rate, Duration::from_secs(args.seconds))?;
    let after = Spent::by(&house)?;
    let each = [after.daemons - before.daemons, after.redis - before.redis]
        .map(|spent| spent.as_secs_f64() * 1e6 / reports as f64);

    let taken_over = take_over(&mut house, channels)?;
    let figure = |what: String, value: f64, digits: usize, unit: &str| Figure {
        what: format!("{channels:.0} channels, {DAEMONS} daemons, one Redis: {what}"),
        measured: Measured::of([value]).with_digits(digits, unit),
        peer: None,
        compared: value,
        goal: None,
    };
    let core = "of one core";
    Ok(vec![
        figure("until all are known, each reported for the first time".into(), filled.as_secs_f64(), 1, "s"),
        figure("CPU of the daemons for a first report".into(), first[0], 1, "µs"),
        figure("CPU of Redis for a first report".into(), first[1], 1, "µs"),
        figure("memory of the daemons for each channel".into(), bytes[0] / 1000.0, 2, "kB"),
        figure("memory of Redis for each channel".into(), bytes[1] / 1000.0, 2, "kB"),
        figure(format!("CPU of the daemons while nothing is reported, {core}"), idle[0], 2, "%"),
        figure(format!("CPU of Redis while nothing is reported, {core}"), idle[1], 2, "%"),
        figure(format!("CPU of the daemons for each of {} reports a second", args.rate), each[0], 1, "µs"),
        figure(format!("CPU of Redis for each of {} reports a second", args.rate), each[1], 1, "µs"),
        figure("from `kill -9` of one until the others have all that it had".into(), taken_over.as_secs_f64(), 1, "s"),
    ])
}

/// Every streamer reports once, to one daemon after the other.
fn fill(house: &House, streamers: &mut [Streamer]) -> Result<()> {
    let part = streamers.len().div_ceil(CONNECTIONS).max(1);
    thread::scope(|scope| {
        let open = |(number, part): (usize, _)| {
            let mut connection = Connection::open(house.daemons[number % DAEMONS].address)?;
            Ok(scope.spawn(move || part_of(&mut connection, part)))
        };
        let running: Vec<_> = streamers.chunks_mut(part).enumerate().map(open).collect::<Result<_>>()?;
        running.into_iter().try_for_each(|thread| thread.join().ok().context("a thread that reports panicked")?)
    })
}

fn part_of(connection: &mut Connection, streamers: &mut [Streamer]) -> Result<()> {
    streamers.iter_mut().try_for_each(|streamer| connection.report(streamer).map(|_| ()))
}

/// At a steady pace, to one daemon after the other. Answers how many reports were made.
fn report(house: &House, streamers: &mut [Streamer], rate: u32, time: Duration) -> Result<u64> {
    let mut connections: Vec<Connection> =
        house.daemons.iter().map(|daemon| Connection::open(daemon.address)).collect::<Result<_>>()?;
    let (began, mut reports) = (Instant::now(), 0);
    for turn in 0_u32.. {
        let due = began + Duration::from_secs(1) * (CHANNELS as u32) / rate * turn;
        if due >= began + time {
            break;
        }
        pause_until(due);
        let (turn, count) = (turn as usize, streamers.len());
        reports += connections[turn % DAEMONS].report(&mut streamers[turn % count])?;
    }
    Ok(reports)
}

/// From the death of one daemon until the others show every channel as their own.
fn take_over(house: &mut House, channels: f64) -> Result<Duration> {
    let dead = house.daemons.pop().context("there is no daemon")?;
    let began = Instant::now();
    // Killed.
    drop(dead);
    loop {
        let own: f64 =
            house.daemons.iter().map(|daemon| daemon.metric("sattva_active_streams")).sum::<Result<f64>>()?;
        if own >= channels {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < 3 * PATIENCE, "of {channels} channels {own} are somebody's");
        pause(LOOK_EVERY * 200);
    }
}
