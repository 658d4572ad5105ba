//! Whether those who listen notice a scrape of 10 000 channels a second: how late live messages come, and warnings.

use std::{
    fmt::Write,
    net::TcpStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use sattva_actors::clock::WallTime;
use serde_json::{Value, json};

use super::{audience::Crowd, latencies::Latencies, load::Load, publisher::Programme, scene::BYTES};
use crate::{
    fanout::publisher::Door,
    figure::{Figure, Goal, Measured, Peer},
    fill::fill,
    server::{Server, pause},
};

const CHANNELS: u64 = 10_000;
const CONNECTIONS: usize = 200;
/// The channel that is told of: a snapshot of all others, for so many, would be a figure of its own.
const THE_ONE: &str = "?channels=-1001000000000";
/// Live messages a second, and as many warnings.
const RATE: f64 = 20.0;
/// Never in step with what comes at that rate.
const SCRAPED_EVERY: Duration = Duration::from_millis(987);
/// Before its end a stream's warning comes.
const WARNED_BEFORE: Duration = Duration::from_secs(1);
/// Between the last stream that begins to count down and the first warning; and until everybody who came has settled.
const SETTLING: Duration = Duration::from_secs(2);
const NOTICED: Goal = Goal::AtMost(1.25, "×");

/// What came of one measurement, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    live: f64,
    warned: f64,
}

pub fn run(seconds: f64, repetitions: usize) -> Result<Vec<Figure>> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..repetitions.max(1) {
        without.push(measure(seconds, false)?);
        with.push(measure(seconds, true)?);
    }
    let row = |what: &str, of: fn(&Outcome) -> f64| {
        let p99 = |outcomes: &[Outcome]| Measured::of(outcomes.iter().map(of)).with_digits(2, "ms");
        // Each repetition's own ratio: what drifts between repetitions falls out.
        let ratio = Measured::of(with.iter().zip(&without).map(|(with, without)| of(with) / of(without)));
        Figure {
            what: format!("10 000 channels, scraped each second: {what}, p99, and what it is to that without a scrape"),
            measured: p99(&with),
            peer: Some(Peer { measured: format!("not scraped: {}", p99(&without)), ratio: Some(ratio) }),
            compared: ratio.median,
            goal: Some(NOTICED),
        }
    };
    let live = format!("a live message to {CONNECTIONS} clients");
    Ok(vec![row(&live, |outcome| outcome.live), row("a countdown's warning to a client", |outcome| outcome.warned)])
}

fn measure(seconds: f64, scraped: bool) -> Result<Outcome> {
    let due = (seconds * RATE) as u32;
    let every = Duration::from_secs_f64(RATE.recip());
    let home = tempfile::tempdir()?;
    let timeout = Duration::from_secs_f64(seconds) + SETTLING + WARNED_BEFORE;
    let mut server = Server::daemon_with(home.path(), &config(due, timeout))?;
    server.wait_until_ready()?;
    fill(&server, CHANNELS)?;
    let crowd = Crowd { connections: CONNECTIONS, stuck: 0, deflate: false, per_tick: 1, query: THE_ONE, hear_all: 0 };
    let mut load = Load::new(&server, crowd)?;
    load.gather(CONNECTIONS)?;
    // Until each has its snapshot: what is told before is in it.
    load.rest(SETTLING)?;
    load.begin(&server, Programme { door: Door::Ingest, per_tick: 1, bytes: BYTES })?;
    // Streams that count down, one after the other, so that their warnings come so.
    let url = server.url("/api/v1/ingest");
    let streams = thread::spawn(move || {
        for number in 0..due {
            report(&url, number)?;
            pause(every);
        }
        anyhow::Ok(())
    });
    let warnings = Warnings::listen(&server)?;
    // A stream that begins is on disk before it is told.
    load.keep_pace(RATE as u32, every)?;
    while !streams.is_finished() {
        load.rest(every)?;
    }
    streams.join().map_err(|_| anyhow::anyhow!("the streams did not begin"))??;
    load.rest(SETTLING / 2)?;
    let scraper = Scraper::start(&server, scraped);
    load.forget_latencies();
    load.keep_pace(due, every)?;
    // Streams began at a pace a little slower than they were to.
    load.rest(SETTLING)?;
    let scrapes = scraper.stop()?;
    ensure!(!scraped || f64::from(scrapes) > seconds * 0.9, "{scrapes} scrapes in {seconds} s");
    let live = load.audience.latencies.quantile(0.99).as_secs_f64() * 1e3;
    // Who closes first keeps the port for a minute: it must not be the clients, who need theirs again.
    drop(server);
    Ok(Outcome { live, warned: warnings.p99(due)? })
}

