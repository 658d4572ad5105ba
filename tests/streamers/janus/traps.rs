use std::time::Duration;

use serde_json::json;

use super::{Janus, ROOM, STREAMER, Talk};
use crate::{
    patience::{eventually, let_pass},
    stage::{Stage, free_port},
    story::{Scene, TIMEOUT},
};

#[test]
fn who_takes_the_streamers_name_is_never_sent_away() {
    let mut scene = Scene::begin(Janus::knowing("streamer_displays = [\"radio\"]"));
    scene.stage.publish();
    scene.counts(0);
    let namesake = Talk::begin(&scene.stage.url);
    namesake.join(77, "radio", free_port());
    scene.live.until_auto_end("frozen");
    let_pass(TIMEOUT + Duration::from_secs(1));
    assert_eq!(scene.stage.room().len(), 2, "{}", scene.explained());
    assert!(!scene.daemon.log().contains("killing"), "{}", scene.daemon.log());
    namesake.end();
    scene.until_at_last("ended");
}

#[test]
fn a_recorder_is_no_listener_and_who_is_called_nearly_so_is_one() {
    let mut scene = Scene::begin(Janus::open());
    scene.stage.publish();
    let (recorder, person) = (Talk::begin(&scene.stage.url), Talk::begin(&scene.stage.url));
    recorder.join(88, "recorder", free_port());
    scene.counts(0);
    person.join(89, "Recorder", free_port());
    scene.counts(1);
    scene.goes_on(TIMEOUT + Duration::from_secs(1));
    person.end();
    scene.until_at_last("ended");
    assert_eq!(scene.stage.room(), [88], "the recorder was sent away, or the streamer stayed");
}

#[test]
fn a_room_that_is_made_anew_with_the_same_streamer_is_another_session() {
    let mut scene = Scene::begin(Janus::open());
    scene.stage.publish();
    scene.counts(0);
    let session = scene.stream().unwrap()["session"].clone();
    scene.stage.asks.say(json!({ "request": "destroy", "room": ROOM, "secret": "roomsec" }));
    eventually("the stream to be over", || (scene.stream().is_none_or(|s| s["session"].is_null())).then_some(()));
    let room = json!({ "request": "create", "room": ROOM, "secret": "roomsec", "allow_rtp_participants": true });
    scene.stage.asks.say(room);
    let again = Talk::begin(&scene.stage.url);
    again.join(STREAMER, "radio", free_port());
    eventually("another session", || {
        let now = scene.stream()?["session"].clone();
        (!now.is_null() && now != session).then_some(())
    });
    scene.stage.join();
    scene.counts(1);
    scene.goes_on(TIMEOUT + Duration::from_secs(1));
}

#[test]
fn without_the_rooms_secret_nobody_knows_whether_it_is_forwarded_and_the_log_says_what_to_do() {
    let mut scene = Scene::begin(Janus::with_room_secret("wrong\n"));
    scene.stage.publish();
    let told = eventually("the room's secret to be asked for", || {
        scene.daemon.logged(|line| line["message"].as_str().is_some_and(|text| text.contains("room_secret_file")))
    });
    assert_eq!(told["room"], ROOM.to_string());
    let_pass(TIMEOUT + Duration::from_secs(2));
    assert!(scene.stage.is_live());
    assert_eq!(scene.stream().unwrap()["listeners_known"], false);
    assert!(!scene.daemon.log().contains("wrong\""), "the secret is in the log");
}

#[test]
fn a_wrong_api_secret_is_told_and_nothing_is_known() {
    let scene = Scene::begin(Janus::with_api_secret("wrong\n"));
    let told = eventually("the trouble to be told", || {
        let ready = scene.daemon.json("/readyz");
        ready["dependencies"]["janus:rooms"]["detail"].as_str().map(str::to_owned)
    });
    assert!(told.contains("api_secret_file"), "{told}");
}

#[test]
fn a_room_that_is_forwarded_may_be_heard_elsewhere_and_is_not_ended_while_it_is() {
    let mut scene = Scene::begin(Janus::open());
    scene.stage.publish();
    scene.counts(0);
    let forward = json!({ "request": "rtp_forward", "room": ROOM, "secret": "roomsec", "host": "127.0.0.1",
        "host_family": "ipv4", "port": free_port() });
    let answer = scene.stage.asks.say(forward);
    scene.live.until_auto_end("frozen");
    let_pass(TIMEOUT + Duration::from_secs(1));
    assert!(scene.stage.is_live(), "{}", scene.explained());
    let stream = answer["stream_id"].clone();
    scene
        .stage
        .asks
        .say(json!({ "request": "stop_rtp_forward", "room": ROOM, "secret": "roomsec", "stream_id": stream }));
    scene.until_at_last("ended");
}
