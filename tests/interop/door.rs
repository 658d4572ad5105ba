//! Who is let in, and with what.

use serde_json::json;

use crate::{
    client::{Kind, Offer},
    daemon::{Answer, Daemon},
    ways::Ways,
};

#[test]
fn a_page_of_another_origin_is_turned_away_on_every_way() {
    let daemon = Daemon::start("");
    let ways = Ways::to(daemon.address());
    for client in Kind::ALL.map(Kind::start) {
        for way in ways.passing() {
            // To this one, the page of another way is a page of another host.
            let other = ways.passing().into_iter().find(|other| other.address != way.address).unwrap();
            let refused = client.try_open(&way.url(""), Offer::Deflate, Some(&other.origin())).err();
            let refused = refused.unwrap_or_else(|| panic!("{client}, {way}: let in"));
            assert_eq!(refused.status, 403, "{client}, {way}: {refused:?}");
            // No page is told what the answer said.
            if client.kind != Kind::Chromium {
                let code = &refused.body.as_ref().unwrap()["code"];
                assert_eq!(code, "origin_not_allowed", "{client}, {way}: {refused:?}");
            }
            assert!(client.try_open(&way.url(""), Offer::Deflate, Some(&way.origin())).is_ok(), "{client}, {way}");
        }
    }
}

#[test]
fn a_window_that_cannot_be_had_is_declined_and_the_session_is_plain() {
    let daemon = Daemon::start("");
    let ways = Ways::to(daemon.address());
    for client in Kind::LIBRARIES.map(Kind::start) {
        for way in ways.passing() {
            let socket = client.open(&way.url(""), Offer::SmallWindow);
            assert_eq!(socket.extensions, "", "{client}, {way}");
            assert_eq!(socket.message()["type"], "snapshot", "{client}, {way}");
            socket.say(&json!({ "type": "ping" }));
            socket.message_of("pong");
            socket.close(1000, "");
            assert_eq!(socket.farewell().0, 1000, "{client}, {way}");
        }
    }
}

#[test]
fn a_plain_get_is_told_on_every_way_what_this_is() {
    let daemon = Daemon::start("");
    for way in Ways::to(daemon.address()).all() {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let answer = Answer::from(agent.get(format!("http://{}/ws/stats", way.address)).call().unwrap());
        let problem = answer.problem(400, "not_a_websocket");
        assert!(problem["detail"].as_str().unwrap().contains("WebSocket client"), "{way}: {problem}");
    }
}
