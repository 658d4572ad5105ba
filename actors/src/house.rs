//! Builds the actors of one arbiter, in the order data flows, and hands out their addresses.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use actix::{Actor, Addr, AsyncContext, Recipient};
use prometheus::Registry;

use crate::{
    alarms::Alarms,
    broker::{Broker, BrokerMetrics, RegisterFleet},
    channel::{cell::Cells, metrics::ChannelMetrics},
    chronicle::Chronicle,
    clock::{BootId, Clock},
    continuity::Continuity,
    fleet::{Elsewhere, Fleet, FleetMetrics, Home},
    mailbox::{MailboxDepths, deliver},
    protocol::{Describe, Rulebook},
    stats::{LatestSample, Rhythm, StatsActor},
    store::{Loaded, Store, StoreActor, StoreHealth, StoreMetrics, redis::Link},
    stream_control::{CommandsWaiting, StreamControl},
    supervisor::{StoreOutlets, Supervisor, SupervisorMetrics},
    territory::Territory,
    traces::Traces,
    vitals::Vitals,
    world::{Attention, Outlets, World},
};

/// What the house stands on.
pub struct Foundations {
    pub clock: Clock,
    pub boot: BootId,
    pub rules: Arc<Rulebook>,
    pub store: Box<dyn Store>,
    pub loaded: Loaded,
    pub rhythm: Rhythm,
    pub cells: Arc<Cells>,
    pub chronicle: Arc<Chronicle>,
    pub traces: Traces,
    pub metrics: HouseMetrics,
    pub health: Arc<StoreHealth>,
    pub sample: LatestSample,
    pub commands_waiting: CommandsWaiting,
    /// How other daemons are reached that share the channels, if there may be any.
    pub fleet: Option<FleetPlan>,
    /// What they have.
    pub elsewhere: Arc<Elsewhere>,
    /// Told once a second that the arbiter is alive.
    pub watchdog: Option<Box<dyn Fn() + Send>>,
}

pub struct FleetPlan {
    pub link: Link,
    /// This start of this daemon, as the store names it.
    pub me: String,
}

#[derive(Clone, Debug)]
pub struct HouseMetrics {
    pub channels: ChannelMetrics,
    pub supervisor: SupervisorMetrics,
    pub broker: BrokerMetrics,
    pub store: StoreMetrics,
    pub fleet: FleetMetrics,
    pub depths: MailboxDepths,
}

impl HouseMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            channels: ChannelMetrics::register(registry)?,
            supervisor: SupervisorMetrics::register(registry)?,
            broker: BrokerMetrics::register(registry)?,
            store: StoreMetrics::register(registry)?,
            fleet: FleetMetrics::register(registry)?,
            depths: MailboxDepths::register(registry)?,
        })
    }
}

/// The addresses of the house; everything else is private to it.
#[derive(Clone)]
pub struct House {
    pub supervisor: Addr<Supervisor>,
    pub broker: Addr<Broker>,
    pub control: Addr<StreamControl>,
    pub store: Addr<StoreActor>,
    pub stats: Addr<StatsActor>,
    pub health: Arc<StoreHealth>,
    /// There, where other daemons share the channels.
    pub fleet: Option<Addr<Fleet>>,
    /// Says what all channels look like.
    pub describe: Recipient<Describe>,
    /// Channels restored from the store.
    pub restored: usize,
}

