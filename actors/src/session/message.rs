//! What a client's bytes say: frames put together to messages, every rule of RFC 6455 and every limit checked
//! at the first byte that breaks it.

use std::time::Duration;

use bytes::Bytes;

use super::{
    deflate::{Encoding, InflateError, Inflater},
    frame::{CloseCode, Header, HeaderReader, Mask, Opcode, Violation},
    pace::{Pace, PaceLimit},
    utf8::Utf8,
};
use crate::clock::Timestamp;

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one message, all its fragments together, inflated.
    pub message_max: usize,
    /// Fragments of one message, counting empty ones.
    pub fragments_max: usize,
    /// Time to finish a message.
    pub message_time: Duration,
    pub control: PaceLimit,
    pub binary: bool,
}

impl Limits {
    /// What a message may take on the wire: one that cannot be compressed grows a little.
    const fn wire_max(&self) -> usize {
        self.message_max + self.message_max / 64 + 64
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// UTF-8.
    Text(Bytes),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    /// The client's close, and its code if it gave one. Nothing comes after it.
    Close(Option<u16>),
}

/// Puts one client's messages together.
#[derive(Debug)]
pub struct Assembler {
    limits: Limits,
    encoding: Encoding,
    header: HeaderReader,
    frame: Option<Frame>,
    message: Option<Message>,
    control: Vec<u8>,
    pace: Pace,
    over: bool,
}

/// A frame whose payload is on its way.
#[derive(Debug)]
struct Frame {
    fin: bool,
    opcode: Opcode,
    mask: Mask,
    left: u64,
}

/// A message whose fragments are on their way.
#[derive(Debug)]
struct Message {
    began: Timestamp,
    text: Option<Utf8>,
    inflater: Option<Inflater>,
    content: Vec<u8>,
    fragments: usize,
    /// What it has taken on the wire, the frame under way counted whole.
    wire: u64,
}

const TOO_BIG: Violation = Violation { code: CloseCode::TooBig, reason: "message too big" };
const TEXT_ONLY: Violation = Violation { code: CloseCode::Unsupported, reason: "text only" };
const NOT_UTF8: Violation = Violation { code: CloseCode::Invalid, reason: "a text is UTF-8" };
const NOT_DEFLATE: Violation = Violation { code: CloseCode::Invalid, reason: "not a compressed message" };
const TOO_MANY_FRAGMENTS: Violation = Violation { code: CloseCode::Policy, reason: "too many fragments" };
const TOO_SLOW: Violation = Violation { code: CloseCode::Policy, reason: "a message took too long" };
const TOO_MANY_CONTROLS: Violation = Violation { code: CloseCode::Policy, reason: "too many control frames" };

impl Assembler {
    pub fn new(limits: Limits, encoding: Encoding, now: Timestamp) -> Self {
        Self {
            limits,
            encoding,
            header: HeaderReader::default(),
            frame: None,
            message: None,
            control: Vec::new(),
            pace: Pace::new(now),
            over: false,
        }
    }

    /// The next event in `input`, which loses what was read; `None` when all of it was. After a violation or a
    /// close whatever comes is dropped unread.
    pub fn next(&mut self, input: &mut Bytes, now: Timestamp) -> Option<Result<Event, Violation>> {
        if self.over {
            input.clear();
            return None;
        }
        let event = self.read(input, now).transpose()?;
        self.over = matches!(event, Err(_) | Ok(Event::Close(_)));
        Some(event)
    }

    /// A message has been under way for too long, whether or not more of it comes.
    pub fn check_time(&mut self, now: Timestamp) -> Result<(), Violation> {
        let began = self.message.as_ref().map(|message| message.began);
        if self.over || began.is_none_or(|began| now.since(began) <= self.limits.message_time) {
            return Ok(());
        }
        self.over = true;
        self.message = None;
        Err(TOO_SLOW)
    }

