//! `GET /metrics`, in Prometheus's text format or, where the scraper asks for it, as OpenMetrics. The families with
//! a series per channel are written in chunks from the channels' own cells; the rest comes from the prometheus crate.

use std::{
    convert::Infallible,
    io::Write,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{self, Accept, AcceptEncoding, Encoding, Header},
    web,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
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

/// How the figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    OpenMetrics,
}

impl Format {
    /// What the scraper likes best of both; the text format where it does not say.
    fn asked_for(request: &HttpRequest) -> Self {
        let Ok(accept) = Accept::parse(request) else { return Self::Text };
        let known = accept.ranked().into_iter().find_map(|mime| match mime.essence_str() {
            "application/openmetrics-text" => Some(Self::OpenMetrics),
            "text/plain" | "text/*" | "*/*" => Some(Self::Text),
            _ => None,
        });
        known.unwrap_or(Self::Text)
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The text format is turned into this one: a counter goes without `_total` but in its samples, and an answer
    /// that was cut short is seen by its missing end.
    fn finish(self, text: Vec<u8>) -> Vec<u8> {
        if self == Self::Text {
            return text;
        }
        let mut out = Vec::with_capacity(text.len() + 16);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match about_a_counter(line) {
                Some((name, words)) => {
                    out.extend_from_slice(name);
                    out.extend_from_slice(words);
                }
                None => out.extend_from_slice(line),
            }
        }
        out.extend_from_slice(b"# EOF\n");
        out
    }
}

/// `# TYPE name_total counter` as what is before and after `_total`. Every counter's name ends so, and no other's.
fn about_a_counter(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let words = line.strip_prefix(b"# HELP ").or_else(|| line.strip_prefix(b"# TYPE "))?;
    let name = words.split(|byte| *byte == b' ').next()?;
    let stem = name.strip_suffix(b"_total")?;
    let before = line.len() - words.len() + stem.len();
    Some((&line[..before], &line[before + b"_total".len()..]))
}

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

/// The same in gzip, piece by piece.
struct Zipped {
    exposition: Exposition,
    /// `None` once its last bytes have been taken.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Zipped {
    fn new(exposition: Exposition) -> Self {
        // The fastest halves the work and is a little larger: series are much alike.
        Self { exposition, encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())) }
    }

    fn next_chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        while let Some(encoder) = &mut self.encoder {
            let Some(chunk) = self.exposition.next_chunk() else { break };
            encoder.write_all(&chunk)?;
            let ready = std::mem::take(encoder.get_mut());
            if !ready.is_empty() {
                return Ok(Some(ready));
            }
        }
        self.encoder.take().map(GzEncoder::finish).transpose()
    }
}

impl Stream for Zipped {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.next_chunk().transpose().map(|chunk| chunk.map(Bytes::from)))
    }
}

/// Over a network it saves five bytes of six; to a scraper on this machine it would only cost time.
fn wants_gzip(request: &HttpRequest) -> bool {
    if request.peer_addr().is_none_or(|peer| peer.ip().to_canonical().is_loopback()) {
        return false;
    }
    let offered = [Encoding::gzip(), Encoding::identity()];
    request.headers().contains_key(header::ACCEPT_ENCODING)
        && AcceptEncoding::parse(request).is_ok_and(|accept| accept.negotiate(offered.iter()) == Some(Encoding::gzip()))
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
pub async fn get(request: HttpRequest, front: web::Data<Front>) -> Result<HttpResponse, Problem> {
    let mut rest = Vec::with_capacity(16 << 10);
    write_totals(&mut rest, &front.cells.totals());
    readiness(&front)
        .and_then(|readiness| TextEncoder::new().encode(&[readiness, front.registry.gather()].concat(), &mut rest))
        .map_err(|error| Problem::busy("metrics_failed", error.to_string(), 5))?;
    let format = Format::asked_for(&request);
    let max_channels = front.config.load().metrics.max_channels;
    let (cells, now) = (Arc::clone(&front.cells), front.clock.now().at);
    let exposition = Exposition::new(cells, now, max_channels, format.finish(rest));
    let mut response = HttpResponse::Ok();
    response.content_type(format.content_type()).insert_header((header::VARY, "accept, accept-encoding"));
    if wants_gzip(&request) {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
        return Ok(response.streaming(Zipped::new(exposition)));
    }
    Ok(response.streaming(exposition))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use actix_web::test::TestRequest;
    use flate2::read::GzDecoder;

    use super::*;

    fn exposition(rest: &str) -> Exposition {
        Exposition::new(Arc::default(), Timestamp::ZERO, 10_000, rest.as_bytes().to_vec())
    }

    #[test]
    fn what_is_zipped_piece_by_piece_is_the_whole_answer() {
        let rest = "sattva_reports_total{verdict=\"accepted\"} 17\n".repeat(20_000);
        let (mut plain, mut exposed) = (Vec::new(), exposition(&rest));
        while let Some(chunk) = exposed.next_chunk() {
            plain.extend(chunk);
        }
        let (mut body, mut zipped) = (Vec::new(), Zipped::new(exposition(&rest)));
        while let Some(chunk) = zipped.next_chunk().unwrap_or_else(|e| panic!("{e}")) {
            body.extend(chunk);
        }
        let mut text = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut text).unwrap_or_else(|e| panic!("{e}"));
        assert!(text == plain && body.len() < text.len() / 3, "{} bytes of {}", body.len(), text.len());
    }

    #[test]
    fn gzip_is_for_those_who_ask_from_another_machine() {
        let asks = |peer: &str, encoding: &str| {
            let peer = peer.parse().unwrap_or_else(|e| panic!("{e}"));
            let request = TestRequest::get().peer_addr(peer).insert_header(("accept-encoding", encoding));
            wants_gzip(&request.to_http_request())
        };
        assert!(asks("192.0.2.7:4000", "gzip") && asks("[2001:db8::7]:4000", "gzip, deflate, br"));
        for encoding in ["identity", "br", "gzip;q=0"] {
            assert!(!asks("192.0.2.7:4000", encoding), "{encoding}");
        }
        assert!(!asks("127.0.0.1:4000", "gzip") && !asks("[::1]:4000", "gzip"));
    }

    #[test]
    fn a_counter_is_named_without_total_but_in_its_samples() {
        let text = b"# HELP a_total Some.\n# TYPE a_total counter\na_total{x=\"1\"} 2\n# TYPE b gauge\nb 1\n".to_vec();
        let open = Format::OpenMetrics.finish(text);
        let open = String::from_utf8_lossy(&open);
        assert_eq!(open, "# HELP a Some.\n# TYPE a counter\na_total{x=\"1\"} 2\n# TYPE b gauge\nb 1\n# EOF\n");
    }
}
