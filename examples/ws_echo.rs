//! An echo server on the daemon's own WebSocket codec, outbox and close, for those who test conformance.
//! usage: `cargo run --release --example ws_echo -- ADDR:PORT`

use std::{env, process::ExitCode, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::header::SEC_WEBSOCKET_EXTENSIONS,
    rt,
    web::{self, Payload},
};
use actix_web_actors::ws;
use futures_util::StreamExt;
use sattva_actors::{
    clock::Clock,
    session::{
        LINGER,
        deflate::{self, Deflater, Encoding},
        frame::{self, Opcode},
        message::{Assembler, Event, Limits},
        outbox::Outbox,
        pace::PaceLimit,
    },
};
use sattva_monitor::http::websocket::on_connect;

const LIMITS: Limits = Limits {
    message_max: 64 << 20,
    fragments_max: usize::MAX,
    message_time: Duration::MAX,
    control: PaceLimit { most: u32::MAX, within: Duration::from_secs(1) },
    binary: true,
};

async fn open(request: HttpRequest, payload: Payload) -> actix_web::Result<HttpResponse> {
    let mut handshake = ws::handshake(&request)?;
    let offers = request.headers().get_all(SEC_WEBSOCKET_EXTENSIONS).filter_map(|offer| offer.to_str().ok());
    let agreed = deflate::negotiate(offers);
    if let Some(agreed) = agreed {
        handshake.insert_header((SEC_WEBSOCKET_EXTENSIONS, agreed));
    }
    let (outbox, body) = Outbox::new();
    rt::spawn(async move {
        echo(payload, &outbox, agreed.map_or(Encoding::Plain, |_| Encoding::Deflate)).await;
        outbox.release();
    });
    Ok(handshake.streaming(body))
}

/// Says everything back, until the client closes or breaks a rule.
async fn echo(mut payload: Payload, outbox: &Outbox, encoding: Encoding) {
    let clock = Clock::System;
    let mut assembler = Assembler::new(LIMITS, encoding, clock.now().at);
    let mut deflater = (encoding == Encoding::Deflate).then(Deflater::new);
    let mut encode = |opcode, message: &[u8]| match deflater.as_mut().and_then(|deflater| deflater.deflate(message)) {
        Some(deflated) => frame::message(opcode, true, &deflated),
        None => frame::message(opcode, false, message),
    };
    while let Some(Ok(mut part)) = payload.next().await {
        while let Some(event) = assembler.next(&mut part, clock.now().at) {
            let answer = match event {
                Ok(Event::Text(text)) => encode(Opcode::Text, &text),
                Ok(Event::Binary(binary)) => encode(Opcode::Binary, &binary),
                Ok(Event::Ping(payload)) => frame::pong(&payload),
                Ok(Event::Pong) => continue,
                Ok(Event::Close(code)) => return outbox.finish(Some(frame::close_answer(code)), false),
                Err(wrong) => {
                    outbox.finish(Some(frame::close(wrong.code, wrong.reason)), false);
                    let rest = async { while let Some(Ok(_)) = payload.next().await {} };
                    let _ = rt::time::timeout(LINGER, rest).await;
                    return;
                }
            };
            // A client that does not read is not read from.
            outbox.room().await;
            if outbox.push(answer, None).is_err() {
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
    let server = HttpServer::new(|| App::new().default_service(web::get().to(open)))
        .on_connect(on_connect)
        .client_disconnect_timeout(Duration::ZERO)
        .bind(&address);
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
