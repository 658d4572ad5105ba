//! Requests per second that one core takes in, the daemon with everything on against a bare endpoint.

use std::{
    cell::Cell,
    net::SocketAddr,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    figure::{Figure, Goal, Measured, Peer},
    process::Process,
    server::Server,
    streamer::{CHANNELS, Streamer},
};

const CONNECTIONS: usize = 32;
/// Reports per request, and what of the peer's requests per second the daemon is to reach.
const SIZES: [(u64, f64); 2] = [(1, 0.6), (100, 0.25)];
/// A server finds its stride, and the daemon's channels begin.
const WARM_UP: Duration = Duration::from_secs(1);
/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// More than an answer ever needs.
const ANSWER_MAX: usize = 64 << 10;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Measurements of each server, by turns; the median counts.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Only requests with this many reports.
    #[arg(long)]
    reports: Option<u64>,
    /// The Bun to compare with.
    #[arg(long, default_value = "bench/peers/node_modules/.bin/bun")]
    bun: PathBuf,
}

/// What the streamers have seen.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    requests: u64,
    sent: u64,
    accepted: u64,
}

/// What one server did in one measurement.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    requests_per_second: f64,
    /// Shares of a core.
    server: f64,
    load: f64,
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (reports, goal) in SIZES.into_iter().filter(|(reports, _)| args.reports.is_none_or(|only| only == *reports)) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..args.repetitions.max(1) {
            ours.push(daemon(reports, args.seconds)?);
            theirs.push(bun(args, reports)?);
        }
        let rates = |outcomes: &[Outcome]| Measured::of(outcomes.iter().map(|o| o.requests_per_second));
        let (rate, peer) = (rates(&ours), rates(&theirs));
        // Each repetition's own ratio: what drifts between repetitions falls out.
        let ratio = Measured::of(ours.iter().zip(&theirs).map(|(a, b)| a.requests_per_second / b.requests_per_second));
        let shares = |outcomes: &[Outcome]| {
            let share = |of: fn(&Outcome) -> f64| Measured::of(outcomes.iter().map(of)).median * 100.0;
            format!("server {:.0} %, load {:.0} % of a core", share(|o| o.server), share(|o| o.load))
        };
        let plural = if reports == 1 { "report" } else { "reports" };
        figures.push(Figure {
            what: format!("Ingest, {reports} {plural} a request, {CONNECTIONS} connections"),
            measured: format!("{} requests/s ({})", rate.round(), shares(&ours)),
            peer: Some(Peer {
                measured: format!("Bun: {} requests/s ({})", peer.round(), shares(&theirs)),
                ratio: Some(ratio),
            }),
            compared: ratio.median,
            goal: Some(Goal::AtLeast(goal, "×")),
        });
    }
    Ok(figures)
}

fn daemon(reports: u64, seconds: u64) -> Result<Outcome> {
    let home = tempfile::tempdir()?;
    let mut server = Server::daemon(home.path())?;
    server.wait_until_ready()?;
    let audience = Audience::join(&server)?;
    let (outcome, seen) = load(&server, reports, seconds)?;
    // Only what was really done counts.
    ensure!(seen.accepted == seen.sent, "{} of {} reports were accepted", seen.accepted, seen.sent);
    let channels = (CONNECTIONS as u64 * CHANNELS) as f64;
    let (active, counting) = (server.metric("sattva_active_streams")?, server.metric("sattva_countdowns")?);
    ensure!(active == channels, "{active} of {channels} channels are active");
    ensure!(counting == channels * 0.9, "{counting} of {channels} channels count down");
    ensure!(server.metric("sattva_store_commit_duration_seconds_count")? > 0.0, "nothing was committed");
    ensure!(audience.messages() > 0, "nothing was broadcast");
    Ok(outcome)
}

fn bun(args: &Args, reports: u64) -> Result<Outcome> {
    let home = tempfile::tempdir()?;
    let mut server = Server::bun(&args.bun, home.path())?;
    server.wait_until_listening()?;
    let (outcome, seen) = load(&server, reports, args.seconds)?;
    ensure!(seen.accepted == seen.sent, "{} of {} reports were accepted", seen.accepted, seen.sent);
    Ok(outcome)
}

/// One dashboard: a WebSocket client that takes every live message.
struct Audience(Arc<AtomicU64>);

