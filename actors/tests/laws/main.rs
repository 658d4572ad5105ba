//! The laws of auto-end, each as a property of the pure stream. The expectations are written from
//! docs/auto-end.md, "The laws"; the numbers in the modules are theirs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::unnecessary_to_owned, clippy::collapsible_match, reason = "the story is told in its own order")]

mod countdown;
mod evidence;
mod histories;
mod operator;
mod reporters;
mod restart;
mod sessions;
mod stop;
mod subject;

/// Runs a law over random inputs; `PROPTEST_CASES` raises their number, and each search has a seed of its own unless
/// `LAWS_SEED` says which.
fn cases(few: u32) -> proptest::test_runner::Config {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let asked = number("PROPTEST_CASES").map(|cases| cases as u32);
    let seed = number("LAWS_SEED").unwrap_or_else(|| {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
        since.map_or(0, |since| since.as_micros() as u64)
    });
    if asked.is_some() {
        eprintln!("LAWS_SEED={seed} searches the same again");
    }
    proptest::test_runner::Config {
        cases: asked.unwrap_or(few),
        failure_persistence: None,
        // The same inputs every time, unless more are asked for: a search belongs where somebody looks at it.
        rng_seed: match asked {
            Some(_) => proptest::test_runner::RngSeed::Fixed(seed),
            None => proptest::test_runner::RngSeed::Fixed(20),
        },
        ..proptest::test_runner::Config::default()
    }
}
