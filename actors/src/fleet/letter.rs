//! What daemons on one Redis write to each other. All of it is JSON, so that daemons of two versions understand each
//! other while one after the other is renewed: fields may be added, never change meaning.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    channel::{cell::Totals, stop::Stop},
    clock::Timestamp,
    identity::{ChannelId, SessionId, SourceId},
    protocol::{Ack, Action, BatchAnswer, OnlyIf, Replaces, Report, Status, StopCommand, StopReason},
    territory::Slot,
    wire::{MessageType, StreamState},
};

/// What is written to others, and when, on Redis's clock in milliseconds as the writer knows it: what was held up on its
/// way to Redis must not pass for new.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dated<T> {
    pub at: Option<i64>,
    pub what: T,
}

/// What one source says of channels of one daemon, or of one slot that nobody answers for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reported {
    pub source: SourceId,
    pub reports: Vec<(ChannelId, Report)>,
    pub acks: Vec<Ack>,
    /// Whose commands it wants; all of its own without.
    pub only: Option<ChannelId>,
}

impl Reported {
    /// It was long on its way: somebody may have come since, so that nobody was there is old news.
    pub fn is_late(&mut self) {
        self.reports.iter_mut().for_each(|(_, report)| report.listeners = report.listeners.filter(|n| *n > 0));
    }

    /// The same in parts: what belongs together goes by the slot of its channel.
    pub fn apart<K: Ord>(self, of: impl Fn(Slot) -> K) -> BTreeMap<K, Self> {
        let Self { source, reports, acks, only } = self;
        let mut parts: BTreeMap<K, Self> = BTreeMap::new();
        let none = || Self { source: source.clone(), reports: Vec::new(), acks: Vec::new(), only: only.clone() };
        for (channel, report) in reports {
            parts.entry(of(Slot::of(channel.as_str()))).or_insert_with(none).reports.push((channel, report));
        }
        for ack in acks {
            if let Some(channel) = Stop::channel_of(&ack.id) {
                parts.entry(of(Slot::of(channel))).or_insert_with(none).acks.push(ack);
            }
        }
        parts
    }

    /// What is worth to lie somewhere for a while: that somebody listens, and that a stream is over. All else its next
    /// report says too.
    pub fn lasting(mut self) -> Self {
        self.is_late();
        self.reports.retain(|(_, report)| report.listeners.is_some() || report.status == Status::Stopped);
        self
    }
}

/// What is asked of one channel, or to be done with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    State,
    AutoEnd,
    Explain,
    Operate {
        action: Action,
        /// The name of the operator's token.
        by: Option<Arc<str>>,
    },
    Forget {
        source: Option<String>,
    },
}

/// What a daemon says to a question: an HTTP answer, its body JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub status: u16,
    pub retry_after: Option<u64>,
    pub body: String,
}

/// To one daemon.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    Answer {
        number: u64,
        answer: Answer,
    },
    /// Answered with [`Answer::Taken`], or with [`Answer::Elsewhere`].
    Reports {
        from: Arc<str>,
        /// Of the sender's; the answer names it.
        number: u64,
        reported: Reported,
    },
    /// Answered with [`Answer::Said`].
    Question {
        from: Arc<str>,
        number: u64,
        channel: ChannelId,
        question: Question,
    },
    /// What do you command a source? Answered with [`Answer::Commands`], after `wait` at the latest.
    Collect {
        from: Arc<str>,
        number: u64,
        source: SourceId,
        only: Option<ChannelId>,
        wait: Duration,
    },
    /// What do your channels look like? Answered with [`Answer::States`], until one is the `last`.
    Describe {
        from: Arc<str>,
        number: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Taken {
        counted: Counted,
        commands: Vec<Order>,
    },
    /// Some of the channels are another daemon's by now.
    Elsewhere,
    Commands(Vec<Order>),
    Said(Said),
    States {
        states: Vec<StreamState>,
        last: bool,
    },
}

/// What became of a letter's reports.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counted {
    pub accepted: u32,
    pub duplicates: u32,
    pub refused: u32,
    pub busy: bool,
    pub volatile: bool,
}

impl From<&BatchAnswer> for Counted {
    fn from(answer: &BatchAnswer) -> Self {
        let BatchAnswer { accepted, duplicates, refused, busy, volatile, .. } = *answer;
        Self { accepted, duplicates, refused, busy, volatile }
    }
}

/// A command on its way to the daemon at which its streamer reports.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    id: String,
    channel: ChannelId,
    source: SourceId,
    session: SessionId,
    reason: StopReason,
    only_if: Option<OnlyIf>,
    /// Clocks of two machines have nothing in common but their pace.
    valid_for: Duration,
}

impl Order {
    pub fn of(command: StopCommand, now: Timestamp) -> Self {
        let StopCommand { id, channel, source, session, reason, only_if, valid_until, .. } = command;
        Self { id, channel, source, session, reason, only_if, valid_for: valid_until.since(now) }
    }

    /// `on_the_way` for so long.
    pub fn arrived(self, now: Timestamp, on_the_way: Duration) -> StopCommand {
        let Self { id, channel, source, session, reason, only_if, valid_for } = self;
        let valid_until = now.plus(valid_for.saturating_sub(on_the_way));
        StopCommand { id, channel, source, session, reason, only_if, decided_at: now, valid_until }
    }
}

/// To all daemons, from each, one behind the other.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bulletin {
    pub from: Arc<str>,
    /// Counts up by one: whoever misses one has missed something.
    pub number: u64,
    /// How many sessions it has: only who has some is told what is live.
    pub sessions: u64,
    /// Of its own channels.
    pub totals: Totals,
    /// The slots it holds.
    pub slots: BTreeSet<u16>,
    pub live: Vec<Told>,
}

/// A live message, as sessions get it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    pub kind: MessageType,
    pub channel: Option<ChannelId>,
    pub replaces: Option<Replaces>,
    pub body: Box<RawValue>,
}
