//! One stop of a stream that a server runs, from the command to its outcome. Pure; time is an argument.
//!
//! Killing a source is no stop: its client is often back within seconds. So a kill is watched for ten
//! seconds; a source that is back and still unheard is killed once more, and then the stop has failed.

use std::time::Duration;

use sattva_actors::{
    clock::Timestamp,
    protocol::{Outcome, StopCommand},
};

use super::watch::{Place, Sighting};

/// A source that stays away this long after a kill is gone.
pub const RECONNECT_WINDOW: Duration = Duration::from_secs(10);
/// A kill follows a look whose request is no older than this: somebody may have joined since.
pub const LOOK_FRESH: Duration = Duration::from_secs(1);
/// After so long without one that is fresh a stop says why nothing happens.
const LOOKS_SLOW_FOR: Duration = Duration::from_secs(30);
/// How often the server is looked at while a stop is under way.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A server may list a killed source for about half a second; after this the kill had no effect.
const KILL_TAKES: Duration = Duration::from_secs(3);
/// A second kill waits for the command to be delivered again, which shows that it still stands; deliveries are ten
/// seconds apart at most. One that was taken back may stand again later, until its validity ends.
const REDELIVERY_PATIENCE: Duration = Duration::from_secs(12);
/// Kills per command.
const KILLS_MAX: u8 = 2;
/// Polls without the stream before it counts as gone.
const ABSENCES: u32 = 2;

/// How a kill request went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Killed {
    /// Done, or it may have been: what follows shows it.
    Perhaps,
    /// The server does not let the daemon kill.
    Denied(String),
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Wait,
    Kill,
    /// The command is answered so.
    Settle(Verdict),
    /// Nothing more may be done, and nothing is known that would be an answer.
    GiveUp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub outcome: Outcome,
    pub detail: Option<String>,
    /// The source was seen to go and to stay away.
    pub gone: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Wants a poll sent no earlier than this.
    Checking { since: Timestamp },
    /// The request is on its way, for the connection that began so.
    Killing { connection: String },
    /// Did it go, and does it stay away?
    Watching { connection: String, since: Timestamp, absences: u32 },
    /// It is back and unheard; one more delivery of the command lets it be killed again.
    Back { since: Timestamp },
}

#[derive(Clone, Debug)]
pub struct Stop {
    pub command: StopCommand,
    phase: Phase,
    kills: u8,
    /// The command does not stand, unless it is delivered again: it kills no more.
    retracted: bool,
}

/// What is left of a stop whose command stands no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retracted {
    /// Nothing has happened, and nothing will.
    Over,
    /// It has killed, and is still to see what became of the source.
    Watches,
}

fn settle(outcome: Outcome, detail: impl Into<String>) -> Step {
    Step::Settle(Verdict { outcome, detail: Some(detail.into()), gone: false })
}

fn reconnected() -> Step {
    settle(Outcome::Error, "source reconnected")
}

impl Stop {
    pub fn new(command: StopCommand, now: Timestamp) -> Self {
        Self { command, phase: Phase::Checking { since: now }, kills: 0, retracted: false }
    }

    pub fn place(&self) -> Place {
        (self.command.source.clone(), self.command.channel.clone())
    }

    /// From the first kill on, what connects there is the same stream that would not end.
    pub fn has_killed(&self) -> bool {
        self.kills > 0
    }

    /// The same command once more, which stands again if it had been taken back.
    pub fn on_delivery(&mut self, now: Timestamp) {
        self.retracted = false;
        if let Phase::Back { .. } = self.phase {
            self.phase = Phase::Checking { since: now };
        }
    }

    pub fn on_retract(&mut self) -> Retracted {
        self.retracted = true;
        if self.has_killed() { Retracted::Watches } else { Retracted::Over }
    }

    /// When this stop wants the server to be looked at next; `last` is when it last was.
    pub fn next_look(&self, last: Timestamp) -> Option<Timestamp> {
        match self.phase {
            Phase::Checking { since } if last < since => Some(since),
            Phase::Killing { .. } => None,
            Phase::Checking { .. } | Phase::Watching { .. } | Phase::Back { .. } => Some(last.plus(LOOK_EVERY)),
        }
    }