fn config(due: u32, timeout: Duration) -> String {
    let mut config = format!("[auto_end]\nwarnings = [\"{}s\"]\n[http]\nworkers = 1\n", WARNED_BEFORE.as_secs());
    for number in 0..due {
        let _ = writeln!(config, "[channels.due-{number}]\ntimeout = \"{}ms\"\ndry_run = true", timeout.as_millis());
    }
    config
}

fn report(url: &str, number: u32) -> Result<()> {
    // Its source reports once an hour, so that what is known stays known.
    let report = json!({
        "channel_id": format!("due-{number}"), "session": "s1", "seq": 1, "state": "live", "listeners": 0, "joins": 1,
        "interval_seconds": 3600,
    });
    let body = json!({ "source": "due", "reports": [report] }).to_string();
    let answer = ureq::post(url).content_type("application/json").send(body)?.body_mut().read_to_string()?;
    ensure!(answer.contains("\"accepted\":1"), "{answer}");
    Ok(())
}

/// A client that wants nothing but warnings, and notes how late each is.
struct Warnings(Arc<Mutex<Vec<Duration>>>);

impl Warnings {
    fn listen(server: &Server) -> Result<Self> {
        let stream = TcpStream::connect(server.address)?;
        stream.set_nodelay(true)?;
        let url = format!("ws://{}/ws/stats?types=auto_end_warning", server.address);
        let (mut socket, _) =
            tungstenite::client(url, stream).map_err(|error| anyhow::anyhow!("no WebSocket: {error}"))?;
        let late = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&late);
        // Ends with the server.
        thread::spawn(move || {
            while let Ok(message) = socket.read() {
                if let Some(late) = message.to_text().ok().and_then(lateness) {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(late);
                }
            }
        });
        Ok(Self(late))
    }

    fn p99(&self, expected: u32) -> Result<f64> {
        let late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(late.len() == expected as usize, "{} of {expected} warnings came", late.len());
        let mut latencies = Latencies::new();
        late.iter().for_each(|late| latencies.add(*late));
        Ok(latencies.quantile(0.99).as_secs_f64() * 1e3)
    }
}

/// From when a warning was due until now; `ends_at` is known to the millisecond.
fn lateness(text: &str) -> Option<Duration> {
    let message: Value = serde_json::from_str(text).ok()?;
    if message["type"] != "auto_end_warning" {
        return None;
    }
    let ends_at = WallTime::parse_rfc3339(message["data"]["ends_at"].as_str()?)?;
    let due = Duration::from_millis(ends_at.as_millis().try_into().ok()?).checked_sub(WARNED_BEFORE)?;
    let now = clock_gettime(ClockId::Realtime);
    Some(Duration::new(now.tv_sec.try_into().ok()?, now.tv_nsec.try_into().ok()?).saturating_sub(due))
}

/// Asks for the metrics each second, over one connection, as Prometheus does.
struct Scraper {
    over: Arc<AtomicBool>,
    scrapes: Arc<AtomicU32>,
    thread: Option<thread::JoinHandle<Result<()>>>,
}

impl Scraper {
    fn start(server: &Server, scrapes: bool) -> Self {
        let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (is_over, counted, url) = (Arc::clone(&over), Arc::clone(&done), server.url("/metrics"));
        let thread = scrapes.then(|| {
            thread::spawn(move || {
                let agent = ureq::Agent::new_with_defaults();
                while !is_over.load(Relaxed) {
                    let mut answer = agent.get(&url).call()?;
                    let read = std::io::copy(&mut answer.body_mut().as_reader(), &mut std::io::sink())?;
                    ensure!(read > CHANNELS, "an answer of {read} bytes");
                    counted.fetch_add(1, Relaxed);
                    pause(SCRAPED_EVERY);
                }
                Ok(())
            })
        });
        Self { over, scrapes: done, thread }
    }

    fn stop(self) -> Result<u32> {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread {
            thread.join().ok().context("the scraper panicked")??;
        }
        Ok(self.scrapes.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_warning_has_a_time_at_which_it_was_due() {
        let warning = |ends_at: &str| format!(r#"{{"type":"auto_end_warning","data":{{"ends_at":"{ends_at}"}}}}"#);
        assert!(lateness(&warning("2026-01-31T12:00:00.000Z")).is_some_and(|late| late > Duration::from_secs(1)));
        assert_eq!(lateness(&warning("2999-01-31T12:00:00.000Z")), Some(Duration::ZERO));
        assert_eq!(lateness(r#"{"type":"stats","data":{}}"#), None);
    }
}
