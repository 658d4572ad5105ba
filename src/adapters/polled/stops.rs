//! The stops of one server: those under way, and what became of those before. Pure.

use std::collections::VecDeque;

use sattva_actors::{
    clock::Timestamp,
    protocol::{Ack, StopCommand},
};

use super::{
    kill::{Killed, Retracted, Step, Stop},
    watch::{Place, Watch},
};

/// Outcomes remembered for commands that are delivered again; each is, seven times at most.
const SETTLED_KEPT: usize = 1024;

/// What became of a stop, for the actor to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum Due {
    Kill { place: Place, id: String },
    Answer { place: Place, ack: Ack, gone: bool },
}

#[derive(Debug, Default)]
pub struct Stops {
    active: Vec<Stop>,
    settled: VecDeque<Ack>,
}

impl Stops {
    /// A command arrives, for the first time or again: answers at once if its outcome is known.
    pub fn on_command(&mut self, now: Timestamp, command: StopCommand) -> Option<Ack> {
        if let Some(ack) = self.settled.iter().find(|ack| ack.id == command.id) {
            return Some(ack.clone());
        }
        if now >= command.valid_until {
            return None;
        }
        if let Some(stop) = self.active.iter_mut().find(|stop| stop.command.id == command.id) {
            stop.on_delivery(now);
            return None;
        }
        let stop = Stop::new(command, now);
        // A newer command for the same stream: the one before is no longer wanted.
        self.active.retain(|other| other.place() != stop.place());
        self.active.push(stop);
        None
    }

    /// A command is settled or withdrawn.
    pub fn on_retract(&mut self, id: &str) {
        self.active.retain_mut(|stop| stop.command.id != id || stop.on_retract() == Retracted::Watches);
    }

    /// Another daemon may decide by now: nothing stands until it is delivered again.
    pub fn retract_all(&mut self) {
        self.active.retain_mut(|stop| stop.on_retract() == Retracted::Watches);
    }

    pub fn has_killed(&self, place: &Place) -> bool {
        self.active.iter().any(|stop| stop.has_killed() && stop.place() == *place)
    }

    /// When the server is to be looked at for the sake of a stop.
    pub fn next_look(&self, last: Timestamp) -> Option<Timestamp> {
        self.active.iter().filter_map(|stop| stop.next_look(last)).min()
    }

    /// A good poll, sent at `sent`, which `watch` has taken in; `gone` ended with it.
    pub fn on_poll(&mut self, sent: Timestamp, now: Timestamp, watch: &Watch, gone: &[Place]) -> Vec<Due> {
        self.step(
            |stop, place| {
                if gone.contains(place) { stop.on_gone() } else { stop.on_poll(sent, now, watch.sighting(place)) }
            },
        )
    }

    pub fn on_bad_poll(&mut self, now: Timestamp) -> Vec<Due> {
        self.step(|stop, _| stop.on_bad_poll(now))
    }

    /// The kill for command `id` has been answered.
    pub fn on_killed(&mut self, now: Timestamp, id: &str, how: &Killed) -> Vec<Due> {
        self.step(|stop, _| if stop.command.id == id { stop.on_killed(now, how.clone()) } else { Step::Wait })
    }

    fn step(&mut self, mut decide: impl FnMut(&mut Stop, &Place) -> Step) -> Vec<Due> {
        let mut due = Vec::new();
        let settled = &mut self.settled;
        self.active.retain_mut(|stop| {
            let place = stop.place();
            match decide(stop, &place) {
                Step::Wait => true,
                Step::Kill => {
                    due.push(Due::Kill { place, id: stop.command.id.clone() });
                    true
                }
                Step::GiveUp => false,
                Step::Settle(verdict) => {
                    let ack = Ack { id: stop.command.id.clone(), outcome: verdict.outcome, detail: verdict.detail };
                    if settled.len() == SETTLED_KEPT {
                        settled.pop_front();
                    }
                    settled.push_back(ack.clone());
                    due.push(Due::Answer { place, ack, gone: verdict.gone });
                    false
                }
            }
        });
        due
    }
}
