//! What carries a session's bytes: its client's own connection, or a pipe to what encrypts it.

use std::{
    io::{IoSlice, Result},
    os::fd::{AsFd, BorrowedFd},
    task::{Context, Poll},
};

use bytes::BytesMut;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::{
    net::{TcpStream, UnixStream},
    sync::oneshot,
};

/// What the kernel may keep for a client that reads slowly.
const SEND_BUFFER: usize = 128 << 10;

pub enum Wire {
    Tcp(TcpStream),
    Pipe(UnixStream, SessionLives),
}

/// Dropped with the session.
pub struct SessionLives(#[expect(dead_code, reason = "its drop is what is noticed")] oneshot::Sender<()>);

impl From<TcpStream> for Wire {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Pipe(stream, _) => stream.as_fd(),
        }
    }
}

impl Wire {
    /// A pipe to what encrypts it: its far end, and what ends with the session, which a pipe that is full does not tell.
    pub fn pipe() -> Result<(Self, UnixStream, oneshot::Receiver<()>)> {
        let (near, far) = UnixStream::pair()?;
        let (lives, session) = oneshot::channel();
        Ok((Self::Pipe(near, SessionLives(lives)), far, session))
    }

    /// What the kernel may keep for whoever reads slowly: without a limit it keeps megabytes. Nothing else depends on it.
    pub fn bound(stream: impl AsFd) {
        let _ = set_socket_send_buffer_size(stream, SEND_BUFFER);
    }

    pub fn try_write(&self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Pipe(stream, _) => stream.try_write(bytes),
        }
    }

    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Pipe(stream, _) => stream.try_write_vectored(slices),
        }
    }

    pub fn try_read_buf(&self, buffer: &mut BytesMut) -> Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read_buf(buffer),
            Self::Pipe(stream, _) => stream.try_read_buf(buffer),
        }
    }

    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Pipe(stream, _) => stream.poll_write_ready(cx),
        }
    }

    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Pipe(stream, _) => stream.poll_read_ready(cx),
        }
    }
}
