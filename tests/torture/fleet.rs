//! How many daemons a run has, and where they keep what they know: the seed says.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fleet {
    /// One daemon, and a store on a disk of its own.
    Alone,
    /// Three on one Redis, each with its part of the streams.
    Active,
    /// Three on one Redis: one has all streams, and the others stand by.
    Standby,
}

impl Fleet {
    pub const fn of(seed: u64) -> Self {
        match seed {
            _ if seed % 5 == 3 => Self::Alone,
            _ if seed.is_multiple_of(4) => Self::Standby,
            _ => Self::Active,
        }
    }

    pub const fn daemons(self) -> usize {
        if matches!(self, Self::Alone) { 1 } else { 3 }
    }
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alone => "alone",
            // As `store.redis_sharing` has them.
            Self::Active => "active",
            Self::Standby => "standby",
        })
    }
}
