//! The points of one series that are stored together: many are alike, and take hardly any room.

use serde::{Deserialize, Serialize};

use super::tier::POINTS;

/// What was measured in one step, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub avg: i64,
    pub min: i64,
    pub max: i64,
}

impl Point {
    pub const fn of(value: i64) -> Self {
        Self { avg: value, min: value, max: value }
    }

    /// Several steps as one.
    pub fn over(points: impl IntoIterator<Item = Self>) -> Option<Self> {
        let (mut sum, mut count) = (0_i128, 0_i128);
        let mut whole: Option<Self> = None;
        for point in points {
            sum += i128::from(point.avg);
            count += 1;
            let (min, max) = whole.map_or((point.min, point.max), |w| (w.min.min(point.min), w.max.max(point.max)));
            whole = Some(Self { avg: 0, min, max });
        }
        whole.map(|whole| Self { avg: ((sum + count / 2).div_euclid(count)) as i64, ..whole })
    }
}

/// Nothing where nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk(pub [Option<Point>; POINTS as usize]);

impl Default for Chunk {
    fn default() -> Self {
        Self([None; POINTS as usize])
    }
}

/// How often a point comes in a row; its difference to the last known one, how far below and above it went.
#[derive(Serialize, Deserialize)]
struct Run(u8, Option<(i64, u64, u64)>);

impl Chunk {
    pub fn encode(&self) -> Vec<u8> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut before, mut last) = (None, 0_i64);
        for point in &self.0 {
            if let Some(Run(often, _)) = runs.last_mut().filter(|_| before == Some(point)) {
                *often += 1;
                continue;
            }
            before = Some(point);
            let told = point.map(|p| (p.avg.wrapping_sub(last), p.avg.abs_diff(p.min), p.avg.abs_diff(p.max)));
            runs.push(Run(1, told));
            last = point.map_or(last, |p| p.avg);
        }
        while runs.last().is_some_and(|Run(_, point)| point.is_none()) {
            runs.pop();
        }
        // Numbers in memory can always be written.
        postcard::to_stdvec(&runs).unwrap_or_default()
    }

    /// Nothing if it is no chunk.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let runs: Vec<Run> = postcard::from_bytes(bytes).ok()?;
        let mut chunk = Self::default();
        let (mut place, mut last) = (0, 0_i64);
        for Run(often, told) in runs {
            let point = told.map(|(difference, below, above)| {
                last = last.wrapping_add(difference);
                Point { avg: last, min: last.saturating_sub_unsigned(below), max: last.saturating_add_unsigned(above) }
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
        prop::option::of((value, 0_i64..500, 0_i64..500).prop_map(|(avg, below, above)| Point {
            avg,
            min: avg - below,
            max: avg + above,
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
    }

    #[test]
    fn an_hour_of_the_same_takes_a_few_bytes() {
        let mut chunk = Chunk::default();
        assert_eq!(chunk.encode().len(), 1, "nothing is known");
        chunk.0.fill(Some(Point::of(1200)));
        assert!(chunk.encode().len() <= 8, "{}", chunk.encode().len());
    }

    #[test]
    fn several_points_as_one_have_the_mean_and_the_extremes() {
        assert_eq!(Point::over([]), None);
        let points = [Point { avg: 100, min: 0, max: 200 }, Point { avg: 201, min: 150, max: 900 }];
        assert_eq!(Point::over(points), Some(Point { avg: 151, min: 0, max: 900 }));
    }
}
