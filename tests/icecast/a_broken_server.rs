use std::time::Duration;

use sattva_actors::channel::auto_end::PhaseName;
use sattva_monitor::adapters::icecast::IcecastSettings;

use crate::{
    broadcast::source,
    daemon::{Daemon, TIMEOUT, settings},
    icecast_server::IcecastServer,
    patience::{stays, wait_for},
};

#[actix_rt::test]
async fn with_a_wrong_password_nothing_is_known_nothing_is_ended_and_the_log_says_what_to_do() {
    let server = IcecastServer::start().await;
    let mut live = source(&server, "/live.mp3").await;
    let mut daemon = Daemon::start(settings(&server));
    daemon.comes_to("live.mp3", "started").await;
    daemon.reconfigure(IcecastSettings { password: "wrong".into(), ..settings(&server) }).await;
    daemon.comes_to("live.mp3", "frozen").await;
    stays("the count is unknown", TIMEOUT + Duration::from_secs(2), || async {
        daemon.listeners("live.mp3").await.is_none()
    })
    .await;
    assert!(live.is_running() && server.lists("/live.mp3").await);
    assert_eq!(daemon.decided("live.mp3", "stopping"), None);
    let log = daemon.log();
    assert_eq!(daemon.log_lines("cannot be watched"), 1, "{log}");
    assert!(log.contains("refuses user and password") && log.contains("password_file"), "{log}");
    assert!(!log.contains("wrong"), "the password is in the log: {log}");
    assert!(daemon.health.trouble().unwrap().contains("password_file"));
    daemon.reconfigure(settings(&server)).await;
    daemon.comes_to("live.mp3", "unfrozen").await;
    assert_eq!(daemon.health.trouble(), None);
}

#[actix_rt::test]
async fn a_server_that_dies_in_a_countdown_freezes_it_and_goes_on_when_it_is_back() {
    let mut server = IcecastServer::start().await;
    let live = source(&server, "/live.mp3").await;
    let daemon = Daemon::start(settings(&server));
    daemon.comes_to("live.mp3", "started").await;
    server.kill();
    daemon.comes_to("live.mp3", "frozen").await;
    stays("nothing is decided", TIMEOUT, || async { daemon.decided("live.mp3", "stopping").is_none() }).await;
    assert_eq!(daemon.phase("live.mp3").await, Some(PhaseName::Frozen));
    drop(live);
    server.start_again().await;
    let _again = source(&server, "/live.mp3").await;
    daemon.comes_to("live.mp3", "ended").await;
    wait_for("the source is gone", || async { (!server.lists("/live.mp3").await).then_some(()) }).await;
    assert_eq!(daemon.log_lines("cannot be watched"), 1, "{}", daemon.log());
    assert_eq!(daemon.log_lines("answers again"), 1, "{}", daemon.log());
}
