//! Fifty streams whose listeners come and go at random for an hour: every stop meets an empty stream, every
//! empty stream is stopped, and the same seed tells the same story.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sattva_actors::protocol::Outcome;

use crate::stage::{Stage, Streamer, millis, secs, story};

const STREAMS: usize = 50;
const HOUR: Duration = secs(3600);
const TIMEOUT: Duration = secs(300);
/// A stop is available this soon after its deadline.
const LATEST: Duration = secs(2);

/// What happens to one stream: after so many tenths of a second, so many listen.
type Fate = Vec<(u64, u32)>;

/// The fate of all streams, told by the seed alone.
fn fates(seed: u8) -> Vec<Fate> {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]));
    // Mostly empty for about as long as a countdown, seldom for long.
    let gap = prop_oneof![3 => 1..600u64, 4 => 2000..3600u64, 2 => 3000..6000u64];
    let listeners = prop_oneof![3 => Just(0u32), 2 => 1..5u32];
    let fate = vec((gap, listeners), 30);
    vec(fate, STREAMS).new_tree(&mut runner).unwrap().current()
}

/// What a streamer knows of its own stream.
struct Ledger {
    /// Since when its daemon has been told that nobody listens.
    empty_since: Cell<Option<Duration>>,
    sessions: Cell<u32>,
    stopped: RefCell<Vec<Duration>>,
}

/// Told in tenths of a second: the commits of one moment are a few milliseconds apart.
fn tenths(at: Duration) -> u128 {
    at.as_millis() / 100
}

async fn report(stage: &Stage, radio: &Streamer, ledger: &Ledger) {
    if radio.listeners.get() == Some(0) {
        ledger.empty_since.set(ledger.empty_since.get().or(Some(stage.time())));
    } else {
        ledger.empty_since.set(None);
    }
    assert_eq!(radio.reports(stage).await.accepted, 1);
}

/// Lives through one stream's hour: reports in its rhythm and on every change, obeys, and comes back.
async fn live(stage: &Stage, radio: Rc<Streamer>, fate: Fate, ledger: &Ledger) {
    let mut changes = fate.into_iter();
    let mut next_change = changes.next().map(|(gap, listeners)| (millis(gap * 100), listeners));
    let mut next_report = stage.time();
    while stage.time() < HOUR {
        let change_at = next_change.map_or(HOUR, |(at, _)| at);
        let at = change_at.min(next_report).min(HOUR).max(stage.time());
        let commands = radio.asks(stage, at.saturating_sub(stage.time()).max(millis(1))).await;
        if let Some(command) = commands.first() {
            let now = stage.time();
            let since = ledger.empty_since.get();
            let since = since.unwrap_or_else(|| panic!("{} is heard and was told to stop at {now:?}", radio.channel));
            let empty = now - since;
            assert!(empty >= TIMEOUT, "{}: stopped early, after {empty:?}", radio.channel);
            assert!(empty <= TIMEOUT + LATEST, "{}: stopped late, after {empty:?}", radio.channel);
            assert_eq!(command.only_if.unwrap().joins, radio.joins.get());
            ledger.stopped.borrow_mut().push(now);
            radio.acknowledges(command, Outcome::Ok);
            radio.stops(stage).await;
            // Back at the next tenth of a second, as a new session.
            stage.until(millis((stage.time().as_millis() as u64 / 100 + 1) * 100)).await;
            ledger.sessions.set(ledger.sessions.get() + 1);
            radio.begins_anew(&format!("s{}", ledger.sessions.get()));
            ledger.empty_since.set(None);
            report(stage, &radio, ledger).await;
            continue;
        }
        if stage.time() < at {
            continue;
        }
        if change_at <= at {
            if let Some((_, listeners)) = next_change {
                radio.counts(listeners);
                report(stage, &radio, ledger).await;
            }
            next_change = changes.next().map(|(gap, listeners)| (change_at + millis(gap * 100), listeners));
        }
        if next_report <= at {
            report(stage, &radio, ledger).await;
            next_report += radio.every.get();
        }
        let empty = ledger.empty_since.get().map_or(Duration::ZERO, |since| stage.time().saturating_sub(since));
        assert!(empty <= TIMEOUT + LATEST, "{}: empty for {empty:?} and not stopped", radio.channel);
    }
}

/// Tells the hour of one seed: what was heard of each stream, and how many were stopped.
fn tell(seed: u8) -> (BTreeMap<String, Vec<String>>, usize) {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let streams: Vec<_> = fates(seed)
            .into_iter()
            .enumerate()
            .map(|(n, fate)| {
                let radio = Streamer::new(&format!("radio-{n}"), &format!("channel-{n}"));
                let ledger =
                    Ledger { empty_since: Cell::new(None), sessions: Cell::new(1), stopped: RefCell::default() };
                (radio, fate, ledger)
            })
            .collect();
        let lives = streams.iter().map(|(radio, fate, ledger)| live(stage, Rc::clone(radio), fate.clone(), ledger));
        futures_util::future::join_all(lives).await;
        let stops = streams.iter().map(|(_, _, ledger)| ledger.stopped.borrow().len()).sum();
        let told = streams.iter().map(|(radio, _, ledger)| {
            let mut told = viewer.heard_of(radio.channel.as_str());
            told.extend(ledger.stopped.borrow().iter().map(|at| format!("stopped at {}", tenths(*at))));
            let journal = stage.disk.kept.decisions(radio.channel.as_str());
            told.extend(journal.into_iter().map(|decision| format!("{} {}", decision.seq, decision.event)));
            (radio.channel.to_string(), told)
        });
        (told.collect(), stops)
    })
}

#[test]
fn every_stop_meets_an_empty_stream_and_every_empty_one_is_stopped_and_the_seed_tells_it_again() {
    let (first, stops) = tell(7);
    assert!(stops > 100, "too few stops to learn from: {stops}");
    let heard = first.values().flatten().filter(|line| line.contains("auto-end cancelled: listener")).count();
    assert!(heard > 100, "too few saved streams to learn from: {heard}");
    let (second, _) = tell(7);
    for (channel, told) in &first {
        assert_eq!(told, &second[channel], "{channel}");
    }
    eprintln!("{stops} stops, {heard} countdowns cancelled by a listener");
}
