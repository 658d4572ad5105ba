//! Who a request comes from, once its token has been looked at.

use core::net::IpAddr;
use std::sync::Arc;

use super::{
    book::Entry,
    role::{Need, Role},
};

/// Who asks, and from where.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `None` while the house is open.
    entry: Option<Arc<Entry>>,
    pub address: IpAddr,
}

/// What a streamer's token does not cover.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    #[error("the token `{token}` may not report as the source {source_name}: it is for {covered}")]
    Source { token: String, source_name: String, covered: String },
    #[error("the token `{token}` may not report the channel {channel}: it is for {covered}")]
    Channel { token: String, channel: String, covered: String },
}

impl Caller {
    /// Anybody, while nobody is asked for a token.
    pub const fn anyone(address: IpAddr) -> Self {
        Self { entry: None, address }
    }

    pub const fn holding(entry: Arc<Entry>, address: IpAddr) -> Self {
        Self { entry: Some(entry), address }
    }

    /// What is known of its token.
    pub fn entry(&self) -> Option<&Entry> {
        self.entry.as_deref()
    }

    /// The token's name, for the log.
    pub fn name(&self) -> &str {
        self.entry.as_ref().map_or("anyone", |entry| &entry.name)
    }

    /// The token's name, if there is one.
    pub fn token_name(&self) -> Option<&str> {
        self.entry.as_ref().map(|entry| entry.name.as_str())
    }

    pub fn role(&self) -> Option<Role> {
        self.entry.as_ref().map(|entry| entry.role)
    }

    pub fn may(&self, need: Need) -> bool {
        self.entry.as_ref().is_none_or(|entry| entry.role.allows(need))
    }

    /// Whether it may report as this source, and so be given that source's commands.
    ///
    /// # Errors
    /// What its token is for instead.
    pub fn check_source(&self, source: &str) -> Result<(), OutOfScope> {
        let Some(entry) = &self.entry else { return Ok(()) };
        if entry.covers_source(source) {
            return Ok(());
        }
        let covered = if entry.sources.is_empty() { entry.name.clone() } else { entry.listed(&entry.sources) };
        Err(OutOfScope::Source { token: entry.name.clone(), source_name: source.to_owned(), covered })
    }

    /// Whether it may report this channel.
    ///
    /// # Errors
    /// What its token is for instead.
    pub fn check_channel(&self, channel: &str) -> Result<(), OutOfScope> {
        let Some(entry) = &self.entry else { return Ok(()) };
        if entry.covers_channel(channel) {
            return Ok(());
        }
        let covered = entry.listed(&entry.channels);
        Err(OutOfScope::Channel { token: entry.name.clone(), channel: channel.to_owned(), covered })
    }
}
