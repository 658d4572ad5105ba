//! What formatting a scrape costs: read from what the criterion bench of that name has left.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{
    cores,
    figure::{Figure, Goal, Measured},
};

/// Series of the bench: four for each of 10 000 channels.
const SERIES: f64 = 40_000.0;

pub fn run() -> Result<Vec<Figure>> {
    // Cargo itself may use every core; the bench is short and runs on the measured one.
    let mut cargo = Command::new("cargo");
    cargo.args(["bench", "--quiet", "--locked", "--bench", "exposition"]);
    let status = cores::start_measured(|| Ok(cargo.status()?))?;
    ensure!(status.success(), "cargo bench failed");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let path = target.join("criterion/exposition/10000 channels/new/estimates.json");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let estimates: serde_json::Value = serde_json::from_str(&text)?;
    let nanoseconds = |pointer: &str| estimates.pointer(pointer).and_then(serde_json::Value::as_f64);
    let median = nanoseconds("/median/point_estimate").context("no median in criterion's estimates")?;
    let interval = |end: &str| nanoseconds(&format!("/median/confidence_interval/{end}_bound")).unwrap_or(median);
    let measured =
        Measured { median: median / SERIES, least: interval("lower") / SERIES, most: interval("upper") / SERIES };
    let what = "`/metrics`, 10 000 channels: formatting one series";
    Ok(vec![Figure::alone(what, measured, 1, Goal::AtMost(20.0, "ns"), "ns")])
}
