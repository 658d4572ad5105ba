//! The traces, sent to an OpenTelemetry collector from a thread of its own. Nobody waits for it: what it does not take in
//! time is dropped, and counted.

mod otlp;

use std::time::Duration;

use actix::Arbiter;
use awc::{
    Client,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, USER_AGENT},
    },
};
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use sattva_actors::{
    clock::{Clock, Now, Timestamp},
    traces::{Context, Span, Traces},
};
use tokio::sync::oneshot;

use self::otlp::{Moments, Resource};
use crate::{config, outbound};

/// How often what has been noted is sent.
const EVERY: Duration = Duration::from_secs(1);
/// Spans in one request.
const BATCH_MAX: usize = 512;
/// A request is given up after this, answer and all.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// When spans that were not taken are sent again, counted from the failure before; then they are dropped.
const AGAIN_AFTER: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// The longest a collector may ask us to wait.
const ASKED_MAX: Duration = Duration::from_secs(60);
/// At the end of the daemon, what is left has this long.
const LAST_TIME: Duration = Duration::from_secs(2);
/// What is read of an answer.
const ANSWER_MAX: usize = 16 << 10;

/// What becomes of spans.
#[derive(Clone, Debug)]
struct Fates {
    sent: IntCounter,
    /// There was no room for them.
    dropped: IntCounter,
    /// The collector has not taken them.
    lost: IntCounter,
}

impl Fates {
    fn register(registry: &Registry) -> prometheus::Result<Self> {
        let spans = IntCounterVec::new(
            Opts::new("sattva_trace_spans_total", "Spans of the traces, by what became of them."),
            &["outcome"],
        )?;
        registry.register(Box::new(spans.clone()))?;
        let outcome = |outcome: &str| spans.with_label_values(&[outcome]);
        Ok(Self { sent: outcome("sent"), dropped: outcome("dropped"), lost: outcome("lost") })
    }
}

/// The thread that sends the traces.
pub struct Exporter {
    arbiter: Arbiter,
    end: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Exporter {
    /// Where the configuration names a collector; else there is no thread, and no traces.
    pub fn start(
        settings: &config::Traces,
        clock: Clock,
        registry: &Registry,
    ) -> prometheus::Result<(Traces, Option<Self>)> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok((Traces::default(), None)) };
        let fates = Fates::register(registry)?;
        let traces = Traces::on(settings.sample_share, fates.dropped.clone());
        let (url, kept) = (format!("{}/v1/traces", endpoint.trim_end_matches('/')), traces.clone());
        let ((end, ends), (over, ended)) = (oneshot::channel(), oneshot::channel());
        let arbiter = Arbiter::new();
        arbiter.spawn_fn(move || {
            let dispatch = Dispatch::new(url, clock, kept, fates);
            actix_rt::spawn(async move {
                dispatch.run(ends).await;
                // Whoever waits for it may have given up.
                let _ = over.send(());
            });
        });
        Ok((traces, Some(Self { arbiter, end, ended })))
    }

    /// What is left is sent, if the collector takes it soon.
    pub async fn stop(self) {
        // A thread that has panicked has said so.
        let _ = self.end.send(());
        let _ = self.ended.await;
        self.arbiter.stop();
    }
}

/// Names for a span that nobody knows yet, and for its trace. Without chance there are none.
pub fn fresh() -> Option<Context> {
    let (high, low, span) = (getrandom::u64().ok()?, getrandom::u64().ok()?, getrandom::u64().ok()?);
    Some(Context::of(u128::from(high) << 64 | u128::from(low), span))
}

struct Dispatch {
    client: Client,
    url: String,
    clock: Clock,
    traces: Traces,
    fates: Fates,
    resource: Resource,
    /// Where all spans have their wall time from, so that they fit together.
    anchor: Now,
    /// Fetched, and not yet taken.
    held: Vec<Span>,
    failures: usize,
    not_before: Timestamp,
    /// It has been said that the collector takes nothing.
    in_trouble: bool,
}

/// Why spans were not taken.
#[derive(Debug, thiserror::Error)]
enum Untaken {
    #[error("{0}")]
    Unreachable(String),
    #[error("no answer within {} s", TIME_LIMIT.as_secs())]
    Slow,
    #[error("it answers with HTTP {status}")]
    Busy { status: u16, wait: Duration },
    #[error("it refuses them with HTTP {0}")]
    Refused(u16),
}

