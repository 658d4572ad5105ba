use std::time::Duration;

use sattva_actors::channel::auto_end::PhaseName;

use crate::{
    broadcast::{Listener, ezstream, restarting_source},
    daemon::{Daemon, settings},
    icecast_server::IcecastServer,
    patience::stays,
};

async fn fails_loudly(daemon: &Daemon, channel: &str) {
    let stopped = daemon.comes_to(channel, "stopping").await;
    let failed = daemon.comes_to(channel, "stop_failed").await;
    println!("{channel}: failed {} ms after the decision", failed - stopped);
    let journal = daemon.journal(channel).join("\n");
    assert!(journal.contains("stop_failed: source reconnected"), "{journal}");
    // It stays loud: the reconnected source is the same stream that would not end.
    stays("the stop has failed", Duration::from_secs(4), || async {
        daemon.phase(channel).await == Some(PhaseName::StopFailed)
    })
    .await;
    assert_eq!(daemon.listeners(channel).await, Some(0));
    assert_eq!(daemon.log_lines("killing a source"), 2, "{}", daemon.log());
}

#[actix_rt::test]
async fn a_source_that_something_restarts_ends_in_a_failed_stop() {
    let server = IcecastServer::start().await;
    let source = restarting_source(&server, "/live.mp3").await;
    let daemon = Daemon::start(settings(&server));
    fails_loudly(&daemon, "live.mp3").await;
    assert!(source.starts.get() >= 3);
    // A listener is safe, and what failed stays loud until the stream is gone or a person settles it.
    let listener = Listener::join(&server, "/live.mp3").await;
    daemon.counts("live.mp3", 1).await;
    assert!(listener.is_connected());
    assert_eq!(daemon.phase("live.mp3").await, Some(PhaseName::StopFailed));
}

#[actix_rt::test]
async fn an_ezstream_that_reconnects_by_itself_ends_in_a_failed_stop() {
    let server = IcecastServer::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let _source = ezstream(&server, scratch.path(), "/ez.mp3").await;
    let daemon = Daemon::start(settings(&server));
    fails_loudly(&daemon, "ez.mp3").await;
}

#[actix_rt::test]
async fn a_listener_on_the_reconnected_source_is_never_cut_off() {
    let server = IcecastServer::start().await;
    let source = restarting_source(&server, "/live.mp3").await;
    let daemon = Daemon::start(settings(&server));
    daemon.comes_to("live.mp3", "stopping").await;
    crate::patience::wait_for("the source is back", || async {
        (source.starts.get() >= 2 && server.lists("/live.mp3").await).then_some(())
    })
    .await;
    // It may still be the killed connection that is listed, or be killed once more before anyone is there.
    let listener = loop {
        let listener = Listener::join(&server, "/live.mp3").await;
        if listener.is_connected() {
            break listener;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    daemon.counts("live.mp3", 1).await;
    stays("it goes on", Duration::from_secs(12), || async { listener.is_connected() }).await;
    assert_eq!(daemon.listeners("live.mp3").await, Some(1));
}
