//! Time, read once per input at the edge and handed to every decision as an argument.

use std::{
    num::NonZeroU64,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// A point on `CLOCK_BOOTTIME`: microseconds since the machine booted, suspend included.
///
/// Every decision is made on this scale; it never runs backwards and no administrator can set it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Timestamp(
    /// One more than the microseconds: `Option<Timestamp>` is no larger, and channels keep many.
    NonZeroU64,
);

impl Timestamp {
    pub const ZERO: Self = Self::from_micros(0);
    pub const NEVER: Self = Self(NonZeroU64::MAX);

    pub const fn from_micros(micros: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(micros))
    }

    pub const fn from_secs(secs: u64) -> Self {
        Self::from_micros(secs * 1_000_000)
    }

    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    #[must_use]
    pub const fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(Span::of(by).0))
    }

    #[must_use]
    pub const fn minus(self, by: Duration) -> Self {
        Self::from_micros(self.as_micros().saturating_sub(Span::of(by).0))
    }

    /// Time from `earlier` until `self`; zero when `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.as_micros().saturating_sub(earlier.as_micros()))
    }
}

/// Microseconds from one point to another, which may be the earlier one.
const fn from_to(from: Timestamp, to: Timestamp) -> i64 {
    to.as_micros().cast_signed().saturating_sub(from.as_micros().cast_signed())
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::ZERO
    }
}

impl From<u64> for Timestamp {
    fn from(micros: u64) -> Self {
        Self::from_micros(micros)
    }
}

impl From<Timestamp> for u64 {
    fn from(at: Timestamp) -> Self {
        at.as_micros()
    }
}

impl std::fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} µs", self.as_micros())
    }
}

/// A length of time in microseconds: half the size of a [`Duration`], and channels keep many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Duration", into = "Duration")]
pub struct Span(u64);

impl Span {
    pub const ZERO: Self = Self(0);

    /// What is longer than half a million years is cut to that.
    pub const fn of(length: Duration) -> Self {
        let micros = length.as_micros();
        Self(if micros > u64::MAX as u128 { u64::MAX } else { micros as u64 })
    }

    pub const fn get(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

impl From<Duration> for Span {
    fn from(length: Duration) -> Self {
        Self::of(length)
    }
}

impl From<Span> for Duration {
    fn from(length: Span) -> Self {
        length.get()
    }
}

/// Wall time in milliseconds since 1970, for people and for other machines; no decision rests on it
/// except across a reboot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub struct WallTime(
    /// The milliseconds with their sign turned, which keeps their order and leaves 0 to `None`.
    NonZeroU64,
);

impl WallTime {
    pub const fn from_millis(millis: i64) -> Self {
        match NonZeroU64::new(millis.cast_unsigned() ^ SIGN) {
            Some(bits) => Self(bits),
            // The one moment that cannot be told, 292 million years ago.
            None => Self(NonZeroU64::MIN),
        }
    }

    pub const fn as_millis(self) -> i64 {
        (self.0.get() ^ SIGN).cast_signed()
    }

    /// Reads any RFC 3339 timestamp, whatever its offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Self::from_millis(at.as_millisecond()))
    }
}

const SIGN: u64 = 1 << 63;
/// The end of the year 9999.
const LAST_TOLD: i64 = 253_402_300_799_999;

impl Default for WallTime {
    fn default() -> Self {
        Self::from_millis(0)
    }
}

impl From<i64> for WallTime {
    fn from(millis: i64) -> Self {
        Self::from_millis(millis)
    }
}

impl From<WallTime> for i64 {
    fn from(at: WallTime) -> Self {
        at.as_millis()
    }
}

impl std::fmt::Debug for WallTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ms", self.as_millis())
    }
}

impl std::fmt::Display for WallTime {
    /// RFC 3339, UTC, milliseconds: what cannot be told so is told as the first or the last moment that can.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since_epoch = Duration::from_millis(self.as_millis().clamp(0, LAST_TOLD) as u64);
        humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since_epoch).fmt(f)
    }
}

/// What one reading of the clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    pub at: Timestamp,
    pub wall: WallTime,
}

impl Now {
    /// The wall time of another point on the boot clock, as seen from here.
    pub fn wall_of(self, at: Timestamp) -> WallTime {
        let delta = from_to(self.at, at);
        // Rounded up: a deadline shown to people is never before the real one.
        let millis = delta.div_euclid(1000) + i64::from(delta.rem_euclid(1000) > 0);
        WallTime::from_millis(self.wall.as_millis().saturating_add(millis))
    }
}

/// Where time comes from: the kernel, or tokio's clock, which a test can pause and advance.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    System,
    /// The wall clock may be set meanwhile, by so many milliseconds.
    Runtime {
        wall0: WallTime,
        mono0: tokio::time::Instant,
        set_by: &'static AtomicI64,
    },
}

