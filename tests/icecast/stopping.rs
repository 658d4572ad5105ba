use std::time::{Duration, Instant};

use sattva_actors::{channel::auto_end::PhaseName, protocol::Action};

use crate::{
    broadcast::{Listener, source},
    daemon::{Daemon, TIMEOUT, settings},
    icecast_server::IcecastServer,
    patience::{stays, wait_for},
};

#[actix_rt::test]
async fn when_the_last_listener_has_left_the_source_is_warned_of_and_really_ended() {
    let server = IcecastServer::start().await;
    let mut live = source(&server, "/live.mp3").await;
    let daemon = Daemon::start(settings(&server));
    let listener = Listener::join(&server, "/live.mp3").await;
    daemon.counts("live.mp3", 1).await;
    drop(listener);
    let left = Instant::now();
    daemon.comes_to("live.mp3", "stopping").await;
    assert!(left.elapsed() >= TIMEOUT, "{:?}", left.elapsed());
    wait_for("the mount is not listed any more", || async { (!server.lists("/live.mp3").await).then_some(()) }).await;
    let stopped = daemon.decided("live.mp3", "stopping").unwrap();
    let ended = daemon.comes_to("live.mp3", "ended").await;
    println!("seen gone for good {} ms after the decision", ended - stopped);
    let journal = daemon.journal("live.mp3");
    let last: Vec<&str> = journal.iter().rev().take(6).rev().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(last, ["started", "warning", "warning", "warning", "stopping", "ended"], "{journal:#?}");
    // A killed ffmpeg ends by itself.
    let mut ended = false;
    for _ in 0..100 {
        ended = ended || !live.is_running();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ended && !server.lists("/live.mp3").await);
    assert_eq!(daemon.log_lines("killing a source"), 1, "{}", daemon.log());
    let commands = daemon.inspect("live.mp3").await.unwrap().commands;
    assert_eq!(commands[0].state, "confirmed");
}

#[actix_rt::test]
async fn a_listener_who_comes_back_in_time_saves_it() {
    let server = IcecastServer::start().await;
    let mut live = source(&server, "/live.mp3").await;
    let daemon = Daemon::start(settings(&server));
    daemon.comes_to("live.mp3", "warning").await;
    let listener = Listener::join(&server, "/live.mp3").await;
    daemon.comes_to("live.mp3", "cancelled").await;
    stays("it goes on", TIMEOUT + Duration::from_secs(3), || async { listener.is_connected() }).await;
    assert!(live.is_running());
    assert_eq!(daemon.phase("live.mp3").await, Some(PhaseName::Watching));
    assert_eq!(daemon.log_lines("killing"), 0);
}

#[actix_rt::test]
async fn where_stopping_is_switched_off_it_is_said_once_what_would_have_been_stopped_and_nothing_fails() {
    let server = IcecastServer::start().await;
    let mut live = source(&server, "/live.mp3").await;
    let daemon = Daemon::start(sattva_monitor::adapters::icecast::IcecastSettings { stop: false, ..settings(&server) });
    daemon.comes_to("live.mp3", "would_stop").await;
    stays("nothing more is decided", TIMEOUT + Duration::from_secs(2), || async {
        daemon.phase("live.mp3").await == Some(PhaseName::Watching)
    })
    .await;
    let journal = daemon.journal("live.mp3");
    let events: Vec<&str> = journal.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(events, ["started", "warning", "warning", "warning", "would_stop"], "{journal:#?}");
    let why = daemon.inspect("live.mp3").await.unwrap().why;
    assert!(why.contains("icecast:studio/live.mp3 may not be told to stop"), "{why}");
    // An operator who asks for it all the same hears why not.
    daemon.operate("live.mp3", Action::Stop { force: false }).await;
    daemon.comes_to("live.mp3", "stop_failed").await;
    let journal = daemon.journal("live.mp3").join("\n");
    assert!(journal.contains("stop_failed: stopping is switched off for this server"), "{journal}");
    assert!(live.is_running() && server.lists("/live.mp3").await);
}

#[actix_rt::test]
async fn only_the_unheard_one_of_two_sources_is_ended() {
    let server = IcecastServer::start().await;
    let mut heard = source(&server, "/heard.mp3").await;
    let _unheard = source(&server, "/unheard.mp3").await;
    let listener = Listener::join(&server, "/heard.mp3").await;
    let daemon = Daemon::start(settings(&server));
    daemon.comes_to("unheard.mp3", "ended").await;
    assert!(heard.is_running() && listener.is_connected() && server.lists("/heard.mp3").await);
    assert!(daemon.journal("heard.mp3").is_empty(), "{:?}", daemon.journal("heard.mp3"));
}
