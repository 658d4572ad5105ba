//! Several daemons and one real Redis: what is whose, and what becomes of it when one of them falls silent, or
//! Redis itself does.

use std::{
    collections::BTreeSet,
    process::Command,
    time::{Duration, Instant},
};

use redis::{Commands, Connection};
use sattva_actors::{
    protocol::Action,
    store::{
        Committed, Group, Loaded, Store, View,
        redis::{Link, RedisStore, Sharing},
    },
    territory::{SLOTS, Slot, Territory},
};

use crate::{
    redis_server::{RedisServer, free_port},
    shelf::{id, on_the_shelf, pulse, records, wall},
};

const LEASE: Duration = Duration::from_millis(1500);
/// Redis is spoken with for so long before anything is taken whose lease has run out.
const SETTLED: Duration = Duration::from_millis(3200);
const PATIENCE: Duration = Duration::from_secs(15);

/// One daemon's end of it: the store, and what it was told so far.
pub struct Hand {
    pub store: RedisStore,
    pub slots: usize,
    territory: Territory,
    pub gained: Vec<Loaded>,
    pub lost: BTreeSet<Slot>,
    anew: BTreeSet<Slot>,
    wishes: Vec<(String, Action)>,
}

impl Hand {
    pub fn at(server: &RedisServer, name: &str, lease: Duration) -> Self {
        Self::by(Link::to(&server.url()).unwrap(), name, lease)
    }

    fn by(link: Link, name: &str, lease: Duration) -> Self {
        Self::of(RedisStore::new(link, name.to_owned(), lease, Sharing::Standby))
    }

    /// One that has its part of the slots.
    fn sharing(server: &RedisServer, name: &str) -> Self {
        let link = Link::to(&server.url()).unwrap();
        Self::of(RedisStore::new(link, name.to_owned(), LEASE, Sharing::Active))
    }

    fn of(store: RedisStore) -> Self {
        let (gained, lost, anew) = <(Vec<Loaded>, BTreeSet<Slot>, BTreeSet<Slot>)>::default();
        Self { store, slots: 0, territory: Territory::Slots([].into()), gained, lost, anew, wishes: Vec::new() }
    }

    fn commit(&mut self, group: &Group) -> Result<Committed, String> {
        let mut committed = self.store.commit(group).map_err(|error| error.to_string())?;
        for handover in committed.handovers.drain(..) {
            let Territory::Slots(slots) = &handover.territory else { panic!("it is shared") };
            self.slots = slots.len();
            self.territory = handover.territory;
            self.gained.extend(handover.gained);
            if !handover.leaving.is_empty() {
                // Its channels have left at once.
                self.store.give_back(&handover.leaving);
            }
            self.lost.extend(handover.lost);
            self.anew.extend(handover.anew);
        }
        self.wishes.extend(committed.wishes.drain(..).map(|(channel, action)| (channel.to_string(), action)));
        Ok(committed)
    }

