//! What a kind of server is called, and what a person can do about its troubles.

#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Begins the name of every source: `icecast`.
    pub name: &'static str,
    /// As people call it: `Icecast server`.
    pub called: &'static str,
    /// What to do when it refuses user and password.
    pub when_denied: &'static str,
    /// What to do when something else answers in its place.
    pub when_foreign: &'static str,
}
