//! Whatever answers in an Icecast's place: nothing of it becomes a report.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
use sattva_actors::protocol::{Batch, KnownSessions, RegisterOutlet};
use sattva_monitor::health::Health;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{lone_adapter::lone_adapter, patience::wait_for};

/// Stands where the daemon would, and counts what it is told.
struct Probe(Rc<Cell<usize>>);

impl Actor for Probe {
    type Context = Context<Self>;
}

impl Handler<Batch> for Probe {
    type Result = ();

    fn handle(&mut self, batch: Batch, _: &mut Self::Context) {
        self.0.set(self.0.get() + batch.reports.len());
    }
}

impl Handler<KnownSessions> for Probe {
    type Result = ();

    fn handle(&mut self, known: KnownSessions, _: &mut Self::Context) {
        let _ = known.reply.send(Vec::new());
    }
}

impl Handler<RegisterOutlet> for Probe {
    type Result = ();

    fn handle(&mut self, _: RegisterOutlet, _: &mut Self::Context) {}
}

/// A server that gives every request the same bytes, and what it leads to.
async fn answering(answer: Vec<u8>, hold: bool) -> (Health, Rc<Cell<usize>>, Rc<Cell<u32>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Rc::new(Cell::new(0));
    let counter = Rc::clone(&requests);
    tokio::task::spawn_local(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = answer.clone();
            counter.set(counter.get() + 1);
            tokio::task::spawn_local(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                // The client may well have gone.
                let _ = socket.write_all(&answer).await;
                if hold {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
        }
    });
    let reports = Rc::new(Cell::new(0));
    let probe = Probe(Rc::clone(&reports)).start();
    let adapter = lone_adapter("foreign", url, &probe, Arc::default());
    let health = adapter.health();
    adapter.start();
    (health, reports, requests)
}

fn ok(body: &[u8]) -> Vec<u8> {
    let mut answer = b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n".to_vec();
    answer.extend_from_slice(body);
    answer
}

const STATS: &[u8] = b"<icestats><source mount=\"/a\"><listeners>0</listeners>\
    <stream_start_iso8601>2026-11-24T00:00:00+0000</stream_start_iso8601></source></icestats>";

#[actix_rt::test]
async fn an_answer_without_a_length_is_read_to_its_end() {
    let (health, reports, _) = answering(ok(STATS), false).await;
    wait_for("a report", || async { (reports.get() > 0).then_some(()) }).await;
    assert_eq!(health.trouble(), None);
}

#[actix_rt::test]
async fn nothing_that_is_not_a_good_answer_becomes_a_report() {
    let endless = [b"HTTP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec(), vec![b' '; 50 << 20]].concat();
    let unsaid = [b"HTTP/1.0 200 OK\r\n\r\n<icestats>".to_vec(), vec![b' '; 50 << 20]].concat();
    let cut = [b"HTTP/1.0 200 OK\r\nContent-Length: 5000\r\n\r\n".to_vec(), STATS[..STATS.len() - 5].to_vec()].concat();
    let page = b"<html><body>hello</body></html>";
    let status = |line: &str| format!("HTTP/1.0 {line}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("garbage", vec![0xff; 5000]),
        ("a page", ok(page)),
        ("half", ok(&STATS[..STATS.len() - 5])),
        ("cut off", cut),
        ("401", status("401 Unauthorized")),
        ("500", status("500 Internal Server Error")),
        ("404", status("404 Not Found")),
        ("302", b"HTTP/1.0 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("204", status("204 No Content")),
        ("50 MB announced", endless),
        ("50 MB without a word", unsaid),
    ];
    for (what, answer) in cases {
        let (health, reports, requests) = answering(answer, false).await;
        wait_for(what, || async { (requests.get() >= 2 && health.trouble().is_some()).then_some(()) }).await;
        println!("{what}: {}", health.trouble().unwrap());
        assert_eq!(reports.get(), 0, "{what}");
    }
}

#[actix_rt::test]
async fn an_answer_that_never_ends_is_given_up() {
    let slow = ok(&STATS[..20]);
    let (never, slowly) = (answering(Vec::new(), true).await, answering(slow, true).await);
    for (health, reports, _) in [never, slowly] {
        let trouble = wait_for("it is given up", || async { health.trouble() }).await;
        assert!(trouble.contains("no answer within 10 s"), "{trouble}");
        assert_eq!(reports.get(), 0);
    }
}
