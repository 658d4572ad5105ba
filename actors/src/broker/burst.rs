//! Live messages that are to leave together: those that came while a mailbox was emptied, up to a bound.

use std::sync::Arc;

use super::held::Live;

/// What is this much leaves at once, without waiting for the rest of the mailbox.
const MOST: usize = 64 << 10;

#[derive(Debug, Default)]
pub struct Burst {
    messages: Vec<Arc<Live>>,
    bytes: usize,
}

impl Burst {
    pub fn extend(&mut self, messages: &[Arc<Live>]) {
        self.bytes += messages.iter().map(|message| message.frames.plain.len()).sum::<usize>();
        self.messages.extend_from_slice(messages);
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.bytes >= MOST
    }

    pub fn take(&mut self) -> Vec<Arc<Live>> {
        self.bytes = 0;
        std::mem::take(&mut self.messages)
    }
}
