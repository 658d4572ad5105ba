//! How it ends.

use rustix::process::Signal;

use crate::{
    client::{Client, Kind, Offer},
    daemon::Daemon,
    ways::Ways,
};

#[test]
fn every_client_is_told_on_every_way_that_the_daemon_stops() {
    let mut daemon = Daemon::start("");
    let ways = Ways::to(daemon.address());
    let clients: Vec<Client> = Kind::ALL.map(Kind::start).into();
    let sockets: Vec<_> = clients
        .iter()
        .flat_map(|client| ways.all().into_iter().map(move |way| (client, way)))
        .map(|(client, way)| (format!("{client}, {way}"), client.open(&way.url(""), Offer::Deflate)))
        .collect();
    for (story, socket) in &sockets {
        assert_eq!(socket.message()["type"], "snapshot", "{story}");
    }
    daemon.signal(Signal::TERM);
    for (story, socket) in sockets {
        assert_eq!(socket.farewell().0, 1001, "{story}");
    }
    assert!(daemon.wait_for_its_end().success());
}
