//! What waits for one client's socket: bounded, and a newer state takes the place of an older one. Pure.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

use crate::protocol::Replaces;

/// Messages and bytes that may wait for a client. Beside them one snapshot may, and what has happened since
/// it was asked for: both may be larger, for they are shared.
pub const MESSAGES_MAX: usize = 512;
pub const BYTES_MAX: usize = 512 << 10;
/// Frames that are written together.
pub const TOGETHER: usize = 64;
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
pub struct Outbox {
    /// What is left of a frame that has been written in part: the client must get the rest of it.
    begun: Bytes,
    frames: VecDeque<Waiting>,
    /// The sum of what is counted.
    bytes: usize,
    finished: bool,
}

/// The client does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl Outbox {
    pub fn push(&mut self, frame: Bytes, replaces: Option<Replaces>) -> Result<(), Overflow> {
        if self.finished {
            return Ok(());
        }
        let role = Role::Live(replaces);
        if role != Role::Live(None)
            && let Some(index) = self.frames.iter().position(|waiting| waiting.role == role)
            && let Some(old) = self.frames.remove(index)
        {
            // The newest state wins, and goes to the end: it is younger than what waits before it.
            self.bytes -= old.counted();
        }
        if self.frames.len() >= MESSAGES_MAX || self.bytes > BYTES_MAX {
            return Err(Overflow);
        }
        self.put(frame, role);
        Ok(())
    }

    /// The rest of a frame whose beginning has been written past an empty outbox.
    pub fn begin(&mut self, rest: Bytes) {
        debug_assert!(self.is_empty(), "nothing may come between");
        self.begun = rest;
    }

    /// A newer snapshot stands in for one that still waits; what has happened since then counts like all else.
    pub fn push_snapshot(&mut self, frame: Bytes, since: Bytes) -> Result<(), Overflow> {
        if self.finished {
            return Ok(());
        }
        if let Some(older) = self.frames.iter_mut().find(|waiting| waiting.role == Role::Snapshot) {
            // Where it stands: what waits behind it leads to the same state from either.
            older.frame = frame;
            return self.push(since, None);
        }
        self.put(frame, Role::Snapshot);
        self.put(since, Role::Since);
        Ok(())
    }

    fn put(&mut self, frame: Bytes, role: Role) {
        if !frame.is_empty() {
            let waiting = Waiting { frame, role };
            self.bytes += waiting.counted();
            self.frames.push_back(waiting);
        }
    }

    /// The last frame; nothing is taken after it.
    pub fn finish(&mut self, last: Option<Bytes>, drop_waiting: bool) {
        if self.finished {
            return;
        }
        if drop_waiting {
            self.frames.clear();
            self.bytes = 0;
        }
        if let Some(frame) = last {
            self.put(frame, Role::Live(None));
        }
        self.finished = true;
    }

    /// Nothing can be written any more.
    pub fn abandon(&mut self) {
        *self = Self { finished: true, ..Self::default() };
    }

    pub fn is_finished(&self) -> bool {
        self.finished
    }

    pub fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.frames.is_empty()
    }

    /// Whether so little waits that a producer which can be held back may go on.
    pub fn has_room(&self) -> bool {
        self.bytes + self.begun.len() <= ROOM && self.frames.len() < MESSAGES_MAX / 2
    }

    /// Bytes that wait, all of them.
    pub fn waiting(&self) -> usize {
        self.begun.len() + self.frames.iter().map(|waiting| waiting.frame.len()).sum::<usize>()
    }

    /// What is to be written next, in pieces.
    pub fn next(&self) -> ([IoSlice<'_>; TOGETHER], usize) {
        let mut slices = [IoSlice::new(&[]); TOGETHER];
        let begun = std::iter::once(&self.begun).filter(|begun| !begun.is_empty());
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(begun.chain(self.frames.iter().map(|waiting| &waiting.frame))) {
            *slice = IoSlice::new(frame);
            count += 1;
        }
        (slices, count)
    }

    /// So many bytes have been written.
    pub fn written(&mut self, mut bytes: usize) {
        while bytes > 0 {
            if self.begun.is_empty() {
                let Some(waiting) = self.frames.pop_front() else { return };
                self.bytes -= waiting.counted();
                self.begun = waiting.frame;
            }
            let part = bytes.min(self.begun.len());
            self.begun.advance(part);
            bytes -= part;
        }
        if self.begun.is_empty() {
            // The frame it was cut from may go.
            self.begun = Bytes::new();
        }
        if self.frames.is_empty() {
            // A client that was slow once need not keep the room for it.
            self.frames.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything, so many bytes at a time.
    fn written_by(outbox: &mut Outbox, most: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !outbox.is_empty() {
            let (slices, count) = outbox.next();
            let next: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).take(most).collect();
            outbox.written(next.len());
            all.extend(next);
        }
        all
    }

    fn written(outbox: &mut Outbox) -> Vec<u8> {
        written_by(outbox, usize::MAX)
    }

    #[test]
    fn messages_leave_in_their_order_and_together() {
        let mut outbox = Outbox::default();
        outbox.push("ab".into(), None).unwrap();
        outbox.push("cd".into(), None).unwrap();
        assert_eq!(outbox.next().1, 2);
        outbox.written(3);
        assert_eq!((outbox.next().1, written(&mut outbox)), (1, b"d".to_vec()));
    }

    #[test]
    fn newer_statistics_take_the_place_of_older_ones_and_nothing_else_is_replaced() {
        let mut outbox = Outbox::default();
        outbox.push("1".into(), Some(Replaces::Stats)).unwrap();
        outbox.push("w".into(), None).unwrap();
        outbox.push("2".into(), Some(Replaces::Stats)).unwrap();
        outbox.push("w".into(), None).unwrap();
        assert_eq!(written(&mut outbox), b"w2w");
    }

    #[test]
    fn a_client_that_takes_nothing_overflows_at_the_limit() {
        let mut outbox = Outbox::default();
        for _ in 0..MESSAGES_MAX {
            outbox.push("x".into(), None).unwrap();
        }
        assert_eq!(outbox.push("x".into(), None), Err(Overflow));
    }

    #[test]
    fn a_newer_snapshot_takes_the_place_of_one_that_waits_and_what_happened_stays() {
        let mut outbox = Outbox::default();
        outbox.push_snapshot("S1".into(), "a".into()).unwrap();
        outbox.push("b".into(), None).unwrap();
        outbox.push_snapshot("S2".into(), "c".into()).unwrap();
        assert_eq!(written(&mut outbox), b"S2abc");
        outbox.push_snapshot("S3".into(), Bytes::new()).unwrap();
        assert_eq!(written(&mut outbox), b"S3");
    }

    #[test]
    fn a_client_that_takes_nothing_but_asks_for_snapshots_overflows_too() {
        let mut outbox = Outbox::default();
        let large = Bytes::from(vec![b'x'; BYTES_MAX / 4]);
        let taken = (0..100).take_while(|_| outbox.push_snapshot(large.clone(), large.clone()).is_ok()).count();
        assert!(taken <= 6, "{taken}");
    }

    #[test]
    fn a_snapshot_and_what_follows_it_leave_the_bound_to_the_rest() {
        let mut outbox = Outbox::default();
        let large = Bytes::from(vec![b'x'; BYTES_MAX * 4]);
        outbox.push_snapshot(large.clone(), large).unwrap();
        outbox.push("a".into(), None).unwrap();
        assert_eq!(written(&mut outbox).len(), BYTES_MAX * 8 + 1);
        let half = Bytes::from(vec![b'x'; BYTES_MAX / 2 + 1]);
        assert_eq!([(); 3].map(|()| outbox.push(half.clone(), None).is_ok()), [true, true, false]);
    }

    #[test]
    fn after_the_last_frame_nothing_is_taken() {
        let mut outbox = Outbox::default();
        outbox.push("x".into(), None).unwrap();
        outbox.finish(Some("bye".into()), true);
        outbox.push("late".into(), None).unwrap();
        assert_eq!(written(&mut outbox), b"bye");
    }

    #[test]
    fn a_frame_that_is_written_in_part_is_written_to_its_end() {
        let mut outbox = Outbox::default();
        outbox.push_snapshot("S1".into(), "since".into()).unwrap();
        outbox.written(1);
        outbox.push_snapshot("S2".into(), Bytes::new()).unwrap();
        outbox.finish(Some("bye".into()), true);
        assert_eq!(written(&mut outbox), b"1bye");
    }

    #[test]
    fn however_little_is_taken_at_a_time_it_all_arrives_in_order() {
        for most in 1..9 {
            let mut outbox = Outbox::default();
            outbox.begin("rest".into());
            (0..TOGETHER * 2).for_each(|n| outbox.push(format!("{n},").into(), None).unwrap());
            let all: String = (0..TOGETHER * 2).map(|n| format!("{n},")).collect();
            assert_eq!(written_by(&mut outbox, most), format!("rest{all}").into_bytes());
        }
    }
}
