//! What a real streamer must be able to do for the story to be told with it.

use std::net::{SocketAddr, TcpListener};

/// What comes back when something starts the streamer again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// The same stream, as far as anybody can tell: it was not ended.
    AsItself,
    /// Another session, by the streamer's own word: the one before has ended.
    AsAnother,
}

/// A streamer with its server and its listeners. Everything it starts ends with it.
pub trait Stage {
    const RETURN: Return = Return::AsItself;

    /// Starts the server, and nothing that streams.
    fn open() -> Self;

    /// What the daemon's configuration says of it.
    fn config(&self) -> String;

    /// Files beside the configuration: their names and what is in them.
    fn files(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    /// What the daemon calls the stream.
    fn channel(&self) -> &'static str;

    /// The daemon has been started, and is found here: for a streamer that reports by itself.
    fn meet(&mut self, _daemon: SocketAddr) {}

    /// Begins to stream, until somebody ends it.
    fn publish(&mut self);

    /// The same, with something that starts it again whenever it was ended.
    fn publish_again_and_again(&mut self);

    /// One more listener, once it is really there.
    fn join(&mut self);

    /// The listener who joined last leaves.
    fn leave(&mut self);

    /// Whether everyone who joined and did not leave is still connected.
    fn everyone_is_connected(&mut self) -> bool;

    /// Whether the stream is there, by its server's own word.
    fn is_live(&mut self) -> bool;
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
