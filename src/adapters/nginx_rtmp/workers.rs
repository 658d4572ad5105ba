//! Whether one worker of nginx answers or several by turns: each sees its own clients only. Pure.

use std::time::Duration;

use sattva_actors::clock::Timestamp;

use super::stat::{Stat, Stream};

/// A worker tells its age in whole seconds, and a look takes a while.
const ROUNDING: Duration = Duration::from_secs(3);
/// Workers of one start begin within this of each other, as far as whole seconds tell.
const TOGETHER: Duration = Duration::from_millis(2500);

#[derive(Clone, Debug, Default)]
pub struct Workers {
    /// Who answered last, when it was asked, and how old it was.
    last: Option<(u32, Timestamp, Duration)>,
    /// Two that run at the same time have answered; the last time that was seen.
    several: Option<Timestamp>,
}

impl Workers {
    /// Whether an answer, sent for at `sent`, may be all there is to see.
    pub fn is_only_one(&mut self, sent: Timestamp, stat: &Stat) -> bool {
        let age = stat.uptime.unwrap_or(Duration::MAX);
        if let Some(pid) = stat.pid {
            let before = self.last.replace((pid, sent, age));
            // One that began after that answer has taken its place: nginx was started anew or reloaded.
            let is_beside = |(other, seen, its_age): (u32, Timestamp, Duration)| {
                let passed = sent.since(seen);
                let ran_already = age > passed + ROUNDING;
                let began_together = age.abs_diff(its_age.saturating_add(passed)) < TOGETHER;
                other != pid && (ran_already || began_together)
            };
            if before.is_some_and(is_beside) {
                self.several = Some(sent);
            } else if self.several.is_some_and(|seen| age + ROUNDING < sent.since(seen)) {
                self.several = None;
            }
        }
        self.several.is_none() && !stat.streams.iter().any(is_relayed_between_workers)
    }
}

/// `rtmp_auto_push` passes a stream from worker to worker over sockets of its own.
fn is_relayed_between_workers(stream: &Stream) -> bool {
    stream.clients.iter().any(|client| client.address.starts_with("unix:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::nginx_rtmp::stat::Client;

    /// Looks at `(second, pid, uptime)`, and after which of them one worker alone is believed.
    fn looks(looks: &[(u64, u32, u64)]) -> Vec<bool> {
        let mut workers = Workers::default();
        let look = |&(at, pid, uptime): &(u64, u32, u64)| {
            let stat = Stat { pid: Some(pid), uptime: Some(Duration::from_secs(uptime)), ..Stat::default() };
            workers.is_only_one(Timestamp::from_secs(1000 + at), &stat)
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn one_worker_that_answers_again_and_again_is_the_only_one() {
        assert_eq!(looks(&[(0, 7, 100), (5, 7, 105), (10, 7, 110)]), [true; 3]);
    }

    #[test]
    fn a_worker_that_ran_already_when_another_answered_is_one_of_several() {
        assert_eq!(looks(&[(0, 7, 100), (5, 8, 105), (10, 8, 110), (15, 7, 115)]), [true, false, false, false]);
    }

    #[test]
    fn two_young_workers_that_began_together_are_several() {
        assert_eq!(looks(&[(0, 7, 0), (1, 8, 1), (2, 7, 2)]), [true, false, false]);
    }

    #[test]
    fn a_younger_worker_has_taken_the_place_of_the_one_before() {
        assert_eq!(looks(&[(0, 7, 100), (5, 8, 2), (10, 8, 7)]), [true; 3]);
        // Reloaded between two looks in quick succession.
        assert_eq!(looks(&[(0, 7, 100), (1, 8, 1)]), [true; 2]);
    }

    #[test]
    fn several_workers_are_forgotten_when_nginx_is_started_anew() {
        assert_eq!(looks(&[(0, 7, 100), (5, 8, 105), (60, 9, 5), (65, 9, 10)]), [true, false, true, true]);
    }

    #[test]
    fn a_worker_without_an_age_is_taken_for_an_old_one() {
        let mut workers = Workers::default();
        let stat = |pid| Stat { pid: Some(pid), ..Stat::default() };
        assert!(workers.is_only_one(Timestamp::from_secs(1), &stat(7)));
        assert!(!workers.is_only_one(Timestamp::from_secs(2), &stat(8)));
    }

    #[test]
    fn a_stream_that_is_passed_on_over_a_socket_of_this_machine_has_several_workers() {
        let client = Client { address: "unix:/tmp/nginx-rtmp.1".into(), ..Client::default() };
        let stat = Stat { streams: vec![Stream { clients: vec![client], ..Stream::default() }], ..Stat::default() };
        assert!(!Workers::default().is_only_one(Timestamp::from_secs(1), &stat));
    }
}
