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

/// What a chunk begins with. What was written before there was a version began with a number of runs, of which there
/// are at most [`POINTS`].
const VERSION: u8 = 0x82;
/// The upper two bits of a byte tell what it stands for; the rest is part of it.
const KIND: u8 = 0xc0;
/// The step before once more, so often.
const AGAIN: u8 = 0x00;
/// Nothing was measured.
const NOTHING: u8 = 0x40;
/// A point of whole numbers and of as many samples as the one before: how far below and above it went, in three bits
/// each; the difference to the sum before follows.
const WHOLE: u8 = 0x80;
/// Any other point, of which these follow.
const POINT: u8 = 0xc0;
const IS_WHOLE: u8 = 1;
const IS_COUNTED: u8 = 2;

/// A point of samples that were whole numbers: their sum, and how far the extremes are from the mean, rounded down.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Whole {
    below: u64,
    above: u64,
    sum: i64,
}

impl Whole {
    /// Nothing where the point would not be the same when it is read again.
    fn of(point: &Point) -> Option<Self> {
        let units = |value: i64| (value % 100 == 0).then_some(value / 100);
        let known = i64::from(point.samples.known);
        let sum = point.avg.checked_mul(known)?.checked_add(50)?.div_euclid(100);
        let mean = point.avg.div_euclid(100);
        let below = u64::try_from(mean.checked_sub(units(point.min)?)?).ok()?;
        let above = u64::try_from(units(point.max)?.checked_sub(mean)?).ok()?;
        let whole = Self { below, above, sum };
        (whole.point(point.samples)? == *point).then_some(whole)
    }

    fn point(self, samples: Counts) -> Option<Point> {
        let known = i64::from(samples.known);
        let avg = match known {
            0 => 0,
            _ => self.sum.checked_mul(100)?.checked_add(known / 2)?.div_euclid(known),
        };
        let mean = avg.div_euclid(100);
        let min = mean.checked_sub_unsigned(self.below)?.checked_mul(100)?;
        let max = mean.checked_add_unsigned(self.above)?.checked_mul(100)?;
        Some(Point { avg, min, max, samples })
    }
}

/// The difference to the mean before; how far below and above it went.
type Shape = (i64, u64, u64);

fn shape(point: &Point, last: &Point) -> Shape {
    (point.avg.wrapping_sub(last.avg), point.avg.abs_diff(point.min), point.avg.abs_diff(point.max))
}

fn shaped((difference, below, above): Shape, last: &Point, samples: Counts) -> Point {
    let avg = last.avg.wrapping_add(difference);
    Point { avg, min: avg.saturating_sub_unsigned(below), max: avg.saturating_add_unsigned(above), samples }
}

/// What points are told apart from: a point, the sum of whose samples is known where they were whole.
#[derive(Clone, Copy)]
struct Last {
    point: Point,
    sum: i64,
}

impl Last {
    const NONE: Self =
        Self { point: Point { avg: 0, min: 0, max: 0, samples: Counts { known: 0, zero: 0, unknown: 0 } }, sum: 0 };

    const fn whole(point: Point, whole: Whole) -> Self {
        Self { point, sum: whole.sum }
    }

    const fn rough(point: Point) -> Self {
        Self { point, sum: 0 }
    }
}

fn write<T: Serialize>(bytes: &mut Vec<u8>, what: &T) {
    // Numbers in memory can always be written.
    bytes.extend(postcard::to_stdvec(what).unwrap_or_default());
}

fn read<T: serde::de::DeserializeOwned>(bytes: &mut &[u8]) -> Option<T> {
    let (what, rest) = postcard::take_from_bytes(bytes).ok()?;
    *bytes = rest;
    Some(what)
}

impl Chunk {
    pub fn encode(&self) -> Vec<u8> {
        let known = self.0.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let mut bytes = vec![VERSION];
        let mut last = Last::NONE;
        for alike in self.0[..known].chunk_by(|a, b| a == b) {
            match &alike[0] {
                Some(point) => last = encode_point(&mut bytes, *point, &last),
                None => bytes.push(NOTHING),
            }
            if alike.len() > 1 {
                bytes.push(AGAIN | (alike.len() - 1) as u8);
            }
        }
        bytes
    }

    /// Nothing if it is no chunk.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let Some((&VERSION, mut bytes)) = bytes.split_first() else { return runs::decode(bytes) };
        let mut chunk = Self::default();
        let (mut place, mut last) = (0, Last::NONE);
        while let Some((tag, rest)) = bytes.split_first() {
            bytes = rest;
            let (step, often) = match tag & KIND {
                AGAIN => (*chunk.0.get(usize::checked_sub(place, 1)?)?, tag & !KIND),
                NOTHING => (None, 1),
                kind => {
                    last = decode_point(&mut bytes, kind, tag & !KIND, &last)?;
                    (Some(last.point), 1)
                }
            };
            place = chunk.put(place, step, often)?;
        }
        Some(chunk)
    }

    /// The same step so often from a place on; the place behind them. Nothing where there is no room.
    fn put(&mut self, place: usize, step: Option<Point>, often: u8) -> Option<usize> {
        let behind = place + usize::from(often);
        self.0.get_mut(place..behind)?.fill(step);
        Some(behind)
    }
}

