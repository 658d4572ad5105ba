//! Payloads as they are received. All clients get the same bytes, so each distinct payload is inflated and read once;
//! everywhere else it is recognised, every byte of it compared.

use anyhow::{Context, Result, ensure};
use flate2::{Decompress, FlushDecompress};

use super::message::Message;

/// Distinct payloads that are kept: more than are under way at once.
const KEPT: usize = 128;
/// What RFC 7692 leaves out at the end of a deflated message.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// No payload is longer than this when it is inflated, a snapshot included.
const INFLATED_MAX: usize = 1 << 20;

pub struct Payloads {
    known: Vec<Known>,
    next: usize,
    inflate: Decompress,
}

struct Known {
    bytes: Vec<u8>,
    message: Option<Message>,
}

/// Where a client's last payload is kept: its next one is most likely the one behind it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place(usize);

impl Payloads {
    pub fn new() -> Self {
        Self { known: Vec::with_capacity(KEPT), next: 0, inflate: Decompress::new(false) }
    }

    /// The message in a payload; nothing where it is some other one.
    pub fn read(&mut self, place: &mut Place, payload: &[u8], deflated: bool) -> Result<Option<Message>> {
        let follows = (place.0 + 1) % KEPT;
        if self.known.get(follows).is_some_and(|known| known.bytes == payload) {
            place.0 = follows;
        } else if let Some(index) = self.known.iter().position(|known| known.bytes == payload) {
            place.0 = index;
        } else {
            place.0 = self.keep(payload, deflated)?;
        }
        Ok(self.known[place.0].message)
    }

    fn keep(&mut self, payload: &[u8], deflated: bool) -> Result<usize> {
        let inflated = if deflated { Some(self.inflated(payload)?) } else { None };
        let text = std::str::from_utf8(inflated.as_deref().unwrap_or(payload))?;
        let known = Known { bytes: payload.to_vec(), message: Message::found_in(text) };
        let index = self.next;
        self.next = (self.next + 1) % KEPT;
        match self.known.get_mut(index) {
            Some(oldest) => *oldest = known,
            None => self.known.push(known),
        }
        Ok(index)
    }

    fn inflated(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        let whole = [payload, &TAIL].concat();
        let mut text = Vec::with_capacity(INFLATED_MAX);
        // Every message must stand alone: no context is taken over.
        self.inflate.reset(false);
        self.inflate.decompress_vec(&whole, &mut text, FlushDecompress::Sync).context("a message does not inflate")?;
        ensure!(self.inflate.total_in() == whole.len() as u64, "a message inflates to more than {INFLATED_MAX} bytes");
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::epoll_loop::Encoder, *};

    #[test]
    fn a_payload_is_read_whether_it_is_new_or_known_deflated_or_plain() {
        let (mut payloads, mut encoder) = (Payloads::new(), Encoder::new());
        for tick in 0..3 * KEPT as u32 {
            let message = Message { channel: 0, tick, sent: Duration::from_millis(1) };
            let text = message.payload(300).unwrap();
            let deflated = encoder.deflated(text.as_bytes()).unwrap();
            for _ in 0..2 {
                let mut place = Place::default();
                assert_eq!(payloads.read(&mut place, text.as_bytes(), false).unwrap(), Some(message));
                assert_eq!(payloads.read(&mut place, &deflated, true).unwrap(), Some(message));
            }
        }
        assert!(payloads.read(&mut Place::default(), &[0xff], true).is_err());
    }
}
