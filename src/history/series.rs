//! What is measured over time, of one channel or of all together.

use sattva_actors::identity::ChannelId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    Listeners,
    /// Items in the queue.
    Queue,
    /// Active streams; of all channels together only.
    Streams,
    /// Percent of the host's CPU; as above.
    Cpu,
    /// Percent of the host's memory; as above.
    Memory,
}

impl Metric {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listeners => "listeners",
            Self::Queue => "queue",
            Self::Streams => "streams",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }

    /// Whether single channels have it.
    pub const fn is_of_channels(self) -> bool {
        matches!(self, Self::Listeners | Self::Queue)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Series {
    pub metric: Metric,
    /// Absent = all together.
    pub channel: Option<ChannelId>,
}

impl Series {
    pub const fn of_all(metric: Metric) -> Self {
        Self { metric, channel: None }
    }

    pub const fn of(metric: Metric, channel: ChannelId) -> Self {
        Self { metric, channel: Some(channel) }
    }

    /// Whose listeners a series of that name has.
    pub fn channel_of_listeners(name: &str) -> Option<ChannelId> {
        let (metric, channel) = name.split_once('/')?;
        (metric == Metric::Listeners.as_str()).then(|| ChannelId::new(channel).ok()).flatten()
    }

    /// What it is stored under.
    pub fn name(&self) -> String {
        let metric = self.metric.as_str();
        self.channel.as_ref().map_or_else(|| metric.to_owned(), |channel| format!("{metric}/{channel}"))
    }
}
