//! The sessions of one thread, by what they want: who wants the same gets the same bytes.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use super::{BrokerMetrics, held::Live, run::Run, subscriptions::Filter};
use crate::{
    clock::Timestamp,
    protocol::Dismiss,
    session::{deflate::Encoding, outbox::Overflow},
};

/// The way to one client. It never waits for the client.
pub trait Line: Clone + Unpin + 'static {
    fn send(&self, run: &Run) -> Result<(), Overflow>;
    fn send_snapshot(&self, frame: Bytes, since: Bytes) -> Result<(), Overflow>;
    /// Something waits for the client, and it has taken nothing for too long.
    fn is_stalled(&self, now: Timestamp) -> bool;
    fn dismiss(&self, why: Dismiss);
}

struct Seat<L> {
    line: L,
    encoding: Encoding,
    filter: Filter,
    /// It waits for a snapshot, and gets nothing before it.
    waits: bool,
}

/// Sessions that get the same.
struct Group<L> {
    filter: Filter,
    encoding: Encoding,
    members: Vec<(u64, L)>,
}

pub struct Audience<L> {
    seats: HashMap<u64, Seat<L>>,
    groups: Vec<Group<L>>,
    metrics: BrokerMetrics,
}

impl<L: Line> Audience<L> {
    pub fn new(metrics: BrokerMetrics) -> Self {
        Self { seats: HashMap::new(), groups: Vec::new(), metrics }
    }

    /// It hears nothing until its first snapshot.
    pub fn enter(&mut self, session: u64, encoding: Encoding, filter: Filter, line: L) {
        self.seats.insert(session, Seat { line, encoding, filter, waits: true });
    }

    pub fn leave(&mut self, session: u64) -> Option<L> {
        let seat = self.seats.remove(&session)?;
        self.leave_group(session);
        Some(seat.line)
    }

    fn leave_group(&mut self, session: u64) {
        for (index, group) in self.groups.iter_mut().enumerate() {
            if let Some(member) = group.members.iter().position(|(member, _)| *member == session) {
                group.members.swap_remove(member);
                if group.members.is_empty() {
                    self.groups.swap_remove(index);
                }
                return;
            }
        }
    }

    fn join_group(&mut self, session: u64) {
        let Some(Seat { line, encoding, filter, waits: false }) = self.seats.get(&session) else { return };
        let member = (session, line.clone());
        match self.groups.iter_mut().find(|group| group.encoding == *encoding && group.filter == *filter) {
            Some(group) => group.members.push(member),
            None => {
                self.groups.push(Group { filter: filter.clone(), encoding: *encoding, members: vec![member] });
            }
        }
    }

    /// A session wants something else from here on, and may have to wait for a snapshot of it.
    pub fn refine(&mut self, session: u64, filter: Option<Filter>, waits: bool) {
        let Some(seat) = self.seats.get_mut(&session) else { return };
        if let Some(filter) = filter {
            seat.filter = filter;
        }
        seat.waits |= waits;
        self.leave_group(session);
        self.join_group(session);
    }

    pub fn send_snapshot(&mut self, session: u64, frame: Bytes, since: Bytes) -> Result<(), Overflow> {
        let Some(seat) = self.seats.get_mut(&session) else { return Ok(()) };
        let began = std::mem::take(&mut seat.waits);
        let sent = seat.line.send_snapshot(frame, since);
        if began {
            self.join_group(session);
        }
        sent
    }

    /// Sends live messages, together, to everybody who wants them; who does not keep up is returned.
    pub fn send(&self, messages: &[Arc<Live>]) -> Vec<u64> {
        let mut slow = Vec::new();
        for group in &self.groups {
            let run = Run::of(messages, &group.filter, group.encoding);
            if run.is_empty() {
                continue;
            }
            self.metrics.count(&run.figures, group.members.len() as u64);
            slow.extend(group.members.iter().filter(|(_, line)| line.send(&run).is_err()).map(|(session, _)| *session));
        }
        slow
    }

    pub fn stalled(&self, now: Timestamp) -> Vec<u64> {
        let stalled = self.seats.iter().filter(|(_, seat)| seat.line.is_stalled(now));
        stalled.map(|(session, _)| *session).collect()
    }

    pub fn sessions(&self) -> Vec<u64> {
        self.seats.keys().copied().collect()
    }
}
