//! `GET /metrics`, Prometheus text format. The families with a series per channel are written in
//! chunks from the channels' own cells; the rest comes from the prometheus crate.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use actix_web::{HttpResponse, get, web};
use bytes::Bytes;
use futures_util::Stream;
use prometheus::{Encoder, IntGaugeVec, Opts, TextEncoder, core::Collector, proto::MetricFamily};
use sattva_actors::{
    channel::cell::{Activity, Cell, Cells, NONE, Totals},
    clock::Timestamp,
};

use super::{
    Front,
    health::{self, Standing},
    problem::Problem,
};

/// An answer is written in pieces of about this size.
const CHUNK: usize = 64 << 10;
/// The label of the channels past the limit, together.
const OTHER: &str = "other";
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One metric with a series per channel.
struct Family {
    name: &'static str,
    help: &'static str,
    /// A channel's figure; `None` where there is nothing to show.
    value: fn(&Cell, Timestamp) -> Option<i64>,
    /// Whether the channels past the limit are summed under `channel_id="other"`.
    summed: bool,
}

const FAMILIES: [Family; 4] = [
    Family { name: "sattva_stream_listeners", help: "Known listeners of a stream.", value: listeners, summed: true },
    Family { name: "sattva_queue_size", help: "Items in a stream's queue.", value: queue_size, summed: true },
    Family {
        name: "sattva_stream_countdown_seconds",
        help: "Seconds until a stream is ended unless somebody listens.",
        value: countdown,
        summed: false,
    },
    Family {
        name: "sattva_stream_evidence_age_seconds",
        help: "Age of the oldest count a stream's sum rests on.",
        value: evidence_age,
        summed: false,
    },
];

fn shown(cell: &Cell) -> bool {
    matches!(cell.activity(), Activity::Active | Activity::JustEnded)
}

fn known(figure: i64) -> Option<i64> {
    (figure != NONE).then_some(figure)
}

fn listeners(cell: &Cell, _: Timestamp) -> Option<i64> {
    known(cell.listeners.load(Relaxed)).filter(|_| shown(cell))
}

fn queue_size(cell: &Cell, _: Timestamp) -> Option<i64> {
    known(cell.queue_size.load(Relaxed)).filter(|_| shown(cell))
}

fn countdown(cell: &Cell, now: Timestamp) -> Option<i64> {
    let ends_at = cell.ends_at.load(Relaxed);
    (ends_at > 0).then(|| Timestamp::from_micros(ends_at).since(now).as_micros().div_ceil(1_000_000) as i64)
}

fn evidence_age(cell: &Cell, now: Timestamp) -> Option<i64> {
    let at = cell.evidence_at.load(Relaxed);
    (at > 0 && cell.activity() != Activity::Hidden).then(|| now.since(Timestamp::from_micros(at)).as_secs() as i64)
}

/// Writes the families chunk by chunk; the cells are only read while a chunk is made.
pub struct Exposition {
    cells: Arc<Cells>,
    now: Timestamp,
    max_channels: usize,
    family: usize,
    slot: Option<usize>,
    written: usize,
    /// The sum of those past the limit.
    other: Option<i64>,
    /// What comes after the families.
    rest: Option<Vec<u8>>,
}

impl Exposition {
    pub fn new(cells: Arc<Cells>, now: Timestamp, max_channels: usize, rest: Vec<u8>) -> Self {
        Self { cells, now, max_channels, family: 0, slot: None, written: 0, other: None, rest: Some(rest) }
    }

