//! The daemon's own log: structured, and its level can change while it runs.

use std::io::IsTerminal;

use tracing::{
    Event, Span, Subscriber,
    span::{Attributes, Id},
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt,
    layer::{Context, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

use crate::{config::LogFormat, http::request_id::RequestId};

/// Changes the level of the running daemon.
#[derive(Clone, Debug)]
pub struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    pub fn set(&self, level: &str) {
        // The configuration has been checked; an old filter is better than none.
        if let Ok(filter) = EnvFilter::try_new(level)
            && let Err(error) = self.0.reload(filter)
        {
            tracing::error!(%error, level, "the log level could not be changed");
        }
    }
}

/// Starts logging to standard error; a service manager or a terminal reads it there.
pub fn start(level: &str, format: LogFormat) -> LogLevel {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let (filter, handle) = reload::Layer::new(filter);
    let pretty = match format {
        LogFormat::Pretty => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    if pretty {
        registry.with(WithRequest(fmt::layer().with_writer(std::io::stderr).with_target(false))).init();
    } else {
        let json = fmt::layer().json().flatten_event(true).with_span_list(false);
        registry.with(WithRequest(json.with_writer(std::io::stderr))).init();
    }
    LogLevel(handle)
}

/// Writes each line within a span of the request that is being handled, as far as one is. The span is made with the line:
/// most requests have none, and are not to pay for it.
struct WithRequest<L>(L);

impl<S: Subscriber, L: Layer<S>> Layer<S> for WithRequest<L> {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.0.on_new_span(attributes, id, context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // Of the highest level, so that whatever is logged at all has it.
        let span = RequestId::current().map(|id| tracing::error_span!("request", request_id = id.as_str()));
        let _within = span.as_ref().map(Span::enter);
        self.0.on_event(event, context);
    }
}