    /// Visits the store until something is so; what fails meanwhile is tried again.
    pub fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            if let Err(error) = self.commit(&Group::default()) {
                assert!(began.elapsed() < PATIENCE, "{error}");
                let _ = self.store.reopen();
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain for: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Visits the store for a while, in which everything must work.
    fn visit_for(&mut self, time: Duration) {
        visit_for(time, &mut [self]);
    }

    pub fn holds_everything(mut self) -> Self {
        self.until("every slot", |hand| hand.slots == usize::from(SLOTS));
        self
    }

    /// A record of a channel that lives since it was last taken over.
    fn record(&self, channel: &str, record: &[u8]) -> Group {
        Group {
            tenures: [(id(channel), self.territory.fence_of(channel).unwrap())].into(),
            ..records(&[(channel, record)])
        }
    }

    fn finds_redis(&mut self) {
        let began = Instant::now();
        while self.store.record(&id("jazz")).is_err() {
            assert!(began.elapsed() < PATIENCE, "redis does not answer");
            let _ = self.store.reopen();
        }
    }

    fn shelf(&self) -> Vec<String> {
        self.gained.iter().flat_map(|loaded| on_the_shelf(loaded).into_keys()).collect()
    }

    fn wants(&mut self, channel: &str, action: Action) {
        self.until("a wish", |hand| hand.wishes.iter().any(|wish| *wish == (channel.to_owned(), action)));
    }
}

fn visit_for(time: Duration, hands: &mut [&mut Hand]) {
    let began = Instant::now();
    while began.elapsed() < time {
        for hand in &mut *hands {
            hand.commit(&Group::default()).unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn shows(channel: &str, held: bool, left: Option<Duration>) -> Group {
    let view = View { at: wall(0), held, timer: left.map(|left| (wall(-1000), left)) };
    Group { views: [(id(channel), view)].into(), ..records(&[(channel, b"record")]) }
}

/// Changes what Redis says of who holds what.
fn rewrite_leases(connection: &mut Connection, change: impl Fn(&mut Vec<String>)) {
    for number in 0..SLOTS {
        let row: String = connection.hget("sattva:leases", number).unwrap();
        let mut words: Vec<String> = row.split(' ').map(str::to_owned).collect();
        change(&mut words);
        let _: () = connection.hset("sattva:leases", number, words.join(" ")).unwrap();
    }
}

fn fence_of(channel: &str, connection: &mut Connection) -> u64 {
    let row: String = connection.hget("sattva:leases", Slot::of(channel).number()).unwrap();
    row.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Sends Redis the `number`th write of a daemon under a fence: a record of jazz. Answers the slots that are said to be
/// another's, and those that are said to be forgotten.
fn write_by_hand(
    connection: &mut Connection,
    (daemon, number, fence): (&str, u64, u64),
    record: &str,
) -> (Vec<u16>, Vec<u16>) {
    let slot = Slot::of("jazz").number();
    let script = redis::Script::new(include_str!("../../src/store/redis/commit.lua"));
    let mut write = script.prepare_invoke();
    write.key("sattva:leases").key("sattva:paused").key("sattva:writes");
    write.arg(daemon).arg(number).arg(1).arg(slot).arg(fence).arg("record").arg(slot).arg("jazz").arg(record);
    let (_, lost, forgotten, _): (i64, Vec<u16>, Vec<u16>, Vec<String>) = write.invoke(connection).unwrap();
    (lost, forgotten)
}

fn refusal(link: Link) -> String {
    let mut hand = Hand::by(link, "a", LEASE);
    hand.commit(&Group::default()).unwrap_err()
}

#[test]
fn while_one_holds_everything_another_gets_nothing_and_what_it_writes_is_refused() {
    let server = RedisServer::start().long_in_use();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    let mut second = Hand::at(&server, "second", LEASE);
    for _ in 0..40 {
        first.commit(&records(&[("jazz", b"first")])).unwrap();
        let committed = second.commit(&records(&[("jazz", b"second")])).unwrap();
        assert_eq!(committed.refused.into_iter().collect::<Vec<_>>(), [id("jazz")]);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!((second.slots, first.lost.len()), (0, 0));
    assert_eq!(first.store.record(&id("jazz")).unwrap().unwrap(), b"first");
}

#[test]
fn what_a_silent_one_held_is_anothers_after_its_lease_with_its_records_and_its_last_sign_of_life() {
    let server = RedisServer::start().long_in_use();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    let mut second = Hand::at(&server, "second", LEASE);
    first.commit(&Group { pulse: Some(pulse(100)), ..records(&[("jazz", b"one"), ("rock", b"two")]) }).unwrap();
    visit_for(SETTLED, &mut [&mut first, &mut second]);
    let silent = Instant::now();
    second.until("every slot", |hand| hand.slots == usize::from(SLOTS));
    let took = silent.elapsed();
    assert!(took > LEASE - Duration::from_millis(600) && took < LEASE + Duration::from_secs(1), "{took:?}");
    let mut shelf = second.shelf();
    shelf.sort();
    assert_eq!(shelf, ["jazz", "rock"]);
    assert!(second.gained.iter().all(|loaded| loaded.pulse == Some(pulse(100))));

    // The silent one wakes, with a stop it had decided.
    let committed = first.commit(&records(&[("jazz", b"stop")])).unwrap();
    assert_eq!(committed.refused.into_iter().collect::<Vec<_>>(), [id("jazz")]);
    assert_eq!((first.lost.len(), first.slots), (usize::from(SLOTS), 0), "told at once");
    assert_eq!(second.store.record(&id("jazz")).unwrap().unwrap(), b"one");
}

#[test]
fn what_one_gives_back_is_anothers_at_once() {
    let server = RedisServer::start().long_in_use();
    let mut first = Hand::at(&server, "first", Duration::from_secs(60)).holds_everything();
    first.commit(&records(&[("jazz", b"one")])).unwrap();
    let mut second = Hand::at(&server, "second", Duration::from_secs(60));
    second.commit(&Group::default()).unwrap();
    first.store.close();
    let began = Instant::now();
    second.until("every slot", |hand| hand.slots == usize::from(SLOTS));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(second.shelf(), ["jazz"]);
    assert_eq!(first.commit(&records(&[("jazz", b"late")])).unwrap().refused.len(), 1);
}

#[test]
fn a_redis_that_has_lost_its_data_is_written_anew_by_whoever_held_it_and_by_nobody_else() {
    let mut server = RedisServer::start().long_in_use();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    let mut second = Hand::at(&server, "second", LEASE);
    first.commit(&records(&[("jazz", b"one")])).unwrap();
    second.commit(&Group::default()).unwrap();
    server.kill();
    assert!(first.commit(&records(&[("jazz", b"two")])).is_err());
    server.start_again();
    // The other one is the first to come.
    second.finds_redis();
    first.until("its slots", |hand| hand.anew.len() == usize::from(SLOTS));
    first.commit(&records(&[("jazz", b"two")])).unwrap();
    for _ in 0..40 {
        first.visit_for(Duration::from_millis(50));
        second.visit_for(Duration::from_millis(50));
    }
    assert_eq!((second.slots, first.lost.len()), (0, 0));
    assert_eq!(second.store.record(&id("jazz")).unwrap().unwrap(), b"two");
}

#[test]
fn after_an_outage_longer_than_the_lease_whoever_held_the_slots_has_them_still_though_another_came_first() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]).long_in_use();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    let mut second = Hand::at(&server, "second", LEASE);
    first.commit(&records(&[("jazz", b"one")])).unwrap();
    visit_for(SETTLED, &mut [&mut first, &mut second]);
    server.kill();
    assert!(first.commit(&records(&[("jazz", b"two")])).is_err());
    std::thread::sleep(LEASE * 2);
    server.start_again();
    second.finds_redis();
    second.visit_for(Duration::from_secs(2));
    first.finds_redis();
    first.commit(&records(&[("jazz", b"two")])).unwrap();
    visit_for(SETTLED * 2, &mut [&mut first, &mut second]);
    assert_eq!((second.slots, first.lost.len()), (0, 0));
    assert_eq!(second.store.record(&id("jazz")).unwrap().unwrap(), b"two");
}

#[test]
fn a_redis_that_comes_back_with_older_data_is_written_anew_by_whoever_held_the_slots_last() {
    let mut server = RedisServer::start().long_in_use();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    first.commit(&first.record("jazz", b"one")).unwrap();
    redis::cmd("SAVE").query::<()>(&mut server.connection()).unwrap();
    let mut second = Hand::at(&server, "second", LEASE).holds_everything();
    second.commit(&second.record("jazz", b"two")).unwrap();
    server.kill();
    server.start_again();
    // By what Redis knows, the first one holds everything, and it comes first.
    first.finds_redis();
    first.commit(&Group::default()).unwrap();
    second.finds_redis();
    second.until("its slots", |hand| hand.anew.len() == usize::from(SLOTS));
    second.commit(&second.record("jazz", b"two")).unwrap();
    assert!(!first.commit(&first.record("jazz", b"one")).unwrap().refused.is_empty());
    visit_for(SETTLED, &mut [&mut first, &mut second]);
    assert_eq!((first.slots, second.lost.len()), (0, 0));
    assert_eq!(first.store.record(&id("jazz")).unwrap().unwrap(), b"two");
}

#[test]
fn of_two_who_held_the_slots_whoever_held_them_last_writes_an_emptied_redis_anew() {
    let mut server = RedisServer::start().long_in_use();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    let mut second = Hand::at(&server, "second", LEASE).holds_everything();
    // The first one was cut off, and has not heard of that.
    second.commit(&second.record("jazz", b"two")).unwrap();
    server.kill();
    server.start_again();
    first.finds_redis();
    let waits = first.commit(&first.record("jazz", b"one")).unwrap_err();
    assert!(waits.contains("waited for"), "{waits}");
    std::thread::sleep(LEASE);
    let waits = first.commit(&first.record("jazz", b"one")).unwrap_err();
    assert!(waits.contains("waited for"), "{waits}");
    assert_eq!(first.lost.len(), 0, "nobody has come yet");
    // By now both have been away for longer than their leases.
    second.finds_redis();
    let began = Instant::now();
    while began.elapsed() < SETTLED * 2 {
        let _ = first.commit(&Group::default());
        let _ = second.commit(&Group::default());
        std::thread::sleep(Duration::from_millis(50));
    }
    second.commit(&second.record("jazz", b"two")).unwrap();
    assert_eq!((first.slots, second.lost.len(), second.slots), (0, 0, usize::from(SLOTS)));
    assert_eq!(first.store.record(&id("jazz")).unwrap().unwrap(), b"two");
}

#[test]
fn a_redis_that_has_lost_its_data_is_taken_by_others_when_nobody_comes_back_for_it() {
    let mut server = RedisServer::start().long_in_use();
    drop(Hand::at(&server, "first", LEASE).holds_everything());
    server.kill();
    server.start_again();
    let began = Instant::now();
    let mut second = Hand::at(&server, "second", LEASE);
    second.until("every slot", |hand| hand.slots == usize::from(SLOTS));
    let took = began.elapsed();
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn whoever_was_cut_off_while_others_took_an_emptied_redis_takes_nothing_back_though_its_clock_was_set_back() {
    let mut server = RedisServer::start().long_in_use();
    let mut other = server.connection();
    // Redis's clock was an hour ahead when the first one came, as its fences say.
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query(&mut other).unwrap();
    let ahead = seconds * 1000 + 3_600_000;
    let _: () = other.set("sattva:fence", ahead).unwrap();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    first.commit(&first.record("jazz", b"one")).unwrap();
    server.kill();
    server.start_again();
    let mut second = Hand::at(&server, "second", LEASE).holds_everything();
    second.commit(&second.record("jazz", b"two")).unwrap();
    first.finds_redis();
    visit_for(SETTLED * 2, &mut [&mut first, &mut second]);
    assert_eq!((first.slots, second.lost.len(), second.slots), (0, 0, usize::from(SLOTS)));
    assert_eq!(second.store.record(&id("jazz")).unwrap().unwrap(), b"two");
}

#[test]
fn an_answer_that_was_lost_changes_nothing_for_whoever_held_everything() {
    let mut server = RedisServer::start().long_in_use();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    server.kill();
    server.start_again();
    // It is written down that the slots are held anew, and the answer does not arrive.
    let mut connection = server.connection();
    first.until("its slots", |hand| hand.anew.len() == usize::from(SLOTS));
    let before: Vec<String> = connection.hvals("sattva:leases").unwrap();
    assert_eq!(before.len(), usize::from(SLOTS));
    rewrite_leases(&mut connection, |words| {
        // As if the fence it knows were the one from before.
        words[1] = (words[1].parse::<u64>().unwrap() + 1000).to_string();
    });
    first.anew.clear();
    first.until("its slots again", |hand| hand.anew.len() == usize::from(SLOTS));
    assert_eq!(first.lost.len(), 0);
    first.commit(&records(&[("jazz", b"one")])).unwrap();
    assert_eq!(first.store.record(&id("jazz")).unwrap().unwrap(), b"one");
}

#[test]
fn fences_rise_with_every_change_of_hands_though_redis_and_its_clock_forget() {
    let mut server = RedisServer::start().long_in_use();
    let mut highest = 0;
    let mut now_held = |server: &RedisServer| {
        let rows: Vec<String> = server.connection().hvals("sattva:leases").unwrap();
        let fences = rows.iter().map(|row| row.split(' ').nth(1).unwrap().parse::<u64>().unwrap());
        let (least, most) = (fences.clone().min().unwrap(), fences.max().unwrap());
        assert!(least > highest, "{least} after {highest}");
        highest = most;
    };
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    now_held(&server);
    first.store.close();
    let mut second = Hand::at(&server, "second", LEASE).holds_everything();
    now_held(&server);
    server.kill();
    server.start_again();
    second.until("its slots", |hand| hand.anew.len() == usize::from(SLOTS));
    now_held(&server);
}

// ---- what other programs see and want ----

#[test]
fn other_programs_can_read_when_a_countdown_began_and_how_long_it_lasts() {
    let server = RedisServer::start().long_in_use();
    let mut hand = Hand::at(&server, "a", LEASE).holds_everything();
    let mut other = server.connection();
    hand.commit(&shows("jazz", false, Some(Duration::from_millis(287_400)))).unwrap();
    let since: String = other.get("auto_end:jazz:timer").unwrap();
    assert_eq!(since, "2027-01-15T07:59:59.000Z");
    let left: i64 = other.ttl("auto_end:jazz:timer").unwrap();
    assert!((287..=288).contains(&left), "{left}");
    hand.commit(&shows("jazz", false, None)).unwrap();
    assert!(!other.exists::<_, bool>("auto_end:jazz:timer").unwrap());
    hand.commit(&shows("jazz", true, None)).unwrap();
    assert!(other.exists::<_, bool>("auto_end:jazz:paused").unwrap());
    hand.commit(&shows("jazz", false, Some(Duration::from_secs(1)))).unwrap();
    assert!(!other.exists::<_, bool>("auto_end:jazz:paused").unwrap());
    hand.commit(&Group { records: [(id("jazz"), None)].into(), ..Group::default() }).unwrap();
    let left: Vec<String> = other.keys("auto_end:*").unwrap();
    assert_eq!((left, hand.wishes), (vec![], vec![]), "its own changes are nobody's wishes");
}

#[test]
fn whoever_sets_or_deletes_a_paused_key_is_heard_within_a_second_and_until_it_is_so() {
    let server = RedisServer::start().long_in_use();
    let mut hand = Hand::at(&server, "a", LEASE).holds_everything();
    let mut other = server.connection();
    hand.commit(&shows("jazz", false, None)).unwrap();
    hand.visit_for(Duration::from_millis(600));
    let _: () = other.set("auto_end:jazz:paused", "by hand").unwrap();
    let began = Instant::now();
    hand.wants("jazz", Action::Pause);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    hand.wishes.clear();
    hand.wants("jazz", Action::Pause);
    // It is so; and its own record of it is not taken for another wish.
    hand.commit(&shows("jazz", true, None)).unwrap();
    hand.wishes.clear();
    hand.visit_for(Duration::from_secs(1));
    assert_eq!(hand.wishes, []);
    assert_eq!(other.get::<_, String>("auto_end:jazz:paused").unwrap(), "by hand");

    let _: () = other.del("auto_end:jazz:paused").unwrap();
    hand.wants("jazz", Action::Resume);
    // Something else about it is written before it has come true.
    hand.commit(&shows("jazz", true, None)).unwrap();
    assert!(!other.exists::<_, bool>("auto_end:jazz:paused").unwrap());
    hand.commit(&shows("jazz", false, None)).unwrap();
    hand.wishes.clear();
    hand.visit_for(Duration::from_secs(1));
    assert_eq!(hand.wishes, []);
}

#[test]
fn a_paused_key_that_was_set_while_nobody_looked_is_found() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]).long_in_use();
    let mut hand = Hand::at(&server, "a", LEASE).holds_everything();
    hand.commit(&shows("jazz", false, None)).unwrap();
    // While its connection is down;
    server.kill();
    server.start_again();
    let mut other = server.connection();
    let _: () = other.set("auto_end:jazz:paused", "by hand").unwrap();
    hand.wants("jazz", Action::Pause);
    // while nobody holds the channel;
    hand.store.close();
    let mut next = Hand::at(&server, "b", LEASE);
    next.wants("jazz", Action::Pause);
    // and before there is such a channel.
    let _: () = other.set("auto_end:rock:paused", "by hand").unwrap();
    next.visit_for(Duration::from_millis(600));
    assert!(!next.wishes.iter().any(|(channel, _)| channel == "rock"));
    next.commit(&shows("rock", false, None)).unwrap();
    next.wants("rock", Action::Pause);
}

// ---- what can be wrong with a Redis ----

#[test]
fn every_refusal_says_what_it_is_and_what_to_do() {
    let nobody = Link::to(&format!("redis://user:hunter2@127.0.0.1:{}/", free_port())).unwrap();
    let refused = refusal(nobody);
    assert!(refused.contains("is it running") && !refused.contains("hunter2"), "{refused}");

    let server = RedisServer::with(&["--requirepass", "sesame", "--save", ""]);
    let locked = Link::to(&server.url()).unwrap();
    assert!(refusal(locked.clone()).contains("redis_password_file"), "{}", refusal(locked.clone()));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "wrong\n").unwrap();
    let with_file = Link { password_file: Some(file.path().to_owned()), ..locked };
    assert!(refusal(with_file.clone()).contains("redis_password_file"), "{}", refusal(with_file.clone()));
    // What stands below it is no part of it.
    std::fs::write(file.path(), "sesame\n# since may\n").unwrap();
    Hand::by(with_file.clone(), "a", LEASE).commit(&Group::default()).unwrap();
    let gone = Link { password_file: Some("/nowhere".into()), ..with_file };
    assert!(refusal(gone.clone()).contains("/nowhere"), "{}", refusal(gone));

