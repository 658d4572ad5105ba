//! Waiting for what must come, without knowing when.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Long enough for a busy machine; nothing that works takes this long.
pub const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until there is something.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, look)
}

pub fn eventually_within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        sleep(LOOK_EVERY);
    }
}

/// Lets time go by that belongs to the story, such as a streamer's rhythm.
pub fn let_pass(time: Duration) {
    sleep(time);
}