/// Writes a point, and answers with what the next one is told apart from.
fn encode_point(bytes: &mut Vec<u8>, point: Point, last: &Last) -> Last {
    let Some(whole) = Whole::of(&point) else {
        encode_head(bytes, 0, &point, last);
        write(bytes, &shape(&point, &last.point));
        return Last::rough(point);
    };
    let told = Whole { sum: whole.sum.wrapping_sub(last.sum), ..whole };
    if let Whole { below: below @ 0..8, above: above @ 0..8, sum } = told
        && point.samples == last.point.samples
    {
        bytes.push(WHOLE | (below as u8) << 3 | above as u8);
        write(bytes, &sum);
    } else {
        encode_head(bytes, IS_WHOLE, &point, last);
        write(bytes, &told);
    }
    Last::whole(point, whole)
}

/// What kind of point follows, and its counts where they are others than before.
fn encode_head(bytes: &mut Vec<u8>, is_whole: u8, point: &Point, last: &Last) {
    if point.samples == last.point.samples {
        bytes.push(POINT | is_whole);
    } else {
        bytes.push(POINT | is_whole | IS_COUNTED);
        write(bytes, &point.samples);
    }
}

fn decode_point(bytes: &mut &[u8], kind: u8, more: u8, last: &Last) -> Option<Last> {
    let samples = if kind == WHOLE || more & IS_COUNTED == 0 { last.point.samples } else { read(bytes)? };
    let told = if kind == WHOLE {
        Whole { below: u64::from(more >> 3), above: u64::from(more & 7), sum: read(bytes)? }
    } else if more & IS_WHOLE != 0 {
        read(bytes)?
    } else {
        return Some(Last::rough(shaped(read(bytes)?, &last.point, samples)));
    };
    let whole = Whole { sum: told.sum.wrapping_add(last.sum), ..told };
    Some(Last::whole(whole.point(samples)?, whole))
}

/// As chunks were written before they had a version.
mod runs {
    use serde::Deserialize;

    use super::{Chunk, Counts, Last, Shape, shaped};

    #[derive(Deserialize)]
    enum Run {
        Nothing(u8),
        /// Of as many samples as the point before.
        Like(u8, Shape),
        Counted(u8, Shape, Counts),
    }

    pub fn decode(bytes: &[u8]) -> Option<Chunk> {
        let runs: Vec<Run> = postcard::from_bytes(bytes).ok()?;
        let mut chunk = Chunk::default();
        let (mut place, mut last) = (0, Last::NONE.point);
        for run in runs {
            let (often, step) = match run {
                Run::Nothing(often) => (often, None),
                Run::Like(often, shape) => (often, Some(shaped(shape, &last, last.samples))),
                Run::Counted(often, shape, samples) => (often, Some(shaped(shape, &last, samples))),
            };
            last = step.unwrap_or(last);
            place = chunk.put(place, step, often)?;
        }
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Some are made of whole numbers, some only look as if.
    fn any_point() -> impl Strategy<Value = Option<Point>> {
        let value = prop_oneof![0_i64..300, any::<i32>().prop_map(i64::from)];
        let counts = (prop_oneof![Just(12_u32), 0_u32..720], 0_u32..3, 0_u32..3);
        let rough = (value, 0_i64..500, 0_i64..500, counts).prop_map(|(avg, below, above, counts)| Point {
            avg,
            min: avg - below,
            max: avg + above,
            samples: Counts { known: counts.0, zero: counts.1, unknown: counts.2 },
        });
        let whole = prop::collection::vec(prop::option::weighted(0.9, 0_i64..40), 12)
            .prop_map(|samples| Point::over(samples.iter().map(|n| Point::of(n.map(|n| n * 100)))).unwrap());
        let vast = any::<(i64, i64, i64, u32)>().prop_map(|(avg, min, max, known)| Point {
            avg,
            min: min.min(avg),
            max: max.max(avg),
            samples: Counts { known, zero: 0, unknown: 0 },
        });
        prop::option::of(prop_oneof![rough, whole, vast])
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
    fn what_was_written_before_there_was_a_version_is_read() {
        // Twice 12 of one sample, a step of which nothing is known, and 10, up to 11, of as many.
        let written = [3, 2, 2, 0xe0, 0x12, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0x8f, 0x03, 0, 100];
        let mut chunk = Chunk::default();
        let last = Point { avg: 1000, min: 1000, max: 1100, ..Point::of(Some(1000)) };
        chunk.0[..4].copy_from_slice(&[Some(Point::of(Some(1200))), Some(Point::of(Some(1200))), None, Some(last)]);
        assert_eq!(Chunk::decode(&written), Some(chunk));
    }

    #[test]
    fn a_minute_of_listeners_who_come_and_go_takes_two_bytes_and_five_more_with_its_counts() {
        let varied = |counted: bool| {
            let mut chunk = Chunk::default();
            for (n, point) in (0_i64..).zip(&mut chunk.0) {
                let mut samples: Vec<Point> = (0..12).map(|s| Point::of(Some((20 + n % 7 + s % 3) * 100))).collect();
                if counted && n % 2 == 0 {
                    samples[0] = Point::of(Some(0));
                }
                *point = Point::over(samples);
            }
            assert_eq!(Chunk::decode(&chunk.encode()), Some(chunk.clone()));
            chunk.encode().len()
        };
        assert!(varied(false) <= 60 * 2 + 20, "{}", varied(false));
        assert!(varied(true) <= 60 * 7 + 10, "{}", varied(true));
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
