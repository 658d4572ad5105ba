//! An adapter between a server that a test plays and an actor that stands where the daemon would.

use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use sattva_actors::{
    clock::Clock,
    protocol::{Batch, KnownSessions, RegisterOutlet},
};
use sattva_monitor::adapters::{
    Outlets,
    icecast::{IcecastAdapter, IcecastSettings},
};

pub fn lone_adapter<D>(name: &str, url: String, daemon: &Addr<D>) -> IcecastAdapter
where
    D: Actor<Context = Context<D>> + Handler<Batch> + Handler<KnownSessions> + Handler<RegisterOutlet>,
{
    let settings = IcecastSettings {
        name: name.into(),
        url,
        user: "admin".into(),
        password: "x".into(),
        poll_interval: Duration::from_millis(100),
        settle: Duration::ZERO,
        mounts: Vec::new(),
        channel_prefix: String::new(),
        stop: true,
    };
    let outlets = Outlets {
        batches: daemon.clone().recipient(),
        known_sessions: daemon.clone().recipient(),
        registrations: daemon.clone().recipient(),
    };
    IcecastAdapter::of(settings, Clock::System, outlets)
}
