//! The points of one series that are stored together: many are alike, and take hardly any room.

use serde::{Deserialize, Serialize};

use super::tier::POINTS;

/// What was measured in one step, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The mean of what is known; it and the extremes are 0 where nothing is.
    pub avg: i64,
    pub min: i64,
    pub max: i64,
    pub samples: Counts,
}

/// How many samples a point is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub known: u32,
    /// Of these, how many were 0.
    pub zero: u32,
    /// Taken of a stream on the air whose figure nobody knew.
    pub unknown: u32,
}

impl Point {
    /// One sample; nothing where the figure is unknown.
    pub fn of(value: Option<i64>) -> Self {
        let (known, zero) = (u32::from(value.is_some()), u32::from(value == Some(0)));
        let samples = Counts { known, zero, unknown: 1 - known };
        let value = value.unwrap_or(0);
        Self { avg: value, min: value, max: value, samples }
    }

    pub const fn is_known(&self) -> bool {
        self.samples.known > 0
    }

    /// Several steps as one; each weighs as much as is known of it.
    pub fn over(points: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut sum = 0_i128;
        let mut whole: Option<Self> = None;
        for point in points {
            sum += i128::from(point.avg) * i128::from(point.samples.known);
            let mut both = whole.unwrap_or(Self { samples: Counts::default(), ..point });
            if point.is_known() {
                let first = !both.is_known();
                both.min = if first { point.min } else { both.min.min(point.min) };
                both.max = if first { point.max } else { both.max.max(point.max) };
            }
            both.samples.known = both.samples.known.saturating_add(point.samples.known);
            both.samples.zero = both.samples.zero.saturating_add(point.samples.zero);
            both.samples.unknown = both.samples.unknown.saturating_add(point.samples.unknown);
            whole = Some(both);
        }
        whole.map(|whole| {
            let known = i128::from(whole.samples.known);
            let avg = if known == 0 { 0 } else { (sum + known / 2).div_euclid(known) as i64 };
            Self { avg, ..whole }
        })
    }
}

/// Nothing where nothing was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk(pub [Option<Point>; POINTS as usize]);

impl Default for Chunk {
    fn default() -> Self {
        Self([None; POINTS as usize])
    }
}

/// The difference to the mean before; how far below and above it went.
type Shape = (i64, u64, u64);

/// Points that are alike, and how many of them come in a row. Part of the format.
#[derive(Serialize, Deserialize)]
enum Run {
    Nothing(u8),
    /// Of as many samples as the point before.
    Like(u8, Shape),
    Counted(u8, Shape, Counts),
}

