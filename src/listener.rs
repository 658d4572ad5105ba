//! The socket the daemon listens on: its own, or one that the service manager holds while the daemon is started anew.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use listenfd::ListenFd;
use socket2::{Domain, SockRef, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// A client that takes nothing for this long is cut off by the kernel.
const UNSENT_FOR_AT_MOST: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("cannot listen on {address}: {error}; {todo}")]
    Bind { address: SocketAddr, error: std::io::Error, todo: &'static str },
    #[error(
        "the service manager hands over {0} sockets; give the .socket unit one ListenStream= with an address and a port"
    )]
    Number(usize),
    #[error(
        "the service manager's socket cannot be used: {0}; give the .socket unit one ListenStream= with an address and a port"
    )]
    Inherited(std::io::Error),
}

/// Binds one.
pub fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let listen = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        bound_in_time(&SockRef::from(&socket))?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    listen().map_err(|error| {
        let todo = match error.kind() {
            ErrorKind::AddrInUse => "another program has the port; stop it, or give another one with --listen",
            ErrorKind::PermissionDenied => "ports below 1024 need a privilege; take a higher one with --listen",
            _ => "give an address of this machine with --listen",
        };
        ListenError::Bind { address, error, todo }
    })
}

/// The one the service manager hands over (`LISTEN_FDS`), and its address.
///
/// # Errors
/// When it hands over several, or something else.
pub fn inherited() -> Result<Option<(TcpListener, SocketAddr)>, ListenError> {
    let mut handed_over = ListenFd::from_env();
    match handed_over.len() {
        0 => return Ok(None),
        1 => {}
        several => return Err(ListenError::Number(several)),
    }
    let mut take = || -> std::io::Result<Option<(TcpListener, SocketAddr)>> {
        let Some(listener) = handed_over.take_tcp_listener(0)? else { return Ok(None) };
        if !SockRef::from(&listener).is_listener()? {
            return Err(std::io::Error::other("nobody can connect to it (Accept=yes?)"));
        }
        bound_in_time(&SockRef::from(&listener))?;
        let address = listener.local_addr()?;
        Ok(Some((listener, address)))
    };
    take().map_err(ListenError::Inherited)
}

/// Connections of it cannot hold unsent data for ever.
fn bound_in_time(socket: &SockRef<'_>) -> std::io::Result<()> {
    socket.set_tcp_user_timeout(Some(UNSENT_FOR_AT_MOST))
}
