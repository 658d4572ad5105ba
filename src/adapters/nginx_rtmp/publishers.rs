//! What each connection of a publisher is called, from one look to the next. Pure; time is an argument.
//!
//! nginx numbers its connections, and begins again when it is started anew; it tells how long one has
//! lasted, but not since when. So a connection is its number and its start, and a start that differs by
//! less than what requests and clocks take is the same one.

use std::{collections::HashMap, time::Duration};

use sattva_actors::clock::{Now, Timestamp, WallTime};

/// Starts worked out from two looks at one connection differ by less than this.
const SAME_START: Duration = Duration::from_secs(5);

/// One connection of a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// `17.1764125698123`: its number and its start, in milliseconds.
    pub name: String,
    pub started_at: WallTime,
}

#[derive(Clone, Debug)]
struct Known {
    id: u64,
    connection: Connection,
    /// On the daemon's own clock, which no change of the time of day moves; nothing for what was known
    /// before the daemon was restarted.
    start: Option<Start>,
}

/// Below the clock's zero where the daemon's machine is younger than the connection.
type Start = i128;

/// By the stream's name.
#[derive(Clone, Debug, Default)]
pub struct Publishers(HashMap<String, Known>);

impl Publishers {
    /// A connection as it was called before the daemon was restarted.
    pub fn recall(&mut self, stream: &str, name: &str) {
        let Some((id, start)) = name.split_once('.') else { return };
        let (Ok(id), Ok(start)) = (id.parse(), start.parse()) else { return };
        let connection = Connection { name: name.to_owned(), started_at: WallTime::from_millis(start) };
        self.0.insert(stream.to_owned(), Known { id, connection, start: None });
    }

    /// The connection `id`, which has lasted so long at a look sent at `sent`.
    pub fn connection(&mut self, sent: Now, stream: &str, id: u64, lasted: Duration) -> Connection {
        let start = micros(sent.at) - lasted.as_micros() as i128;
        let wall = sent.wall.as_millis() - lasted.as_millis() as i64;
        let is_same = |known: &&Known| {
            let apart = match known.start {
                Some(known) => Duration::from_micros(known.abs_diff(start) as u64),
                None => Duration::from_millis(known.connection.started_at.as_millis().abs_diff(wall)),
            };
            known.id == id && apart < SAME_START
        };
        let connection = match self.0.get(stream).filter(is_same) {
            Some(known) => known.connection.clone(),
            None => Connection { name: format!("{id}.{wall}"), started_at: WallTime::from_millis(wall) },
        };
        self.0.insert(stream.to_owned(), Known { id, connection: connection.clone(), start: Some(start) });
        connection
    }

    /// Forgets every stream but these.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|stream, known| known.start.is_none() || is_there(stream));
    }
}

fn micros(at: Timestamp) -> i128 {
    i128::from(at.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many milliseconds later by the daemon's own clock, and by the time of day.
    fn at(millis: u64, wall: i64) -> Now {
        Now {
            at: Timestamp::from_micros(7_000_000_000 + millis * 1000),
            wall: WallTime::from_millis(1_900_000_000_000 + wall),
        }
    }

    fn name(publishers: &mut Publishers, millis: u64, id: u64, lasted: u64) -> String {
        publishers.connection(at(millis, millis as i64), "/live/a", id, Duration::from_millis(lasted)).name
    }

    #[test]
    fn a_connection_keeps_its_name_however_long_the_answers_take() {
        let mut publishers = Publishers::default();
        let first = name(&mut publishers, 0, 17, 3000);
        assert_eq!(first, "17.1899999997000");
        for (millis, late) in [(5000, 1), (10_000, 900), (15_000, 0), (20_000, 1800)] {
            assert_eq!(name(&mut publishers, millis, 17, 3000 + millis + late), first);
        }
    }

    #[test]
    fn another_number_is_another_connection() {
        let mut publishers = Publishers::default();
        let first = name(&mut publishers, 0, 17, 100);
        assert_ne!(name(&mut publishers, 500, 18, 400), first);
    }

    #[test]
    fn the_same_number_after_a_restart_of_nginx_is_another_connection() {
        let mut publishers = Publishers::default();
        let first = name(&mut publishers, 0, 1, 60_000);
        assert_ne!(name(&mut publishers, 10_000, 1, 1000), first);
    }

    #[test]
    fn a_clock_that_jumps_by_an_hour_changes_no_name() {
        let mut publishers = Publishers::default();
        let first = name(&mut publishers, 0, 17, 3000);
        for wall in [3_600_000, -3_600_000] {
            let lasted = Duration::from_millis(8000);
            assert_eq!(publishers.connection(at(5000, wall), "/live/a", 17, lasted).name, first);
        }
    }

    #[test]
    fn a_connection_keeps_its_name_when_the_daemon_is_restarted() {
        let mut publishers = Publishers::default();
        publishers.recall("/live/a", "17.1899999997000");
        publishers.recall("/live/b", "nonsense");
        publishers.keep(|_| false);
        assert_eq!(name(&mut publishers, 60_000, 17, 63_010), "17.1899999997000");
        let mut publishers = Publishers::default();
        publishers.recall("/live/a", "17.1899999997000");
        assert_ne!(name(&mut publishers, 60_000, 17, 5000), "17.1899999997000");
    }

    #[test]
    fn what_is_there_no_more_is_forgotten() {
        let mut publishers = Publishers::default();
        name(&mut publishers, 0, 17, 3000);
        publishers.keep(|stream| stream == "/live/a");
        assert_eq!(publishers.0.len(), 1);
        publishers.keep(|_| false);
        assert!(publishers.0.is_empty());
    }
}