    let server = RedisServer::start().long_in_use();
    let mut hand = Hand::at(&server, "a", LEASE).holds_everything();
    let mut admin = server.connection();
    let _: () = redis::cmd("REPLICAOF").arg("127.0.0.1").arg(free_port()).query(&mut admin).unwrap();
    let refused = hand.commit(&records(&[("jazz", b"one")])).unwrap_err();
    assert!(refused.contains("primary"), "{refused}");
    let _: () = redis::cmd("REPLICAOF").arg("NO").arg("ONE").query(&mut admin).unwrap();
    hand.until("the primary's slots", |hand| hand.slots == usize::from(SLOTS));
    hand.commit(&records(&[("jazz", b"one")])).unwrap();

    let _: () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).query(&mut admin).unwrap();
    let refused = hand.commit(&records(&[("jazz", b"two")])).unwrap_err();
    assert!(refused.contains("it is full"), "{refused}");
    let _: () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(0).query(&mut admin).unwrap();
    hand.commit(&records(&[("jazz", b"two")])).unwrap();

    server.pause();
    let began = Instant::now();
    let refused = hand.commit(&records(&[("jazz", b"three")])).unwrap_err();
    assert!(refused.contains("paused, too slow or too far away"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    server.go_on();
    hand.finds_redis();
    hand.commit(&records(&[("jazz", b"four")])).unwrap();
    assert_eq!(hand.store.record(&id("jazz")).unwrap().unwrap(), b"four");
    assert_eq!(hand.lost.len(), 0);
}

#[test]
fn by_tls_only_a_redis_whose_authority_is_known_is_believed() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let certificate = |name: &str, more: &[&str]| {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", &format!("/CN={name}")])
            .args(["-keyout", &file(&format!("{name}.key")), "-out", &file(&format!("{name}.pem"))])
            .args(more)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    certificate("authority", &[]);
    let (authority, its_key) = (file("authority.pem"), file("authority.key"));
    let signed = ["-CA", &authority, "-CAkey", &its_key];
    let for_localhost = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    certificate("localhost", &[signed, for_localhost].concat());
    let tls_port = free_port();
    let (port, cert, key) = (tls_port.to_string(), file("localhost.pem"), file("localhost.key"));
    let arguments =
        [["--tls-port", &port, "--tls-auth-clients", "no"], ["--tls-cert-file", &cert, "--tls-key-file", &key]];
    let server = RedisServer::with(&arguments.concat()).long_in_use();
    let link = Link::to(&format!("rediss://localhost:{tls_port}/")).unwrap();
    let stranger = refusal(link.clone());
    assert!(stranger.contains("certificate") || stranger.contains("UnknownIssuer"), "{stranger}");
    let known = Link { ca_file: Some(file("authority.pem").into()), ..link };
    let mut hand = Hand::by(known, "a", LEASE).holds_everything();
    hand.commit(&records(&[("jazz", b"one")])).unwrap();
    let plain: Vec<u8> =
        server.connection().hget(format!("sattva:records:{}", Slot::of("jazz").number()), "jazz").unwrap();
    assert_eq!(plain, b"one");
}

#[test]
fn what_is_written_first_to_a_redis_that_has_lost_its_data_is_not_taken_for_anothers() {
    let mut server = RedisServer::start().long_in_use();
    let mut hand = Hand::at(&server, "a", LEASE).holds_everything();
    server.kill();
    server.start_again();
    // The connection is dead, and the next one is the first that the new one sees.
    while hand.commit(&records(&[("jazz", b"one")])).is_err() {}
    assert_eq!((hand.lost.len(), hand.anew.len()), (0, usize::from(SLOTS)));
    // It loses everything, and no connection tells of it.
    redis::cmd("FLUSHALL").query::<()>(&mut server.connection()).unwrap();
    // The first write may find it out, or the renewal before it.
    let refused = match hand.commit(&records(&[("jazz", b"two")])) {
        Ok(committed) => committed.refused,
        Err(why) => {
            assert!(why.contains("lost its data"), "{why}");
            hand.commit(&records(&[("jazz", b"two")])).unwrap().refused
        }
    };
    assert!(refused.is_empty());
    assert_eq!((hand.lost.len(), hand.store.record(&id("jazz")).unwrap().unwrap()), (0, b"two".to_vec()));
}

#[test]
fn a_redis_whose_clock_was_set_back_keeps_nothing_from_anybody_for_longer() {
    let server = RedisServer::start();
    let mut other = server.connection();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    // As an hour that has not come yet would have written it.
    let ahead = |millis: &str| (millis.parse::<u64>().unwrap() + 3_600_000).to_string();
    rewrite_leases(&mut other, |words| words[2] = ahead(&words[2]));
    let born: String = other.get("sattva:born").unwrap();
    let _: () = other.set("sattva:born", ahead(&born)).unwrap();
    first.commit(&records(&[("jazz", b"one")])).unwrap();
    let mut second = Hand::at(&server, "second", LEASE);
    visit_for(SETTLED, &mut [&mut first, &mut second]);
    drop(first);
    let silent = Instant::now();
    second.until("every slot", |hand| hand.slots == usize::from(SLOTS));
    assert!(silent.elapsed() < LEASE + Duration::from_secs(1), "{:?}", silent.elapsed());
    assert_eq!(second.shelf(), ["jazz"]);
}

#[test]
fn what_a_channels_earlier_life_wanted_kept_is_refused_though_its_slot_is_held_again() {
    let server = RedisServer::start().long_in_use();
    let mut first = Hand::at(&server, "first", LEASE).holds_everything();
    // It could not be written before the lease ended.
    let old = first.record("jazz", b"old");
    let mut second = Hand::at(&server, "second", LEASE).holds_everything();
    second.commit(&second.record("jazz", b"new")).unwrap();
    second.store.close();
    first.until("its slots again", |hand| hand.lost.len() == usize::from(SLOTS) && hand.slots == usize::from(SLOTS));
    assert_eq!(first.commit(&old).unwrap().refused.into_iter().collect::<Vec<_>>(), [id("jazz")]);
    assert_eq!(first.store.record(&id("jazz")).unwrap().unwrap(), b"new");
    assert!(first.commit(&first.record("jazz", b"newer")).unwrap().refused.is_empty());
    assert_eq!(first.store.record(&id("jazz")).unwrap().unwrap(), b"newer");
}

#[test]
fn a_write_that_was_held_up_on_its_way_does_not_undo_a_newer_one() {
    let server = RedisServer::start().long_in_use();
    let mut hand = Hand::at(&server, "a", LEASE).holds_everything();
    for record in [b"one", b"two"] {
        hand.commit(&records(&[("jazz", record)])).unwrap();
    }
    let mut other = server.connection();
    let fence = fence_of("jazz", &mut other);
    assert_eq!(write_by_hand(&mut other, ("a", 1, fence), "one"), (vec![], vec![]));
    assert_eq!(hand.store.record(&id("jazz")).unwrap().unwrap(), b"two");
}

#[test]
fn redis_itself_refuses_what_is_not_written_by_the_holder_under_its_fence() {
    let server = RedisServer::start().long_in_use();
    let mut hand = Hand::at(&server, "a", LEASE).holds_everything();
    hand.commit(&records(&[("jazz", b"one")])).unwrap();
    let mut other = server.connection();
    let fence = fence_of("jazz", &mut other);
    let slot = Slot::of("jazz").number();
    for wrong in [("a", 99, fence - 1), ("b", 99, fence)] {
        assert_eq!(write_by_hand(&mut other, wrong, "two"), (vec![slot], vec![]), "{wrong:?}: another's");
    }
    // Only a Redis that has gone back knows of an older fence than a daemon.
    assert_eq!(write_by_hand(&mut other, ("a", 99, fence + 1), "two"), (vec![], vec![slot]), "forgotten");
    assert_eq!(hand.store.record(&id("jazz")).unwrap().unwrap(), b"one");
    assert_eq!(write_by_hand(&mut other, ("a", 99, fence), "two"), (vec![], vec![]));
    assert_eq!(hand.store.record(&id("jazz")).unwrap().unwrap(), b"two");
}

#[test]
fn a_redis_that_was_started_anew_is_given_everything_once_more() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]).long_in_use();
    let mut hand = Hand::at(&server, "a", Duration::from_secs(30)).holds_everything();
    server.kill();
    server.start_again();
    hand.until("its slots", |hand| hand.anew.len() == usize::from(SLOTS));
    assert_eq!((hand.slots, hand.lost.len()), (usize::from(SLOTS), 0));
}

