//! Several daemons on one Redis that share the channels: what a report costs that reaches the wrong one half of the time,
//! and how soon a browser at a third one sees it.

mod house;
pub mod scale;

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tungstenite::{Message, WebSocket};

use self::house::{House, PATIENCE};
use crate::{
    connection::Connection,
    figure::{Figure, Goal, Measured, Peer},
    server::pause_until,
    streamer::Streamer,
};

const STREAMERS: usize = 8;
/// Reports per request, and requests a second in which they come.
const SIZES: [(u64, u32); 2] = [(1, 500), (100, 50)];
const WARM_UP: Duration = Duration::from_secs(2);
/// Channels whose listeners come and go, one after the other, each slower than its changes are paced.
const CHANNELS: usize = 60;
const REPORT_EVERY: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Measurements of each, by turns; the median counts.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let repetitions = args.repetitions.max(1);
    for (reports, rate) in SIZES {
        let (mut two, mut one) = (Vec::new(), Vec::new());
        for _ in 0..repetitions {
            two.push(cost(2, reports, rate, args.seconds)?);
            one.push(cost(1, reports, rate, args.seconds)?);
        }
        let micros = |costs: &[f64]| Measured::of(costs.iter().copied()).with_digits(2, "µs");
        let ratio = Measured::of(two.iter().zip(&one).map(|(two, one)| two / one));
        let plural = if reports == 1 { "report" } else { "reports" };
        figures.push(Figure {
            what: format!(
                "Two daemons on one Redis, {reports} {plural} a request, each to either: CPU of both for each report"
            ),
            measured: micros(&two),
            peer: Some(Peer { measured: format!("one daemon on a Redis: {}", micros(&one)), ratio: Some(ratio) }),
            compared: ratio.median,
            goal: Some(Goal::AtMost(1.1, "×")),
        });
    }
    let latencies: Vec<f64> = (0..repetitions).map(|_| latency(args.seconds)).collect::<Result<_>>()?;
    figures.push(Figure::alone(
        "Three daemons on one Redis: from a report at one, of a channel that the second has, to a browser at the third, p99",
        Measured::of(latencies),
        1,
        Goal::AtMost(50.0, "ms"),
        "ms",
    ));
    Ok(figures)
}

/// CPU of all daemons for one report, in microseconds.
fn cost(daemons: usize, reports: u64, rate: u32, seconds: u64) -> Result<f64> {
    let house = House::start(daemons, "")?;
    let mut connections =
        house.daemons.iter().map(|daemon| Connection::open(daemon.address)).collect::<Result<Vec<_>>>()?;
    let mut streamers: Vec<Streamer> = (0..STREAMERS).map(|number| Streamer::new(number, reports)).collect();
    let mut number = 0;
    let mut play = |time: Duration| -> Result<(u64, Duration)> {
        let (began, before, mut sent, mut taken) = (Instant::now(), house.cpu()?, 0, 0);
        for turn in 0.. {
            let due = began + Duration::from_secs(1) / rate * turn;
            if due >= began + time {
                break;
            }
            pause_until(due);
            let streamer = &mut streamers[number % STREAMERS];
            // Each streamer goes from one daemon to the next with every round.
            let to = (number / STREAMERS + number) % connections.len();
            number += 1;
            let (request, reports) = streamer.next_request();
            sent += reports;
            taken += connections[to].send(request)?;
        }
        ensure!(taken == sent, "{taken} of {sent} reports were accepted");
        Ok((sent, house.cpu()? - before))
    };
    play(WARM_UP)?;
    let (reports, spent) = play(Duration::from_secs(seconds))?;
    Ok(spent.as_secs_f64() * 1e6 / reports as f64)
}

/// The 99th percentile, in milliseconds.
fn latency(seconds: u64) -> Result<f64> {
    let house = House::start(3, "")?;
    let mut here = Connection::open(house.daemons[0].address)?;
    let names = (0..).map(|number| format!("c{number}"));
    let mut channels = Vec::new();
    for name in names.take(20 * CHANNELS) {
        report(&mut here, &name, 1, 1)?;
        let family = format!("sattva_stream_listeners{{channel_id=\"{name}\"}}");
        // 0 where it has none: every channel here has a listener.
        if house.daemons[1].metric(&family)? > 0.0 {
            channels.push(name);
        }
        if channels.len() == CHANNELS {
            break;
        }
    }
    ensure!(channels.len() == CHANNELS, "the second daemon has only {} channels", channels.len());
    let browser = TcpStream::connect(house.daemons[2].address)?;
    browser.set_read_timeout(Some(PATIENCE))?;
    let (mut browser, _) = tungstenite::client(format!("ws://{}/ws/stats", house.daemons[2].address), browser)
        .map_err(|error| anyhow::anyhow!("no handshake: {error}"))?;
    // The others hear that somebody looks within a second; before that, it is told by a new snapshot.
    let began = Instant::now();
    let mut times = Vec::new();
    for turn in 0_usize.. {
        let due = began + REPORT_EVERY * turn as u32;
        if due.duration_since(began) > Duration::from_secs(seconds) + WARM_UP {
            break;
        }
        pause_until(due);
        let (channel, listeners) = (&channels[turn % CHANNELS], turn as u64 + 2);
        let sent = Instant::now();
        report(&mut here, channel, listeners, listeners)?;
        if sent.duration_since(began) >= WARM_UP {
            until_shown(&mut browser, channel, listeners)?;
            times.push(sent.elapsed().as_secs_f64() * 1000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    times.get(times.len() * 99 / 100).copied().context("nothing was measured")
}

fn report(connection: &mut Connection, channel: &str, seq: u64, listeners: u64) -> Result<()> {
    let body = format!(
        r#"{{"source":"radio","reports":[{{"channel_id":"{channel}","session":"s1","seq":{seq},"state":"live","listeners":{listeners},"joins":{listeners}}}]}}"#
    );
    let request = format!(
        "POST /api/v1/ingest HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let accepted = connection.send(request.as_bytes())?;
    ensure!(accepted == 1, "a report was not accepted");
    Ok(())
}

fn until_shown(browser: &mut WebSocket<TcpStream>, channel: &str, listeners: u64) -> Result<()> {
    let began = Instant::now();
    loop {
        ensure!(began.elapsed() < PATIENCE, "{channel} with {listeners} listeners is not shown");
        let Message::Text(text) = browser.read()? else { continue };
        let message: serde_json::Value = serde_json::from_str(&text)?;
        let data = &message["data"];
        if message["type"] == "stream_update" && data["channel_id"] == channel && data["listeners"] == listeners {
            return Ok(());
        }
    }
}
