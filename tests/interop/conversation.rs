//! Each client hears and says the same on every way, compressed or not.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    client::{Client, Kind, Offer},
    daemon::Daemon,
    patience::eventually,
    streamer::Streamer,
    ways::Ways,
};

/// Their snapshot takes more than 64 KiB, in which a frame's length has its longest form.
const CHANNELS: usize = 400;
/// Listed in one message, they fill it nearly.
const SOME: usize = 250;
/// Both sides having closed, nobody waits for anything.
const LEAVING_TIME: Duration = Duration::from_secs(10);

const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn title(n: usize) -> String {
    format!("№ {n}: «Ночь, улица, фонарь, аптека» 🎵 夜")
}

fn titles(snapshot: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned();
    let streams = snapshot["data"]["streams"].as_array().unwrap();
    streams.iter().map(|stream| (text(&stream["channel_id"]), text(&stream["current_track"]["title"]))).collect()
}

fn expected_titles(channels: usize) -> BTreeMap<String, String> {
    (0..channels).map(|n| (format!("channel-{n}"), title(n))).collect()
}

fn hears_and_says_the_same_on_every_way(client: &Client) {
    let daemon = Daemon::start("");
    let mut streamers: Vec<_> = (0..CHANNELS).map(|n| Streamer::new("radio", &format!("channel-{n}"))).collect();
    let report = |streamer: &mut Streamer, n, listeners| {
        let mut report = streamer.snapshot(listeners);
        report["track"] = json!({ "title": title(n) });
        report
    };
    let post = |reports: &[Value]| {
        let answer = daemon.post("/api/v1/ingest", &json!({ "source": "radio", "reports": reports })).ok();
        assert_eq!(answer["accepted"], reports.len(), "{answer}");
    };
    post(&streamers.iter_mut().enumerate().map(|(n, streamer)| report(streamer, n, 1)).collect::<Vec<_>>());
    let ways = Ways::to(daemon.address());
    for way in ways.all() {
        for offer in [Offer::Deflate, Offer::None] {
            // A browser always offers; whether that arrives is for the way to say.
            if client.kind == Kind::Chromium && (offer == Offer::Deflate) != way.lets_offers_pass {
                continue;
            }
            let story = format!("{client}, {way}, {offer:?}");
            let socket = client.open(&way.url(""), offer);
            let agreed = if offer == Offer::Deflate && way.lets_offers_pass { AGREED } else { "" };
            assert_eq!(socket.extensions, agreed, "{story}");

            let snapshot = socket.message();
            assert_eq!(snapshot["type"], "snapshot", "{story}");
            assert_eq!(titles(&snapshot), expected_titles(CHANNELS), "{story}");
            assert_eq!(socket.message()["type"], "stats", "{story}");

            // Several messages one after the other: each is to be understood without those before.
            for listeners in [7, 1] {
                post(&[report(&mut streamers[0], 0, listeners)]);
                let update = socket.message_of("stream_update");
                let data = &update["data"];
                assert_eq!(
                    (&data["event"], &data["listeners"]),
                    (&json!("listeners_changed"), &json!(listeners)),
                    "{story}"
                );
                assert_eq!(data["channel_id"], "channel-0", "{story}");
                socket.say(&json!({ "type": "ping" }));
                socket.message_of("pong");
            }

            let some: Vec<String> = (0..SOME).map(|n| format!("channel-{n}")).collect();
            socket.say(&json!({ "type": "subscribe", "channels": some }));
            assert_eq!(titles(&socket.message_of("snapshot")), expected_titles(SOME), "{story}");

            if Kind::LIBRARIES.contains(&client.kind) {
                for payload in ["", "hello", &"x".repeat(125)] {
                    socket.ping(payload);
                }
            }
            let code = if offer == Offer::Deflate { 3000 } else { 1000 };
            let began = Instant::now();
            socket.close(code, "à bientôt");
            assert_eq!(socket.farewell().0, u64::from(code), "{story}");
            assert!(began.elapsed() < LEAVING_TIME, "{story}: closed after {:?}", began.elapsed());
        }
    }
    eventually("every session to be gone", || {
        (daemon.figures().of("sattva_websocket_connections") == 0.0).then_some(())
    });
}

#[test]
fn node_hears_and_says_the_same_on_every_way_compressed_or_not() {
    hears_and_says_the_same_on_every_way(&Kind::Node.start());
}

#[test]
fn python_hears_and_says_the_same_on_every_way_compressed_or_not() {
    hears_and_says_the_same_on_every_way(&Kind::Python.start());
}

#[test]
fn chromium_hears_and_says_the_same_on_every_way_compressed_or_not() {
    hears_and_says_the_same_on_every_way(&Kind::Chromium.start());
}
