//! How the kernel schedules the daemon's threads.

/// Asks for SCHED_BATCH, which all threads started later inherit: a thread that is woken does not push
/// the one that woke it off its core. HTTP workers and actors wake each other for every request, so on a
/// busy core this is the difference between one switch per message and one per bunch (half again as many
/// requests on one core); on an idle one nothing changes. A sandbox that forbids it costs
/// only that; a systemd unit sets the same by `CPUSchedulingPolicy=batch`.
#[cfg(not(target_env = "musl"))]
#[expect(unsafe_code, reason = "no crate at hand sets this policy without touching the niceness too")]
pub fn wake_without_preempting() -> bool {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a live value of the right type, and 0 means the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) == 0 }
}

/// musl's call is always refused: there the unit sets the policy, or nobody.
#[cfg(target_env = "musl")]
pub const fn wake_without_preempting() -> bool {
    false
}
