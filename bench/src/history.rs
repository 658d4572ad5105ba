//! The history of 1000 channels over 15 days: its size on disk, and how long a chart takes.

use std::{os::unix::fs::MetadataExt, path::Path, time::Instant};

use anyhow::{Result, ensure};
use sattva_actors::{
    channel::auto_end::PhaseName,
    chronicle::{Entry, Happening},
    clock::{Clock, WallTime},
    identity::ChannelId,
    wire::{AutoEndEvent, Track},
};
use sattva_monitor::history::{History, Metric, Series};

use crate::{
    figure::{Figure, Goal, Measured},
    server::Server,
};

const DAY: i64 = 86_400;
/// Charts that are asked for, each of another channel.
const CHARTS: usize = 100;
/// So often what was measured is written, in seconds of the history: on the last day as the daemon does, before more at a
/// time.
const KEPT_EVERY: i64 = 1800;
const KEPT_EVERY_LAST: i64 = 60;
/// Seconds that a track plays, and how many tracks a channel has.
const TRACK: i64 = 240;
const TRACKS: i64 = 500;
/// Seconds between two times at which everybody has left a channel for a while.
const LEFT_EVERY: i64 = 6 * 3600;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 1000)]
    channels: usize,
    /// Up to now, measured every 5 s; every hour beyond 15 days, which is all that is left of them.
    #[arg(long, default_value_t = 15)]
    days: i64,
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let home = tempfile::tempdir()?;
    let state = home.path().join("state");
    std::fs::create_dir(&state)?;
    let path = state.join("history.redb");
    let open = fill(&path, args.channels, args.days)?;
    let size = taken(&path, "while it is written to")?;
    drop(open);
    taken(&path, "once it is closed")?;
    let mut server = Server::daemon(home.path())?;
    server.wait_until_ready()?;
    let chart = |step: &str| -> Result<Measured> {
        let mut took = Vec::with_capacity(CHARTS);
        for number in 0..CHARTS {
            let id = channel(number * args.channels / CHARTS);
            let began = Instant::now();
            let from = now() - DAY + 60;
            let text = server.text(&format!("/api/v1/history?metric=listeners&channel_id={id}&from={from}{step}"))?;
            took.push(began.elapsed().as_secs_f64() * 1000.0);
            // Only what was really shown counts.
            let known = text.matches("Z\",").count() - text.matches("null,null").count();
            ensure!(known > 600, "{known} points are known: {}", &text[..text.len().min(300)]);
        }
        Ok(Measured::of(took))
    };
    let (coarse, fine) = (chart("")?, chart("&step=5")?);
    server.terminate()?;
    let of = format!("history of {} channels over {} days", args.channels, args.days);
    Ok(vec![
        Figure::alone(format!("{of}: on disk"), Measured::of([size]), 0, Goal::AtMost(500.0, "MB"), "MB"),
        Figure::alone(
            format!("{of}: a chart of 24 h, 720 points, over HTTP"),
            coarse,
            1,
            Goal::AtMost(50.0, "ms"),
            "ms",
        ),
        Figure::alone(
            format!("{of}: a chart of 24 h, 17 280 points, over HTTP"),
            fine,
            1,
            Goal::AtMost(50.0, "ms"),
            "ms",
        ),
    ])
}

fn now() -> i64 {
    Clock::System.now().wall.as_millis().div_euclid(1000)
}

fn channel(number: usize) -> String {
    format!("-{}", 1_001_000_000_000 + number)
}

/// Listeners who come and go in every channel, and a queue that is played, up to now.
pub fn fill(path: &Path, channels: usize, days: i64) -> Result<History> {
    let history = History::at(path.to_owned());
    let keep = |at: i64| -> Result<()> {
        history.keep(WallTime::from_millis(at * 1000));
        history.health.trouble().map_or(Ok(()), |why| anyhow::bail!("{why}"))
    };
    history.open(WallTime::from_millis(0));
    let series = |metric| (0..channels).map(move |n| Ok(Series::of(metric, ChannelId::new(&channel(n))?)));
    let listeners: Vec<Series> = series(Metric::Listeners).collect::<Result<_>>()?;
    let queues: Vec<Series> = series(Metric::Queue).collect::<Result<_>>()?;
    let ids: Vec<ChannelId> = listeners.iter().filter_map(|series| series.channel.clone()).collect();
    let end = now().div_euclid(KEPT_EVERY) * KEPT_EVERY;
    let mut counts = vec![20_i64; channels];
    let (mut at, mut turn) = (end - days * DAY, 1_u64);
    while at < end {
        for count in &mut counts {
            turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // One in four moves.
            *count =
                (*count + [1, -1, 2, -2, 0, 0, 0, 0][(turn >> 61) as usize] * i64::from((turn >> 40) & 1 == 1)).max(0);
        }
        let queue = |n: usize| 30 - (at / 240 + n as i64) % 30;
        history.sample(at, listeners.iter().cloned().zip(counts.iter().map(|count| Some(count * 100))));
        history.sample(at, queues.iter().cloned().enumerate().map(|(n, series)| (series, Some(queue(n) * 100))));
        history.happened(happened(&ids, &counts, at));
        // In the steps that are left of each time.
        at += if end - at > 15 * DAY { 3600 } else { 5 };
        if at % if end - at > DAY { KEPT_EVERY } else { KEPT_EVERY_LAST } == 0 {
            keep(at)?;
        }
    }
    keep(end)?;
    Ok(history)
}

/// What a file takes from the disk, in MB, as `du` tells it: it may be longer, for it grows ahead of what is written.
fn taken(path: &Path, when: &str) -> Result<f64> {
    let file = path.metadata()?;
    let taken = (file.blocks() * 512) as f64 / 1e6;
    eprintln!("history.redb, {when}: {:.0} MB long, of which {taken:.0} MB are on the disk", file.len() as f64 / 1e6);
    Ok(taken)
}

/// What happens in these seconds: tracks, each channel's a little later than the one's before, and countdowns that somebody
/// ends by coming back.
fn happened(ids: &[ChannelId], counts: &[i64], at: i64) -> Vec<Entry> {
    let moment = WallTime::from_millis(at * 1000);
    let mut entries = Vec::new();
    for (number, (id, count)) in (0_i64..).zip(ids.iter().zip(counts)) {
        let mut note = |what| entries.push(Entry { at: moment, channel: id.clone(), what });
        if (at + 5 * number) % TRACK == 0 {
            let title = format!("Track {} of {number}", at / TRACK % TRACKS).into();
            let track = Track { title, artist: Some(format!("Artist {number}").into()), ..Track::default() };
            note(Happening::Track { track: Some(track.into()), listeners: Some(*count as u32), resumed: false });
        }
        if (at + 5 * number) % LEFT_EVERY == 0 {
            for (event, phase, reason) in [
                (AutoEndEvent::Started, PhaseName::Counting, "all_left"),
                (AutoEndEvent::Cancelled, PhaseName::Watching, "listener"),
            ] {
                note(Happening::AutoEnd { event, phase, reason });
            }
        }
    }
    entries
}
