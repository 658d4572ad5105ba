//! The daemon's own log: structured, and its level can change while it runs.

use std::{
    io::{IsTerminal, stderr},
    os::fd::AsFd,
};

use rustix::fs::fstat;
use tracing::{
    Event, Span, Subscriber,
    span::{Attributes, Id},
};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::{Context, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

use crate::{
    config::{LogFormat, log_levels},
    http::request_id::RequestId,
};

/// Before each field's name in the journal, where every program's fields are.
const JOURNAL_PREFIX: &str = "SATTVA";

/// Changes the level of the running daemon.
#[derive(Clone, Debug)]
pub struct LogLevel(reload::Handle<Targets, Registry>);

impl LogLevel {
    pub fn set(&self, level: &str) {
        // The configuration has been checked; an old filter is better than none.
        if let Ok(levels) = log_levels::read(level)
            && let Err(error) = self.0.reload(levels)
        {
            tracing::error!(%error, level, "the log level could not be changed");
        }
    }
}

/// Starts logging: to journald, or to standard error, where a service manager or a terminal reads it.
pub fn start(level: &str, format: LogFormat) -> LogLevel {
    let (levels, handle) =
        reload::Layer::new(log_levels::read(level).unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO)));
    let registry = tracing_subscriber::registry().with(levels);
    let pretty = match format {
        LogFormat::Pretty => true,
        LogFormat::Json => false,
        LogFormat::Journald | LogFormat::Auto => stderr().is_terminal(),
    };
    let to_journal = match format {
        LogFormat::Journald => true,
        LogFormat::Auto => is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref(), stderr()),
        LogFormat::Pretty | LogFormat::Json => false,
    };
    let refused = match to_journal.then(tracing_journald::layer).transpose() {
        Ok(Some(journal)) => {
            // As its own protocol for standard error has it: what is said in passing is `info`.
            let priorities = PriorityMappings {
                info: Priority::Informational,
                debug: Priority::Debug,
                trace: Priority::Debug,
                ..PriorityMappings::new()
            };
            let journal = journal.with_field_prefix(Some(JOURNAL_PREFIX.to_owned()));
            registry.with(WithRequest(journal.with_priority_mappings(priorities))).init();
            return LogLevel(handle);
        }
        Ok(None) => None,
        Err(error) => Some(error),
    };
    if pretty {
        registry.with(WithRequest(fmt::layer().with_writer(stderr).with_target(false))).init();
    } else {
        let json = fmt::layer().json().flatten_event(true).with_span_list(false);
        registry.with(WithRequest(json.with_writer(stderr))).init();
    }
    if let Some(error) = refused {
        tracing::warn!(%error, "journald cannot be reached; the log goes to standard error");
    }
    LogLevel(handle)
}

/// Whether `output` is the stream to the journal that systemd named, as `device:inode`: one that was made another's since
/// still has the variable.
fn is_journal(journal_stream: Option<&str>, output: impl AsFd) -> bool {
    let Some((device, inode)) = journal_stream.and_then(|named| named.split_once(':')) else { return false };
    let is = |text: &str, number: u64| text.parse() == Ok(number);
    fstat(output).is_ok_and(|stat| is(device, stat.st_dev) && is(inode, stat.st_ino))
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

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::MetadataExt, net::UnixStream};

    use super::*;

    #[test]
    fn only_the_very_stream_that_systemd_named_is_the_journal() {
        let file = tempfile::tempfile().unwrap_or_else(|e| panic!("{e}"));
        let it = file.metadata().unwrap_or_else(|e| panic!("{e}"));
        let (device, inode) = (it.dev(), it.ino());
        assert!(is_journal(Some(&format!("{device}:{inode}")), &file));
        for named in [
            None,
            Some(String::new()),
            Some(format!("{device}")),
            Some(format!("{device}:")),
            Some(format!("{device}:{}", inode + 1)),
            Some(format!("{}:{inode}", device + 1)),
            Some(format!("{inode}:{device}")),
            Some(format!("{device}:{inode}:1")),
            Some(format!("0x{device:x}:{inode}")),
        ] {
            assert!(!is_journal(named.as_deref(), &file), "{named:?}");
        }
        // As it is where the daemon's output was sent elsewhere afterwards.
        let (elsewhere, _end) = UnixStream::pair().unwrap_or_else(|e| panic!("{e}"));
        assert!(!is_journal(Some(&format!("{device}:{inode}")), &elsewhere));
    }
}
