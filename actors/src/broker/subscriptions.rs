//! Who wants what: pure. A filter never drops a snapshot, an error or a pong.

use std::collections::BTreeSet;

use crate::{identity::ChannelId, wire::MessageType};

/// Channels a session may name.
pub const CHANNELS_MAX: usize = 1000;

/// What a session wants to hear; `None` is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    pub channels: Option<BTreeSet<ChannelId>>,
    pub types: Option<Vec<MessageType>>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("{0}")]
    Channel(#[from] crate::identity::BadName),
    #[error("there is no message type {0:?}; there are stats, stream_update, auto_end_warning, auto_end")]
    Type(String),
    #[error("more than {CHANNELS_MAX} channels in one filter")]
    TooMany,
    #[error("this session hears every channel; subscribe to those it is to hear, then it hears no other")]
    NotNarrowed,
}

impl Filter {
    pub fn parse<'a>(
        channels: Option<impl IntoIterator<Item = &'a str>>,
        types: Option<impl IntoIterator<Item = &'a str>>,
    ) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        if let Some(channels) = channels {
            let mut set = BTreeSet::new();
            for channel in channels {
                set.insert(ChannelId::new(channel)?);
                if set.len() > CHANNELS_MAX {
                    return Err(FilterError::TooMany);
                }
            }
            filter.channels = Some(set);
        }
        if let Some(types) = types {
            let find = |name: &str| MessageType::ALL.into_iter().find(|kind| kind.as_str() == name);
            let types = types
                .into_iter()
                .map(|name| find(name).ok_or_else(|| FilterError::Type(name.chars().take(40).collect())));
            filter.types = Some(sorted(types.collect::<Result<_, _>>()?));
        }
        Ok(filter)
    }

    pub fn wants(&self, kind: MessageType, channel: Option<&ChannelId>) -> bool {
        if matches!(kind, MessageType::Snapshot | MessageType::Error | MessageType::Pong) {
            return true;
        }
        let kind_wanted = self.types.as_ref().is_none_or(|types| types.contains(&kind));
        kind_wanted && channel.is_none_or(|channel| self.wants_channel(channel))
    }

    pub fn wants_channel(&self, channel: &ChannelId) -> bool {
        self.channels.as_ref().is_none_or(|channels| channels.contains(channel))
    }

    /// Wants more. Naming channels or types narrows a session that had everything.
    pub fn with(&self, more: Self) -> Result<Self, FilterError> {
        let mut all = self.clone();
        if let Some(channels) = more.channels {
            let own = all.channels.get_or_insert_default();
            own.extend(channels);
            if own.len() > CHANNELS_MAX {
                return Err(FilterError::TooMany);
            }
        }
        if let Some(types) = more.types {
            all.types = Some(sorted(all.types.into_iter().flatten().chain(types).collect()));
        }
        Ok(all)
    }

    /// Wants less. A session that had every type keeps all but those it names; channels can only be taken
    /// from a session that has named some.
    pub fn without(&self, less: &Self) -> Result<Self, FilterError> {
        let mut rest = self.clone();
        if let Some(less) = less.channels.as_ref() {
            let own = rest.channels.as_mut().ok_or(FilterError::NotNarrowed)?;
            own.retain(|channel| !less.contains(channel));
        }
        if let Some(less) = less.types.as_ref() {
            let own = rest.types.get_or_insert_with(|| MessageType::ALL.to_vec());
            own.retain(|kind| !less.contains(kind));
        }
        Ok(rest)
    }
}

fn sorted(mut types: Vec<MessageType>) -> Vec<MessageType> {
    types.sort_unstable_by_key(|kind| kind.as_str());
    types.dedup();
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(channels: Option<&[&str]>, types: Option<&[&str]>) -> Filter {
        Filter::parse(channels.map(|c| c.iter().copied()), types.map(|t| t.iter().copied())).unwrap()
    }

    #[test]
    fn no_filter_wants_everything() {
        let jazz = ChannelId::new("jazz").unwrap();
        assert!(Filter::default().wants(MessageType::Stats, None));
        assert!(Filter::default().wants(MessageType::StreamUpdate, Some(&jazz)));
    }

    #[test]
    fn channels_narrow_channel_messages_and_leave_stats() {
        let jazz = ChannelId::new("jazz").unwrap();
        let narrowed = filter(Some(&["rock"]), None);
        assert!(!narrowed.wants(MessageType::AutoEnd, Some(&jazz)));
        assert!(narrowed.wants(MessageType::Stats, None));
    }

    #[test]
    fn no_filter_drops_a_snapshot_or_an_error() {
        let warnings = filter(None, Some(&["auto_end_warning"]));
        assert!(!warnings.wants(MessageType::Stats, None));
        assert!(warnings.wants(MessageType::Snapshot, None));
        assert!(warnings.wants(MessageType::Error, None));
    }

    #[test]
    fn subscribing_adds_and_unsubscribing_takes_away() {
        let own = filter(Some(&["jazz"]), None).with(filter(Some(&["rock"]), None)).unwrap();
        let own = own.without(&filter(Some(&["jazz"]), Some(&["stats"]))).unwrap();
        assert_eq!(own.channels, filter(Some(&["rock"]), None).channels);
        assert!(!own.wants(MessageType::Stats, None));
    }

    #[test]
    fn no_channel_can_be_taken_from_a_session_that_hears_all_of_them() {
        let all = filter(None, None);
        assert_eq!(all.without(&filter(Some(&["jazz"]), Some(&["stats"]))), Err(FilterError::NotNarrowed));
        let without_stats = all.without(&filter(None, Some(&["stats"]))).unwrap();
        assert!(!without_stats.wants(MessageType::Stats, None));
        assert!(without_stats.wants(MessageType::AutoEnd, Some(&ChannelId::new("jazz").unwrap())));
    }

    #[test]
    fn a_filter_grows_no_further_than_its_bound() {
        let many: Vec<String> = (0..CHANNELS_MAX).map(|n| format!("c{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let own = filter(Some(&many), None);
        assert_eq!(own.with(filter(Some(&["c0"]), None)), Ok(own.clone()));
        assert_eq!(own.with(filter(Some(&["jazz"]), None)), Err(FilterError::TooMany));
    }

    #[test]
    fn a_type_that_does_not_exist_is_named_in_the_error() {
        let none: Option<Vec<&str>> = None;
        let error = Filter::parse(none, Some(["statz"])).unwrap_err();
        assert!(error.to_string().contains("statz"), "{error}");
    }
}
