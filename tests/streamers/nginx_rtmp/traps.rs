use std::time::Duration;

use super::{NginxRtmp, publisher};
use crate::{
    patience::{eventually, let_pass},
    process::Process,
    stage::Stage,
    story::{Scene, TIMEOUT},
};

#[test]
fn where_several_workers_pass_streams_on_nothing_is_known_and_nothing_is_ended() {
    let mut scene = Scene::begin(NginxRtmp::with("worker_processes 2; rtmp_auto_push on;", "", ""));
    let told = eventually("the trouble to be told", || {
        let ready = scene.daemon.json("/readyz");
        ready["dependencies"]["nginx_rtmp:edge"]["detail"].as_str().map(str::to_owned)
    });
    assert!(told.contains("worker_processes"), "{told}");
    scene.stage.publisher = Some(Process::start(&mut publisher(scene.stage.rtmp, "a")));
    let_pass(TIMEOUT + Duration::from_secs(3));
    assert!(scene.stage.publisher.as_mut().unwrap().is_running());
    assert!(!scene.daemon.log().contains("killing"), "{}", scene.daemon.log());
}

#[test]
fn a_relay_is_a_listener_and_the_stream_that_it_feeds_is_another_one() {
    let stage = NginxRtmp::with("worker_processes 1;", "push rtmp://127.0.0.1:SECOND/live;", "");
    let mut scene = Scene::begin(stage);
    scene.stage.publish();
    scene.counts(1);
    // What the relay publishes is heard by nobody; ended, it is pushed again.
    scene.live.until("a stop of what the relay feeds", |m| {
        m["type"] == "auto_end" && m["data"]["event"] == "stopping" && m["data"]["channel_id"] == "live-a@1"
    });
    scene.counts(1);
    assert_eq!(scene.daemon.phase("live-a"), "watching");
    assert!(scene.stage.publisher.as_mut().unwrap().is_running());
}

#[test]
fn a_relay_that_the_configuration_names_is_no_listener() {
    let own = "ignored_flashvers = [\"ngx-local-relay\"]\nchannel_prefix = \"x:\"\napplications = [\"live\"]\n";
    let stage = NginxRtmp::with("worker_processes 1;", "push rtmp://127.0.0.1:SECOND/live;", own);
    let mut scene = Scene::begin(stage);
    scene.stage.publish();
    eventually("nobody to be counted", || {
        let answer = scene.daemon.get("/api/v1/streams/x:live-a");
        let stream = (answer.status == 200).then(|| answer.json())?;
        (stream["listeners_known"] == true && stream["listeners"] == 0).then_some(())
    });
    scene.stage.join();
    eventually("the listener to be counted", || (scene.daemon.stream("x:live-a")["listeners"] == 1).then_some(()));
}

#[test]
fn the_second_servers_stream_is_ended_and_its_namesake_in_the_first_goes_on() {
    let mut scene = Scene::begin(NginxRtmp::open());
    let mut second = Process::start(&mut publisher(scene.stage.second, "a"));
    scene.stage.publish();
    scene.stage.join();
    scene.live.until("the end of the second server's stream", |m| {
        m["type"] == "auto_end" && m["data"]["event"] == "ended" && m["data"]["channel_id"] == "live-a@1"
    });
    assert!(!second.is_running(), "its publisher goes on");
    scene.goes_on(Duration::from_secs(2));
    scene.counts(1);
}

#[test]
fn streams_with_odd_names_are_ended_too() {
    let scene = Scene::begin(NginxRtmp::open());
    for name in ["b%D0c&d=1", "q\"<x>+", "ж"] {
        let mut odd = Process::start(&mut publisher(scene.stage.rtmp, name));
        eventually(name, || (!odd.is_running()).then_some(()));
    }
}

#[test]
fn the_second_publisher_of_a_name_is_turned_away_and_disturbs_nothing() {
    let mut scene = Scene::begin(NginxRtmp::open());
    scene.stage.publish();
    scene.stage.join();
    scene.counts(1);
    let mut second = Process::start(&mut publisher(scene.stage.rtmp, "a"));
    scene.goes_on(TIMEOUT + Duration::from_secs(1));
    scene.counts(1);
    second.kill();
    scene.goes_on(Duration::from_secs(2));
}
