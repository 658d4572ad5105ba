//! The daemon's pings.

use serde_json::json;

use crate::{
    client::{Client, Kind, Offer},
    daemon::Daemon,
    raw_socket::RawSocket,
    ways::Ways,
};

#[test]
fn every_client_answers_the_daemons_pings_on_every_way() {
    let daemon = Daemon::start("[websocket]\nheartbeat = \"2s\"\n");
    let ways = Ways::to(daemon.address());
    let clients: Vec<Client> = Kind::ALL.map(Kind::start).into();
    let sockets: Vec<_> = clients
        .iter()
        .flat_map(|client| ways.all().into_iter().map(move |way| (way, client.open(&way.url(""), Offer::Deflate))))
        .collect();
    // The youngest of all answers no ping. When it is let go, so would have been any other that answered none.
    assert_eq!(RawSocket::open(daemon.address()).close_code(), Some(1008));
    for (way, socket) in &sockets {
        assert_eq!(socket.message()["type"], "snapshot", "{way}");
        socket.say(&json!({ "type": "ping" }));
        socket.message_of("pong");
    }
}
