//! What one message to one client costs, against the limit and against what else one could have taken.

pub mod audience;
pub mod contestant;
pub mod epoll_loop;
mod frame;
mod latencies;
pub mod load;
mod message;
mod payloads;
pub mod publisher;
pub mod scene;
pub mod scraped;
pub mod stuck;
mod unsent;

use std::{collections::BTreeMap, io::Write};

use anyhow::Result;

use self::{
    contestant::Contestant::{self, Bun, EpollLoop, Fastapi, Node, Sattva, TwoWorkers},
    scene::{Outcome, Pace, Scene},
};
use crate::figure::{Figure, Goal, Measured, Peer};

/// Messages of one burst.
const BURST: usize = 10;
/// Everybody gets so many messages, or bursts, a second: a core is never full.
const LONE_RATE: f64 = 20.0;
const BURST_RATE: f64 = 4.0;
const MANY_RATE: f64 = 2.0;
const MANY_BURST_RATE: f64 = 1.0;
const FEW: usize = 1000;
const MANY: usize = 10_000;
/// The most that one more idle connection may hold.
const MEMORY: Goal = Goal::AtMost(12.5, "kB");

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Measurements of each server, by turns; the median counts.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Only these, and the daemon.
    #[arg(long, value_delimiter = ',')]
    servers: Vec<Contestant>,
    /// Only scenes with this many connections; with --rate, --burst or --deflate one scene of its own.
    #[arg(long)]
    connections: Option<usize>,
    /// One scene: so many messages, or bursts, a second.
    #[arg(long)]
    rate: Option<f64>,
    /// One scene: messages that come together.
    #[arg(long)]
    burst: Option<usize>,
    /// One scene: with permessage-deflate.
    #[arg(long)]
    deflate: bool,
    /// Short runs: they show that everything works, not how fast it is.
    #[arg(long)]
    quick: bool,
}

impl Args {
    fn scenes(&self) -> Vec<Scene> {
        if self.rate.is_some() || self.burst.is_some() || self.deflate {
            let burst = self.burst.unwrap_or(1);
            let connections = self.connections.unwrap_or(FEW);
            let rate = self.rate.unwrap_or(if burst > 1 { BURST_RATE } else { LONE_RATE });
            return vec![Scene { connections, deflate: self.deflate, burst, pace: Pace::Rate(rate) }];
        }
        let both = |connections: usize, burst: usize, pace: Pace| {
            [false, true].map(|deflate| Scene { connections, deflate, burst, pace })
        };
        let all = [
            both(FEW, 1, Pace::Rate(LONE_RATE)),
            both(FEW, BURST, Pace::Rate(BURST_RATE)),
            both(FEW, 1, Pace::Saturated),
            both(MANY, 1, Pace::Rate(MANY_RATE)),
            both(MANY, BURST, Pace::Rate(MANY_BURST_RATE)),
        ];
        let wanted = |scene: &Scene| self.connections.is_none_or(|only| only == scene.connections);
        all.into_iter().flatten().filter(wanted).collect()
    }

    fn takes_part(&self, who: Contestant) -> bool {
        who == Sattva || self.servers.is_empty() || self.servers.contains(&who)
    }
}

impl Scene {
    /// Who is compared with whom, and how much cheaper the first is to be at least.
    fn comparisons(&self) -> Vec<(Contestant, Contestant, Option<f64>)> {
        let bursts = self.burst > 1;
        if self.pace == Pace::Saturated {
            return [EpollLoop, Bun, Node, Fastapi].map(|peer| (Sattva, peer, None)).into();
        }
        let bun = match (self.deflate, bursts) {
            (false, false) => 0.95,
            (false, true) => 0.85,
            (true, false) => 2.1,
            (true, true) => 5.0,
        };
        let mut all = vec![(Sattva, EpollLoop, Some(if bursts { 0.72 } else { 0.85 })), (Sattva, Bun, Some(bun))];
        if self.connections <= FEW {
            all.push((TwoWorkers, Sattva, Some(1.0)));
            if !bursts {
                all.extend([(Sattva, Fastapi, Some(if self.deflate { 5.0 } else { 3.0 })), (Sattva, Node, None)]);
            }
        }
        all
    }

    fn what(&self) -> String {
        let connections = self.connections;
        let encoding = if self.deflate { "deflated" } else { "plain" };
        match self.pace {
            Pace::Saturated => format!("Fan-out to {connections} clients, {encoding}: deliveries a second"),
            Pace::Rate(rate) if self.burst > 1 => {
                format!(
                    "Fan-out to {connections} clients, {encoding}, {rate} bursts of {} a second: CPU for each delivery",
                    self.burst
                )
            }
            Pace::Rate(rate) => {
                format!("Fan-out to {connections} clients, {encoding}, {rate} messages a second: CPU for each delivery")
            }
        }
    }

