//! Everything at once for a long time: whether anything grows, and how late the last of many hear what is new.

mod graph;

use std::{
    fs::File,
    io::Read,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    connection::Connection,
    fanout::{
        audience::Crowd,
        load::Load,
        publisher::{Door, Programme},
    },
    figure::{Figure, Goal, Measured},
    process::Process,
    server::{Server, pause_until},
    streamer::{CHANNELS, Streamer},
};

const STREAMERS: usize = 100;
/// Updates a second, each of a channel of its own, until every channel has had its turn.
const UPDATES: u32 = 2000;
const SESSIONS: usize = 1000;
/// Of those: they hear every update. The others hear the ten channels whose messages are timed.
const HEAR_ALL: usize = 50;
const TIMED: usize = 10;
const THE_TIMED: &str = "?channels=-1001000000000,-1001000000001,-1001000000002,-1001000000003,-1001000000004,\
                         -1001000000005,-1001000000006,-1001000000007,-1001000000008,-1001000000009";
/// Between two of each timed channel's messages.
const TIMED_EVERY: Duration = Duration::from_millis(500);
/// Streams that live as streams do: they begin, are left by all, are stopped.
const SIMULATED: &str = "200";
/// Who may be there at a time beside the sessions: one may not be gone yet when the next one comes.
const VISITORS: usize = 10;
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// As a Prometheus would, and somebody who looks at the page of all and goes away again.
const SCRAPED_EVERY: u32 = 3;
const VISITED_EVERY: u32 = 2;
/// What a start leaves behind, and what is kept once for each channel, is there by then.
const WARM_UP: Duration = Duration::from_secs(300);
/// Until every client has its snapshot.
const SNAPSHOTS: Duration = Duration::from_secs(3);
/// Between two stretches whose latencies are told apart.
const STRETCH: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Draws what was measured over time into this file (SVG).
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
}

/// What the process held at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Since everything runs.
    pub at: Duration,
    /// Bytes.
    pub resident: u64,
    pub open_files: usize,
    /// Of one core, since the look before.
    pub cpu: f64,
}

/// How late messages were in one stretch of time, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    pub end: Duration,
    pub p50: f64,
    pub p99: f64,
    pub most: f64,
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let time = Duration::from_secs_f64(args.minutes * 60.0);
    let home = tempfile::tempdir()?;
    let mut server =
        Server::daemon_with(home.path(), &format!("[websocket]\nmax_sessions = {}\n", SESSIONS + VISITORS))?;
    server.wait_until_ready()?;
    let mut load = Load::new(
        &server,
        Crowd { connections: SESSIONS, stuck: 0, deflate: true, per_tick: TIMED, query: THE_TIMED, hear_all: HEAR_ALL },
    )?;
    let over = Arc::new(AtomicBool::new(false));
    // What is in a client's snapshot does not come as a message: all have theirs before there is anything to tell.
    load.gather(SESSIONS)?;
    load.rest(SNAPSHOTS)?;
    let simulation = Simulation::start(&server, home.path().join("simulation.log"))?;
    let reporting = {
        let (address, over) = (server.address, Arc::clone(&over));
        thread::spawn(move || report(Connection::open(address)?, &over))
    };
    load.begin(&server, Programme { door: Door::Ingest, per_tick: TIMED, bytes: crate::fanout::scene::BYTES })?;

    let began = Instant::now();
    let looks = Arc::new(Mutex::new(Vec::new()));
    let looking = {
        let (process, over, looks) = (server.process(), Arc::clone(&over), Arc::clone(&looks));
        let urls = Urls { metrics: server.url("/metrics"), live: format!("ws://{}/ws/stats", server.address) };
        thread::spawn(move || look(process, &urls, began, &over, &looks))
    };
    let mut stretches = Vec::new();
    let ticks = (STRETCH.as_secs_f64() / TIMED_EVERY.as_secs_f64()).round() as u32;
    while began.elapsed() < time {
        load.forget_latencies();
        load.keep_pace(ticks, TIMED_EVERY)?;
        let of = |share| load.audience.latencies.quantile(share).as_secs_f64() * 1e3;
        stretches.push(Stretch { end: began.elapsed(), p50: of(0.5), p99: of(0.99), most: of(1.0) });
        // Neither ends of itself but for an error, which is told below.
        if reporting.is_finished() || looking.is_finished() {
            break;
        }
    }
    let counted = Counted::of(&server)?;
    over.store(true, Relaxed);
    let reports = reporting.join().ok().context("the thread that reports panicked")??;
    looking.join().ok().context("the thread that looks on panicked")??;
    drop(simulation);
    let looks = looks.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(path) = &args.graph {
        graph::draw(path, &looks, &stretches)?;
    }
    figures(&looks, &stretches, reports, load.audience.deliveries, &counted)
}

/// What the daemon counted itself.
struct Counted {
    sessions: f64,
    streams: f64,
    ended: f64,
    failed: f64,
}

impl Counted {
    fn of(server: &Server) -> Result<Self> {
        let metric = |name: &str| server.metric(name);
        Ok(Self {
            sessions: metric("sattva_websocket_connections")?,
            streams: metric("sattva_active_streams")?,
            ended: metric("sattva_auto_end_events_total{event=\"ended\"}")?,
            failed: metric("sattva_auto_end_events_total{event=\"stop_failed\"}")?,
        })
    }
}