impl Dispatch {
    fn new(url: String, clock: Clock, traces: Traces, fates: Fates) -> Self {
        Self {
            client: outbound::client(TIME_LIMIT),
            url,
            clock,
            traces,
            fates,
            resource: Resource::of(
                getrandom::u64().unwrap_or_else(|_| std::process::id().into()),
                rustix::system::uname().nodename().to_string_lossy().into_owned(),
            ),
            anchor: clock.now(),
            held: Vec::new(),
            failures: 0,
            not_before: Timestamp::ZERO,
            in_trouble: false,
        }
    }

    async fn run(mut self, mut end: oneshot::Receiver<()>) {
        while tokio::time::timeout(EVERY, &mut end).await.is_err() {
            tokio::select! {
                () = self.send() => {}
                _ = &mut end => break,
            }
        }
        self.not_before = Timestamp::ZERO;
        let in_time = tokio::time::timeout(LAST_TIME, self.send()).await.is_ok();
        if !in_time || !self.held.is_empty() {
            tracing::warn!(spans = self.held.len(), "the collector did not take the last spans of the traces in time");
        }
    }

    /// Sends what there is, until the collector fails.
    async fn send(&mut self) {
        let now = self.clock.now();
        if now.at < self.not_before {
            return;
        }
        self.anchor = otlp::anchored(self.anchor, now);
        loop {
            if self.held.is_empty() {
                self.held = self.traces.fetch();
            }
            let batch = self.held.len().min(BATCH_MAX);
            if batch == 0 {
                return;
            }
            match self.post(batch).await {
                Ok(rejected) => {
                    let rejected = rejected.min(batch as u64);
                    self.fates.lost.inc_by(rejected);
                    self.fates.sent.inc_by(batch as u64 - rejected);
                    self.on_taken();
                    self.let_go(batch);
                }
                Err(why) => {
                    self.on_untaken(&why);
                    let again = AGAIN_AFTER.get(self.failures).filter(|_| !matches!(why, Untaken::Refused(_)));
                    let Some(again) = again else {
                        self.fates.lost.inc_by(batch as u64);
                        self.let_go(batch);
                        return;
                    };
                    self.failures += 1;
                    let asked = if let Untaken::Busy { wait, .. } = why { wait.min(ASKED_MAX) } else { Duration::ZERO };
                    self.not_before = self.clock.now().at.plus(asked.max(*again));
                    return;
                }
            }
        }
    }

    fn let_go(&mut self, batch: usize) {
        self.held.drain(..batch);
        self.failures = 0;
    }

    /// Answers with how many spans of the first so many the collector did not want.
    async fn post(&self, batch: usize) -> Result<u64, Untaken> {
        let body = otlp::request(&self.resource, &self.held[..batch], Moments(self.anchor));
        let request = self
            .client
            .post(&self.url)
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header((USER_AGENT, outbound::AGENT))
            .no_decompress();
        let whole = async {
            let mut answer = request.send_body(body).await.map_err(|error| Untaken::Unreachable(error.to_string()))?;
            let status = answer.status();
            if !status.is_success() {
                return Err(refusal(status, outbound::retry_after(answer.headers()).unwrap_or_default()));
            }
            // They have been taken, whatever becomes of the answer's body.
            Ok(otlp::rejected(&answer.body().limit(ANSWER_MAX).await.unwrap_or_default()))
        };
        tokio::time::timeout(TIME_LIMIT, whole).await.unwrap_or(Err(Untaken::Slow))
    }

    fn on_taken(&mut self) {
        if std::mem::take(&mut self.in_trouble) {
            tracing::info!(
                lost = self.fates.lost.get(),
                dropped = self.fates.dropped.get(),
                "the collector takes the traces again"
            );
        }
    }

    fn on_untaken(&mut self, why: &Untaken) {
        if !std::mem::replace(&mut self.in_trouble, true) {
            tracing::warn!(url = %self.url, %why, "the collector does not take the traces; they are tried again for a while, then dropped. Start it, or correct traces.otlp_endpoint");
        }
    }
}

/// As OTLP has it: some answers mean that it may go well another time.
fn refusal(status: StatusCode, wait: Duration) -> Untaken {
    match status.as_u16() {
        status @ (429 | 502 | 503 | 504) => Untaken::Busy { status, wait },
        status => Untaken::Refused(status),
    }
}