    fn measured(&self, outcomes: &[Outcome]) -> String {
        let all = |of: fn(&Outcome) -> f64| Measured::of(outcomes.iter().map(of));
        let percent = |of: fn(&Outcome) -> f64| all(of).median * 100.0;
        match self.pace {
            Pace::Saturated => {
                let (server, load) = (percent(|o| o.server), percent(|o| o.load));
                let rate = all(|o| o.per_second).round();
                format!("{rate}/s (server {server:.0} %, load {load:.0} % of a core)")
            }
            Pace::Rate(_) => {
                let cost = all(|o| o.cost).with_digits(2, "µs");
                format!("{cost}; p50 {:.1} ms, p99 {:.1} ms", all(|o| o.p50).median, all(|o| o.p99).median)
            }
        }
    }

    fn compare(&self, ours: &[Outcome], peer: &[Outcome]) -> Measured {
        Measured::of(ours.iter().zip(peer).map(|(ours, peer)| match self.pace {
            Pace::Saturated => ours.per_second / peer.per_second,
            Pace::Rate(_) => peer.cost / ours.cost,
        }))
    }
}

type Outcomes = BTreeMap<Contestant, Vec<Outcome>>;

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let (seconds, repetitions) = if args.quick { (1.0, 1) } else { (args.seconds, args.repetitions.max(1)) };
    let mut figures = Vec::new();
    for scene in args.scenes() {
        let mut comparisons = scene.comparisons();
        comparisons.retain(|(a, b, _)| args.takes_part(*a) && args.takes_part(*b));
        let mut players: Vec<Contestant> = comparisons.iter().flat_map(|(a, b, _)| [*a, *b]).chain([Sattva]).collect();
        players.sort_unstable();
        players.dedup();
        let mut outcomes = Outcomes::new();
        for _ in 0..repetitions {
            // Whatever the machine does by turns, it does not always do to the same one.
            players.rotate_left(1);
            for who in &players {
                let outcome = scene.play(*who, seconds)?;
                writeln!(std::io::stderr(), "   {}: {}", who.name(), scene.measured(&[outcome]))?;
                outcomes.entry(*who).or_default().push(outcome);
            }
        }
        figures.extend(rows(&scene, &comparisons, &outcomes));
        if scene.pace != Pace::Saturated && scene.burst == 1 {
            figures.extend(memory(&scene, &outcomes));
        }
    }
    Ok(figures)
}

fn rows(scene: &Scene, comparisons: &[(Contestant, Contestant, Option<f64>)], outcomes: &Outcomes) -> Vec<Figure> {
    let row = |(ours, peer, goal): &(Contestant, Contestant, Option<f64>)| {
        let what = match ours {
            TwoWorkers => format!("{}, two workers on one core", scene.what()),
            _ => scene.what(),
        };
        let (ours, theirs) = (outcomes.get(ours)?, outcomes.get(peer)?);
        let goal = goal.map(|least| Goal::AtLeast(least, "×"));
        let text = |outcomes: &[Outcome]| match outcomes.iter().any(|outcome| outcome.declined) {
            true => "declines permessage-deflate".to_owned(),
            false => scene.measured(outcomes),
        };
        let declined = ours.iter().chain(theirs).any(|outcome| outcome.declined);
        let ratio = (!declined).then(|| scene.compare(ours, theirs));
        let peer = Peer { measured: format!("{}: {}", peer.name(), text(theirs)), ratio };
        // Where there is nothing to compare no goal is met.
        let compared = ratio.map_or(f64::NAN, |ratio| ratio.median);
        Some(Figure { what, measured: text(ours), peer: Some(peer), compared, goal })
    };
    comparisons.iter().filter_map(row).collect()
}

fn memory(scene: &Scene, outcomes: &Outcomes) -> Option<Figure> {
    let of = |who: Contestant| outcomes.get(&who).map(|all| Measured::of(all.iter().map(|o| o.memory)));
    let ours = outcomes.get(&Sattva)?;
    let offered = if scene.deflate { ", deflate offered" } else { "" };
    let what = format!("Memory of one more idle client of {}{offered}, its session included", scene.connections);
    let mut figure = Figure::alone(what, of(Sattva)?, 1, MEMORY, "kB");
    figure.peer = of(Bun).zip(outcomes.get(&Bun)).map(|(memory, theirs)| Peer {
        measured: format!("Bun: {}", memory.with_digits(1, "kB")),
        ratio: Some(Measured::of(ours.iter().zip(theirs).map(|(ours, theirs)| theirs.memory / ours.memory))),
    });
    Some(figure)
}