fn figures(
    looks: &[Look],
    stretches: &[Stretch],
    reports: u64,
    deliveries: u64,
    counted: &Counted,
) -> Result<Vec<Figure>> {
    let settled: Vec<&Look> = looks.iter().filter(|look| look.at >= WARM_UP).collect();
    let (Some(first), Some(last)) = (settled.first(), settled.last()) else {
        anyhow::bail!("a soak lasts longer than its warm-up of {WARM_UP:?}: --minutes 10");
    };
    let megabytes = |look: &Look| look.resident as f64 / 1e6;
    let growth = slope(settled.iter().map(|look| (look.at.as_secs_f64() / 3600.0, megabytes(look))));
    let of = |value: fn(&Stretch) -> f64| Measured::of(stretches.iter().map(value));
    let open = Measured::of(settled.iter().map(|look| look.open_files as f64));
    let cpu = Measured::of(settled.iter().map(|look| look.cpu * 100.0));
    let slowest = of(|stretch| stretch.most);
    let minutes = last.at.as_secs_f64() / 60.0;
    let told = |what: &str, measured: String| Figure {
        what: format!("Soak: {what}"),
        measured,
        peer: None,
        compared: f64::NAN,
        goal: None,
    };
    let goal = Goal::AtMost(1.0, "MB/h");
    Ok(vec![
        told(
            &format!(
                "{} channels, {UPDATES} updates a second, {HEAR_ALL} sessions that hear each, {} that hear {TIMED} \
                 channels, all deflated, {SIMULATED} simulated streams: how long",
                STREAMERS as u64 * CHANNELS,
                SESSIONS - HEAR_ALL,
            ),
            format!("{minutes:.1} min"),
        ),
        told("updates taken in, every one", reports.to_string()),
        told("timed messages delivered, every one, in their order", deliveries.to_string()),
        told(
            "streams ended by auto-end, of those simulated; stops that failed",
            format!("{}; {}", counted.ended, counted.failed),
        ),
        told("sessions and streams at the end", format!("{}; {}", counted.sessions, counted.streams)),
        Figure::alone("Soak: memory, growth after the first five minutes", Measured::of([growth]), 2, goal, "MB/h"),
        told(
            "memory resident after five minutes, and at the end",
            format!("{:.1} MB; {:.1} MB", megabytes(first), megabytes(last)),
        ),
        told("files and sockets open, after five minutes on", open.round()),
        told("CPU, of one core, each 5 s", cpu.with_digits(0, "%")),
        told("a timed message to a client, p50, each 10 s", of(|stretch| stretch.p50).with_digits(1, "ms")),
        told("the same, p99, each 10 s", of(|stretch| stretch.p99).with_digits(1, "ms")),
        told("the same, the latest of all", format!("{:.0} ms", slowest.most)),
    ])
}

/// By how much y grows for each x, by least squares.
fn slope(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = points.clone().count() as f64;
    let (x, y) = points.clone().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (above, below) = points.fold((0.0, 0.0), |(above, below), point| {
        (above + (point.0 - x) * (point.1 - y), below + (point.0 - x).powi(2))
    });
    above / below
}

/// Every channel in its turn, at a steady pace. Answers how many reports were taken in.
fn report(mut connection: Connection, over: &AtomicBool) -> Result<u64> {
    let mut streamers: Vec<Streamer> = (0..STREAMERS).map(|number| Streamer::heard(number, CHANNELS)).collect();
    let (began, mut reports) = (Instant::now(), 0);
    for turn in 0_u32.. {
        if over.load(Relaxed) {
            break;
        }
        let due = began + Duration::from_secs(1) * (CHANNELS as u32) / UPDATES * turn;
        pause_until(due);
        reports += connection.report(&mut streamers[turn as usize % STREAMERS])?;
    }
    Ok(reports)
}

struct Urls {
    metrics: String,
    live: String,
}

fn look(process: Process, urls: &Urls, began: Instant, over: &AtomicBool, looks: &Mutex<Vec<Look>>) -> Result<()> {
    let mut before = (began.elapsed(), process.cpu()?);
    for turn in 1_u32.. {
        pause_until(began + LOOK_EVERY * turn);
        if over.load(Relaxed) {
            break;
        }
        let (at, cpu) = (began.elapsed(), process.cpu()?);
        let share = (cpu - before.1).as_secs_f64() / (at - before.0).as_secs_f64();
        before = (at, cpu);
        let look = Look { at, resident: process.resident()?, open_files: process.open_files()?, cpu: share };
        looks.lock().unwrap_or_else(PoisonError::into_inner).push(look);
        if turn.is_multiple_of(SCRAPED_EVERY) {
            let mut answer = ureq::get(&urls.metrics).call()?;
            std::io::copy(&mut answer.body_mut().as_reader().by_ref(), &mut std::io::sink())?;
        }
        if turn.is_multiple_of(VISITED_EVERY) {
            let (mut visitor, _) = tungstenite::connect(&urls.live)?;
            ensure!(visitor.read()?.is_text(), "a visitor is not told what there is");
        }
    }
    Ok(())
}

/// The daemon's own made-up streams. Ends with this value.
struct Simulation(Child);

impl Simulation {
    fn start(server: &Server, log: PathBuf) -> Result<Self> {
        let log = File::create(log)?;
        let mut command = Command::new(Server::binary()?);
        command.args(["simulate", "--channels", SIMULATED, "--rate", "20", "--url", &server.url("")]);
        command.env_clear().stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self(command.spawn().context("the simulation does not start")?))
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_by_three_an_hour_has_a_slope_of_three_whatever_is_added_to_it() {
        let line = (0..100).map(|n| f64::from(n) / 60.0).map(|hours| (hours, 40.0 + 3.0 * hours));
        assert!((slope(line.clone()) - 3.0).abs() < 1e-9);
        let noisy = line.enumerate().map(|(n, (x, y))| (x, if n % 2 == 0 { y + 1.0 } else { y - 1.0 }));
        assert!((slope(noisy) - 3.0).abs() < 0.1);
    }
}
