//! permessage-deflate, RFC 7692. No context is taken over from one message to the next, in either
//! direction: that is what lets all sessions share one compressed message.

use std::collections::HashSet;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What every compressed message ends with, and what is therefore left out on the wire.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// A last block without content: it ends what is whole, and nothing else.
const END: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];
/// How far back a compressed message may refer.
const WINDOW: usize = 1 << 15;
/// Room is made for so much more of a message at a time.
const STEP: usize = 16 << 10;
/// A larger message goes out as it is: compressing it would keep everybody else waiting.
const COMPRESSED_MAX: usize = 4 << 20;
/// More than a compressed message has around its content: the header of a block, its end, and the tail.
const SPARE: usize = 64;

/// How a session's messages may be encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    #[default]
    Plain,
    Deflate,
}

impl Encoding {
    pub const ALL: [Self; 2] = [Self::Plain, Self::Deflate];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Deflate => "deflate",
        }
    }
}

/// The answer to the first offer that can be met, of all `Sec-WebSocket-Extensions` of a handshake.
pub fn negotiate<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    headers.into_iter().flat_map(|header| header.split(',')).find_map(answer)
}

fn answer(offer: &str) -> Option<&'static str> {
    let mut parts = offer.split(';').map(str::trim);
    if parts.next() != Some("permessage-deflate") {
        return None;
    }
    let mut seen = HashSet::new();
    let mut server_window = false;
    for parameter in parts {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(unquoted(value.trim_start()))),
            None => (parameter, None),
        };
        let known = match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => true,
            // Whatever the client's window, ours is as large; so the answer need not name it.
            ("client_max_window_bits", Some(bits)) => window_bits(bits).is_some(),
            // What is compressed once for all has the whole window.
            ("server_max_window_bits", Some(bits)) => {
                server_window = true;
                window_bits(bits) == Some(15)
            }
            _ => false,
        };
        if !known || !seen.insert(name) {
            return None;
        }
    }
    Some(if server_window {
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"
    } else {
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    })
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// 8 to 15, without leading zeros.
fn window_bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| (8..=15).contains(bits))?;
    value.starts_with(|first: char| ('1'..='9').contains(&first)).then_some(bits)
}

/// Why a message could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    Corrupt,
    TooBig,
}

/// Inflates one message, which comes in parts.
#[derive(Debug)]
pub struct Inflater {
    stream: Decompress,
    /// Nothing has been read since the beginning, or since the last block that said it was the last.
    fresh: bool,
}

impl Inflater {
    pub fn new() -> Self {
        Self { stream: Decompress::new(false), fresh: true }
    }

    /// Appends what the next part holds; of a message larger than `most` no more than one step is made.
    pub fn inflate(&mut self, mut part: &[u8], message: &mut Vec<u8>, most: usize) -> Result<(), InflateError> {
        loop {
            message.reserve(STEP.min((most + 1).saturating_sub(message.len())).max(1));
            let input = self.stream.total_in();
            let status = self.stream.decompress_vec(part, message, FlushDecompress::None);
            let status = status.map_err(|_| InflateError::Corrupt)?;
            let read = (self.stream.total_in() - input) as usize;
            part = &part[read..];
            self.fresh &= read == 0;
            if message.len() > most {
                return Err(InflateError::TooBig);
            }
            if status == Status::StreamEnd {
                self.restart(message)?;
            } else if message.len() < message.capacity() {
                // There was room for more, so what is left of the part would never be read: zlib-rs leaves input only
                // where the output is full.
                return if part.is_empty() { Ok(()) } else { Err(InflateError::Corrupt) };
            }
            if part.is_empty() && self.fresh {
                return Ok(());
            }
        }
    }

    /// A block that says it is the last ends no message: others may follow, and may refer to what was before.
    fn restart(&mut self, message: &[u8]) -> Result<(), InflateError> {
        self.stream.reset(false);
        self.fresh = true;
        let window = &message[message.len().saturating_sub(WINDOW)..];
        self.stream.set_dictionary(window).map(drop).map_err(|_| InflateError::Corrupt)
    }

