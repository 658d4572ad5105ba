//! How soon after its start the daemon is ready, with 10 000 stored channels.

use std::{path::Path, time::Instant};

use anyhow::{Result, ensure};

use crate::{
    figure::{Figure, Goal, Measured},
    fill::fill,
    server::Server,
};

const CHANNELS: u64 = 10_000;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Starts after a clean stop, and as many after `kill -9`; the medians count.
    #[arg(long, default_value_t = 9)]
    starts: usize,
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let home = tempfile::tempdir()?;
    let mut server = Server::daemon(home.path())?;
    server.wait_until_ready()?;
    fill(&server, CHANNELS)?;
    server.terminate()?;
    let (mut clean, mut killed) = (Vec::new(), Vec::new());
    for _ in 0..args.starts.max(1) {
        let (milliseconds, server) = start(home.path(), CHANNELS)?;
        clean.push(milliseconds);
        // Dropped: killed.
        drop(server);
        let (milliseconds, server) = start(home.path(), CHANNELS)?;
        killed.push(milliseconds);
        server.terminate()?;
    }
    let figure = |after: &str, times: Vec<f64>| {
        let what = format!("Start to the first 200 of `/readyz`, 10 000 stored channels, file checked, after {after}");
        Figure::alone(what, Measured::of(times), 1, Goal::AtMost(40.0, "ms"), "ms")
    };
    Ok(vec![figure("a clean stop", clean), figure("`kill -9`", killed)])
}

/// Milliseconds until it is ready, with so many channels.
pub fn start(home: &Path, channels: u64) -> Result<(f64, Server)> {
    let began = Instant::now();
    let mut server = Server::daemon(home)?;
    server.wait_until_ready()?;
    let took = began.elapsed();
    let stored = server.metric("sattva_active_streams")?;
    ensure!(stored == channels as f64, "{stored} of {channels} channels were restored");
    Ok((took.as_secs_f64() * 1e3, server))
}
