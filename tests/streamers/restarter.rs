//! Something that starts a program again whenever it ends.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::process::Process;

/// A program that was ended is started again after this.
const PAUSE: Duration = Duration::from_millis(200);
/// Starts at most: far more than a story sees.
const STARTS_MAX: u32 = 200;

/// Ends with what it started.
pub struct Restarter {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Restarter {
    pub fn of(command: impl Fn() -> Command + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            for _ in 0..STARTS_MAX {
                let mut process = Process::start(&mut command());
                while process.is_running() && !is_over.load(Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                if is_over.load(Relaxed) {
                    return;
                }
                std::thread::sleep(PAUSE);
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Restarter {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