    fn read(&mut self, input: &mut Bytes, now: Timestamp) -> Result<Option<Event>, Violation> {
        self.check_time(now)?;
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.header.read(input)? {
                    Some(header) => self.begin(header, now)?,
                    None => return Ok(None),
                },
            };
            let part = input.split_to(usize::try_from(frame.left).unwrap_or(usize::MAX).min(input.len()));
            frame.left -= part.len() as u64;
            if frame.opcode.is_control() {
                append(&mut self.control, &part, &mut frame.mask);
            } else if let Some(message) = &mut self.message {
                message.append(&part, &mut frame.mask, self.limits.message_max)?;
            }
            if frame.left > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            if frame.opcode.is_control() {
                return control(frame.opcode, std::mem::take(&mut self.control)).map(Some);
            }
            if frame.fin
                && let Some(message) = self.message.take()
            {
                return message.finish(self.limits.message_max).map(Some);
            }
        }
    }

    fn begin(&mut self, header: Header, now: Timestamp) -> Result<Frame, Violation> {
        if header.opcode.is_control() {
            if header.opcode != Opcode::Close && self.pace.exceeds(now, self.limits.control) {
                return Err(TOO_MANY_CONTROLS);
            }
        } else {
            self.begin_fragment(&header, now)?;
        }
        Ok(Frame { fin: header.fin, opcode: header.opcode, mask: header.mask, left: header.length })
    }

    fn begin_fragment(&mut self, header: &Header, now: Timestamp) -> Result<(), Violation> {
        let first = header.opcode != Opcode::Continuation;
        if first && self.message.is_some() {
            return Err(Violation::protocol("the message before is not finished"));
        }
        if header.rsv1 && !(first && self.encoding == Encoding::Deflate) {
            return Err(Violation::protocol("reserved bits"));
        }
        if header.opcode == Opcode::Binary && !self.limits.binary {
            return Err(TEXT_ONLY);
        }
        if first {
            self.message = Some(Message {
                began: now,
                text: (header.opcode == Opcode::Text).then(Utf8::default),
                inflater: header.rsv1.then(Inflater::new),
                content: Vec::new(),
                fragments: 0,
                wire: 0,
            });
        }
        let Some(message) = &mut self.message else {
            return Err(Violation::protocol("there is nothing to continue"));
        };
        message.fragments += 1;
        message.wire = message.wire.saturating_add(header.length);
        let wire_max = if message.inflater.is_some() { self.limits.wire_max() } else { self.limits.message_max };
        if message.wire > wire_max as u64 {
            return Err(TOO_BIG);
        }
        if message.fragments > self.limits.fragments_max {
            return Err(TOO_MANY_FRAGMENTS);
        }
        Ok(())
    }
}

fn append(to: &mut Vec<u8>, part: &[u8], mask: &mut Mask) {
    let begin = to.len();
    to.extend_from_slice(part);
    mask.apply(&mut to[begin..]);
}

impl Message {
    fn append(&mut self, part: &[u8], mask: &mut Mask, most: usize) -> Result<(), Violation> {
        let begin = self.content.len();
        if let Some(inflater) = &mut self.inflater {
            let mut unmasked = part.to_vec();
            mask.apply(&mut unmasked);
            inflater.inflate(&unmasked, &mut self.content, most).map_err(violation)?;
        } else {
            append(&mut self.content, part, mask);
        }
        self.check(begin)
    }

    fn check(&mut self, begin: usize) -> Result<(), Violation> {
        match &mut self.text {
            Some(utf8) => utf8.read(&self.content[begin..]).map_err(|_| NOT_UTF8),
            None => Ok(()),
        }
    }

    fn finish(mut self, most: usize) -> Result<Event, Violation> {
        if let Some(inflater) = self.inflater.take() {
            let begin = self.content.len();
            inflater.finish(&mut self.content, most).map_err(violation)?;
            self.check(begin)?;
        }
        match self.text {
            Some(utf8) if utf8.is_whole() => Ok(Event::Text(self.content.into())),
            Some(_) => Err(NOT_UTF8),
            None => Ok(Event::Binary(self.content.into())),
        }
    }
}

const fn violation(error: InflateError) -> Violation {
    match error {
        InflateError::Corrupt => NOT_DEFLATE,
        InflateError::TooBig => TOO_BIG,
    }
}

fn control(opcode: Opcode, payload: Vec<u8>) -> Result<Event, Violation> {
    match opcode {
        Opcode::Ping => Ok(Event::Ping(payload.into())),
        Opcode::Close => close(&payload),
        _ => Ok(Event::Pong),
    }
}

fn close(payload: &[u8]) -> Result<Event, Violation> {
    match payload {
        [] => Ok(Event::Close(None)),
        [_] => Err(Violation::protocol("a close code has two bytes")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !may_be_sent(code) {
                return Err(Violation::protocol("no such close code"));
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(Event::Close(Some(code))),
                Err(_) => Err(NOT_UTF8),
            }
        }
    }
}

/// Registered for the wire, or for libraries and applications; 1004 to 1006 and 1015 are reserved.
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests;