impl Audience {
    fn join(server: &Server) -> Result<Self> {
        let stream = std::net::TcpStream::connect(server.address)?;
        let (mut socket, _) = tungstenite::client(format!("ws://{}/ws/stats", server.address), stream)
            .map_err(|error| anyhow::anyhow!("no WebSocket: {error}"))?;
        let count = Arc::new(AtomicU64::new(0));
        let heard = Arc::clone(&count);
        // Ends with the server.
        std::thread::spawn(move || {
            while socket.read().is_ok() {
                heard.fetch_add(1, Relaxed);
            }
        });
        Ok(Self(count))
    }

    fn messages(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

fn load(server: &Server, reports: u64, seconds: u64) -> Result<(Outcome, Seen)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let address = server.address;
    let all = async {
        let seen = Rc::new(Cell::new(Seen::default()));
        let stop = Rc::new(Cell::new(false));
        let mut streamers = JoinSet::new();
        for number in 0..CONNECTIONS {
            let streamer = Streamer::new(number, reports);
            streamers.spawn_local(stream(address, streamer, Rc::clone(&seen), Rc::clone(&stop)));
        }
        let look = || -> Result<_> {
            Ok((Instant::now(), seen.get().requests, server.process().cpu()?, Process::this().cpu()?))
        };
        tokio::time::sleep(WARM_UP).await;
        // A channel's first report is on disk before it is answered: that is another figure.
        while seen.get().sent < CONNECTIONS as u64 * CHANNELS {
            if let Some(ended) = streamers.try_join_next() {
                ended??;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let before = look()?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let after = look()?;
        stop.set(true);
        while let Some(ended) = streamers.join_next().await {
            ended??;
        }
        let took = after.0.duration_since(before.0).as_secs_f64();
        let share = |later: Duration, earlier: Duration| (later - earlier).as_secs_f64() / took;
        let outcome = Outcome {
            requests_per_second: (after.1 - before.1) as f64 / took,
            server: share(after.2, before.2),
            load: share(after.3, before.3),
        };
        Ok((outcome, seen.get()))
    };
    tokio::task::LocalSet::new().block_on(&runtime, all)
}

/// One connection: the next request goes out when the last one is answered.
async fn stream(address: SocketAddr, mut streamer: Streamer, seen: Rc<Cell<Seen>>, stop: Rc<Cell<bool>>) -> Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let mut answer = Vec::with_capacity(4096);
    while !stop.get() {
        let (request, reports) = streamer.next_request();
        socket.write_all(request).await?;
        answer.clear();
        let accepted = loop {
            ensure!(answer.len() < ANSWER_MAX, "an answer is longer than {ANSWER_MAX} bytes");
            ensure!(socket.read_buf(&mut answer).await? > 0, "the server closed the connection");
            if let Some(accepted) = accepted(&answer)? {
                break accepted;
            }
        };
        let before = seen.get();
        seen.set(Seen {
            requests: before.requests + 1,
            sent: before.sent + reports,
            accepted: before.accepted + accepted,
        });
    }
    Ok(())
}

/// How many reports an answer says were accepted; nothing while it is incomplete.
pub fn accepted(answer: &[u8]) -> Result<Option<u64>> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_length) = head.parse(answer)? else { return Ok(None) };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    let length = length.context("an answer without content-length")?;
    let body = &answer[head_length..];
    if body.len() < length {
        return Ok(None);
    }
    let body = std::str::from_utf8(body)?;
    if head.code != Some(200) {
        bail!("answered {:?}: {body}", head.code);
    }
    let digits = body.split_once(r#""accepted":"#).map(|(_, rest)| rest.split([',', '}']).next().unwrap_or_default());
    digits.and_then(|digits| digits.parse().ok()).map(Some).with_context(|| format!("no count in {body}"))
}

#[cfg(test)]
mod tests {
    use super::accepted;

    #[test]
    fn an_answer_counts_once_it_is_complete() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{\"accepted\":17,\"duplicates\":0}\n";
        assert_eq!(accepted(answer).unwrap(), Some(17));
        for cut in 0..answer.len() {
            assert_eq!(accepted(&answer[..cut]).unwrap(), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_refusal_is_an_error_that_tells_what_was_said() {
        let refusal = b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy";
        assert!(accepted(refusal).unwrap_err().to_string().contains("busy"));
    }
}
