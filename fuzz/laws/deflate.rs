//! Inflating what a client sends, deflating what it is sent, and what a handshake offers. The first byte says in which
//! parts the message comes.

use sattva_actors::session::deflate::{Deflater, InflateError, Inflater, negotiate};

const MOST: usize = 4096;

fn inflated(compressed: &[u8], part: usize, most: usize) -> Result<Vec<u8>, InflateError> {
    let mut message = Vec::new();
    let outcome = inflate_into(&mut message, compressed, part, most);
    assert!(message.capacity() <= 2 * most + 64, "{} bytes for a message of at most {most}", message.capacity());
    outcome.map(|()| message)
}

fn inflate_into(message: &mut Vec<u8>, compressed: &[u8], part: usize, most: usize) -> Result<(), InflateError> {
    let mut inflater = Inflater::new();
    for part in compressed.chunks(part) {
        inflater.inflate(part, message, most)?;
    }
    inflater.finish(message, most)
}

pub fn hold(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let part = 1 + usize::from(*first);

    let whole = inflated(bytes, usize::MAX, MOST);
    // Which of two troubles shows first may depend on the parts.
    assert_eq!(whole.as_ref().ok(), inflated(bytes, part, MOST).as_ref().ok(), "in parts of {part}");
    if let Ok(message) = &whole {
        assert!(message.len() <= MOST);
        assert_eq!(inflated(bytes, part, message.len()).as_ref(), Ok(message), "exactly what is allowed");
        if let Some(less) = message.len().checked_sub(1) {
            assert_eq!(inflated(bytes, part, less), Err(InflateError::TooBig), "one byte too much");
        }
    }

    let mut deflater = Deflater::new();
    for message in [Some(bytes), whole.as_deref().ok()].into_iter().flatten() {
        if let Some(compressed) = deflater.deflate(message) {
            assert!(compressed.len() < message.len(), "it grew");
            assert_eq!(inflated(&compressed, part, message.len()).as_deref(), Ok(message));
        }
    }

    if let Ok(offer) = std::str::from_utf8(bytes)
        && let Some(answer) = negotiate([offer])
    {
        assert!(offer.contains("permessage-deflate"), "an answer to what was not offered: {answer}");
        let window = "server_max_window_bits";
        assert!(offer.contains(window) || !answer.contains(window), "a window that was not offered");
    }
}
