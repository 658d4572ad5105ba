//! What carries a session's bytes: its client's own connection, or a pipe to what encrypts it.

use std::{
    io::{IoSlice, Result},
    os::fd::{AsFd, BorrowedFd},
    task::{Context, Poll},
};

use bytes::BytesMut;
use tokio::net::{TcpStream, UnixStream};

pub enum Wire {
    Tcp(TcpStream),
    Pipe(UnixStream),
}

impl From<TcpStream> for Wire {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<UnixStream> for Wire {
    fn from(stream: UnixStream) -> Self {
        Self::Pipe(stream)
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Pipe(stream) => stream.as_fd(),
        }
    }
}

impl Wire {
    pub fn try_write(&self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Pipe(stream) => stream.try_write(bytes),
        }
    }

    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Pipe(stream) => stream.try_write_vectored(slices),
        }
    }

    pub fn try_read_buf(&self, buffer: &mut BytesMut) -> Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read_buf(buffer),
            Self::Pipe(stream) => stream.try_read_buf(buffer),
        }
    }

    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Pipe(stream) => stream.poll_write_ready(cx),
        }
    }

    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Pipe(stream) => stream.poll_read_ready(cx),
        }
    }
}
