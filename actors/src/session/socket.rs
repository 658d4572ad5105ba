//! One client's connection. What is sent is written at once where the client takes it; what it does not
//! take waits in an outbox. Reading and writing have this one owner, so nothing can come out of order.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::ErrorKind,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use rustix::net::{SendFlags, send};

use super::{
    outbox::{Outbox, Overflow},
    wire::Wire,
};
use crate::{broker::run::Run, clock::Timestamp};

/// What is read at a time.
const READ: usize = 16 << 10;
/// A client for which something waits and that takes nothing for so long does not keep up.
const STALLED_AFTER: Duration = Duration::from_secs(5);
/// And one that has not taken by then what waited, however steadily it takes a little.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct Socket(Rc<Inner>);

struct Inner {
    stream: Wire,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    outbox: Outbox,
    /// Bytes the client has taken, in all.
    taken: u64,
    /// Since when the client has taken nothing of what waits, as far as it was looked at.
    stands: Option<Mark>,
    /// What waited once, and is to be taken by and by.
    drains: Option<Mark>,
    /// The connection ends when everything has been written.
    released: bool,
    reader: Option<Waker>,
}

/// A number of bytes that the client had taken, or will have, and when that was noted.
#[derive(Clone, Copy)]
struct Mark {
    taken: u64,
    at: Timestamp,
}

impl Socket {
    pub fn new(stream: impl Into<Wire>) -> Self {
        let stream = stream.into();
        Wire::bound(&stream);
        Self(Rc::new(Inner { stream, state: RefCell::default() }))
    }

    pub fn push(&self, frame: Bytes) -> Result<(), Overflow> {
        let pushed = self.0.state.borrow_mut().outbox.push(frame, None);
        self.write();
        pushed
    }

    pub fn push_snapshot(&self, frame: Bytes, since: Bytes) -> Result<(), Overflow> {
        let pushed = self.0.state.borrow_mut().outbox.push_snapshot(frame, since);
        self.write();
        pushed
    }

    pub fn send(&self, run: &Run) -> Result<(), Overflow> {
        let mut state = self.0.state.borrow_mut();
        let mut taken = 0;
        if state.outbox.is_finished() {
            return Ok(());
        }
        if state.outbox.is_empty() {
            match self.0.stream.try_write(run.together()) {
                Ok(bytes) => taken = bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => {
                    state.lose();
                    return Ok(());
                }
            }
            state.taken += taken as u64;
            if taken == run.together().len() {
                return Ok(());
            }
        }
        let (begun, rest) = run.after(taken);
        if !begun.is_empty() {
            state.outbox.begin(begun);
        }
        state.wake();
        rest.iter().try_for_each(|(frame, replaces)| state.outbox.push(frame.clone(), replaces.clone()))
    }

    /// The last frame; nothing is taken after it. The client may still answer, until the socket is released.
    pub fn finish(&self, last: Option<Bytes>, drop_waiting: bool) {
        self.0.state.borrow_mut().outbox.finish(last, drop_waiting);
        self.write();
    }

    /// Nothing is read any more when everything has been written.
    pub fn release(&self) {
        let mut state = self.0.state.borrow_mut();
        state.released = true;
        state.wake();
    }

