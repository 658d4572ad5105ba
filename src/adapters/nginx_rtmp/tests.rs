use std::time::Duration;

use sattva_actors::clock::{Timestamp, WallTime};

use super::*;

fn at(secs: u64) -> Now {
    Now { at: Timestamp::from_secs(1000 + secs), wall: WallTime::from_millis(1_900_000_000_000 + secs as i64 * 1000) }
}

/// A client that has been there for so many seconds.
fn client(id: u64, seconds: u64) -> Client {
    Client {
        id: Some(id),
        address: "192.0.2.1".into(),
        flashver: "LNX 9,0,124,2".into(),
        connected: Some(Duration::from_secs(seconds)),
        publishes: false,
    }
}

fn publisher(id: u64, seconds: u64) -> Client {
    Client { publishes: true, ..client(id, seconds) }
}

fn stream(name: &str, clients: Vec<Client>) -> Stream {
    let counted = Some(clients.len());
    Stream { server: 0, application: "live".into(), name: name.into(), clients, counted }
}

fn stat(streams: Vec<Stream>) -> Stat {
    Stat { version: vec![1, 1, 4], pid: Some(7), uptime: Some(Duration::from_secs(500)), streams }
}

fn seen() -> Seen {
    Seen::new(true, Vec::new(), Ignored::default())
}

/// Each broadcast as `name listeners connection`.
fn told(broadcasts: &[Broadcast]) -> Vec<String> {
    let line = |b: &Broadcast| {
        let count = b.listeners.map_or("?".to_owned(), |n| n.to_string());
        format!("{} {count} {}", b.name, b.connection.split('.').next().unwrap())
    };
    broadcasts.iter().map(line).collect()
}

fn look(seen: &mut Seen, secs: u64, streams: Vec<Stream>) -> Vec<String> {
    told(&seen.look(at(secs), stat(streams)).unwrap())
}

#[test]
fn the_publisher_is_no_listener_and_every_other_client_is_one() {
    let clients = vec![client(5, 1), publisher(2, 9), client(6, 0)];
    assert_eq!(look(&mut seen(), 0, vec![stream("a", clients)]), ["/live/a 2 2"]);
    assert_eq!(look(&mut seen(), 0, vec![stream("a", vec![publisher(2, 9)])]), ["/live/a 0 2"]);
}

#[test]
fn players_that_wait_where_nobody_publishes_are_no_stream() {
    assert!(look(&mut seen(), 0, vec![stream("a", vec![client(5, 1)]), stream("b", vec![])]).is_empty());
}

#[test]
fn a_relay_is_a_listener_until_the_configuration_says_otherwise() {
    let relay = Client { address: "198.51.100.1:1935/live".into(), flashver: "ngx-local-relay".into(), ..client(3, 9) };
    let streams = || vec![stream("a", vec![publisher(2, 9), relay.clone(), client(5, 1)])];
    assert_eq!(look(&mut seen(), 0, streams()), ["/live/a 2 2"]);
    let ignoring = |addresses: &[&str], flashvers: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let ignored = Ignored { addresses: owned(addresses), flashvers: owned(flashvers) };
        look(&mut Seen::new(true, Vec::new(), ignored), 0, streams())
    };
    assert_eq!(ignoring(&["198.51.100.1:1935/live"], &[]), ["/live/a 1 2"]);
    assert_eq!(ignoring(&[], &["ngx-local-relay"]), ["/live/a 1 2"]);
    // Only the whole text counts.
    assert_eq!(ignoring(&["198.51.100.1"], &["ngx"]), ["/live/a 2 2"]);
}

#[test]
fn where_others_than_players_of_rtmp_may_listen_nobody_by_rtmp_is_unknown() {
    let mut seen = Seen::new(false, Vec::new(), Ignored::default());
    assert_eq!(look(&mut seen, 0, vec![stream("a", vec![publisher(2, 9)])]), ["/live/a ? 2"]);
    assert_eq!(look(&mut seen, 1, vec![stream("a", vec![publisher(2, 10), client(5, 1)])]), ["/live/a 1 2"]);
}

#[test]
fn of_two_publishers_of_one_stream_nobody_knows_who_listens() {
    assert_eq!(look(&mut seen(), 0, vec![stream("a", vec![publisher(2, 9), publisher(3, 8)])]), ["/live/a ? 2"]);
}

#[test]
fn where_not_every_client_is_listed_the_count_is_unknown() {
    let cut = Stream { counted: Some(3), ..stream("a", vec![publisher(2, 9)]) };
    assert_eq!(look(&mut seen(), 0, vec![cut]), ["/live/a ? 2"]);
}

