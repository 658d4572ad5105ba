//! SIGHUP: a valid new configuration is applied whole, of an invalid one nothing is.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use crate::{
    access::{self, book::Book},
    config::{Changes, Config, ConfigError, Sources, diff, load},
    tls::{self, Identity},
};

/// How the last reload went, for `/readyz`, the metrics and the service status.
#[derive(Debug)]
pub struct ReloadStatus {
    failure: Mutex<Option<String>>,
    success: IntGauge,
    last_success: IntGauge,
    reloads: IntCounterVec,
}

impl ReloadStatus {
    pub fn register(registry: &Registry, started_at_seconds: i64) -> prometheus::Result<Self> {
        let success = IntGauge::new("sattva_config_last_reload_successful", "1 if the last (re)load was applied.")?;
        let last_success = IntGauge::new(
            "sattva_config_last_reload_success_timestamp_seconds",
            "When a configuration was last applied, in seconds since 1970.",
        )?;
        let reloads =
            IntCounterVec::new(Opts::new("sattva_config_reloads_total", "Reloads, by outcome."), &["outcome"])?;
        for outcome in ["applied", "refused"] {
            reloads.with_label_values(&[outcome]);
        }
        registry.register(Box::new(success.clone()))?;
        registry.register(Box::new(last_success.clone()))?;
        registry.register(Box::new(reloads.clone()))?;
        success.set(1);
        last_success.set(started_at_seconds);
        Ok(Self { failure: Mutex::new(None), success, last_success, reloads })
    }

    /// Why the last reload was refused, or nothing.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, failure: Option<String>, now_seconds: i64) {
        self.success.set(i64::from(failure.is_none()));
        self.reloads.with_label_values(&[if failure.is_none() { "applied" } else { "refused" }]).inc();
        if failure.is_none() {
            self.last_success.set(now_seconds);
        }
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

/// What a reload has read.
pub struct Reloaded {
    pub config: Config,
    pub tokens: Book,
    pub identity: Option<Identity>,
    pub changes: Changes,
}

/// Reads the same sources again.
pub struct Reloader {
    sources: Sources,
    current: Config,
    /// What the daemon was started with: a setting that needs a restart is compared with it.
    started: Config,
    status: Arc<ReloadStatus>,
}

impl Reloader {
    pub fn new(sources: Sources, current: Config, status: Arc<ReloadStatus>) -> Self {
        Self { sources, started: current.clone(), current, status }
    }

    /// The new configuration, what its files hold, and what it changes; an error has changed nothing.
    pub fn reload(&mut self, now_seconds: i64) -> Result<Reloaded, ConfigError> {
        let outcome = load(&self.sources)
            .and_then(|loaded| Ok((access::tokens(&loaded.config)?, tls::identity(&loaded.config)?, loaded)));
        match outcome {
            Ok((tokens, identity, loaded)) => {
                for warning in &loaded.warnings {
                    tracing::warn!("{warning}");
                }
                for (key, by) in &loaded.overridden {
                    tracing::info!(key, by, "a setting of the file has no effect: something later overrides it");
                }
                let changes = Changes {
                    applied: diff(&self.current, &loaded.config).applied,
                    needs_restart: diff(&self.started, &loaded.config).needs_restart,
                };
                self.current = loaded.config.clone();
                self.status.note(None, now_seconds);
                Ok(Reloaded { config: loaded.config, tokens, identity, changes })
            }
            Err(error) => {
                self.status.note(Some(error.summary()), now_seconds);
                Err(error)
            }
        }
    }
}
