//! Hands a connection over from HTTP to what a route makes of it. The request goes through the routes and
//! all that stands before them, like any other; only then does the connection change hands.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use actix_codec::{Encoder, Framed, FramedParts};
use actix_http::{ConnectionType, Request, Response, h1};
use actix_service::{Service, ServiceFactory};
use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{BodySize, BoxBody, MessageBody},
    dev::{AppConfig, ServiceResponse},
    http::StatusCode,
    rt::net::TcpStream,
};
use bytes::Bytes;
use sattva_actors::session::{
    socket::{Incoming, Socket},
    wire::Wire,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Time to take the answer, for a client that is not let in, and to close.
const REFUSAL_TIME: Duration = Duration::from_secs(5);

type Welcome = Box<dyn FnOnce(Incoming)>;

/// Where a route says what becomes of the connection.
#[derive(Clone, Default)]
pub struct Reception(Rc<Cell<Option<Welcome>>>);

impl Reception {
    /// None where the connection cannot be handed over.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }

    /// What follows when the response, 101, is on its way.
    pub fn welcome(&self, with: impl FnOnce(Incoming) + 'static) {
        self.0.set(Some(Box::new(with)));
    }
}

/// Serves requests for an upgrade with an app of their own.
pub struct Upgrades<F>(pub F);

pub struct UpgradeService<S> {
    app: S,
}

type Local<T> = Pin<Box<dyn Future<Output = T>>>;
type Upgrade<T> = (Request, Framed<T, h1::Codec>);

/// A connection that a session can have.
pub trait Carrier: AsyncRead + AsyncWrite + Unpin + 'static {
    fn into_wire(self) -> std::io::Result<Wire>;
}

impl Carrier for TcpStream {
    fn into_wire(self) -> std::io::Result<Wire> {
        Ok(self.into())
    }
}

impl<F, B, T> ServiceFactory<Upgrade<T>> for Upgrades<F>
where
    T: Carrier,
    F: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error, InitError = ()>,
    F::Service: 'static,
    F::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ();
    type Error = Error;
    type Config = ();
    type Service = UpgradeService<F::Service>;
    type InitError = ();
    type Future = Local<Result<Self::Service, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let app = self.0.new_service(AppConfig::default());
        Box::pin(async move { Ok(UpgradeService { app: app.await? }) })
    }
}

impl<S, B, T> Service<Upgrade<T>> for UpgradeService<S>
where
    T: Carrier,
    S: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = Local<Result<(), Error>>;

    actix_service::forward_ready!(app);

    fn call(&self, (request, connection): Upgrade<T>) -> Self::Future {
        let reception = Reception::default();
        request.extensions_mut().insert(reception.clone());
        let response = self.app.call(request);
        Box::pin(async move {
            let response = match response.await {
                Ok(response) => Response::from(response).map_into_boxed_body(),
                Err(error) => Response::from(error.error_response()),
            };
            let connection = connection.into_parts();
            match reception.0.take() {
                Some(welcome) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    hand_over(response.drop_body(), connection, welcome)
                }
                _ => refuse(response, connection).await,
            }
        })
    }
}

fn hand_over(
    response: Response<()>,
    mut connection: FramedParts<impl Carrier, h1::Codec>,
    welcome: Welcome,
) -> Result<(), Error> {
    // Answers to requests before this one may still wait.
    let mut head = connection.write_buf;
    connection.codec.encode(h1::Message::Item((response, BodySize::None)), &mut head)?;
    let socket = Socket::new(connection.io.into_wire()?);
    // The very first: there is room.
    let _ = socket.push(head.freeze());
    // A copy: the buffer it was read into is large, and would live as long as the session.
    welcome(socket.incoming(Bytes::copy_from_slice(&connection.read_buf)));
    Ok(())
}

/// Answers like any other request, and closes.
async fn refuse(
    response: Response<BoxBody>,
    mut connection: FramedParts<impl Carrier, h1::Codec>,
) -> Result<(), Error> {
    let (mut response, mut body) = response.into_parts();
    response.head_mut().set_connection_type(ConnectionType::Close);
    // The codec knows no chunks after a request for an upgrade: the body ends with the connection.
    response.head_mut().no_chunking(true);
    let size = body.size();
    let mut out = connection.write_buf;
    connection.codec.encode(h1::Message::Item((response, size)), &mut out)?;
    let written = async {
        if !matches!(size, BodySize::None | BodySize::Sized(0)) {
            while let Some(Ok(part)) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
                connection.codec.encode(h1::Message::Chunk(Some(part)), &mut out)?;
                connection.io.write_all(&out.split()).await?;
            }
            connection.codec.encode(h1::Message::Chunk(None), &mut out)?;
        }
        connection.io.write_all(&out).await?;
        connection.io.shutdown().await?;
        // What the client has sent meanwhile is read: left unread it would reset the connection, and the answer with it.
        let mut rest = [0; 1024];
        while connection.io.read(&mut rest).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // A client that does not take it has lost only the reason.
    let _ = timeout(REFUSAL_TIME, written).await;
    Ok(())
}