    /// Why it must not be killed, if so.
    fn objection(&self, seen: &Sighting<'_>) -> Option<String> {
        if seen.session != self.command.session {
            return Some("that session is over; another one runs".to_owned());
        }
        if self.has_killed() && seen.counted != Some(0) {
            // Who has come back with listeners, or with who knows how many, is not what the command was for.
            return Some("somebody may listen to what came back".to_owned());
        }
        let only_if = self.command.only_if?;
        match seen.listeners {
            // A second kill follows a count of nobody by itself, however long that takes to settle.
            None if self.has_killed() => None,
            None => Some("the server does not say how many listen".to_owned()),
            Some(n) if n > only_if.listeners_at_most && !self.has_killed() => Some(format!("{n} listening")),
            Some(_) if only_if.joins.is_some() => Some("the server does not count who joined".to_owned()),
            Some(_) => None,
        }
    }

    /// A good poll, sent at `sent`.
    pub fn on_poll(&mut self, sent: Timestamp, now: Timestamp, seen: Option<Sighting<'_>>) -> Step {
        if now >= self.command.valid_until {
            return Step::GiveUp;
        }
        match (&mut self.phase, seen) {
            (Phase::Checking { since }, _) if sent < *since => Step::Wait,
            // Not by us: the polls say so when it is sure.
            (Phase::Checking { .. }, None) if self.kills == 0 => Step::Wait,
            (Phase::Checking { .. } | Phase::Back { .. }, None) => {
                self.phase = Phase::Watching { connection: String::new(), since: sent, absences: 1 };
                Step::Wait
            }
            (Phase::Checking { since }, Some(seen)) => {
                let since = *since;
                if self.retracted {
                    self.phase = Phase::Back { since: now };
                    return Step::Wait;
                }
                match self.objection(&seen) {
                    Some(_) if self.kills > 0 => reconnected(),
                    Some(why) => settle(Outcome::Refused, why),
                    None if now.since(sent) > LOOK_FRESH && now.since(since) >= LOOKS_SLOW_FOR => {
                        let took = now.since(sent).as_secs_f64();
                        settle(
                            Outcome::Error,
                            format!("a look at the server takes {took:.1} s: too long to be sure that nobody has come"),
                        )
                    }
                    None if now.since(sent) > LOOK_FRESH => Step::Wait,
                    None => {
                        self.phase = Phase::Killing { connection: seen.connection.to_owned() };
                        self.kills += 1;
                        Step::Kill
                    }
                }
            }
            (Phase::Killing { .. }, _) => Step::Wait,
            (Phase::Watching { since, absences, .. }, None) => {
                *absences += 1;
                if *absences >= ABSENCES && sent.since(*since) >= RECONNECT_WINDOW {
                    return Step::Settle(Verdict { outcome: Outcome::Ok, detail: None, gone: true });
                }
                Step::Wait
            }
            (Phase::Watching { connection, since, .. }, Some(seen)) => {
                let same = *connection == seen.connection;
                if same && sent.since(*since) < KILL_TAKES {
                    return Step::Wait;
                }
                let heard = seen.counted != Some(0);
                match (self.kills < KILLS_MAX && !heard, same) {
                    (true, _) => {
                        self.phase = Phase::Back { since: now };
                        Step::Wait
                    }
                    (false, true) => settle(Outcome::Error, "the server does not end the source"),
                    (false, false) => reconnected(),
                }
            }
            (Phase::Back { since }, Some(seen)) => {
                let waited = now.since(*since) >= REDELIVERY_PATIENCE && !self.retracted;
                let heard = seen.counted != Some(0);
                if heard || waited { reconnected() } else { Step::Wait }
            }
        }
    }

    /// A poll that told nothing.
    pub fn on_bad_poll(&mut self, now: Timestamp) -> Step {
        match self.phase {
            _ if now >= self.command.valid_until => Step::GiveUp,
            // Tried again when the command is delivered again: it may be withdrawn by then.
            Phase::Checking { .. } if self.kills == 0 => Step::GiveUp,
            Phase::Checking { .. } => {
                self.phase = Phase::Back { since: now };
                Step::Wait
            }
            _ => Step::Wait,
        }
    }

    /// The kill request has been answered, or has not within its time.
    pub fn on_killed(&mut self, now: Timestamp, how: Killed) -> Step {
        let Phase::Killing { connection } = &mut self.phase else { return Step::Wait };
        match how {
            Killed::Denied(why) => settle(Outcome::Error, why),
            Killed::Perhaps => {
                self.phase = Phase::Watching { connection: std::mem::take(connection), since: now, absences: 0 };
                Step::Wait
            }
        }
    }

    /// The polls are sure that the stream is over.
    pub fn on_gone(&self) -> Step {
        Step::Settle(Verdict { outcome: Outcome::Ok, detail: Some("the source was gone already".into()), gone: false })
    }
}

#[cfg(test)]
mod tests;