/// Starts everything on the current arbiter.
pub fn build(f: Foundations) -> House {
    let health = Arc::clone(&f.health);
    let started = f.clock.now();
    if f.store.is_shared() {
        // Nothing is held before it has been asked for.
        f.health.set_territory(&Territory::default());
    }
    let parts = Rc::new(RefCell::new(None));
    let made = Rc::clone(&parts);
    let supervisor = Supervisor::create(move |ctx| {
        let me = ctx.address();
        let attention = Arc::new(Attention::default());
        let broker =
            Broker::new(f.clock, me.clone().recipient(), Arc::clone(&attention), f.metrics.broker.clone()).start();
        let control =
            StreamControl::new(f.clock, Arc::clone(&f.health), f.commands_waiting.clone(), me.clone().recipient())
                .start();
        let stats = StatsActor::new(
            f.clock,
            started,
            f.rhythm,
            (Arc::clone(&f.cells), Arc::clone(&f.elsewhere)),
            (broker.clone().recipient(), f.metrics.depths.broker.clone()),
            f.sample,
        );
        let stats = stats.start();
        let fleet = f.fleet.map(|FleetPlan { link, me: name }| {
            let home = Home {
                batches: me.clone().recipient(),
                describe: me.clone().recipient(),
                collect: control.clone().recipient(),
                heard: broker.clone().recipient(),
                resync: broker.clone().recipient(),
                attention: Arc::clone(&attention),
                cells: Arc::clone(&f.cells),
                commands_waiting: f.commands_waiting,
                elsewhere: f.elsewhere,
                store: Arc::clone(&f.health),
            };
            let fleet = Fleet::new(f.clock, link, &name, home, f.metrics.fleet).start();
            let register = RegisterFleet { tell: fleet.clone().recipient(), describe: fleet.clone().recipient() };
            deliver(ctx, &broker.clone().recipient(), register);
            fleet
        });
        let world = Rc::new(RefCell::new(None));
        let shared = Rc::clone(&world);
        let health = Arc::clone(&f.health);
        let store = StoreActor::create(|ctx| {
            let outlets = Outlets {
                broker: broker.clone().recipient(),
                offers: control.clone().recipient(),
                retractions: control.clone().recipient(),
                store: ctx.address().recipient(),
                retirement: me.clone().recipient(),
            };
            let told = (me.clone().recipient(), me.recipient());
            let world = Rc::new(World {
                clock: f.clock,
                boot: f.boot,
                territory: RefCell::new(if f.store.is_shared() {
                    Territory::Slots(BTreeMap::new())
                } else {
                    Territory::Whole { fence: f.loaded.fence }
                }),
                continuity: Continuity::new(started),
                alarms: Alarms::default(),
                cells: f.cells,
                chronicle: f.chronicle,
                traces: f.traces,
                rules: RefCell::new(f.rules),
                metrics: f.metrics.channels,
                depths: f.metrics.depths,
                outlets,
                attention,
                retiring: RefCell::default(),
            });
            shared.replace(Some(Rc::clone(&world)));
            StoreActor::new(f.store, world, health, f.metrics.store, told)
        });
        let Some(world) = world.take() else { unreachable!("the store's context has just been created") };
        let outlets = StoreOutlets {
            records: store.clone().recipient(),
            erasures: store.clone().recipient(),
            pulses: store.clone().recipient(),
            returns: store.clone().recipient(),
            health: Arc::clone(&f.health),
        };
        let watchdog = f.watchdog.map(|feed| {
            let vital = [
                ("broker", broker.clone().recipient()),
                ("control", control.clone().recipient()),
                ("store", store.clone().recipient()),
            ];
            (Vitals::new(started.at, vital), feed as Box<dyn Fn()>)
        });
        let mut supervisor = Supervisor::new(world, f.metrics.supervisor, outlets)
            .with_watchdog(watchdog)
            .with_fleet(fleet.clone().map(Addr::recipient));
        let restored = supervisor.restore(f.loaded.records, f.loaded.pulse);
        made.replace(Some((broker, control, store, stats, fleet, restored)));
        supervisor
    });
    let Some((broker, control, store, stats, fleet, restored)) = parts.take() else {
        unreachable!("the supervisor's context has just been created")
    };
    let describe = fleet.clone().map_or_else(|| supervisor.clone().recipient(), Addr::recipient);
    House { supervisor, broker, control, store, stats, health, fleet, describe, restored }
}
