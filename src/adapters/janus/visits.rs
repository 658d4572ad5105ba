//! Which stay of a streamer in its room is which: it may leave and come back under the same id. Pure.

use std::collections::HashMap;

use sattva_actors::clock::WallTime;

use super::answer::Id;

/// One stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// `501.1764125698123`: who, and since when it has been seen, in milliseconds.
    pub name: String,
    pub since: WallTime,
}

/// A kicked participant is still listed for a moment: for so many looks at most.
const LINGERS: u8 = 1;

#[derive(Clone, Debug)]
struct Stay {
    who: String,
    visit: Visit,
    /// It was sent away: the looks that may still show it.
    lingers: Option<u8>,
}

/// By the room's name.
#[derive(Clone, Debug, Default)]
pub struct Visits(HashMap<String, Stay>);

impl Visits {
    /// A stay as it was called before the daemon was restarted.
    pub fn recall(&mut self, room: &str, name: &str) {
        let Some((who, since)) = name.rsplit_once('.') else { return };
        let Ok(since) = since.parse() else { return };
        let visit = Visit { name: name.to_owned(), since: WallTime::from_millis(since) };
        self.0.insert(room.to_owned(), Stay { who: who.to_owned(), visit, lingers: None });
    }

    /// The stay of one of those who seem to stream in a room at a look: of whom was there before, if it still is.
    pub fn visit(&mut self, now: WallTime, room: &str, who: &[Id]) -> Option<(Id, Visit)> {
        if let Some(stay) = self.0.get_mut(room)
            && let Some(same) = who.iter().find(|id| id.to_string() == stay.who)
        {
            match &mut stay.lingers {
                Some(0) => {}
                Some(looks) => {
                    *looks -= 1;
                    return Some((same.clone(), stay.visit.clone()));
                }
                None => return Some((same.clone(), stay.visit.clone())),
            }
        }
        let first = who.first()?.clone();
        let visit = Visit { name: format!("{first}.{}", now.as_millis()), since: now };
        self.0.insert(room.to_owned(), Stay { who: first.to_string(), visit: visit.clone(), lingers: None });
        Some((first, visit))
    }

    /// Who is there was sent away; whoever is seen under the same id after that has come back.
    pub fn send_away(&mut self, room: &str) {
        if let Some(stay) = self.0.get_mut(room) {
            stay.lingers = Some(LINGERS);
        }
    }

    /// A look has shown the streamers of these rooms and of no other.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|room, _| is_there(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(visits: &mut Visits, now: i64, who: u64) -> String {
        visits.visit(WallTime::from_millis(now), "/1234", &[Id::Number(who)]).unwrap().1.name
    }

    #[test]
    fn a_stay_keeps_its_name_while_every_look_shows_it() {
        let mut visits = Visits::default();
        assert_eq!(name(&mut visits, 1000, 501), "501.1000");
        visits.keep(|room| room == "/1234");
        // Whatever the clock says.
        assert_eq!(name(&mut visits, 3_601_000, 501), "501.1000");
        assert_eq!(name(&mut visits, 500, 501), "501.1000");
    }

    #[test]
    fn who_was_away_at_a_look_or_was_sent_away_has_come_back() {
        let mut visits = Visits::default();
        name(&mut visits, 1000, 501);
        visits.keep(|_| false);
        assert_eq!(name(&mut visits, 2000, 501), "501.2000");
        visits.send_away("/1234");
        // Not yet gone.
        assert_eq!(name(&mut visits, 2500, 501), "501.2000");
        assert_eq!(name(&mut visits, 3000, 501), "501.3000");
        assert_eq!(name(&mut visits, 3500, 501), "501.3000");
    }

    #[test]
    fn another_participant_is_another_stay() {
        let mut visits = Visits::default();
        name(&mut visits, 1000, 501);
        assert_eq!(name(&mut visits, 2000, 502), "502.2000");
    }

    #[test]
    fn a_namesake_who_comes_later_takes_no_stay_over() {
        let mut visits = Visits::default();
        name(&mut visits, 1000, 501);
        let both = [Id::Number(7), Id::Number(501)];
        let (who, visit) = visits.visit(WallTime::from_millis(2000), "/1234", &both).unwrap();
        assert_eq!((who, visit.name.as_str()), (Id::Number(501), "501.1000"));
    }

    #[test]
    fn a_stay_keeps_its_name_when_the_daemon_is_restarted() {
        let mut visits = Visits::default();
        visits.recall("/1234", "501.1000");
        visits.recall("/9", "nonsense");
        assert_eq!(name(&mut visits, 99_000, 501), "501.1000");
        visits.recall("/1234", "anna.b.1000");
        let (_, visit) = visits.visit(WallTime::from_millis(5), "/1234", &[Id::Text("anna.b".into())]).unwrap();
        assert_eq!(visit.since, WallTime::from_millis(1000));
    }
}
