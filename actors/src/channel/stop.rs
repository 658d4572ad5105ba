//! One stop of a stream: a durable command per reporter, and what became of each.

mod spans;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{auto_end::Reason, evidence::Evidences, policy::STOP_VALIDITY};
use crate::{
    clock::{Now, Timestamp},
    identity::{ChannelId, SessionId, SourceId},
    protocol::{Ack, CommandView, OnlyIf, Outcome, Retract, StopCommand, StopReason},
};

/// Tells apart the lives of a channel, in each of which its stops are numbered anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// Numbers the starts of the daemon.
    pub start: u64,
    /// Numbers the channels that have lived since this start.
    pub life: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    pub generation: u32,
    fence: Fence,
    reason: Reason,
    force: bool,
    decided_at: Timestamp,
    commands: SmallVec<[Held; 1]>,
    /// Not on disk yet: nobody may hear of it.
    #[serde(skip)]
    awaits_disk: bool,
    /// One of its commands was out before it was held back.
    #[serde(skip)]
    was_out: bool,
}

/// How far this process has handed a command out for delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Handout {
    #[default]
    Waits,
    Out,
    /// Held back, but for an outlet that has it and looks for itself who listens at its source.
    LeftToOutlet,
    /// Until it is offered again.
    HeldBack,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    source: SourceId,
    session: SessionId,
    joins: Option<u64>,
    state: CommandState,
    outcome: Option<Outcome>,
    detail: Option<String>,
    #[serde(skip)]
    handout: Handout,
    /// When it was first delivered, as far as this process knows.
    #[serde(skip)]
    delivered_at: Option<Timestamp>,
    #[serde(skip)]
    acked_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum CommandState {
    Pending,
    Delivered,
    Acked,
    Confirmed,
    Withdrawn,
    Failed,
}

impl CommandState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Acked => "acked",
            Self::Confirmed => "confirmed",
            Self::Withdrawn => "withdrawn",
            Self::Failed => "failed",
        }
    }

    const fn is_open(self) -> bool {
        self.waits() || matches!(self, Self::Acked)
    }

    /// Its streamer has not answered.
    const fn waits(self) -> bool {
        matches!(self, Self::Pending | Self::Delivered)
    }
}

/// What an acknowledgement means for the stop as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AckVerdict {
    /// Not of this stop, or settled before.
    Unknown,
    /// Taken; other reporters have not answered yet.
    Noted,
    AllAcked,
    Refused,
    /// It was refused while it stood, and is over by now.
    RefusedBefore,
    Failed(String),
}

impl Stop {
    pub fn new(generation: u32, fence: Fence, reason: Reason, force: bool, now: Timestamp, from: &Evidences) -> Self {
        let commands = from.active().map(|reporter| Held {
            source: reporter.source.clone(),
            session: reporter.session.clone(),
            joins: reporter.joins.filter(|_| reporter.joins_usable),
            state: CommandState::Pending,
            outcome: None,
            detail: None,
            handout: Handout::Waits,
            delivered_at: None,
            acked_at: None,
        });
        let commands = commands.collect();
        Self { generation, fence, reason, force, decided_at: now, commands, awaits_disk: true, was_out: false }
    }

    fn id(&self, channel: &ChannelId, index: usize) -> String {
        let held = &self.commands[index];
        let Fence { start, life } = self.fence;
        format!("{channel}/g{}.f{start}-{life}.r{index}/{}", self.generation, held.session)
    }

    /// The channel a command's id names.
    pub fn channel_of(id: &str) -> Option<&str> {
        id.split_once('/').map(|(channel, _)| channel)
    }

    fn command(&self, channel: &ChannelId, index: usize, until: Timestamp) -> StopCommand {
        let held = &self.commands[index];
        StopCommand {
            id: self.id(channel, index),
            channel: channel.clone(),
            source: held.source.clone(),
            session: held.session.clone(),
            reason: StopReason::of(self.reason),
            only_if: (!self.force).then_some(OnlyIf { listeners_at_most: 0, joins: held.joins }),
            decided_at: self.decided_at,
            // Of a stop from another boot it may be known to be older than its time can be told on this one's clock.
            valid_until: until.min(self.decided_at.plus(STOP_VALIDITY)),
        }
    }

    /// The commands that may be delivered from now on; nothing of those that already are. A session that has
    /// ended since the decision needs none.
    pub fn offer(&mut self, channel: &ChannelId, until: Timestamp, evidences: &Evidences) -> Vec<StopCommand> {
        let mut offered = Vec::new();
        for index in 0..self.commands.len() {
            let held = &mut self.commands[index];
            let was = std::mem::replace(&mut held.handout, Handout::Out);
            let runs = evidences.active().any(|r| r.source == held.source && r.session == held.session);
            if was != Handout::Out && held.state.waits() && runs {
                offered.push(self.command(channel, index, until));
            }
        }
        offered
    }

    /// The way to the streamers was full: it is offered again.
    pub fn offer_again(&mut self) {
        self.commands.iter_mut().for_each(|held| held.handout = Handout::Waits);
    }

