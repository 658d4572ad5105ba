//! In which steps the past is kept, and for how long. All times are seconds since 1970.

/// Points that are stored together.
pub const POINTS: i64 = 60;

#[derive(Debug, PartialEq, Eq)]
pub struct Tier {
    /// Part of the format.
    pub number: u8,
    /// Seconds between two points.
    pub step: i64,
    /// Seconds after which a point is forgotten.
    pub keep: i64,
}

const DAY: i64 = 86_400;

/// The finest first.
pub const TIERS: [Tier; 3] = [
    Tier { number: 0, step: 5, keep: DAY },
    Tier { number: 1, step: 60, keep: 15 * DAY },
    Tier { number: 2, step: 3600, keep: 365 * DAY },
];

impl Tier {
    /// The chunk that a moment belongs to.
    pub const fn chunk_at(&self, at: i64) -> u32 {
        at.div_euclid(self.step * POINTS) as u32
    }

    /// Which of its chunk's points a moment belongs to.
    pub const fn place_at(&self, at: i64) -> usize {
        (at.rem_euclid(self.step * POINTS) / self.step) as usize
    }

    /// When a point of a chunk begins.
    pub const fn beginning(&self, chunk: u32, place: usize) -> i64 {
        (chunk as i64 * POINTS + place as i64) * self.step
    }

    /// Chunks before this one are forgotten. One more is kept than must be: whoever asks for the whole time does so a moment
    /// ago.
    pub const fn oldest_chunk(&self, now: i64) -> u32 {
        self.chunk_at(if now > self.keep { now - self.keep } else { 0 }).saturating_sub(1)
    }
}

/// The coarsest steps that still show `step`, of those that are kept since `from`.
pub fn tier_for(from: i64, step: i64, now: i64) -> &'static Tier {
    let reaching: Vec<&Tier> = TIERS.iter().filter(|tier| tier.chunk_at(from) >= tier.oldest_chunk(now)).collect();
    let fine_enough = reaching.iter().rfind(|tier| tier.step <= step);
    fine_enough.or(reaching.first()).copied().unwrap_or(&TIERS[TIERS.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn step_for(ago: i64, step: i64) -> i64 {
        tier_for(NOW - ago, step, NOW).step
    }

    #[test]
    fn the_coarsest_steps_that_are_fine_enough_and_reach_back_are_taken() {
        assert_eq!(step_for(3600, 5), 5);
        assert_eq!(step_for(3600, 59), 5);
        assert_eq!(step_for(3600, 60), 60);
        assert_eq!(step_for(DAY, 3600), 3600);
        assert_eq!(step_for(DAY, 1), 5, "there is nothing finer");
    }

    #[test]
    fn what_is_asked_for_finer_than_it_is_kept_comes_in_the_steps_there_are() {
        assert_eq!(step_for(DAY + 601, 5), 60);
        assert_eq!(step_for(15 * DAY + 7201, 5), 3600);
        assert_eq!(step_for(1000 * DAY, 5), 3600);
    }

    #[test]
    fn whoever_asked_for_the_whole_time_a_few_minutes_ago_is_answered_in_the_same_steps() {
        for (ago, step) in [(DAY, 5), (15 * DAY, 60)] {
            for late in 0..300 {
                assert_eq!(step_for(ago + late, step), step, "{late} s late");
            }
        }
    }

    #[test]
    fn every_moment_has_its_point_and_every_point_its_beginning() {
        for tier in &TIERS {
            for at in [0, 1, NOW, NOW + 59, NOW + 3599, NOW + 100_000] {
                let beginning = tier.beginning(tier.chunk_at(at), tier.place_at(at));
                assert!(beginning <= at && at < beginning + tier.step, "{tier:?} {at} {beginning}");
            }
        }
    }
}
