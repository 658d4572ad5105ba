//! A session over TLS: it writes to a pipe, and what comes out of that is encrypted on its way to the client.

use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use sattva_actors::session::wire::Wire;
use tokio::{
    io::{AsyncWriteExt, copy, split},
    net::UnixStream,
    sync::oneshot,
    time::sleep,
};

use super::upgrade::Carrier;

/// What is still on its way to the client when the session is over has so long.
const LINGER: Duration = Duration::from_secs(5);

impl Carrier for TlsStream<TcpStream> {
    fn into_wire(self) -> std::io::Result<Wire> {
        Wire::bound(self.get_ref().0);
        let (session, pipe, session_lives) = Wire::pipe()?;
        actix_web::rt::spawn(carry(self, pipe, session_lives));
        Ok(session)
    }
}

/// Until both sides have ended. Nothing is held here but what is on its way: a client that takes nothing fills the pipe,
/// and the session finds out.
async fn carry(client: TlsStream<TcpStream>, pipe: UnixStream, session_lives: oneshot::Receiver<()>) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_session, mut to_session) = pipe.into_split();
    let down = async {
        let _ = copy(&mut from_session, &mut to_client).await;
        // With it the client learns that nothing has been cut off.
        let _ = to_client.shutdown().await;
    };
    let up = async {
        let _ = copy(&mut from_client, &mut to_session).await;
        // With it the session learns that nothing more will come.
        let _ = to_session.shutdown().await;
    };
    let too_long = async {
        let _ = session_lives.await;
        sleep(LINGER).await;
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(down, up) } => {}
        () = too_long => {}
    }
}