    /// What may wait for its streamer, for the first time or again, to be taken back until it is offered again, for
    /// these sources' counts are in doubt. The channel that had it before this one, and broke, may have offered it too.
    pub fn hold_back(&mut self, channel: &ChannelId, doubted: &[SourceId]) -> Vec<Retract> {
        let mut taken_back = Vec::new();
        for index in 0..self.commands.len() {
            let held = &mut self.commands[index];
            // An adapter that kills a source has to see it come back and kill it again, and until then hides its
            // count. Of other sources it knows nothing.
            let by_itself =
                held.state == CommandState::Delivered && doubted.iter().all(|source| *source == held.source);
            let handout = if by_itself { Handout::LeftToOutlet } else { Handout::HeldBack };
            if held.state.waits() && held.handout < handout {
                self.was_out |= held.handout != Handout::Waits;
                held.handout = handout;
                taken_back.push(self.retract(channel, index, by_itself));
            }
        }
        taken_back
    }

    /// Whether one of its commands waits, for the first time or again, for nobody to be there.
    pub fn is_held_back(&self) -> bool {
        self.commands.iter().any(|held| held.state.waits() && held.handout != Handout::Out)
    }

    /// Whether an adapter that sees for itself who listens may have one of them meanwhile.
    pub fn is_left_to_outlet(&self) -> bool {
        self.commands.iter().any(|held| held.state.waits() && held.handout == Handout::LeftToOutlet)
    }

    fn retract(&self, channel: &ChannelId, index: usize, leaves_outlet: bool) -> Retract {
        Retract { source: self.commands[index].source.clone(), id: self.id(channel, index), leaves_outlet }
    }

    pub fn delivered(&mut self, now: Timestamp, channel: &ChannelId, id: &str) -> bool {
        let Some(index) = (0..self.commands.len()).find(|i| self.id(channel, *i) == id) else { return false };
        let held = &mut self.commands[index];
        let first = held.state == CommandState::Pending;
        if first {
            held.state = CommandState::Delivered;
            held.delivered_at = Some(now);
        }
        first
    }

    pub fn ack(&mut self, now: Timestamp, channel: &ChannelId, source: &SourceId, ack: &Ack) -> AckVerdict {
        let Some(index) = (0..self.commands.len()).find(|i| self.id(channel, *i) == ack.id) else {
            return AckVerdict::Unknown;
        };
        let held = &mut self.commands[index];
        let is_over = !held.state.waits();
        let says_more = !is_over
            || (ack.outcome == Outcome::Refused && held.outcome.is_none() && held.state != CommandState::Confirmed);
        if held.source != *source || !says_more {
            return AckVerdict::Unknown;
        }
        held.outcome = Some(ack.outcome);
        held.detail.clone_from(&ack.detail);
        if is_over {
            return AckVerdict::RefusedBefore;
        }
        held.state = CommandState::Acked;
        held.acked_at = Some(now);
        match ack.outcome {
            Outcome::Ok if self.commands.iter().all(|c| c.state == CommandState::Acked) => AckVerdict::AllAcked,
            Outcome::Ok => AckVerdict::Noted,
            Outcome::Refused => AckVerdict::Refused,
            Outcome::Error => {
                AckVerdict::Failed(ack.detail.clone().unwrap_or_else(|| "the streamer reported an error".into()))
            }
        }
    }

    fn settle(&mut self, channel: &ChannelId, as_state: CommandState) -> Vec<Retract> {
        let open: Vec<usize> = (0..self.commands.len()).filter(|i| self.commands[*i].state.is_open()).collect();
        let settled = open.iter().map(|i| self.retract(channel, *i, false)).collect();
        for index in open {
            self.commands[index].state = as_state;
        }
        settled
    }

    /// The stream is gone. Answers with what need not be delivered any more, as all of these do.
    pub fn confirm(&mut self, channel: &ChannelId) -> Vec<Retract> {
        self.settle(channel, CommandState::Confirmed)
    }

    pub fn withdraw(&mut self, channel: &ChannelId) -> Vec<Retract> {
        self.settle(channel, CommandState::Withdrawn)
    }

    pub fn fail(&mut self, channel: &ChannelId) -> Vec<Retract> {
        self.settle(channel, CommandState::Failed)
    }

    pub fn is_forced(&self) -> bool {
        self.force
    }

    /// No streamer and no adapter was ever offered it, by this process or the one before.
    pub fn reached_nobody(&self) -> bool {
        let never = |held: &Held| held.state == CommandState::Pending && held.handout != Handout::Out;
        !self.was_out && self.commands.iter().all(never)
    }

    pub fn on_disk(&mut self, generation: u32) {
        if generation == self.generation {
            self.awaits_disk = false;
        }
    }

    pub fn may_be_offered(&self) -> bool {
        !self.awaits_disk && self.commands.iter().any(|held| held.handout != Handout::Out)
    }

    /// Moves it onto another boot's clock.
    #[must_use]
    pub fn carried(mut self, carry: impl Fn(Timestamp) -> Timestamp) -> Self {
        self.decided_at = carry(self.decided_at);
        self
    }

    pub fn view(&self, channel: &ChannelId, now: Now) -> Vec<CommandView> {
        let view = |index: usize| {
            let held = &self.commands[index];
            CommandView {
                id: self.id(channel, index),
                kind: "stop",
                source: held.source.clone(),
                session: held.session.to_string(),
                state: held.state.as_str(),
                outcome: held.outcome,
                detail: held.detail.clone(),
                decided_at: now.wall_of(self.decided_at),
                valid_until: now.wall_of(self.decided_at.plus(STOP_VALIDITY)),
            }
        };
        (0..self.commands.len()).map(view).collect()
    }
}
