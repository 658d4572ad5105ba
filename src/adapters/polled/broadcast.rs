//! One stream as its server shows it.

use std::sync::Arc;

use sattva_actors::{clock::WallTime, wire::Track};

/// What cannot be read of it is unknown, never zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Broadcast {
    /// A path on its server: `/live.mp3`, an application and a stream, a room.
    pub name: String,
    /// Tells one connection of its source from the next.
    pub connection: String,
    pub started_at: Option<WallTime>,
    /// Who hears it, without its source and whom the configuration names no listener.
    pub listeners: Option<u32>,
    pub track: Option<Arc<Track>>,
}
