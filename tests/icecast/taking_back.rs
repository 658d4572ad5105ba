//! A stop that is taken back, or may be another daemon's to decide, while the adapter still looks whether anyone listens.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, Recipient};
use sattva_actors::{
    clock::Clock,
    protocol::{Batch, Identity, Instruction, KnownSessions, OnlyIf, RegisterOutlet, Retract, StopCommand, StopReason},
    store::StoreHealth,
    territory::Territory,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    lone_adapter::lone_adapter,
    patience::{stays, wait_for},
};

const STATS: &str = "<icestats><source mount=\"/a\"><listeners>0</listeners>\
    <stream_start_iso8601>2026-11-24T00:00:00+0000</stream_start_iso8601></source></icestats>";

/// A server with one source that nobody hears; it holds its answers back when told to.
#[derive(Clone, Default)]
struct Studio {
    looks: Rc<Cell<u32>>,
    kills: Rc<Cell<u32>>,
    holds: Rc<Cell<bool>>,
}

impl Studio {
    async fn open(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let studio = self.clone();
        tokio::task::spawn_local(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let studio = studio.clone();
                tokio::task::spawn_local(async move {
                    let mut request = [0; 4096];
                    let length = socket.read(&mut request).await.unwrap_or(0);
                    let asked =
                        if request[..length].starts_with(b"GET /admin/stats") { &studio.looks } else { &studio.kills };
                    asked.set(asked.get() + 1);
                    while studio.holds.get() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{STATS}", STATS.len());
                    // The client may well have gone.
                    let _ = socket.write_all(answer.as_bytes()).await;
                });
            }
        });
        url
    }
}

/// What the daemon would have learned.
#[derive(Clone, Default)]
struct Known {
    outlet: Rc<Cell<Option<Recipient<Instruction>>>>,
    stop: Rc<Cell<Option<StopCommand>>>,
}

struct Daemon(Known);

impl Actor for Daemon {
    type Context = Context<Self>;
}

impl Handler<Batch> for Daemon {
    type Result = ();

    fn handle(&mut self, batch: Batch, _: &mut Self::Context) {
        let Some((channel, report)) = batch.reports.into_iter().next() else { return };
        let Identity::Numbered { session, .. } = report.identity else { return };
        self.0.stop.set(Some(StopCommand {
            id: format!("{channel}/g1.f1.r0/{session}"),
            channel,
            source: batch.source,
            session,
            reason: StopReason::NoListeners,
            only_if: Some(OnlyIf { listeners_at_most: 0, joins: None }),
            decided_at: batch.received,
            valid_until: batch.received.plus(Duration::from_secs(60)),
        }));
    }
}

impl Handler<KnownSessions> for Daemon {
    type Result = ();

    fn handle(&mut self, known: KnownSessions, _: &mut Self::Context) {
        let _ = known.reply.send(Vec::new());
    }
}

impl Handler<RegisterOutlet> for Daemon {
    type Result = ();

    fn handle(&mut self, register: RegisterOutlet, _: &mut Self::Context) {
        self.0.outlet.set(register.outlet);
    }
}

/// A server that does not answer the look before the kill, the adapter that has sent it, and the stop that it is for.
async fn about_to_kill(store: Arc<StoreHealth>) -> (Studio, Recipient<Instruction>, StopCommand) {
    let studio = Studio::default();
    let url = studio.open().await;
    let known = Known::default();
    let daemon = Daemon(known.clone()).start();
    lone_adapter("studio", url, &daemon, store).start();
    let stop = wait_for("a report", || async { known.stop.take() }).await;
    let outlet = known.outlet.take().unwrap();

    studio.holds.set(true);
    let before = studio.looks.get();
    outlet.send(Instruction::Execute(stop.clone())).await.unwrap();
    wait_for("the look before the kill", || async { (studio.looks.get() > before).then_some(()) }).await;
    (studio, outlet, stop)
}

#[actix_rt::test]
async fn a_stop_taken_back_while_the_server_is_looked_at_kills_nothing() {
    let (studio, outlet, stop) = about_to_kill(Arc::default()).await;
    outlet
        .send(Instruction::Retract(Retract { source: stop.source.clone(), id: stop.id.clone(), leaves_outlet: false }))
        .await
        .unwrap();
    studio.holds.set(false);
    stays("nothing is killed", Duration::from_secs(2), || async { studio.kills.get() == 0 }).await;

    // One that stands is carried out.
    outlet.send(Instruction::Execute(StopCommand { id: "a/g2.f1.r0/x".into(), ..stop })).await.unwrap();
    wait_for("the kill", || async { (studio.kills.get() == 1).then_some(()) }).await;
}

#[actix_rt::test]
async fn a_stop_that_may_be_another_daemons_to_decide_by_now_kills_nothing() {
    let store = Arc::<StoreHealth>::default();
    let lease = |seconds| store.set_leased_until(Clock::System.now().at.plus(Duration::from_secs(seconds)));
    store.set_territory(&Territory::Slots(Default::default()));
    lease(60);
    let (studio, outlet, stop) = about_to_kill(Arc::clone(&store)).await;
    lease(0);
    studio.holds.set(false);
    stays("nothing is killed", Duration::from_secs(2), || async { studio.kills.get() == 0 }).await;

    // Delivered again once nobody else can have the channel, it is carried out.
    lease(60);
    outlet.send(Instruction::Execute(stop)).await.unwrap();
    wait_for("the kill", || async { (studio.kills.get() == 1).then_some(()) }).await;
}
