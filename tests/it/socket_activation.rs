//! The service manager holds the port: the daemon takes what it is given, and a restart refuses nobody.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixListener},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    daemon::{Daemon, Ended, Plan},
    patience::{PATIENCE, eventually},
    raw_socket::RawSocket,
    streamer::Streamer,
};

fn a_port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Sends a report on a connection of its own, however long the answer takes.
fn report(address: SocketAddr, body: &Value) -> Value {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let request = agent.post(format!("http://{address}/api/v1/ingest")).header("content-type", "application/json");
    let mut answer = request.send(body.to_string()).unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

fn refused(socket: impl Into<OwnedFd>, times: usize) -> Ended {
    Plan::new("").hand_over(socket, times).run_to_its_end(&["serve", "--config", "config.toml"])
}

#[test]
fn the_socket_that_is_handed_over_is_listened_on_and_its_clients_are_cut_off_in_time() {
    let (port, address) = a_port();
    let watched = port.try_clone().unwrap();
    let daemon = Plan::new("").hand_over(port, 1).start();
    assert_eq!(daemon.address(), address);
    assert_eq!(daemon.get("/healthz").status, 200);
    // It is one socket, whoever looks at it.
    assert_eq!(SockRef::from(&watched).tcp_user_timeout().unwrap(), Some(Duration::from_secs(10)));
    let said = daemon.logged(|line| line["key"] == "http.listen");
    assert!(said.is_none(), "nobody has set it: {said:?}");
}

#[test]
fn whoever_comes_while_the_daemon_is_started_anew_is_answered_by_the_next_one() {
    let (port, address) = a_port();
    let mut daemon = Plan::new("").hand_over(port, 1).start();
    let mut jazz = Streamer::new("radio-1", "jazz").every(600.0);
    jazz.hears(&daemon, 0);
    // It does not answer the close, so that the daemon takes its time to end.
    let _guest = RawSocket::open(address);
    daemon.signal(Signal::TERM);
    eventually("the daemon to begin its end", || daemon.logged(|line| line["message"] == "stopping"));

    let body = jazz.request(0);
    let comer = thread::spawn(move || report(address, &body));
    let looker = TcpStream::connect(address).unwrap();
    assert!(!daemon.has_ended(), "it ended too soon to prove anything");
    assert_eq!(daemon.wait_for_its_end().code(), Some(0));
    assert!(!comer.is_finished(), "the one that ends has answered");
    daemon.start_again();
    assert_eq!(comer.join().unwrap()["accepted"], 1);
    drop(looker);
    assert_eq!(daemon.phase("jazz"), "counting");
}

#[test]
fn one_restart_after_the_other_refuses_none_of_many() {
    let (port, address) = a_port();
    let mut daemon = Plan::new("").hand_over(port, 1).start();
    let askers: Vec<_> = (0..4)
        .map(|number| {
            thread::spawn(move || {
                for seq in 1..=12 {
                    let report = json!({ "channel_id": format!("channel-{number}"), "session": "s", "seq": seq, "state": "live" });
                    let request = json!({ "source": format!("radio-{number}"), "reports": [report] });
                    // Whoever was let in and then was too late is told to come again.
                    eventually("an answer that it is taken in", || {
                        let agent: ureq::Agent = ureq::Agent::config_builder()
                            .http_status_as_error(false)
                            .timeout_global(Some(PATIENCE))
                            .build()
                            .into();
                        let post = agent.post(format!("http://{address}/api/v1/ingest"));
                        let post = post.header("content-type", "application/json").header("connection", "close");
                        let mut answer = post.send(request.to_string()).expect("a connection and an answer");
                        let status = answer.status().as_u16();
                        assert!([200, 503].contains(&status), "{:?}", answer.body_mut().read_to_string());
                        (status == 200).then_some(())
                    });
                }
            })
        })
        .collect();
    let mut restarts = 0;
    while !askers.iter().all(thread::JoinHandle::is_finished) {
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.wait_for_its_end().code(), Some(0));
        daemon.start_again();
        restarts += 1;
    }
    for asker in askers {
        asker.join().unwrap();
    }
    assert!(restarts > 1, "restarted {restarts} times only");
    assert_eq!(daemon.json("/api/v1/streams")["streams"].as_array().unwrap().len(), 4);
}

#[track_caller]
fn says(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(78), "{}", ended.said);
    for word in words {
        assert!(ended.said.contains(word), "{word:?} is missing in: {}", ended.said);
    }
}

#[test]
fn several_sockets_are_refused_with_what_to_do() {
    says(&refused(a_port().0, 2), &["hands over 2 sockets", "ListenStream="]);
}

#[test]
fn a_socket_file_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixListener::bind(folder.path().join("socket")).unwrap();
    says(&refused(socket, 1), &["cannot be used", "ListenStream="]);
}

#[test]
fn a_connection_in_the_place_of_a_port_is_refused_with_what_to_do() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    says(&refused(socket, 1), &["cannot be used", "Accept=", "ListenStream="]);
}

#[test]
fn what_is_meant_for_another_process_is_left_alone() {
    let daemon: Daemon = Plan::new("").env("LISTEN_PID", "1").env("LISTEN_FDS", "1").start();
    assert_eq!(daemon.get("/healthz").status, 200);
}
