use sattva_actors::clock::{Timestamp, WallTime};

use super::*;

fn at(secs: u64) -> Now {
    Now { at: Timestamp::from_secs(1000 + secs), wall: WallTime::from_millis(secs as i64 * 1000) }
}

fn look(seen: &mut Seen, secs: u64, rooms: &[(u64, u64, u32)]) -> Vec<String> {
    let live = |&(room, streamer, listeners): &(u64, u64, u32)| {
        (Id::Number(room), room::Live { streamers: vec![Id::Number(streamer)], listeners: Some(listeners) })
    };
    let broadcasts = seen.look(at(secs), rooms.iter().map(live).collect());
    broadcasts.iter().map(|b| format!("{} {} {}", b.name, b.listeners.unwrap(), b.connection)).collect()
}

#[test]
fn each_room_with_its_streamer_is_a_stream_of_its_own() {
    let told = look(&mut Seen::default(), 5, &[(1234, 501, 2), (99, 7, 0)]);
    assert_eq!(told, ["/1234 2 501.5000", "/99 0 7.5000"]);
}

#[test]
fn a_streamer_that_was_away_at_a_look_begins_another_session_under_the_same_id() {
    let mut seen = Seen::default();
    look(&mut seen, 5, &[(1234, 501, 0)]);
    assert_eq!(look(&mut seen, 10, &[(1234, 501, 0)]), ["/1234 0 501.5000"]);
    assert!(look(&mut seen, 15, &[]).is_empty());
    assert_eq!(look(&mut seen, 20, &[(1234, 501, 0)]), ["/1234 0 501.20000"]);
}

#[test]
fn a_session_goes_on_when_the_daemon_is_restarted() {
    let mut before = Seen::default();
    look(&mut before, 5, &[(1234, 501, 0)]);
    let mut after = Seen::default();
    after.recall(&names::session("/1234", "501.5000"));
    assert_eq!(look(&mut after, 60, &[(1234, 501, 0)]), ["/1234 0 501.5000"]);
}
