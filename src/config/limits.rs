//! What a setting may be: a limit on everything, named.

use std::{ops::RangeInclusive, time::Duration};

pub type Counts = RangeInclusive<u64>;
pub type Durations = RangeInclusive<Duration>;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

pub const FILE_BYTES: u64 = 16 * 1024 * 1024;

pub const WORKERS: Counts = 0..=1024;
pub const MAX_BODY_BYTES: Counts = 1024..=1024 * 1024 * 1024;
pub const MAX_REPORTS_PER_REQUEST: Counts = 1..=1_000_000;
pub const MAX_CHANNELS: Counts = 1..=10_000_000;
pub const METRIC_CHANNELS: Counts = 0..=1_000_000;
pub const PORT: Counts = 1..=65_535;
pub const REQUESTS_PER_SECOND: Counts = 1..=1_000_000;
pub const MAX_SESSIONS: Counts = 1..=1_000_000;

pub const SHARE: RangeInclusive<f64> = 0.0..=1.0;

pub const TIMEOUT: Durations = seconds(1, 7 * DAY);
pub const WARNING: Durations = seconds(1, DAY);
pub const WARNINGS: usize = 20;
pub const LOST_AFTER: Durations = seconds(1, 30 * DAY);
pub const BROADCAST_INTERVAL: Durations = millis(100, HOUR);
pub const SAMPLE_INTERVAL: Durations = millis(200, HOUR);
pub const REPORT_INTERVAL: Durations = millis(100, 10 * MINUTE);
pub const FORGET_ENDED_AFTER: Durations = seconds(1, 365 * DAY);
pub const HEARTBEAT: Durations = seconds(1, HOUR);
pub const POLL_INTERVAL: Durations = millis(100, 10 * MINUTE);
pub const REDIS_LEASE: Durations = seconds(2, MINUTE);
pub const SETTLE: Durations = seconds(0, 10 * MINUTE);

pub const CHANNEL_ID_PATTERN: &str = "^[A-Za-z0-9_.:@-]{1,64}$";
pub const CHANNEL_PREFIX_PATTERN: &str = "^[A-Za-z0-9_.:@-]{0,32}$";
pub const CHANNEL_PREFIX_LENGTH: usize = 32;
pub const SERVER_NAME_PATTERN: &str = "^[A-Za-z0-9_.-]{1,32}$";
pub const SERVER_NAME_LENGTH: usize = 32;

const fn seconds(least: u64, most: u64) -> Durations {
    Duration::from_secs(least)..=Duration::from_secs(most)
}

const fn millis(least: u64, most_seconds: u64) -> Durations {
    Duration::from_millis(least)..=Duration::from_secs(most_seconds)
}
