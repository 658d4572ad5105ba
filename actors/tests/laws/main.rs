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

/// Runs a law over random inputs; `PROPTEST_CASES` raises their number.
fn cases(few: u32) -> proptest::test_runner::Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    proptest::test_runner::Config {
        cases: asked.unwrap_or(few),
        failure_persistence: None,
        // The same inputs every time, unless more are asked for: a search belongs where somebody looks at it.
        rng_seed: match asked {
            Some(_) => proptest::test_runner::RngSeed::Random,
            None => proptest::test_runner::RngSeed::Fixed(20),
        },
        ..proptest::test_runner::Config::default()
    }
}
