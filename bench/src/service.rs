//! What the daemon takes of a small host: how soon it is there, how much memory and CPU it needs.

use std::time::Duration;

use anyhow::Result;

use crate::{
    fanout::{
        audience::Crowd,
        contestant::Contestant,
        load::Load,
        publisher::{Door, Programme},
    },
    figure::{Figure, Goal, Measured},
    fill::fill,
    history, ready,
    server::{Server, pause},
};

const STORED: u64 = 10_000;
const CHANNELS: u64 = 1000;
const SESSIONS: usize = 1000;
/// Of these channels something is published ten times a second.
const PUBLISHED: usize = 10;
/// Channels with a history.
const WITH_HISTORY: usize = 1000;
/// Until what a start leaves behind has been given back.
const SETTLING: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Starts of each kind; the medians count.
    #[arg(long, default_value_t = 9)]
    starts: usize,
    /// For which CPU is counted, and sessions listen.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// How far the history reaches back.
    #[arg(long, default_value_t = 365)]
    days: i64,
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let mut figures = alone(args)?;
    figures.push(with_an_audience(args)?);
    figures.push(with_a_past(args)?);
    Ok(figures)
}

/// Nobody reports, nobody looks.
fn alone(args: &Args) -> Result<Vec<Figure>> {
    let home = tempfile::tempdir()?;
    let mut starts = Vec::new();
    for _ in 0..args.starts.max(1) {
        let (milliseconds, server) = ready::start(home.path(), 0)?;
        starts.push(milliseconds);
        server.terminate()?;
    }
    let (_, server) = ready::start(home.path(), 0)?;
    pause(SETTLING);
    let before = server.process().cpu()?;
    pause(Duration::from_secs_f64(args.seconds));
    let cpu = (server.process().cpu()? - before).as_secs_f64() / args.seconds * 100.0;
    let memory = server.process().resident()? as f64 / 1e6;
    let figure = |what: &str, measured: Measured, digits, goal: f64, unit: &'static str| {
        Figure::alone(what, measured, digits, Goal::AtMost(goal, unit), unit)
    };
    Ok(vec![
        figure("Nothing stored: start to the first 200 of `/readyz`", Measured::of(starts), 1, 50.0, "ms"),
        figure("Nothing stored, nobody connected: memory resident", Measured::of([memory]), 1, 15.0, "MB"),
        figure("Nothing stored, nobody connected: CPU, of one core", Measured::of([cpu]), 3, 0.2, "%"),
    ])
}

fn with_an_audience(args: &Args) -> Result<Figure> {
    let home = tempfile::tempdir()?;
    let server = Contestant::Sattva.start(home.path(), true)?;
    fill(&server, CHANNELS)?;
    let crowd = Crowd { connections: SESSIONS, stuck: 0, deflate: true, per_tick: PUBLISHED, query: "", hear_all: 0 };
    let mut load = Load::new(&server, crowd)?;
    load.gather(SESSIONS)?;
    // Everybody has the snapshot by then.
    load.rest(SETTLING)?;
    load.begin(&server, Programme { door: Door::Ingest, per_tick: PUBLISHED, bytes: 300 })?;
    load.keep_pace((args.seconds * 10.0) as u32, Duration::from_millis(100))?;
    let memory = server.process().resident()? as f64 / 1e6;
    let what = format!(
        "{CHANNELS} channels that count down, {SESSIONS} sessions that hear 100 updates a second, deflated: memory resident"
    );
    Ok(Figure::alone(what, Measured::of([memory]), 1, Goal::AtMost(40.0, "MB"), "MB"))
}

fn with_a_past(args: &Args) -> Result<Figure> {
    let home = tempfile::tempdir()?;
    let state = home.path().join("state");
    std::fs::create_dir(&state)?;
    drop(history::fill(&state.join("history.redb"), WITH_HISTORY, args.days)?);
    let mut server = Server::daemon(home.path())?;
    server.wait_until_ready()?;
    fill(&server, STORED)?;
    let mut starts = Vec::new();
    for _ in 0..args.starts.max(1) {
        // Dropped: killed.
        drop(server);
        let milliseconds;
        (milliseconds, server) = ready::start(home.path(), STORED)?;
        starts.push(milliseconds);
    }
    let what = format!(
        "{STORED} stored channels, {} days of history of {WITH_HISTORY}: start to the first 200 of `/readyz` after `kill -9`",
        args.days
    );
    Ok(Figure::alone(what, Measured::of(starts), 1, Goal::AtMost(150.0, "ms"), "ms"))
}
