//! An echo server on the daemon's own WebSocket codec, socket and close, for those who test conformance.
//! usage: `cargo run --release --example ws_echo -- ADDR:PORT`

use std::{env, net::TcpListener, process::ExitCode, time::Duration};

use actix_http::HttpService;
use actix_server::Server;
use actix_service::{IntoServiceFactory, map_config};
use actix_web::{App, HttpRequest, HttpResponse, dev::AppConfig, rt, web};
use futures_util::StreamExt;
use sattva_actors::{
    clock::Clock,
    session::{
        LINGER,
        deflate::{Deflater, Encoding},
        frame::{self, Opcode},
        message::{Assembler, Event, Limits},
        pace::PaceLimit,
        socket::Incoming,
    },
};
use sattva_monitor::http::{problem::Problem, upgrade::Upgrades, websocket::Handshake};

const LIMITS: Limits = Limits {
    message_max: 64 << 20,
    fragments_max: usize::MAX,
    message_time: Duration::MAX,
    control: PaceLimit { most: u32::MAX, within: Duration::from_secs(1) },
    binary: true,
};

async fn open(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let Handshake { mut answer, encoding, reception } = Handshake::with(&request)?;
    reception.welcome(move |incoming| drop(rt::spawn(echo(incoming, encoding))));
    Ok(answer.finish())
}

/// Says everything back, until the client closes or breaks a rule.
async fn echo(mut incoming: Incoming, encoding: Encoding) {
    let (clock, socket) = (Clock::System, incoming.socket().clone());
    let mut assembler = Assembler::new(LIMITS, encoding, clock.now().at);
    let mut deflater = (encoding == Encoding::Deflate).then(Deflater::new);
    let mut encode = |opcode, message: &[u8]| match deflater.as_mut().and_then(|deflater| deflater.deflate(message)) {
        Some(deflated) => frame::message(opcode, true, &deflated),
        None => frame::message(opcode, false, message),
    };
    while let Some(mut part) = incoming.next().await {
        while let Some(event) = assembler.next(&mut part, clock.now().at) {
            let answer = match event {
                Ok(Event::Text(text)) => encode(Opcode::Text, &text),
                Ok(Event::Binary(binary)) => encode(Opcode::Binary, &binary),
                Ok(Event::Ping(payload)) => frame::pong(&payload),
                Ok(Event::Pong) => continue,
                Ok(Event::Close(code)) => {
                    socket.finish(Some(frame::close_answer(code)), false);
                    socket.release();
                    continue;
                }
                Err(wrong) => {
                    socket.finish(Some(frame::close(wrong.code, wrong.reason)), false);
                    let rest = async { while incoming.next().await.is_some() {} };
                    let _ = rt::time::timeout(LINGER, rest).await;
                    return;
                }
            };
            // A client that does not read is not read from.
            socket.room().await;
            if socket.push(answer).is_err() {
                return;
            }
        }
    }
}

#[actix_web::main]
async fn main() -> ExitCode {
    let Some(address) = env::args().nth(1) else {
        eprintln!("usage: ws_echo ADDR:PORT");
        return ExitCode::FAILURE;
    };
    let app = || App::new().default_service(web::get().to(open)).into_factory();
    let server = TcpListener::bind(&address).and_then(|listener| {
        Server::build().listen("echo", listener, move || {
            HttpService::build()
                .tcp_nodelay(true)
                .upgrade(Upgrades(app()))
                .finish(map_config(app(), |_| AppConfig::default()))
                .tcp()
        })
    });
    let served = match server {
        Ok(server) => server.run().await,
        Err(error) => Err(error),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ws_echo cannot serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}
