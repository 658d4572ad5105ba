//! The daemon's own log: structured, and its level can change while it runs.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

use crate::config::LogFormat;

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
        registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).init();
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).init();
    }
    LogLevel(handle)
}
