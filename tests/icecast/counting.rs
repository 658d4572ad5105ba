use sattva_monitor::adapters::icecast::IcecastSettings;

use crate::{
    broadcast::{Listener, source},
    daemon::{Daemon, settings},
    icecast_server::IcecastServer,
    patience::wait_for,
};

#[actix_rt::test]
async fn the_count_of_each_mount_follows_its_listeners() {
    let server = IcecastServer::start().await;
    let _live = source(&server, "/live.mp3").await;
    let _hidden = source(&server, "/hidden.mp3").await;
    let daemon = Daemon::start(settings(&server));
    daemon.counts("live.mp3", 0).await;
    daemon.counts("hidden.mp3", 0).await;
    let first = Listener::join(&server, "/live.mp3").await;
    let second = Listener::join(&server, "/live.mp3").await;
    let _third = Listener::join(&server, "/hidden.mp3").await;
    daemon.counts("live.mp3", 2).await;
    daemon.counts("hidden.mp3", 1).await;
    drop(first);
    daemon.counts("live.mp3", 1).await;
    drop(second);
    daemon.counts("live.mp3", 0).await;
    assert_eq!(daemon.listeners("hidden.mp3").await, Some(1));
}

#[actix_rt::test]
async fn a_player_whose_user_agent_is_ignored_is_no_listener_and_one_called_nearly_so_is_one() {
    let server = IcecastServer::start().await;
    let _live = source(&server, "/live.mp3").await;
    let ignored_user_agents = vec!["recorder/1.0".to_owned()];
    let daemon = Daemon::start(IcecastSettings { ignored_user_agents, ..settings(&server) });
    let recorder = Listener::join_as(&server, "/live.mp3", "recorder/1.0").await;
    let person = Listener::join_as(&server, "/live.mp3", "recorder/1.0 x").await;
    let other = Listener::join_as(&server, "/live.mp3", "Recorder/1.0").await;
    daemon.counts("live.mp3", 2).await;
    drop((person, other));
    daemon.counts("live.mp3", 0).await;
    assert!(recorder.is_connected());
    daemon.comes_to("live.mp3", "ended").await;
}

#[actix_rt::test]
async fn listeners_that_fall_back_to_another_mount_are_counted_there() {
    let server = IcecastServer::start().await;
    let _live = source(&server, "/live.mp3").await;
    let mut main = source(&server, "/main.mp3").await;
    let daemon = Daemon::start(settings(&server));
    daemon.counts("main.mp3", 0).await;
    let listener = Listener::join(&server, "/main.mp3").await;
    daemon.counts("main.mp3", 1).await;
    main.kill();
    daemon.counts("live.mp3", 1).await;
    assert!(listener.is_connected());
    let over = || async { daemon.inspect("main.mp3").await.filter(|i| i.state.session.is_none()).map(|_| ()) };
    wait_for("the mount without a source is over", over).await;
}

#[actix_rt::test]
async fn a_title_is_shown_as_the_broadcaster_wrote_it() {
    let server = IcecastServer::start().await;
    let _live = source(&server, "/live.mp3").await;
    let daemon = Daemon::start(settings(&server));
    // `Песня "q" <b> & 'x'`, as Icecast takes it by itself; with `charset=UTF-8` it turns what Latin-1 lacks
    // into HTML references on an MP3 mount.
    let song = "%D0%9F%D0%B5%D1%81%D0%BD%D1%8F%20%22q%22%20%3Cb%3E%20%26%20%27x%27";
    let title = || async { Some(daemon.inspect("live.mp3").await?.state.current_track.clone()?.title.clone()) };
    for query in [format!("song={song}")] {
        server.admin("source", "metadata?mount=/live.mp3&mode=updinfo&song=-").await;
        wait_for("the plain title", || async { title().await.filter(|title| **title == *"-") }).await;
        server.admin("source", &format!("metadata?mount=/live.mp3&mode=updinfo&{query}")).await;
        wait_for(&query, || async { title().await.filter(|title| **title == *"Песня \"q\" <b> & 'x'") }).await;
    }
}

#[actix_rt::test]
async fn a_mount_that_vanished_while_nobody_watched_is_over_after_the_restart() {
    let server = IcecastServer::start().await;
    let mut live = source(&server, "/live.mp3").await;
    let mut daemon = Daemon::start(settings(&server));
    let _listener = Listener::join(&server, "/live.mp3").await;
    daemon.counts("live.mp3", 1).await;
    daemon.leave().await;
    live.kill();
    wait_for("it is not listed", || async { (!server.lists("/live.mp3").await).then_some(()) }).await;
    daemon.reconfigure(settings(&server)).await;
    let over = || async { daemon.inspect("live.mp3").await.filter(|i| i.state.session.is_none()).map(|_| ()) };
    wait_for("the stream is over", over).await;
}
