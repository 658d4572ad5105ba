//! Waiting for what must come true, however slow the machine is.

use std::{future::Future, time::Duration};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Far longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Looks again and again until there is an answer.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let answer = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(LIMIT, answer).await {
        Ok(found) => found,
        Err(_) => panic!("waited {} s in vain: {what}", LIMIT.as_secs()),
    }
}

/// Looks for that long and finds it true each time.
pub async fn stays<F: Future<Output = bool>>(what: &str, time: Duration, mut look: impl FnMut() -> F) {
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < time {
        assert!(look().await, "not so after {:?}: {what}", begun.elapsed());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
