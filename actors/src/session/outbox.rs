//! What waits for one client's socket: bounded, and a newer state takes the place of an older one.

use std::{
    cell::RefCell,
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use crate::protocol::Replaces;

/// Messages and bytes that may wait for a client. Beside them one snapshot may, and what has happened since
/// it was asked for: both may be larger, for they are shared.
pub const MESSAGES_MAX: usize = 512;
pub const BYTES_MAX: usize = 1 << 20;
/// What waits is written together up to this size, and what is larger in parts.
const WRITE_TOGETHER: usize = 16 << 10;
const WRITE_MAX: usize = 64 << 10;
/// Who can be held back goes on when no more than this waits.
const ROOM: usize = 64 << 10;

#[derive(Debug)]
struct Waiting {
    frame: Bytes,
    role: Role,
}

#[derive(Debug, PartialEq, Eq)]
enum Role {
    Live(Option<Replaces>),
    Snapshot,
    /// Came with a snapshot.
    Since,
}

impl Waiting {
    /// What it takes of [`BYTES_MAX`].
    fn counted(&self) -> usize {
        if matches!(self.role, Role::Live(_)) { self.frame.len() } else { 0 }
    }
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Waiting>,
    /// The sum of what is counted.
    bytes: usize,
    /// What is left of a frame that has been written in part: the client must get the rest of it.
    begun: Bytes,
    finished: bool,
    released: bool,
    waker: Option<Waker>,
    held_back: Option<Waker>,
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
        let role = Role::Live(replaces);
        if role != Role::Live(None)
            && let Some(index) = queue.frames.iter().position(|waiting| waiting.role == role)
            && let Some(old) = queue.frames.remove(index)
        {
            // The newest state wins, and goes to the end: it is younger than what waits before it.
            queue.bytes -= old.counted();
        }
        if queue.frames.len() >= MESSAGES_MAX || queue.bytes > BYTES_MAX {
            return Err(Overflow);
        }
        queue.put(frame, role);
        Ok(())
    }

    /// A newer snapshot stands in for one that still waits; what has happened since then counts like all else.
    pub fn push_snapshot(&self, frame: Bytes, since: Bytes) -> Result<(), Overflow> {
        let mut queue = self.0.borrow_mut();
        if queue.finished {
            return Ok(());
        }
        if let Some(older) = queue.frames.iter_mut().find(|waiting| waiting.role == Role::Snapshot) {
            // Where it stands: what waits behind it leads to the same state from either.
            older.frame = frame;
            drop(queue);
            return self.push(since, None);
        }
        queue.put(frame, Role::Snapshot);
        queue.put(since, Role::Since);
        Ok(())
    }

    /// Until little enough waits, or nobody takes it any more: for a producer that can be held back.
    pub async fn room(&self) {
        poll_fn(|cx| {
            let mut queue = self.0.borrow_mut();
            if queue.finished || queue.bytes + queue.begun.len() <= ROOM && queue.frames.len() < MESSAGES_MAX / 2 {
                return Poll::Ready(());
            }
            queue.held_back = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The last frame; nothing is taken after it. The body goes on until it is released, so that the client
    /// may still answer.
    pub fn finish(&self, last: Option<Bytes>, drop_waiting: bool) {
        let mut queue = self.0.borrow_mut();
        if queue.finished {
            return;
        }
        if drop_waiting {
            queue.frames.clear();
            queue.bytes = 0;
        }
        if let Some(frame) = last {
            queue.put(frame, Role::Live(None));
        }
        queue.finished = true;
        queue.wake();
    }

    /// The body, and with it the connection, ends when everything has been written.
    pub fn release(&self) {
        let mut queue = self.0.borrow_mut();
        queue.finished = true;
        queue.released = true;
        queue.wake();
    }
}

impl Drop for OutboxBody {
    fn drop(&mut self) {
        // The connection is gone: nothing can be delivered, and nobody need wait for it.
        let mut queue = self.0.borrow_mut();
        *queue = Queue { finished: true, released: true, held_back: queue.held_back.take(), ..Queue::default() };
        queue.let_on();
    }
}

impl Queue {
    fn put(&mut self, frame: Bytes, role: Role) {
        if !frame.is_empty() {
            let waiting = Waiting { frame, role };
            self.bytes += waiting.counted();
            self.frames.push_back(waiting);
            self.wake();
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let waiting = self.frames.pop_front()?;
        self.bytes -= waiting.counted();
        Some(waiting.frame)
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn let_on(&mut self) {
        if let Some(waker) = self.held_back.take() {
            waker.wake();
        }
    }

    /// What is to be written next.
    fn next(&mut self) -> Option<Bytes> {
        if self.begun.is_empty() {
            self.begun = self.take()?;
        }
        let part = self.begun.split_to(self.begun.len().min(WRITE_MAX));
        if part.len() >= WRITE_TOGETHER || !self.begun.is_empty() || self.frames.is_empty() {
            return Some(part);
        }
        let mut together = BytesMut::with_capacity(WRITE_TOGETHER);
        together.extend_from_slice(&part);
        while self.frames.front().is_some_and(|next| together.len() + next.frame.len() <= WRITE_TOGETHER)
            && let Some(next) = self.take()
        {
            together.extend_from_slice(&next);
        }
        Some(together.freeze())
    }
}

impl Stream for OutboxBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut queue = self.0.borrow_mut();
        match queue.next() {
            Some(part) => {
                queue.let_on();
                Poll::Ready(Some(Ok(part)))
            }
            None if queue.released => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
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
    fn a_newer_snapshot_takes_the_place_of_one_that_waits_and_what_happened_stays() {
        let (outbox, mut body) = Outbox::new();
        outbox.push_snapshot("S1".into(), "a".into()).unwrap();
        outbox.push("b".into(), None).unwrap();
        outbox.push_snapshot("S2".into(), "c".into()).unwrap();
        assert_eq!(written(&mut body), b"S2abc");
        outbox.push_snapshot("S3".into(), Bytes::new()).unwrap();
        assert_eq!(written(&mut body), b"S3");
    }

    #[test]
    fn a_client_that_takes_nothing_but_asks_for_snapshots_overflows_too() {
        let (outbox, _body) = Outbox::new();
        let large = Bytes::from(vec![b'x'; BYTES_MAX / 4]);
        let taken = (0..100).take_while(|_| outbox.push_snapshot(large.clone(), large.clone()).is_ok()).count();
        assert!(taken <= 6, "{taken}");
    }

    #[test]
    fn a_snapshot_and_what_follows_it_leave_the_bound_to_the_rest() {
        let (outbox, mut body) = Outbox::new();
        let large = Bytes::from(vec![b'x'; BYTES_MAX * 4]);
        outbox.push_snapshot(large.clone(), large).unwrap();
        outbox.push("a".into(), None).unwrap();
        assert_eq!(written(&mut body).len(), BYTES_MAX * 8 + 1);
        let half = Bytes::from(vec![b'x'; BYTES_MAX / 2 + 1]);
        assert_eq!([(); 3].map(|()| outbox.push(half.clone(), None).is_ok()), [true, true, false]);
    }

    #[test]
    fn after_the_last_frame_the_body_ends_when_it_is_released() {
        let (outbox, mut body) = Outbox::new();
        outbox.push("x".into(), None).unwrap();
        outbox.finish(Some("bye".into()), true);
        outbox.push("late".into(), None).unwrap();
        assert_eq!(written(&mut body), b"bye");
        assert!(body.next().now_or_never().is_none());
        outbox.release();
        assert_eq!(body.next().now_or_never(), Some(None));
    }

    #[test]
    fn a_frame_that_is_written_in_part_is_written_to_its_end() {
        let (outbox, mut body) = Outbox::new();
        let large = Bytes::from(vec![b'x'; WRITE_MAX + 1]);
        outbox.push_snapshot(large.clone(), "since".into()).unwrap();
        assert_eq!(body.next().now_or_never().unwrap().unwrap().unwrap().len(), WRITE_MAX);
        outbox.push_snapshot("S2".into(), Bytes::new()).unwrap();
        outbox.finish(Some("bye".into()), true);
        assert_eq!(written(&mut body), b"xbye");
    }

    #[test]
    fn a_producer_is_held_back_until_there_is_room_or_the_connection_is_gone() {
        let (outbox, mut body) = Outbox::new();
        outbox.push(vec![b'x'; 3 * WRITE_MAX].into(), None).unwrap();
        assert!(outbox.room().now_or_never().is_none());
        written(&mut body);
        assert!(outbox.room().now_or_never().is_some());
        outbox.push(vec![b'x'; 3 * WRITE_MAX].into(), None).unwrap();
        drop(body);
        assert!(outbox.room().now_or_never().is_some());
    }
}
