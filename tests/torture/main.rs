//! Three daemons on one Redis, or one on a disk of its own, while everything around them fails: whatever is empty ends,
//! once, and nothing else does.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics, and it waits for other processes, outside of any actor"
)]

// What is tortured.
mod clock;
mod daemon;
mod fleet;
mod proxy;
mod redis_server;
#[allow(dead_code, reason = "a limit that stands in for a full disk is for those who start one daemon, once")]
#[path = "../../actors/tests/store/small_disk.rs"]
mod small_disk;
mod tracer;
mod world;

// What happens to it, and what must come of it.
mod faults;
mod operator;
mod oracle;
mod run;
mod stream;
mod truth;

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use crate::oracle::Totals;

/// Plays these seeds, so many at a time; every run says how it went.
fn play(seeds: impl IntoIterator<Item = u64> + Send, together: usize) -> Totals {
    let seeds: Vec<u64> = seeds.into_iter().collect();
    let next = AtomicU64::new(0);
    let worker = || {
        let mut totals = Totals::default();
        while let Some(seed) = seeds.get(next.fetch_add(1, Relaxed) as usize) {
            let verdict = run::run(*seed);
            eprintln!("{verdict}");
            totals.add(&verdict);
        }
        totals
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..together).map(|_| scope.spawn(worker)).collect();
        let mut totals = Totals::default();
        for worker in workers {
            totals.add_all(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        totals
    })
}

#[test]
fn three_daemons_on_one_failing_redis_stop_every_empty_stream_once_and_no_other() {
    let totals = play([1, 2, 4], 3);
    assert!(totals.is_clean(), "\n{totals}");
    assert!(totals.executed > 0, "nothing was stopped at all:\n{totals}");
}

#[test]
fn one_daemon_on_a_failing_disk_stops_every_empty_stream_once_and_no_other() {
    let totals = play([3], 1);
    assert!(totals.is_clean(), "\n{totals}");
    assert!(totals.executed > 0, "nothing was stopped at all:\n{totals}");
}

#[test]
#[ignore = "takes as long as it is told to: make torture RUNS=200"]
fn as_many_runs_as_are_asked_for_find_no_wrong_no_missed_and_no_double_stop() {
    let number = |name: &str| {
        let text = env::var(name).ok().filter(|text| !text.is_empty())?;
        Some(text.parse::<u64>().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
    };
    let runs = number("TORTURE_RUNS").unwrap_or(20);
    // Told with each run, so that any of them can be played again.
    let first = number("TORTURE_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 1000);
    let together = number("TORTURE_PARALLEL").unwrap_or(4).clamp(1, runs.max(1)) as usize;
    let totals = play(first..first + runs, together);
    eprintln!("\n{totals}");
    assert!(totals.is_clean(), "see above; `make torture RUNS=1 SEED=…` plays one seed again");
}
