use serde_json::Value;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at_work() -> (World, Studio) {
    (World::new(1, 20, 4.0), Studio::new(0, 20, WallTime::from_millis(1_700_000_000_000)))
}

fn answer(commands: Vec<Command>) -> Answer {
    Answer { report_every_seconds: 5.0, commands }
}

/// The next request as JSON.
fn said(studio: &mut Studio, world: &World, now: Duration) -> Option<Value> {
    studio.request(world, now).map(|body| serde_json::from_slice(&body).unwrap())
}

/// A stop of the studio's first empty channel, guarded as the daemon guards it.
fn a_stop(studio: &Studio, world: &World) -> (usize, Command) {
    let empty = |c: &&usize| world.channel(**c).on_air && world.channel(**c).session.listeners == 0;
    let channel = *studio.channels.iter().find(empty).expect("one is empty");
    let session = &world.channel(channel).session;
    let command = Command {
        id: "stop-1".into(),
        kind: "stop".into(),
        channel_id: world.channel(channel).name.clone(),
        session: studio.session_id(session.number),
        valid_for_seconds: 60,
        only_if: Some(OnlyIf { listeners_at_most: 0, joins: Some(session.joins) }),
    };
    (channel, command)
}

fn acks_of(request: &Value) -> Vec<(&str, &str)> {
    let acks = request["acks"].as_array().unwrap();
    acks.iter().map(|ack| (ack["id"].as_str().unwrap(), ack["outcome"].as_str().unwrap())).collect()
}

#[test]
fn everything_on_air_is_reported_at_first_and_every_interval_with_a_rising_seq() {
    let (mut world, mut studio) = at_work();
    let first = said(&mut studio, &world, Duration::ZERO).unwrap();
    assert_eq!(first["reports"].as_array().unwrap().len(), 7);
    assert_eq!(first["reports"][0]["seq"], 1);
    studio.accepted(&mut world, Duration::ZERO, Duration::ZERO, answer(vec![]));
    assert_eq!(said(&mut studio, &world, SECOND), None);
    let second = said(&mut studio, &world, 5 * SECOND).unwrap();
    assert_eq!(second["reports"][0]["seq"], 2);
    assert_eq!(second["reports"][0]["session"], first["reports"][0]["session"]);
}

#[test]
fn a_stop_is_carried_out_acknowledged_and_reported_in_the_next_request() {
    let (mut world, mut studio) = at_work();
    said(&mut studio, &world, Duration::ZERO);
    let (channel, stop) = a_stop(&studio, &world);
    world.step(Duration::ZERO);
    studio.accepted(&mut world, Duration::ZERO, Duration::ZERO, answer(vec![stop]));
    for event in world.step(SECOND) {
        studio.note(&event);
    }
    let next = said(&mut studio, &world, SECOND).unwrap();
    assert_eq!(acks_of(&next), [("stop-1", "ok")]);
    let name = world.channel(channel).name.as_str();
    let report = next["reports"].as_array().unwrap().iter().find(|r| r["channel_id"] == name).unwrap();
    assert_eq!((report["state"].as_str(), report["seq"].as_u64()), (Some("stopped"), Some(2)));
}

#[test]
fn a_command_delivered_twice_is_answered_the_same() {
    let (mut world, mut studio) = at_work();
    let (_, stop) = a_stop(&studio, &world);
    said(&mut studio, &world, Duration::ZERO);
    studio.accepted(&mut world, Duration::ZERO, Duration::ZERO, answer(vec![stop.clone()]));
    said(&mut studio, &world, SECOND);
    studio.accepted(&mut world, SECOND, Duration::ZERO, answer(vec![stop]));
    assert_eq!(acks_of(&said(&mut studio, &world, 2 * SECOND).unwrap()), [("stop-1", "ok")]);
}

#[test]
fn a_stop_that_came_too_late_or_for_another_session_is_refused() {
    let (mut world, mut studio) = at_work();
    let (channel, stop) = a_stop(&studio, &world);
    let late = Command { id: "late".into(), ..stop.clone() };
    let other = Command { id: "other".into(), session: "somebody-elses".into(), ..stop.clone() };
    let strange = Command { id: "strange".into(), kind: "dance".into(), ..stop };
    said(&mut studio, &world, Duration::ZERO);
    studio.accepted(&mut world, SECOND, 61 * SECOND, answer(vec![late]));
    studio.accepted(&mut world, SECOND, Duration::ZERO, answer(vec![other, strange]));
    let next = said(&mut studio, &world, SECOND).unwrap();
    assert_eq!(acks_of(&next), [("late", "refused"), ("other", "refused"), ("strange", "error")]);
    assert!(world.channel(channel).on_air);
}

#[test]
fn while_the_daemon_is_away_it_is_tried_ever_less_often_and_nothing_is_lost() {
    let (mut world, mut studio) = at_work();
    let (_, stop) = a_stop(&studio, &world);
    said(&mut studio, &world, Duration::ZERO);
    studio.accepted(&mut world, Duration::ZERO, Duration::ZERO, answer(vec![stop]));
    let mut now = SECOND;
    let mut tries = Vec::new();
    while now < 60 * SECOND {
        if let Some(request) = said(&mut studio, &world, now) {
            assert_eq!(acks_of(&request), [("stop-1", "ok")]);
            assert_eq!(studio.failed(now), tries.is_empty());
            tries.push(now);
        }
        now += Duration::from_millis(250);
    }
    let pauses: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.is_sorted() && *pauses.last().unwrap() == 10 * SECOND, "{pauses:?}");
    said(&mut studio, &world, 70 * SECOND).unwrap();
    studio.accepted(&mut world, 70 * SECOND, Duration::ZERO, answer(vec![]));
    assert!(!studio.is_cut_off());
    assert!(acks_of(&said(&mut studio, &world, 80 * SECOND).unwrap()).is_empty());
}

#[test]
fn two_runs_never_share_a_session() {
    let (_, first) = at_work();
    let second = Studio::new(0, 20, WallTime::from_millis(1_700_000_000_001));
    assert_ne!(first.session_id(1), second.session_id(1));
}