    /// Writes until little enough waits, or nobody takes it any more: for one who answers everything that
    /// comes in, and reads no faster than the client does.
    pub async fn room(&self) {
        poll_fn(|cx| {
            while !self.0.state.borrow().outbox.has_room() {
                match self.0.stream.poll_write_ready(cx) {
                    Poll::Ready(Ok(())) => self.write(),
                    Poll::Ready(Err(_)) => self.0.state.borrow_mut().lose(),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Something waits for the client to take it.
    pub fn is_waited_for(&self) -> bool {
        !self.0.state.borrow().outbox.is_empty()
    }

    /// Looked at now and then: has something waited for too long, and the client taken nothing of it, or too little?
    pub fn is_stalled(&self, now: Timestamp) -> bool {
        let mut state = self.0.state.borrow_mut();
        if state.outbox.is_empty() {
            (state.stands, state.drains) = (None, None);
            return false;
        }
        // The kernel tells of room only when a third of its buffer is free; a client that takes little at a time
        // has made some before.
        let (slices, _) = state.outbox.next();
        if let Ok(bytes) = send(&self.0.stream, &slices[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            state.took(bytes);
        }
        let taken = state.taken;
        let stands = *state.stands.get_or_insert(Mark { taken, at: now });
        if stands.taken != taken {
            state.stands = Some(Mark { taken, at: now });
        } else if now.since(stands.at) >= STALLED_AFTER {
            return true;
        }
        let waits = state.outbox.waiting() as u64;
        let drains = *state.drains.get_or_insert(Mark { taken: taken + waits, at: now });
        if drains.taken <= taken {
            state.drains = Some(Mark { taken: taken + waits, at: now });
            return false;
        }
        now.since(drains.at) >= DRAINED_WITHIN
    }

    /// Writes what waits, as much as the client takes.
    fn write(&self) {
        let mut state = self.0.state.borrow_mut();
        while !state.outbox.is_empty() {
            let (slices, count) = state.outbox.next();
            match self.0.stream.try_write_vectored(&slices[..count]) {
                Ok(bytes) => state.took(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return state.lose(),
            }
        }
        if !state.outbox.is_empty() {
            state.wake();
        }
    }

    /// What the client sends, beginning with what has come already; and the writing of what waits.
    pub fn incoming(&self, already: Bytes) -> Incoming {
        Incoming { socket: self.clone(), already }
    }
}

impl State {
    /// So much of what waited.
    fn took(&mut self, bytes: usize) {
        self.outbox.written(bytes);
        self.taken += bytes as u64;
    }

    /// The connection is gone: the reader will see it too.
    fn lose(&mut self) {
        self.outbox.abandon();
        self.released = true;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// Ends with the connection.
pub struct Incoming {
    socket: Socket,
    already: Bytes,
}

impl Incoming {
    pub fn socket(&self) -> &Socket {
        &self.socket
    }
}

impl Stream for Incoming {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        let inner = &this.socket.0;
        while !inner.state.borrow().outbox.is_empty() {
            match inner.stream.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => this.socket.write(),
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        {
            let mut state = inner.state.borrow_mut();
            if state.released && state.outbox.is_empty() {
                return Poll::Ready(None);
            }
            state.reader = Some(cx.waker().clone());
        }
        if !this.already.is_empty() {
            return Poll::Ready(Some(std::mem::take(&mut this.already)));
        }
        loop {
            match inner.stream.poll_read_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
            let mut part = BytesMut::with_capacity(READ);
            match inner.stream.try_read_buf(&mut part) {
                Ok(0) => return Poll::Ready(None),
                Ok(_) => return Poll::Ready(Some(part.freeze())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::StreamExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpSocket, TcpStream},
    };

    use super::*;
    use crate::{
        broker::{encoded::Encoded, held::Live, subscriptions::Filter},
        protocol::Replaces,
        session::{deflate::Encoding, outbox::MESSAGES_MAX},
        wire::MessageType,
    };

    /// A socket, and its client. Its kernel keeps a fixed amount: one that grows tells of room only when a
    /// sixteenth of it is free, which may take a reader of a little many reads.
    async fn connected() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(128 << 10).unwrap();
        let (client, server) = tokio::join!(client.connect(listener.local_addr().unwrap()), listener.accept());
        (Socket::new(server.unwrap().0), client.unwrap())
    }

    /// A busy kernel tells of what was read a little later; and not of every part.
    async fn moves(socket: &Socket, now: Timestamp) {
        let taken = socket.0.state.borrow().taken;
        for _ in 0..50 {
            if socket.is_stalled(now) || socket.0.state.borrow().taken != taken {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn run(frames: &[(Bytes, Option<Replaces>)]) -> Run {
        let live = |(frame, replaces): &(Bytes, Option<Replaces>)| {
            let frames = Encoded { plain: frame.clone(), deflated: None };
            Arc::new(Live { kind: MessageType::Stats, channel: None, replaces: replaces.clone(), frames })
        };
        Run::of(&frames.iter().map(live).collect::<Vec<_>>(), &Filter::default(), Encoding::Plain)
    }

    fn large(letter: u8) -> Bytes {
        vec![letter; 32 << 10].into()
    }

    /// Sends until something waits; returns how much was sent.
    fn jam(socket: &Socket) -> usize {
        let mut sent = 0;
        while socket.0.state.borrow().outbox.is_empty() {
            socket.send(&run(&[(large(b'j'), None)])).unwrap();
            sent += 32 << 10;
        }
        sent
    }

    async fn read(client: &mut TcpStream, bytes: usize) -> Vec<u8> {
        let mut all = vec![0; bytes];
        client.read_exact(&mut all).await.unwrap();
        all
    }

    /// Lets the socket do what it has to until `done`.
    async fn meanwhile<T>(socket: &Socket, done: impl Future<Output = T>) -> T {
        let mut incoming = socket.incoming(Bytes::new());
        tokio::select! {
            done = done => done,
            _ = async { while incoming.next().await.is_some() {} } => panic!("the connection ended"),
        }
    }

    #[actix::test]
    async fn what_the_client_takes_is_written_at_once_and_in_one_piece() {
        let (socket, mut client) = connected().await;
        poll_fn(|cx| socket.0.stream.poll_write_ready(cx)).await.unwrap();
        socket.send(&run(&[("ab".into(), None), ("cd".into(), None)])).unwrap();
        let mut together = [0; 8];
        assert_eq!((client.read(&mut together).await.unwrap(), &together[..4]), (4, &b"abcd"[..]));
    }

    #[actix::test]
    async fn a_client_that_reads_again_gets_every_byte_in_its_order_and_only_the_newest_state() {
        let (socket, mut client) = connected().await;
        let jammed = jam(&socket);
        socket.send(&run(&[("1".into(), Some(Replaces::Stats)), ("w".into(), None)])).unwrap();
        socket.send(&run(&[("2".into(), Some(Replaces::Stats))])).unwrap();
        let all = meanwhile(&socket, read(&mut client, jammed + 2)).await;
        assert!(all[..jammed].iter().all(|byte| *byte == b'j'));
        assert_eq!(&all[jammed..], b"w2");
        // Nothing waits any more: the next one goes straight through again.
        socket.send(&run(&[("x".into(), None)])).unwrap();
        assert!(socket.0.state.borrow().outbox.is_empty());
        assert_eq!(read(&mut client, 1).await, b"x");
    }

    #[actix::test]
    async fn a_client_that_takes_nothing_overflows_and_the_kernel_keeps_little_for_it() {
        let (socket, _client) = connected().await;
        let jammed = jam(&socket);
        assert!(jammed < 8 << 20, "{jammed}");
        let taken = (0..).take_while(|_| socket.send(&run(&[("x".into(), None)])).is_ok()).count();
        assert!(taken <= MESSAGES_MAX, "{taken}");
    }

    #[actix::test]
    async fn only_who_takes_nothing_while_something_waits_has_stalled() {
        let (socket, mut client) = connected().await;
        let at = Timestamp::from_secs;
        assert!(!socket.is_stalled(at(0)));
        let jammed = jam(&socket);
        assert_eq!([1, 5, 6].map(|s| socket.is_stalled(at(s))), [false, false, true]);
        // A little is enough to be believed for another while.
        meanwhile(&socket, read(&mut client, jammed / 2)).await;
        socket.write();
        socket.send(&run(&[(large(b'k'), None)])).unwrap();
        assert!(!socket.is_stalled(at(7)));
        meanwhile(&socket, read(&mut client, jammed - jammed / 2 + (32 << 10))).await;
        assert!(!socket.is_stalled(at(100)));
    }

    #[actix::test]
    async fn who_takes_a_little_now_and_then_has_stalled_when_what_waits_is_not_taken_in_time() {
        let (socket, mut client) = connected().await;
        jam(&socket);
        let snapshot = Bytes::from(vec![b's'; 8 << 20]);
        socket.push_snapshot(snapshot, Bytes::new()).unwrap();
        let mut second = 0;
        while !socket.is_stalled(Timestamp::from_secs(second)) {
            read(&mut client, 64 << 10).await;
            second += 1;
            moves(&socket, Timestamp::from_secs(second)).await;
        }
        assert_eq!(second, 30);
    }

    #[actix::test]
    async fn who_takes_what_waits_has_not_stalled_though_there_is_always_more() {
        let (socket, mut client) = connected().await;
        let mut taken = jam(&socket);
        for second in 0..100 {
            assert!(!socket.is_stalled(Timestamp::from_secs(second)), "{second}");
            socket.push(large(b'k')).unwrap();
            taken -= read(&mut client, 32 << 10).await.len();
            taken += 32 << 10;
            socket.write();
        }
        assert!(socket.is_waited_for() && taken > 0);
    }

    #[actix::test]
    async fn a_released_connection_ends_when_everything_has_been_written() {
        let (socket, mut client) = connected().await;
        let jammed = jam(&socket);
        socket.finish(Some("bye".into()), false);
        socket.release();
        let mut incoming = socket.incoming(Bytes::new());
        let (end, all) = tokio::join!(incoming.next(), read(&mut client, jammed + 3));
        assert_eq!((end, &all[jammed..]), (None, &b"bye"[..]));
    }

    #[actix::test]
    async fn what_came_before_the_handover_is_read_first() {
        let (socket, mut client) = connected().await;
        client.write_all(b"later").await.unwrap();
        let mut incoming = socket.incoming("already".into());
        assert_eq!(incoming.next().await.unwrap(), "already");
        assert_eq!(incoming.next().await.unwrap(), "later");
        drop(client);
        assert_eq!(incoming.next().await, None);
    }

    #[actix::test]
    async fn a_producer_that_waits_for_room_is_not_left_waiting() {
        let (socket, mut client) = connected().await;
        let jammed = jam(&socket);
        socket.push(large(b'k')).unwrap();
        socket.push(large(b'k')).unwrap();
        let ((), _) = tokio::join!(socket.room(), read(&mut client, jammed));
        jam(&socket);
        socket.push(large(b'k')).unwrap();
        socket.push(large(b'k')).unwrap();
        // What waits for a client that is gone need not be waited for.
        drop(client);
        socket.room().await;
    }
}
