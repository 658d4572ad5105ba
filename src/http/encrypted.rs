//! A session over TLS: it writes to a pipe, and what comes out of that is encrypted on its way to the client.

use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use sattva_actors::session::wire::Wire;
use tokio::{
    io::{AsyncWriteExt, copy, split},
    net::UnixStream,
    time::timeout,
};

use super::upgrade::Carrier;

/// When one side has ended, what is still on its way to the other one has so long.
const LINGER: Duration = Duration::from_secs(5);

impl Carrier for TlsStream<TcpStream> {
    fn into_wire(self) -> std::io::Result<Wire> {
        let (session, pipe) = UnixStream::pair()?;
        actix_web::rt::spawn(carry(self, pipe));
        Ok(session.into())
    }
}

/// Until both sides have ended. Nothing is held here but what is on its way: a client that takes nothing fills the pipe,
/// and the session finds out.
async fn carry(client: TlsStream<TcpStream>, pipe: UnixStream) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_session, mut to_session) = pipe.into_split();
    let down = async {
        let _ = copy(&mut from_session, &mut to_client).await;
        // With it the client learns that nothing has been cut off.
        let _ = timeout(LINGER, to_client.shutdown()).await;
    };
    let up = async {
        let _ = copy(&mut from_client, &mut to_session).await;
        let _ = to_session.shutdown().await;
    };
    tokio::pin!(down, up);
    tokio::select! {
        () = &mut down => { let _ = timeout(LINGER, up).await; }
        () = &mut up => { let _ = timeout(LINGER, down).await; }
    }
}
