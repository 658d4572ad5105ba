//! A message in each encoding that somebody hears: made once, shared by all who get it.

use bytes::Bytes;
use serde::Serialize;

use crate::session::{
    deflate::{Deflater, Encoding},
    frame::{self, Opcode},
};

/// The frames of one message.
#[derive(Clone, Debug)]
pub struct Encoded {
    pub plain: Bytes,
    /// Where nobody asked for it, or where it would be no shorter, there is none.
    pub deflated: Option<Bytes>,
}

impl Encoded {
    /// What a session gets that has agreed to an encoding, and how that is encoded: a plain frame is always right.
    pub fn of(&self, agreed: Encoding) -> (&Bytes, Encoding) {
        match &self.deflated {
            Some(deflated) if agreed == Encoding::Deflate => (deflated, Encoding::Deflate),
            _ => (&self.plain, Encoding::Plain),
        }
    }
}

#[derive(Debug, Default)]
pub struct Encoder(Deflater);

impl Encoder {
    pub fn encode<T: Serialize>(&mut self, message: &T, deflate: bool) -> Encoded {
        let plain = frame::json(message);
        let deflated = deflate.then(|| self.0.deflate(frame::payload(&plain))).flatten();
        Encoded { deflated: deflated.map(|payload| frame::message(Opcode::Text, true, &payload)), plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_gets_what_it_has_agreed_to_or_the_plain_frame() {
        let mut encoder = Encoder::default();
        let long = "a title and a title and a title and a title";
        let both = encoder.encode(&long, true);
        assert_eq!(both.of(Encoding::Plain).1, Encoding::Plain);
        assert_eq!((both.of(Encoding::Deflate).1, both.of(Encoding::Deflate).0[0]), (Encoding::Deflate, 0xc1));
        for plain in [encoder.encode(&long, false), encoder.encode(&"short", true)] {
            assert_eq!(plain.of(Encoding::Deflate), (&plain.plain, Encoding::Plain));
        }
    }
}
