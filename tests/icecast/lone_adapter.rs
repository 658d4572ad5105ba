//! An adapter between a server that a test plays and an actor that stands where the daemon would.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Addr, Context, Handler};
use sattva_actors::{
    clock::Clock,
    protocol::{Batch, Delivered, KnownSessions, RegisterOutlet},
    store::StoreHealth,
};
use sattva_monitor::adapters::{
    Outlets,
    icecast::{IcecastAdapter, IcecastSettings},
};

/// Hears that commands were delivered.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

impl Handler<Delivered> for Nobody {
    type Result = ();

    fn handle(&mut self, _: Delivered, _: &mut Self::Context) {}
}

pub fn lone_adapter<D>(name: &str, url: String, daemon: &Addr<D>, store: Arc<StoreHealth>) -> IcecastAdapter
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
        ignored_user_agents: Vec::new(),
        channel_prefix: String::new(),
        stop: true,
    };
    let outlets = Outlets {
        batches: daemon.clone().recipient(),
        known_sessions: daemon.clone().recipient(),
        registrations: daemon.clone().recipient(),
        delivered: Nobody.start().recipient(),
        store,
    };
    IcecastAdapter::of(settings, Clock::System, outlets)
}
