//! The stops of one Redis: when a command is published, and what became of it. Pure; time is an argument.
//!
//! The original streamer cannot check who listens: it is looked at the last moment here, and published only while
//! the status is still the one that was judged.

use sattva_actors::{
    clock::Timestamp,
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

#[derive(Debug)]
struct Stop {
    command: StopCommand,
    /// The status that stood when it was published.
    published: Option<Vec<u8>>,
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
        let known = self.active.iter().any(|stop| stop.command.id == command.id);
        if !known {
            // A newer command for the same source: the one before is no longer wanted.
            self.active.retain(|stop| stop.command.source != command.source);
            if self.active.len() >= ACTIVE_MAX {
                return false;
            }
            self.active.push(Stop { command, published: None });
        }
        true
    }

    pub fn on_retract(&mut self, id: &str) {
        self.active.retain(|stop| stop.command.id != id);
    }

    pub fn command(&self, id: &str) -> Option<&StopCommand> {
        self.active.iter().find(|stop| stop.command.id == id).map(|stop| &stop.command)
    }

    /// A look for the sake of this command found `raw`, `None` where there is no status.
    pub fn judge(&mut self, now: Timestamp, id: &str, raw: Option<&[u8]>, watch: &Watch) -> Verdict {
        let Some(stop) = self.active.iter().find(|stop| stop.command.id == id) else { return Verdict::Drop };
        let verdict = stop.judge(now, raw, watch);
        if matches!(verdict, Verdict::Answer(_) | Verdict::Drop) {
            self.on_retract(id);
        }
        verdict
    }

    /// It was published while `raw` stood, and so many heard it: none is nothing done.
    pub fn on_published(&mut self, id: &str, raw: &[u8], heard: u64) {
        if let Some(stop) = self.active.iter_mut().find(|stop| stop.command.id == id).filter(|_| heard > 0) {
            stop.published = Some(raw.to_vec());
        }
    }

    /// What a look at everything tells of those that have been published.
    pub fn on_look(&mut self, now: Timestamp, watch: &Watch) -> Vec<(StopCommand, Ack)> {
        let mut answers = Vec::new();
        self.active.retain(|stop| {
            let answer = watch.sighting(&stop.command.source).and_then(|sighting| stop.outcome(&sighting));
            let settled = answer.is_some();
            answers.extend(answer.map(|ack| (stop.command.clone(), ack)));
            !settled && now < stop.command.valid_until
        });
        answers
    }
}

impl Stop {
    fn judge(&self, now: Timestamp, raw: Option<&[u8]>, watch: &Watch) -> Verdict {
        if now >= self.command.valid_until {
            return Verdict::Drop;
        }
        let Some(sighting) = watch.sighting(&self.command.source) else { return Verdict::Wait };
        if sighting.session != self.command.session.as_str() {
            return Verdict::Drop;
        }
        let Some(status) = raw.and_then(|raw| Status::parse(raw).ok()) else { return Verdict::Wait };
        if status.state == State::Stopped {
            return Verdict::Answer(answer(&self.command, Outcome::Ok, "the stream is stopped"));
        }
        if self.published.as_deref().is_some_and(|published| Some(published) != raw) {
            // It has been heard: what follows is the streamer's doing, and may be another life of the stream.
            return Verdict::Wait;
        }
        let Some(guard) = self.command.only_if else { return Verdict::Publish };
        let fresh = sighting.since.is_some_and(|since| now.since(since) <= watch.believed_for());
        match status.listeners {
            Some(listeners) if listeners > guard.listeners_at_most => {
                Verdict::Answer(answer(&self.command, Outcome::Refused, format!("{listeners} listen")))
            }
            // A status that is new since the last look at everything is as fresh as can be.
            Some(_) if fresh || raw != Some(sighting.raw) => Verdict::Publish,
            _ => Verdict::Wait,
        }
    }

    /// What the streamer's word since the publication means.
    fn outcome(&self, sighting: &Sighting<'_>) -> Option<Ack> {
        let published = self.published.as_deref()?;
        if published == sighting.raw {
            return None;
        }
        let status = Status::parse(sighting.raw).ok()?;
        match status.state {
            State::Stopped => Some(answer(&self.command, Outcome::Ok, "the streamer says stopped")),
            State::Error => {
                let why = status.error.unwrap_or_else(|| "the streamer says error".to_owned());
                Some(answer(&self.command, Outcome::Error, why))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
