//! Adapters: each watches a server that cannot report by itself, and turns its truth into reports.

pub mod icecast;