#[test]
fn a_publisher_that_cannot_be_told_from_the_next_makes_the_whole_doubtful() {
    for nameless in [Client { id: None, ..publisher(2, 9) }, Client { connected: None, ..publisher(2, 9) }] {
        assert!(seen().look(at(0), stat(vec![stream("a", vec![nameless])])).is_err());
    }
}

#[test]
fn a_publisher_that_is_back_is_another_connection_and_keeps_its_name_while_it_stays() {
    let mut seen = seen();
    let mut name = |secs, id, lasted| {
        let streams = vec![stream("a", vec![publisher(id, lasted)])];
        seen.look(at(secs), stat(streams)).unwrap()[0].connection.clone()
    };
    let first = name(0, 2, 9);
    assert_eq!(name(5, 2, 14), first);
    let second = name(10, 8, 1);
    assert_ne!(second, first);
    assert_eq!(name(15, 8, 6), second);
    // nginx was started anew and gives the same number.
    assert_ne!(name(20, 8, 2), second);
}

#[test]
fn two_streams_of_one_name_in_two_servers_are_two_channels_and_two_targets() {
    let second = Stream { server: 1, ..stream("a", vec![publisher(4, 9), client(5, 1)]) };
    let mut seen = seen();
    assert_eq!(look(&mut seen, 0, vec![stream("a", vec![publisher(2, 9)]), second]), ["/live/a 0 2", "/live/a@1 1 4"]);
    let target = |name: &str| (seen.targets[name].server, seen.targets[name].client);
    assert_eq!((target("/live/a"), target("/live/a@1")), ((0, 2), (1, 4)));
}

#[test]
fn of_two_streams_that_are_shown_under_one_name_nobody_knows_who_listens() {
    let streams = || vec![stream("  ", vec![publisher(2, 9)]), stream("  ", vec![publisher(3, 9), client(4, 1)])];
    assert_eq!(look(&mut seen(), 0, streams()), ["/live/   ? 2"]);
}

#[test]
fn a_publisher_is_dropped_by_its_id_and_only_where_that_is_understood() {
    let target = |version: &[u32]| {
        let mut seen = seen();
        let stat = Stat { version: version.to_vec(), ..stat(vec![stream("a", vec![publisher(2, 9)])]) };
        seen.look(at(0), stat).unwrap();
        seen.target("/live/a").unwrap()
    };
    assert_eq!(target(&[1, 1, 4]), Ok(Target { server: 0, client: 2 }));
    assert_eq!(target(&[1, 2]), Ok(Target { server: 0, client: 2 }));
    for older in [&[1, 1, 3][..], &[1, 1], &[0, 9, 20], &[]] {
        assert!(target(older).unwrap_err().contains("1.1.4"), "{older:?}");
    }
    assert_eq!(seen().target("/live/a"), None);
}

#[test]
fn only_the_applications_asked_for_are_watched() {
    let mut seen = Seen::new(true, vec!["live".into()], Ignored::default());
    let other = Stream { application: "test".into(), ..stream("b", vec![publisher(3, 1)]) };
    assert_eq!(look(&mut seen, 0, vec![other, stream("a", vec![publisher(2, 9)])]), ["/live/a 0 2"]);
}

#[test]
fn the_answer_of_another_worker_tells_nothing() {
    let mut seen = seen();
    let heard = || stat(vec![stream("a", vec![publisher(2, 9), client(5, 1)])]);
    assert!(seen.look(at(0), heard()).is_ok());
    let other = Stat { pid: Some(8), uptime: Some(Duration::from_secs(505)), ..stat(Vec::new()) };
    let failure = seen.look(at(5), other).unwrap_err();
    assert!(failure.todo(&NginxRtmp::KIND).contains("worker_processes"), "{failure}");
    // Its target is still the one of the last good look.
    assert!(seen.look(at(10), heard()).is_err());
}

#[test]
fn a_stream_that_workers_pass_on_to_each_other_tells_nothing() {
    let relay = Client { address: "unix:/tmp/nginx-rtmp.1".into(), flashver: "ngx-local-relay".into(), ..client(3, 9) };
    assert!(seen().look(at(0), stat(vec![stream("a", vec![publisher(2, 9), relay])])).is_err());
}

#[test]
fn a_session_goes_on_when_the_daemon_is_restarted() {
    let mut before = seen();
    let streams = |secs: u64| vec![stream("ж a", vec![publisher(2, 9 + secs)])];
    let first = before.look(at(0), stat(streams(0))).unwrap().remove(0);
    let session = names::session(&first.name, &first.connection);
    let mut after = seen();
    after.recall(&session);
    assert_eq!(after.look(at(60), stat(streams(60))).unwrap()[0].connection, first.connection);
}