    /// Nothing more comes: was that a whole message?
    pub fn finish(mut self, message: &mut Vec<u8>, most: usize) -> Result<(), InflateError> {
        if !self.fresh {
            self.inflate(&TAIL, message, most)?;
            self.inflate(&END, message, most)?;
        }
        if self.fresh { Ok(()) } else { Err(InflateError::Corrupt) }
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

/// Compresses messages, one after the other.
#[derive(Debug)]
pub struct Deflater(Compress);

impl Deflater {
    pub fn new() -> Self {
        Self(Compress::new(Compression::fast(), false))
    }

    /// The compressed message; `None` where it would be no shorter.
    pub fn deflate(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        if message.len() > COMPRESSED_MAX {
            return None;
        }
        self.0.reset();
        // A byte takes at most nine bits. A compressor that is reset with output left in it loses room for good and
        // panics in the end, so there is enough for whatever comes out.
        let mut out = Vec::with_capacity(message.len() + message.len() / 8 + SPARE);
        let status = self.0.compress_vec(message, &mut out, FlushCompress::Sync);
        if status.is_err() || self.0.total_in() < message.len() as u64 || out.len() == out.capacity() {
            *self = Self::new();
            return None;
        }
        out.truncate(out.strip_suffix(&TAIL)?.len());
        (out.len() < message.len()).then_some(out)
    }
}

impl Default for Deflater {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn the_metrics_know_an_encoding_by_its_name() {
        assert_eq!(Encoding::ALL.map(Encoding::as_str), ["plain", "deflate"]);
    }

    #[test]
    fn an_offer_is_answered_where_it_can_be_met() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=8;client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover ; client_max_window_bits = \"15\"",
            "x-webkit-deflate-frame, permessage-deflate",
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
            "permessage-deflate; nobody_knows, permessage-deflate; client_max_window_bits",
        ] {
            assert_eq!(negotiate([offer]), Some(PLAIN), "{offer}");
        }
        let with_window = format!("{PLAIN}; server_max_window_bits=15");
        assert_eq!(negotiate(["permessage-deflate; server_max_window_bits=15"]), Some(&*with_window));
        assert_eq!(negotiate(["permessage-deflate;server_max_window_bits=9", "permessage-deflate"]), Some(PLAIN));
    }

    #[test]
    fn an_offer_that_cannot_be_met_or_read_is_declined() {
        for offer in [
            "",
            "permessage-bzip2",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=015",
            "permessage-deflate; server_max_window_bits=+15",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate; client_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            "permessage-deflate; unknown",
            "permessage-deflate;",
        ] {
            assert_eq!(negotiate([offer]), None, "{offer}");
        }
    }

    fn inflated(compressed: &[u8], part: usize, most: usize) -> Result<Vec<u8>, InflateError> {
        let mut inflater = Inflater::new();
        let mut message = Vec::new();
        for part in compressed.chunks(part) {
            inflater.inflate(part, &mut message, most)?;
        }
        inflater.finish(&mut message, most)?;
        Ok(message)
    }