    /// The next piece of the answer; nothing at its end.
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(CHUNK + 4096);
        while out.len() < CHUNK {
            let Some(family) = FAMILIES.get(self.family) else {
                if let Some(rest) = self.rest.take() {
                    out.extend_from_slice(&rest);
                }
                break;
            };
            self.write_family(family, &mut out);
        }
        (!out.is_empty()).then_some(out)
    }

    fn write_family(&mut self, family: &Family, out: &mut Vec<u8>) {
        if self.slot.is_none() {
            for part in ["# HELP ", family.name, " ", family.help, "\n# TYPE ", family.name, " gauge\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        let (now, max_channels) = (self.now, self.max_channels);
        let prefix = format!("{}{{channel_id=\"", family.name);
        let (mut written, mut other) = (self.written, self.other);
        let mut digits = itoa::Buffer::new();
        self.slot = self.cells.visit_from(self.slot.unwrap_or(0), |channel, cell| {
            if let Some(value) = (family.value)(cell, now) {
                // A channel that bears the sum's name is part of the sum.
                if written < max_channels && channel.as_str() != OTHER {
                    series(out, &prefix, channel.as_str(), digits.format(value));
                    written += 1;
                } else {
                    other = Some(other.unwrap_or(0) + value);
                }
            }
            out.len() < CHUNK
        });
        (self.written, self.other) = (written, other);
        if self.slot.is_none() {
            if let Some(other) = self.other.filter(|_| family.summed) {
                series(out, &prefix, OTHER, digits.format(other));
            }
            self.family += 1;
            (self.written, self.other) = (0, None);
        }
    }
}

/// Channel ids need no escaping: their characters are checked when they are registered.
fn series(out: &mut Vec<u8>, prefix: &str, channel: &str, value: &str) {
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(channel.as_bytes());
    out.extend_from_slice(b"\"} ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

impl Stream for Exposition {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.next_chunk().map(|chunk| Ok(Bytes::from(chunk))))
    }
}

fn gauge(out: &mut Vec<u8>, name: &str, help: &str, value: u64) {
    let text = format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    out.extend_from_slice(text.as_bytes());
}

fn write_totals(out: &mut Vec<u8>, totals: &Totals) {
    gauge(out, "sattva_active_streams", "Streams that run, their count known or not.", totals.active_streams);
    gauge(out, "sattva_unknown_streams", "Active streams whose count is unknown.", totals.unknown_streams);
    gauge(out, "sattva_lost_streams", "Streams unknown for so long that they no longer count.", totals.lost_streams);
    gauge(out, "sattva_total_listeners", "Known listeners of all streams.", totals.total_listeners);
    gauge(out, "sattva_queue_items", "Items in all queues.", totals.queue_items);
    gauge(out, "sattva_countdowns", "Streams that are counting down.", totals.counting);
    gauge(out, "sattva_stop_failed_streams", "Streams that are still there after a stop.", totals.stop_failed);
}

/// What `/readyz` says, made anew each time: a server that is watched no more has no series.
fn readiness(front: &Front) -> prometheus::Result<Vec<MetricFamily>> {
    let opts = Opts::new("sattva_readiness", "1 at what /readyz says of the daemon, but for stuck actors.");
    let readiness = IntGaugeVec::new(opts, &["status"])?;
    let opts = Opts::new("sattva_dependency_failing", "1 while something the daemon rests on fails.");
    let failing = IntGaugeVec::new(opts, &["dependency"])?;
    let troubles = health::troubles(front);
    let now = Standing::of(front, troubles.iter().any(|(_, trouble)| trouble.is_some()));
    for standing in Standing::ALL {
        readiness.with_label_values(&[standing.as_str()]).set(i64::from(standing == now));
    }
    for (dependency, trouble) in troubles {
        failing.with_label_values(&[&dependency]).set(i64::from(trouble.is_some()));
    }
    Ok([readiness.collect(), failing.collect()].concat())
}

#[get("/metrics")]
pub async fn get(front: web::Data<Front>) -> Result<HttpResponse, Problem> {
    let mut rest = Vec::with_capacity(16 << 10);
    write_totals(&mut rest, &front.cells.totals());
    readiness(&front)
        .and_then(|readiness| TextEncoder::new().encode(&[readiness, front.registry.gather()].concat(), &mut rest))
        .map_err(|error| Problem::busy("metrics_failed", error.to_string(), 5))?;
    let max_channels = front.config.load().metrics.max_channels;
    let exposition = Exposition::new(Arc::clone(&front.cells), front.clock.now().at, max_channels, rest);
    Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).streaming(exposition))
}
