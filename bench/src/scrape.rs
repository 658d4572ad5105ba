//! What a scrape of 10 000 channels costs the daemon, over HTTP.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{
    fanout::scraped,
    figure::{Figure, Goal, Measured},
    fill::fill,
    server::{Server, pause},
};

const CHANNELS: u64 = 10_000;
const SERIES_PER_CHANNEL: u64 = 4;
/// The daemon has written what the filling changed.
const SETTLING: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Scrapes in each measurement.
    #[arg(long, default_value_t = 300)]
    scrapes: u64,
    /// Measurements, each with a daemon of its own; the median counts.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Seconds of each measurement with others who listen.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Measurements with and without a scrape a second, by turns; 0 leaves them out.
    #[arg(long, default_value_t = 5)]
    turns: usize,
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let (mut nanoseconds, mut megabytes) = (Vec::new(), Vec::new());
    for _ in 0..args.repetitions.max(1) {
        let (cost, memory) = measure(args.scrapes)?;
        nanoseconds.push(cost);
        megabytes.push(memory);
    }
    let series = (CHANNELS * SERIES_PER_CHANNEL) as f64;
    let mut figures = vec![
        Figure::alone(
            "`/metrics`, 10 000 channels: server CPU (user and system) for one scrape",
            Measured::of(nanoseconds.iter().map(|cost| cost * series / 1e6)),
            2,
            Goal::AtMost(5.0, "ms"),
            "ms",
        ),
        Figure::alone(
            "`/metrics`, 10 000 channels: the whole request, server CPU (user and system) for one series",
            Measured::of(nanoseconds),
            1,
            Goal::AtMost(110.0, "ns"),
            "ns",
        ),
        Figure::alone(
            "`/metrics`, 10 000 channels: memory the daemon grows by while it answers",
            Measured::of(megabytes),
            2,
            Goal::AtMost(1.0, "MB"),
            "MB",
        ),
    ];
    if args.turns > 0 {
        figures.extend(scraped::run(args.seconds, args.turns)?);
    }
    Ok(figures)
}

fn measure(scrapes: u64) -> Result<(f64, f64)> {
    let home = tempfile::tempdir()?;
    let mut server = Server::daemon(home.path())?;
    server.wait_until_ready()?;
    fill(&server, CHANNELS)?;
    pause(SETTLING);
    let process = server.process();
    let agent = ureq::Agent::new_with_defaults();
    let url = server.url("/metrics");
    let scrape =
        || -> Result<String> { Ok(agent.get(&url).call()?.body_mut().with_config().limit(64 << 20).read_to_string()?) };
    // The first one, too, must not need more.
    process.forget_peak()?;
    let resident = process.resident()?;
    let answer = scrape()?;
    let series = answer.lines().filter(|line| line.contains("{channel_id=")).count() as u64;
    ensure!(series == CHANNELS * SERIES_PER_CHANNEL, "{series} series instead of {SERIES_PER_CHANNEL} per channel");
    let before = process.cpu()?;
    for _ in 0..scrapes {
        scrape()?;
    }
    let cost = (process.cpu()? - before).as_nanos() as f64 / (scrapes * series) as f64;
    let growth = process.peak()?.saturating_sub(resident) as f64 / 1e6;
    Ok((cost, growth))
}
