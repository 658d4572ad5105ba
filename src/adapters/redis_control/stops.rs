//! The stops of one Redis: when a command is published, and what became of it. Pure; time is an argument.
//!
//! The original streamer cannot check who listens: it is looked at the last moment here, and published only while
//! the status is still the one that was judged.

use std::time::Duration;

use sattva_actors::{
    clock::Timestamp,
    identity::SourceId,
    protocol::{Ack, Outcome, StopCommand},
};

use super::{
    status::{State, Status},
    watch::{Sighting, Watch},
};

/// A status that changed between the look and the publication is looked at again this often, then at the next delivery.
pub const LOOKS_MAX: u32 = 3;
/// Stops under way; a command for one more comes again.
const ACTIVE_MAX: usize = 1024;
/// A streamer that starts again within this after it stopped was not ended.
const RETURN_WITHIN: Duration = Duration::from_secs(10);
/// Times one command ends a stream: the second is for a streamer that starts again by itself.
const ENDINGS_MAX: u32 = 2;

#[derive(Debug)]
struct Stop {
    command: StopCommand,
    phase: Phase,
    /// How often the streamer has been heard to stop.
    endings: u32,
    /// What comes of its publication is not known yet.
    publishing: bool,
    /// The command does not stand, unless it comes again: it is not published.
    retracted: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    /// Nobody has heard it; while the status stands that stood at the last try, nobody will.
    Judged { unheard: Option<Vec<u8>> },
    /// It was heard while this status stood.
    Published(Vec<u8>),
    /// The streamer says stopped, since then.
    Stopped(Timestamp),
}

#[derive(Debug, Default)]
pub struct Stops {
    active: Vec<Stop>,
}

/// What a look at the last moment leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Publish it, if the status is still this.
    Publish,
    Wait,
    Answer(Ack),
    /// It is none of ours any more.
    Drop,
}

/// What a look at everything leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Due {
    Answer(StopCommand, Ack),
    /// The streamer has started again by itself: look closer, and stop it once more.
    Again(String),
}

fn answer(command: &StopCommand, outcome: Outcome, detail: impl Into<String>) -> Ack {
    Ack { id: command.id.clone(), outcome, detail: Some(detail.into()) }
}

impl Stops {
    /// A command comes, for the first time or again: true if the channel is to be looked at for it.
    pub fn on_command(&mut self, now: Timestamp, command: StopCommand) -> bool {
        self.active.retain(|stop| now < stop.command.valid_until);
        if now >= command.valid_until {
            return false;
        }
        if let Some(stop) = self.stop(&command.id) {
            stop.retracted = false;
        } else {
            // A newer command for the same source: the one before is no longer wanted.
            self.active.retain(|stop| stop.command.source != command.source);
            if self.active.len() >= ACTIVE_MAX {
                return false;
            }
            self.active.push(Stop {
                command,
                phase: Phase::Judged { unheard: None },
                endings: 0,
                publishing: false,
                retracted: false,
            });
        }
        true
    }

    /// One that may have been heard is kept, so that it is not published once more if the command comes again.
    pub fn on_retract(&mut self, id: &str) {
        if let Some(stop) = self.stop(id) {
            stop.retracted = true;
        }
        self.drop_unheard();
    }

    /// Another daemon may decide by now: nothing stands until it is delivered again.
    pub fn retract_all(&mut self) {
        self.active.iter_mut().for_each(|stop| stop.retracted = true);
        self.drop_unheard();
    }

    fn drop_unheard(&mut self) {
        let may_be_heard = |stop: &Stop| stop.publishing || !matches!(stop.phase, Phase::Judged { .. });
        self.active.retain(|stop| !stop.retracted || may_be_heard(stop));
    }

    fn stop(&mut self, id: &str) -> Option<&mut Stop> {
        self.active.iter_mut().find(|stop| stop.command.id == id)
    }

    pub fn command(&self, id: &str) -> Option<&StopCommand> {
        self.active.iter().find(|stop| stop.command.id == id).map(|stop| &stop.command)
    }

    /// The streamer has been told to stop, and whether it stays away is not sure yet.
    pub fn is_ending(&self, source: &SourceId) -> bool {
        self.active.iter().any(|stop| stop.command.source == *source && !matches!(stop.phase, Phase::Judged { .. }))
    }

    /// A look for the sake of this command found `raw`, `None` where there is no status. One that is to be published
    /// waits to be told what came of it.
    pub fn judge(&mut self, now: Timestamp, id: &str, raw: Option<&[u8]>, watch: &Watch) -> Verdict {
        let Some(stop) = self.stop(id) else { return Verdict::Drop };
        let verdict = stop.judge(now, raw, watch);
        stop.publishing |= verdict == Verdict::Publish;
        if matches!(verdict, Verdict::Answer(_) | Verdict::Drop) {
            self.active.retain(|stop| stop.command.id != id);
        }
        verdict
    }