impl Clock {
    /// A clock that follows tokio's time, for stories in virtual time.
    pub fn runtime(wall0: WallTime) -> Self {
        static NEVER_SET: AtomicI64 = AtomicI64::new(0);
        Self::Runtime { wall0, mono0: tokio::time::Instant::now(), set_by: &NEVER_SET }
    }

    pub fn now(&self) -> Now {
        match *self {
            Self::System => {
                let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                let wall = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
                Now {
                    at: Timestamp::from_micros(boot.tv_sec as u64 * 1_000_000 + boot.tv_nsec as u64 / 1000),
                    wall: WallTime::from_millis(wall.tv_sec * 1000 + wall.tv_nsec / 1_000_000),
                }
            }
            Self::Runtime { wall0, mono0, set_by } => {
                let elapsed = mono0.elapsed();
                // Virtual worlds begin an hour after their boot: "an hour ago" exists.
                let at = Timestamp::from_secs(3600).plus(elapsed);
                let wall = wall0.as_millis() + elapsed.as_millis() as i64 + set_by.load(Relaxed);
                Now { at, wall: WallTime::from_millis(wall) }
            }
        }
    }
}

/// Which boot a [`Timestamp`] belongs to; timestamps of two boots cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct BootId(u128);

impl BootId {
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// The kernel's id of this boot; `None` where /proc does not show it.
    pub fn of_this_boot() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        u128::from_str_radix(&text.trim().replace('-', ""), 16).ok().map(Self)
    }
}

/// A reading of the clock that can be compared after a restart and even after a reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub boot: BootId,
    pub now: Now,
}

impl Stamp {
    /// Moves a timestamp onto the scale of `here` as if no time had passed between the two readings.
    pub fn at_once(self, at: Timestamp, here: Self) -> Timestamp {
        self.carry_over(at, here, 0)
    }

    /// Moves a timestamp taken on this stamp's scale onto the scale of `here`: unchanged within one
    /// boot, by the wall clock across boots.
    pub fn carry(self, at: Timestamp, here: Self) -> Timestamp {
        if self.boot == here.boot {
            return at;
        }
        let wall_passed = here.now.wall.as_millis().saturating_sub(self.now.wall.as_millis()).saturating_mul(1000);
        self.carry_over(at, here, wall_passed)
    }

    /// As if so many microseconds had passed between the two readings. What never comes does not come later either.
    fn carry_over(self, at: Timestamp, here: Self, passed: i64) -> Timestamp {
        if at == Timestamp::NEVER {
            return at;
        }
        let now = here.now.at.as_micros().cast_signed();
        let carried = now.saturating_add(from_to(self.now.at, at)).saturating_sub(passed);
        Timestamp::from_micros(carried.max(0).cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: WallTime = WallTime::from_millis(i64::MIN);
    const LAST: WallTime = WallTime::from_millis(i64::MAX);

    #[test]
    fn a_time_that_no_calendar_tells_is_told_as_the_nearest_that_one_does() {
        assert_eq!(WallTime::from_millis(LAST_TOLD).to_string(), "9999-12-31T23:59:59.999Z");
        for late in [WallTime::from_millis(LAST_TOLD + 1), LAST] {
            assert_eq!(late.to_string(), "9999-12-31T23:59:59.999Z");
        }
        assert_eq!(FIRST.to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn no_reading_of_a_clock_is_so_wrong_that_it_cannot_be_reckoned_with() {
        let points = [0, 1, 9_000_000, i64::MAX as u64, 1 + i64::MAX as u64, u64::MAX].map(Timestamp::from_micros);
        let readings =
            points.into_iter().flat_map(|at| [FIRST, WallTime::default(), LAST].map(|wall| Now { at, wall }));
        let stamp = |boot, now| Stamp { boot: BootId::from_u128(boot), now };
        for here in readings.clone() {
            for there in readings.clone() {
                for at in points {
                    let carried =
                        [stamp(1, there).carry(at, stamp(2, here)), stamp(1, there).at_once(at, stamp(2, here))];
                    assert!(at != Timestamp::NEVER || carried == [Timestamp::NEVER; 2], "{there:?} {here:?}");
                    assert!(
                        carried.iter().all(|at| here.wall_of(*at).to_string().len() == 24),
                        "{there:?} {here:?} {at:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_length_of_more_than_all_time_leads_to_the_end_of_it() {
        assert_eq!(Timestamp::from_secs(9).plus(Duration::MAX), Timestamp::NEVER);
        assert_eq!(Timestamp::from_secs(9).minus(Duration::MAX), Timestamp::ZERO);
    }
}