impl Chunk {
    pub fn encode(&self) -> Vec<u8> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut last, mut counts) = (0_i64, Counts::default());
        let mut before = None;
        for point in &self.0 {
            if before == Some(point)
                && let Some(Run::Nothing(often) | Run::Like(often, _) | Run::Counted(often, ..)) = runs.last_mut()
            {
                *often += 1;
                continue;
            }
            before = Some(point);
            let Some(point) = point else {
                runs.push(Run::Nothing(1));
                continue;
            };
            let shape = (point.avg.wrapping_sub(last), point.avg.abs_diff(point.min), point.avg.abs_diff(point.max));
            let is_like = point.samples == counts;
            runs.push(if is_like { Run::Like(1, shape) } else { Run::Counted(1, shape, point.samples) });
            (last, counts) = (point.avg, point.samples);
        }
        if let Some(Run::Nothing(_)) = runs.last() {
            runs.pop();
        }
        // Numbers in memory can always be written.
        postcard::to_stdvec(&runs).unwrap_or_default()
    }

    /// Nothing if it is no chunk.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let runs: Vec<Run> = postcard::from_bytes(bytes).ok()?;
        let mut chunk = Self::default();
        let (mut place, mut last, mut counts) = (0, 0_i64, Counts::default());
        for run in runs {
            let (often, shape) = match run {
                Run::Nothing(often) => (often, None),
                Run::Like(often, shape) => (often, Some(shape)),
                Run::Counted(often, shape, samples) => {
                    counts = samples;
                    (often, Some(shape))
                }
            };
            let point = shape.map(|(difference, below, above)| {
                last = last.wrapping_add(difference);
                let (min, max) = (last.saturating_sub_unsigned(below), last.saturating_add_unsigned(above));
                Point { avg: last, min, max, samples: counts }
            });
            for _ in 0..often {
                *chunk.0.get_mut(place)? = point;
                place += 1;
            }
        }
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_point() -> impl Strategy<Value = Option<Point>> {
        let value = prop_oneof![0_i64..300, any::<i32>().prop_map(i64::from)];
        let counts = (prop_oneof![Just(12_u32), 0_u32..720], 0_u32..3, 0_u32..3);
        prop::option::of((value, 0_i64..500, 0_i64..500, counts).prop_map(|(avg, below, above, counts)| Point {
            avg,
            min: avg - below,
            max: avg + above,
            samples: Counts { known: counts.0, zero: counts.1, unknown: counts.2 },
        }))
    }

    proptest! {
        #[test]
        fn what_was_stored_is_read_again(points in prop::collection::vec(any_point(), POINTS as usize)) {
            let chunk = Chunk(points.try_into().unwrap());
            prop_assert_eq!(Chunk::decode(&chunk.encode()), Some(chunk));
        }

        #[test]
        fn no_bytes_do_any_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Chunk::decode(&bytes);
        }

        #[test]
        fn steps_of_steps_are_made_of_the_same_samples_with_the_same_extremes(
            samples in prop::collection::vec(prop::option::of(0_i64..5000), 1..60), steps in 1_usize..9,
        ) {
            let point = |value: &Option<i64>| Point::of(*value);
            let at_once = Point::over(samples.iter().map(point)).unwrap();
            let by_steps = samples.chunks(steps).filter_map(|some| Point::over(some.iter().map(point)));
            let in_two = Point::over(by_steps).unwrap();
            prop_assert_eq!(in_two.samples, at_once.samples);
            prop_assert_eq!((in_two.min, in_two.max), (at_once.min, at_once.max));
            // Each of the two is rounded.
            prop_assert!((in_two.avg - at_once.avg).abs() <= 1, "{} {}", in_two.avg, at_once.avg);
            let known: Vec<i64> = samples.iter().copied().flatten().collect();
            prop_assert_eq!(at_once.samples.known as usize, known.len());
            prop_assert_eq!(at_once.samples.zero as usize, known.iter().filter(|value| **value == 0).count());
            prop_assert_eq!(at_once.samples.unknown as usize, samples.len() - known.len());
            prop_assert_eq!(at_once.max, known.iter().copied().max().unwrap_or(0));
            prop_assert_eq!(at_once.min, known.iter().copied().min().unwrap_or(0));
        }
    }

    #[test]
    fn an_hour_of_the_same_takes_a_few_bytes() {
        let mut chunk = Chunk::default();
        assert_eq!(chunk.encode().len(), 1, "nothing is known");
        chunk.0.fill(Some(Point::of(Some(1200))));
        assert!(chunk.encode().len() <= 10, "{}", chunk.encode().len());
    }

    #[test]
    fn a_point_whose_samples_are_as_many_as_before_costs_no_more_for_them() {
        let varied = |counted: bool| {
            let mut chunk = Chunk::default();
            for (n, point) in chunk.0.iter_mut().enumerate() {
                let samples = Counts { known: 12, zero: u32::from(counted && n % 2 == 0), unknown: 0 };
                *point = Some(Point { avg: n as i64 % 7, min: 0, max: 9, samples });
            }
            chunk.encode().len()
        };
        assert!(varied(false) <= 60 * 5 + 4, "{}", varied(false));
        assert!(varied(true) >= varied(false) + 59 * 3);
    }

    #[test]
    fn several_points_as_one_have_the_mean_of_all_samples_and_the_extremes() {
        assert_eq!(Point::over([]), None);
        let counts = |known| Counts { known, zero: 1, unknown: 2 };
        let points = [
            Point { avg: 100, min: 0, max: 200, samples: counts(1) },
            Point { avg: 200, min: 150, max: 900, samples: counts(3) },
            Point::of(None),
        ];
        let samples = Counts { known: 4, zero: 2, unknown: 5 };
        assert_eq!(Point::over(points), Some(Point { avg: 175, min: 0, max: 900, samples }));
        assert_eq!(Point::over([Point::of(None)]), Some(Point::of(None)));
    }
}