    /// It was published while `raw` stood, and heard.
    pub fn on_published(&mut self, id: &str, raw: &[u8]) {
        if let Some(stop) = self.stop(id) {
            stop.publishing = false;
            stop.phase = Phase::Published(raw.to_vec());
        }
    }

    /// It was published while `raw` stood, and nobody is known to have heard it: the streamer is away or just
    /// starting, or the answer was lost.
    pub fn on_unheard(&mut self, id: &str, raw: &[u8]) {
        if let Some(stop) = self.stop(id)
            && let Phase::Judged { unheard } = &mut stop.phase
        {
            *unheard = Some(raw.to_vec());
        }
        self.on_unpublished(id);
    }

    /// It was not published: the status had changed.
    pub fn on_unpublished(&mut self, id: &str) {
        if let Some(stop) = self.stop(id) {
            stop.publishing = false;
        }
        self.drop_unheard();
    }

    /// What a look at everything tells of those that have been published.
    pub fn on_look(&mut self, now: Timestamp, watch: &Watch) -> Vec<Due> {
        let mut due = Vec::new();
        self.active.retain_mut(|stop| {
            let Some(sighting) = watch.sighting(&stop.command.source) else { return now < stop.command.valid_until };
            match stop.on_look(now, &sighting) {
                Some(next @ Due::Answer(..)) => {
                    due.push(next);
                    return false;
                }
                Some(next) => due.push(next),
                None => {}
            }
            now < stop.command.valid_until
        });
        due
    }
}

impl Stop {
    fn judge(&self, now: Timestamp, raw: Option<&[u8]>, watch: &Watch) -> Verdict {
        if now >= self.command.valid_until {
            return Verdict::Drop;
        }
        if self.publishing || self.retracted {
            return Verdict::Wait;
        }
        let Some(sighting) = watch.sighting(&self.command.source) else { return Verdict::Wait };
        if sighting.session != self.command.session.as_str() {
            return Verdict::Drop;
        }
        let Some(status) = raw.and_then(|raw| Status::parse(raw).ok()) else { return Verdict::Wait };
        match &self.phase {
            _ if status.state == State::Stopped => return self.stopped_already(),
            // It has been heard: a second one might end what somebody has begun meanwhile.
            Phase::Published(_) => return Verdict::Wait,
            Phase::Judged { unheard: Some(before) } if Some(before.as_slice()) == raw => return Verdict::Wait,
            // It has started again by itself: only one that nobody hears is stopped once more.
            Phase::Stopped(_) if status.listeners != Some(0) => return Verdict::Wait,
            _ => {}
        }
        let Some(guard) = self.command.only_if else { return Verdict::Publish };
        let fresh = sighting.since.is_some_and(|since| now.since(since) <= watch.update_interval());
        match status.listeners {
            Some(listeners) if listeners > guard.listeners_at_most => {
                Verdict::Answer(answer(&self.command, Outcome::Refused, format!("{listeners} listen")))
            }
            // A status that is new since the last look at everything is as fresh as can be.
            Some(_) if fresh || raw != Some(sighting.raw) => Verdict::Publish,
            _ => Verdict::Wait,
        }
    }

    /// One that nobody of ours has stopped needs no waiting for its return.
    fn stopped_already(&self) -> Verdict {
        match self.phase {
            Phase::Judged { .. } => {
                Verdict::Answer(answer(&self.command, Outcome::Ok, "the stream was stopped already"))
            }
            _ => Verdict::Wait,
        }
    }

    /// What the streamer's word since the publication means.
    fn on_look(&mut self, now: Timestamp, sighting: &Sighting<'_>) -> Option<Due> {
        let settled = |stop: &Self, outcome, why: &str| {
            Some(Due::Answer(stop.command.clone(), answer(&stop.command, outcome, why)))
        };
        let status = Status::parse(sighting.raw).ok()?;
        match &self.phase {
            Phase::Published(before) if before != sighting.raw => match status.state {
                State::Stopped => {
                    self.phase = Phase::Stopped(now);
                    self.endings += 1;
                    None
                }
                State::Error => {
                    settled(self, Outcome::Error, status.error.as_deref().unwrap_or("the streamer says error"))
                }
                _ => None,
            },
            Phase::Stopped(since) => match status.state {
                State::Stopped if now.since(*since) >= RETURN_WITHIN => {
                    settled(self, Outcome::Ok, "the streamer stopped, and stays away")
                }
                State::Stopped => None,
                _ if self.endings >= ENDINGS_MAX => settled(self, Outcome::Error, "source reconnected"),
                _ if status.listeners.is_some_and(|count| count > 0) => {
                    settled(self, Outcome::Error, "source reconnected, and somebody listens")
                }
                _ => Some(Due::Again(self.command.id.clone())),
            },
            Phase::Judged { .. } | Phase::Published(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