/// Visits all of them until each holds so many slots.
fn until_each_holds(slots: &[usize], hands: &mut [&mut Hand]) {
    let began = Instant::now();
    while hands.iter().zip(slots).any(|(hand, wanted)| hand.slots != *wanted) {
        let held: Vec<usize> = hands.iter().map(|hand| hand.slots).collect();
        assert!(began.elapsed() < PATIENCE, "{held:?} where {slots:?} was to be");
        assert!(held.iter().sum::<usize>() <= usize::from(SLOTS), "a slot is held twice: {held:?}");
        visit_for(Duration::from_millis(20), hands);
    }
}

#[test]
fn daemons_that_share_divide_the_slots_and_each_has_what_was_written_in_its_own() {
    let server = RedisServer::start().long_in_use();
    let mut first = Hand::sharing(&server, "first").holds_everything();
    let channels: Vec<String> = (0..60).map(|n| format!("c{n}")).collect();
    for channel in &channels {
        let group = first.record(channel, channel.as_bytes());
        first.commit(&group).unwrap();
    }
    let mut second = Hand::sharing(&server, "second");
    until_each_holds(&[128, 128], &mut [&mut first, &mut second]);
    let theirs = |hand: &Hand| channels.iter().filter(|c| hand.territory.fence_of(c).is_some()).cloned().collect();
    let of_second: BTreeSet<String> = theirs(&second);
    assert_eq!(second.shelf().into_iter().collect::<BTreeSet<String>>(), of_second, "read as it was left");
    assert!(of_second.len() > 15 && of_second.len() < 45, "{}", of_second.len());
    // What the first one still wanted to write there is refused.
    let late = of_second.first().unwrap();
    let group = Group { tenures: [(id(late), 1)].into(), ..records(&[(late, b"late")]) };
    assert!(first.commit(&group).unwrap().refused.contains(&id(late)));

    let mut third = Hand::sharing(&server, "third");
    until_each_holds(&[86, 86, 84], &mut [&mut first, &mut second, &mut third]);
    second.store.close();
    until_each_holds(&[128, 128], &mut [&mut first, &mut third]);
}

#[test]
fn the_slots_of_one_that_shares_and_falls_silent_are_divided_when_its_lease_ends() {
    let server = RedisServer::start().long_in_use();
    let mut first = Hand::sharing(&server, "first").holds_everything();
    let mut second = Hand::sharing(&server, "second");
    let mut third = Hand::sharing(&server, "third");
    until_each_holds(&[86, 86, 84], &mut [&mut first, &mut second, &mut third]);
    drop(first);
    let began = Instant::now();
    until_each_holds(&[128, 128], &mut [&mut second, &mut third]);
    let took = began.elapsed();
    assert!(took > LEASE - Duration::from_secs(1) && took < LEASE + Duration::from_secs(1), "{took:?}");
}
