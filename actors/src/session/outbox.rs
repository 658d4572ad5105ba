//! What waits for one client's socket: bounded, and a newer state takes the place of an older one.

use std::{
    cell::RefCell,
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use crate::protocol::Replaces;

/// Messages and bytes that may wait for a client; a snapshot may be larger, for it is shared.
pub const MESSAGES_MAX: usize = 512;
pub const BYTES_MAX: usize = 1 << 20;
/// What waits is written together up to this size.
const WRITE_TOGETHER: usize = 16 << 10;

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<(Bytes, Option<Replaces>)>,
    /// Without snapshots.
    bytes: usize,
    finished: bool,
    waker: Option<Waker>,
}

/// The session's end.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Rc<RefCell<Queue>>);

/// The socket's end: the body of the upgraded response.
#[derive(Debug)]
pub struct OutboxBody(Rc<RefCell<Queue>>);

/// The client does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl Outbox {
    pub fn new() -> (Self, OutboxBody) {
        let outbox = Self::default();
        let body = OutboxBody(Rc::clone(&outbox.0));
        (outbox, body)
    }

    pub fn push(&self, frame: Bytes, replaces: Option<Replaces>) -> Result<(), Overflow> {
        let mut queue = self.0.borrow_mut();
        if queue.finished {
            return Ok(());
        }
        if replaces.is_some()
            && let Some(index) = queue.frames.iter().position(|(_, r)| *r == replaces)
        {
            // The newest state wins, and goes to the end: it is younger than what waits before it.
            if let Some((old, _)) = queue.frames.remove(index) {
                queue.bytes -= old.len();
            }
        }
        if queue.frames.len() >= MESSAGES_MAX || queue.bytes > BYTES_MAX {
            return Err(Overflow);
        }
        queue.bytes += frame.len();
        queue.frames.push_back((frame, replaces));
        queue.wake();
        Ok(())
    }

    /// A snapshot counts as one message, whatever its size.
    pub fn push_snapshot(&self, frame: Bytes) {
        let mut queue = self.0.borrow_mut();
        if !queue.finished {
            queue.frames.push_back((frame, None));
            queue.wake();
        }
    }

    /// The last frame; nothing is taken after it.
    pub fn finish(&self, last: Option<Bytes>, drop_waiting: bool) {
        let mut queue = self.0.borrow_mut();
        if queue.finished {
            return;
        }
        if drop_waiting {
            queue.frames.clear();
        }
        queue.frames.extend(last.map(|frame| (frame, None)));
        queue.finished = true;
        queue.wake();
    }

    pub fn is_drained(&self) -> bool {
        self.0.borrow().frames.is_empty()
    }
}

impl Queue {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Stream for OutboxBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut queue = self.0.borrow_mut();
        let Some((first, _)) = queue.frames.pop_front() else {
            if queue.finished {
                return Poll::Ready(None);
            }
            queue.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        queue.bytes = queue.bytes.saturating_sub(first.len());
        if queue.frames.is_empty() || first.len() >= WRITE_TOGETHER {
            return Poll::Ready(Some(Ok(first)));
        }
        let mut together = BytesMut::with_capacity(WRITE_TOGETHER);
        together.extend_from_slice(&first);
        while queue.frames.front().is_some_and(|(next, _)| together.len() + next.len() <= WRITE_TOGETHER) {
            if let Some((next, _)) = queue.frames.pop_front() {
                queue.bytes = queue.bytes.saturating_sub(next.len());
                together.extend_from_slice(&next);
            }
        }
        Poll::Ready(Some(Ok(together.freeze())))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    fn written(body: &mut OutboxBody) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(Some(Ok(bytes))) = body.next().now_or_never() {
            all.extend_from_slice(&bytes);
        }
        all
    }

    #[test]
    fn messages_leave_in_their_order_and_together() {
        let (outbox, mut body) = Outbox::new();
        outbox.push("a".into(), None).unwrap();
        outbox.push("b".into(), None).unwrap();
        assert_eq!(body.next().now_or_never().unwrap().unwrap().unwrap(), "ab");
    }

    #[test]
    fn newer_statistics_take_the_place_of_older_ones_and_nothing_else_is_replaced() {
        let (outbox, mut body) = Outbox::new();
        outbox.push("1".into(), Some(Replaces::Stats)).unwrap();
        outbox.push("w".into(), None).unwrap();
        outbox.push("2".into(), Some(Replaces::Stats)).unwrap();
        outbox.push("w".into(), None).unwrap();
        assert_eq!(written(&mut body), b"w2w");
    }

    #[test]
    fn a_client_that_takes_nothing_overflows_at_the_limit() {
        let (outbox, _body) = Outbox::new();
        for _ in 0..MESSAGES_MAX {
            outbox.push("x".into(), None).unwrap();
        }
        assert_eq!(outbox.push("x".into(), None), Err(Overflow));
    }

    #[test]
    fn after_the_last_frame_the_body_ends() {
        let (outbox, mut body) = Outbox::new();
        outbox.push("x".into(), None).unwrap();
        outbox.finish(Some("bye".into()), true);
        outbox.push("late".into(), None).unwrap();
        assert_eq!(written(&mut body), b"bye");
        assert!(body.next().now_or_never().unwrap().is_none());
    }
}