    /// The examples of RFC 7692, 7.2.3: one block, no compression, BFINAL set, two blocks, nothing.
    const EXAMPLES: [(&[u8], &[u8]); 6] = [
        (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], b"Hello"),
        (&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], b"Hello"),
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], b"Hello"),
        (&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00], b"Hello"),
        (&[0x00], b""),
        (&[], b""),
    ];

    #[test]
    fn every_kind_of_block_is_understood_in_parts_of_any_size() {
        for (compressed, message) in EXAMPLES {
            for part in 1..=13 {
                assert_eq!(inflated(compressed, part, 5).as_deref(), Ok(message), "{compressed:x?} by {part}");
            }
        }
    }

    #[test]
    fn what_follows_a_last_block_may_refer_to_what_was_before() {
        let mut first = Compress::new(Compression::best(), false);
        let text: Vec<u8> = (0..1000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut compressed = Vec::with_capacity(10_000);
        first.compress_vec(&text, &mut compressed, FlushCompress::Finish).unwrap();
        let mut second = Compress::new(Compression::best(), false);
        second.set_dictionary(&text).unwrap();
        let mut rest = Vec::with_capacity(10_000);
        second.compress_vec(&text, &mut rest, FlushCompress::Sync).unwrap();
        assert!(rest.len() < 200, "{}", rest.len());
        compressed.extend_from_slice(&rest[..rest.len() - TAIL.len()]);
        for part in [1, 7, 100_000] {
            assert_eq!(inflated(&compressed, part, 8000), Ok([&text[..], &text[..]].concat()));
        }
    }

    #[test]
    fn half_a_message_is_none() {
        let whole = Deflater::new().deflate(&b"what is cut off is no message ".repeat(9)).unwrap();
        for cut in 1..whole.len() {
            assert_eq!(inflated(&whole[..cut], 100, 1000), Err(InflateError::Corrupt), "{cut}");
        }
        assert_eq!(inflated(&[0xff; 9], 100, 1000), Err(InflateError::Corrupt));
    }

    #[test]
    fn a_bomb_is_refused_before_it_takes_any_room() {
        const MOST: usize = 4096;
        let bomb = Deflater::new().deflate(&vec![b'x'; COMPRESSED_MAX]).unwrap();
        let mut message = Vec::new();
        assert_eq!(Inflater::new().inflate(&bomb, &mut message, MOST), Err(InflateError::TooBig));
        assert!(message.capacity() <= MOST + 1, "{}", message.capacity());
        // Exactly as much as is allowed is not too much.
        let most = Deflater::new().deflate(&[b'x'; MOST]).unwrap();
        assert_eq!(inflated(&most, 1, MOST).map(|message| message.len()), Ok(MOST));
        assert_eq!(inflated(&most, 1, MOST - 1), Err(InflateError::TooBig));
    }

    #[test]
    fn where_nothing_is_allowed_an_empty_message_is_and_no_other() {
        assert_eq!(inflated(&[0x00], 1, 0), Ok(Vec::new()));
        assert_eq!(inflated(EXAMPLES[0].0, 1, 0), Err(InflateError::TooBig));
    }

    #[test]
    fn all_that_a_part_holds_is_handed_out_with_it() {
        let text = vec![b'x'; STEP + 1000];
        let whole = Deflater::new().deflate(&text).unwrap();
        let mut at_step = 0;
        // Some of these parts end in the middle of what fills the first step.
        for cut in 1..=whole.len() {
            let (mut expected, mut message) = (Vec::with_capacity(2 * STEP), Vec::new());
            Decompress::new(false).decompress_vec(&whole[..cut], &mut expected, FlushDecompress::None).unwrap();
            Inflater::new().inflate(&whole[..cut], &mut message, 1 << 20).unwrap();
            assert_eq!(message.len(), expected.len(), "{cut} bytes");
            at_step += u32::from((STEP + 1..STEP + 258).contains(&message.len()));
        }
        assert!(at_step > 0);
    }

    #[test]
    fn a_message_that_would_only_be_as_long_stays_as_it_is() {
        let mut as_long = 0;
        for length in 1..40 {
            let message = b"abcdefghijklmnopqrstuvwxyz".repeat(2)[52 - length..].to_vec();
            let mut compress = Compress::new(Compression::fast(), false);
            let mut out = Vec::with_capacity(200);
            compress.compress_vec(&message, &mut out, FlushCompress::Sync).unwrap();
            if out.len() - TAIL.len() == message.len() {
                as_long += 1;
                assert_eq!(Deflater::new().deflate(&message), None, "{length}");
            }
        }
        assert!(as_long > 0);
    }

    #[test]
    fn what_does_not_shrink_stays_as_it_is() {
        assert_eq!(Deflater::new().deflate(b""), None);
        assert_eq!(Deflater::new().deflate(b"ping"), None);
        assert_eq!(Deflater::new().deflate(&vec![0; COMPRESSED_MAX + 1]), None);
    }

    #[test]
    fn any_number_of_messages_that_do_not_shrink_leave_the_deflater_as_it_was() {
        let mut state = 1_u64;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(50_000)
        .collect();
        let mut deflater = Deflater::new();
        for size in [50_000, 30_000, 50_000, 100, 50_000, 1, 50_000] {
            assert!(deflater.deflate(&random[..size]).is_none(), "{size}");
        }
        let text = b"what shrinks shrinks as before, as before ".repeat(1000);
        let compressed = deflater.deflate(&text).unwrap();
        assert_eq!(Deflater::new().deflate(&text).as_ref(), Some(&compressed));
        assert_eq!(inflated(&compressed, 1000, text.len()), Ok(text));
    }

    proptest! {
        #[test]
        fn a_message_comes_out_as_it_went_in(
            words in prop::collection::vec("[a-f]{1,6}|[\\x00-\\xff]{20}", 0..80),
            part in prop_oneof![1_usize..4, 1_usize..2000],
        ) {
            let message = words.concat().into_bytes();
            let mut deflater = Deflater::new();
            for _ in 0..2 {
                if let Some(compressed) = deflater.deflate(&message) {
                    prop_assert!(compressed.len() < message.len());
                    prop_assert_eq!(&inflated(&compressed, part, message.len()), &Ok(message.clone()));
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic_or_exceed_its_bound(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            part in 1_usize..300,
            most in 0_usize..5000,
        ) {
            let mut inflater = Inflater::new();
            let mut message = Vec::new();
            for part in bytes.chunks(part) {
                if inflater.inflate(part, &mut message, most).is_err() {
                    break;
                }
                prop_assert!(message.len() <= most);
            }
            prop_assert!(message.capacity() <= 2 * most + 64, "{} of {}", message.capacity(), most);
        }
    }
}
