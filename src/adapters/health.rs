//! Whether each watched server is watched right now, for whoever asks.

use std::sync::{Arc, Mutex, PoisonError};

/// Of one server.
#[derive(Clone, Debug, Default)]
pub struct ServerHealth(Arc<Mutex<Option<String>>>);

impl ServerHealth {
    /// A server that could not even be asked.
    pub fn failing(why: String) -> Self {
        Self(Arc::new(Mutex::new(Some(why))))
    }

    /// Why the server cannot be watched, or nothing.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// Of all servers, by kind and name: `icecast:studio`.
#[derive(Clone, Debug, Default)]
pub struct AdaptersHealth(Arc<Mutex<Vec<(String, ServerHealth)>>>);

impl AdaptersHealth {
    pub fn troubles(&self) -> Vec<(String, Option<String>)> {
        let servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.iter().map(|(name, health)| (name.clone(), health.trouble())).collect()
    }

    pub(super) fn set(&self, servers: Vec<(String, ServerHealth)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = servers;
    }
}
