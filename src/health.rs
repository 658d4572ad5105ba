//! What is wrong with the programs the daemon talks to, for `/readyz`.

use std::sync::{Arc, Mutex, PoisonError};

/// Whether one of them does its part; shared with whoever talks to it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Option<String>>>);

impl Health {
    /// One that could not even be tried.
    pub fn failing(why: String) -> Self {
        Self(Arc::new(Mutex::new(Some(why))))
    }

    /// Why it does not, or nothing.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers with what it was before.
    pub fn set(&self, trouble: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), trouble)
    }
}

/// All of one kind, by name.
#[derive(Clone, Debug, Default)]
pub struct HealthBoard(Arc<Mutex<Vec<(String, Health)>>>);

impl HealthBoard {
    pub fn set(&self, all: Vec<(String, Health)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }

    pub fn troubles(&self) -> Vec<(String, Option<String>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(name, health)| (name.clone(), health.trouble())).collect()
    }
}
