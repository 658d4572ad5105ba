//! What 1000 Icecast mounts on one server cost the daemon that polls it every 5 s.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    figure::{Figure, Goal, Measured},
    server::{Server, pause},
};

const MOUNTS: u64 = 1000;
/// Of so many mounts one has no listeners, and counts down.
const EMPTY_OF: u64 = 10;
const POLL: Duration = Duration::from_secs(5);
/// Polls until all mounts are known and written.
const WARM_UP_POLLS: u64 = 2;
/// Polls within which all countdowns run.
const POLLS_PATIENT: u32 = 3;
/// Longer than this no poll is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The request of a poll is shorter.
const REQUEST_MAX: usize = 4096;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Measurements, each with a daemon of its own; the median counts.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let shares: Vec<f64> = (0..args.repetitions.max(1)).map(|_| measure(args.seconds)).collect::<Result<_>>()?;
    Ok(vec![Figure::alone(
        format!(
            "1000 Icecast mounts on one server, polled every 5 s, counts changing: CPU of one core over {} s",
            args.seconds
        ),
        Measured::of(shares),
        2,
        Goal::AtMost(2.0, "%"),
        "%",
    )])
}

fn measure(seconds: u64) -> Result<f64> {
    let icecast = StandIn::open()?;
    let home = tempfile::tempdir()?;
    fs::write(home.path().join("password"), "x\n")?;
    let config = format!(
        "[[icecast]]\nname = \"studio\"\nurl = \"http://{}\"\npassword_file = \"password\"\npoll_interval = {}\n",
        icecast.address,
        POLL.as_secs()
    );
    let mut server = Server::daemon_with(home.path(), &config)?;
    server.wait_until_ready()?;
    icecast.wait_for(WARM_UP_POLLS)?;
    let (polls, before) = (icecast.polls(), server.process().cpu()?);
    pause(Duration::from_secs(seconds));
    let (polls, spent) = (icecast.polls() - polls, server.process().cpu()? - before);
    // Only what was really done counts.
    ensure!(polls >= seconds / POLL.as_secs(), "{polls} polls in {seconds} s");
    let active = server.metric("sattva_active_streams")?;
    ensure!(active == MOUNTS as f64, "{active} of {MOUNTS} mounts are active streams");
    // A daemon that was kept from running freezes its countdowns until the next poll.
    let mut counting = server.metric("sattva_countdowns")?;
    for _ in 0..POLLS_PATIENT {
        if counting == (MOUNTS / EMPTY_OF) as f64 {
            break;
        }
        pause(POLL);
        counting = server.metric("sattva_countdowns")?;
    }
    ensure!(counting == (MOUNTS / EMPTY_OF) as f64, "{counting} mounts count down");
    Ok(spent.as_secs_f64() / seconds as f64 * 100.0)
}

/// Answers as an Icecast with many mounts would. Its thread ends with the process.
struct StandIn {
    address: SocketAddr,
    polls: Arc<AtomicU64>,
}

impl StandIn {
    fn open() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (address, polls) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&polls);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                // A client that has gone is asked for no more than the next one.
                let _ = answer(socket, counter.fetch_add(1, Relaxed));
            }
        });
        Ok(Self { address, polls })
    }

    fn polls(&self) -> u64 {
        self.polls.load(Relaxed)
    }

    fn wait_for(&self, polls: u64) -> Result<()> {
        let mut left = PATIENCE;
        while self.polls() < polls {
            left = left.checked_sub(LOOK_EVERY).context("the daemon does not poll")?;
            pause(LOOK_EVERY);
        }
        // What the last of them led to is done.
        pause(POLL / 2);
        Ok(())
    }
}

fn answer(mut socket: TcpStream, poll: u64) -> Result<()> {
    let mut request = [0; REQUEST_MAX];
    let _ = socket.read(&mut request)?;
    let body = stats(poll);
    write!(socket, "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    Ok(socket.flush()?)
}

/// `/admin/stats` as Icecast 2.4.4 writes it; every count that is not 0 differs from poll to poll.
fn stats(poll: u64) -> String {
    let mut xml = String::from("<?xml version=\"1.0\"?>\n<icestats><admin>nobody@localhost</admin>");
    for mount in 0..MOUNTS {
        let listeners = if mount.is_multiple_of(EMPTY_OF) { 0 } else { 1 + (mount + poll) % 50 };
        let _ = write!(
            xml,
            "<source mount=\"/{mount}.mp3\"><audio_info>channels=1;samplerate=44100;bitrate=32</audio_info>\
             <genre>various</genre><listener_peak>60</listener_peak><listeners>{listeners}</listeners>\
             <listenurl>http://localhost:8000/{mount}.mp3</listenurl><max_listeners>unlimited</max_listeners>\
             <public>0</public><server_name>Radio {mount}</server_name><server_type>audio/mpeg</server_type>\
             <slow_listeners>0</slow_listeners><source_ip>127.0.0.1</source_ip>\
             <stream_start>Tue, 24 Nov 2026 00:03:30 +0000</stream_start>\
             <stream_start_iso8601>2026-11-24T00:03:30+0000</stream_start_iso8601>\
             <title>Artist {mount} - Title &quot;{}&quot;</title><total_bytes_read>{}</total_bytes_read>\
             <total_bytes_sent>0</total_bytes_sent><user_agent>Lavf/59</user_agent></source>",
            mount % 7,
            poll * 20_000
        );
    }
    xml + "</icestats>\n"
}
