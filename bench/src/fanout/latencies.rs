//! How long deliveries took: counted in steps of less than two per cent, so that millions of them cost nothing.

use std::time::Duration;

/// Steps within each doubling.
const STEPS: u64 = 64;
/// Above a quarter of an hour everything is one.
const BUCKETS: usize = 40 * STEPS as usize;

pub struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Latencies {
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }

    pub fn add(&mut self, latency: Duration) {
        self.counts[bucket(latency.as_nanos() as u64)] += 1;
        self.total += 1;
    }

    /// The latency that this share of the deliveries did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank.max(1)
        });
        Duration::from_nanos(reached.map_or(0, least))
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let doublings = (nanoseconds / STEPS).checked_ilog2().map_or(0, |log| log + 1);
    let within = if doublings == 0 { nanoseconds } else { (nanoseconds >> (doublings - 1)) - STEPS };
    ((u64::from(doublings) * STEPS + within) as usize).min(BUCKETS - 1)
}

/// The least latency of a bucket.
fn least(bucket: usize) -> u64 {
    let (doublings, within) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    if doublings == 0 { within } else { (STEPS + within) << (doublings - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_known_to_two_per_cent() {
        for nanoseconds in [0, 1, 63, 64, 65, 127, 128, 1_000, 12_345, 8_300_000, 2_500_000_000, 60_000_000_000] {
            let known = least(bucket(nanoseconds));
            assert!(known <= nanoseconds && (nanoseconds - known) as f64 <= nanoseconds as f64 * 0.02, "{nanoseconds}");
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_added() {
        let mut latencies = Latencies::new();
        for milliseconds in 1..=100 {
            latencies.add(Duration::from_millis(milliseconds));
        }
        let close =
            |share: f64, expect: f64| (latencies.quantile(share).as_secs_f64() * 1e3 / expect - 1.0).abs() < 0.02;
        assert!(close(0.5, 50.0) && close(0.99, 99.0) && close(1.0, 100.0));
    }
}
