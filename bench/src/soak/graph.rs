//! The soak over time, as a picture: memory, lateness and CPU above one another.

use std::{path::Path, time::Duration};

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::{Look, Stretch};

const SIZE: (u32, u32) = (900, 720);

/// One curve over time.
struct Panel<'a> {
    title: &'a str,
    curves: Vec<(RGBColor, Vec<(f64, f64)>)>,
}

pub fn draw(path: &Path, looks: &[Look], stretches: &[Stretch]) -> Result<()> {
    let minutes = |time: Duration| time.as_secs_f64() / 60.0;
    let of_looks = |value: fn(&Look) -> f64| looks.iter().map(|look| (minutes(look.at), value(look))).collect();
    let of_stretches =
        |value: fn(&Stretch) -> f64| stretches.iter().map(|stretch| (minutes(stretch.end), value(stretch))).collect();
    let panels = [
        Panel { title: "Memory resident, MB", curves: vec![(BLUE, of_looks(|look| look.resident as f64 / 1e6))] },
        Panel {
            title: "A timed message to a client, ms: p99 (red), p50 (black), each 10 s",
            curves: vec![(RED, of_stretches(|stretch| stretch.p99)), (BLACK, of_stretches(|stretch| stretch.p50))],
        },
        Panel { title: "CPU, % of one core", curves: vec![(BLUE, of_looks(|look| look.cpu * 100.0))] },
    ];
    let picture = SVGBackend::new(path, SIZE).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());
    picture.fill(&WHITE).map_err(|error| failed(&error))?;
    for (area, panel) in picture.split_evenly((panels.len(), 1)).iter().zip(&panels) {
        let points = || panel.curves.iter().flat_map(|(_, points)| points);
        let (right, top) = points().fold((0.0, 0.0), |(x, y): (f64, f64), point| (x.max(point.0), y.max(point.1)));
        let mut chart = ChartBuilder::on(area)
            .caption(panel.title, ("sans-serif", 16))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..right, 0.0..top * 1.1)
            .map_err(|error| failed(&error))?;
        chart
            .configure_mesh()
            .x_desc("minutes")
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(|error| failed(&error))?;
        for (colour, points) in &panel.curves {
            chart.draw_series(LineSeries::new(points.iter().copied(), colour)).map_err(|error| failed(&error))?;
        }
    }
    picture.present().map_err(|error| failed(&error))
}
