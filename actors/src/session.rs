//! SessionActor: one WebSocket client. It owns the client's socket, its heartbeat and its manners. Live
//! messages do not pass through it: its thread's shard writes them to the socket.

pub mod deflate;
pub mod frame;
pub mod message;
pub mod outbox;
pub mod pace;
pub mod socket;
pub mod utf8;
pub mod wire;
pub mod wish;

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient, StreamHandler, prelude::SendError};
use bytes::Bytes;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use serde::Serialize;

use self::{
    deflate::Encoding,
    frame::{CloseCode, Violation},
    message::{Assembler, Event, Limits},
    outbox::Overflow,
    pace::{Pace, PaceLimit},
    socket::{Incoming, Socket},
    wish::Wish,
};
use crate::{
    broker::{
        BrokerMetrics,
        audience::Line,
        run::Run,
        shard::Entrance,
        subscriptions::{Filter, FilterError},
    },
    clock::{Clock, Timestamp},
    protocol::{Dismiss, Refine, Subscribe, Unsubscribe},
    wire::{ClientError, Message, MessageType},
};

/// What a client may send. A message of its own is a few words, so an inflated one may not be large either.
const LIMITS: Limits = Limits {
    message_max: 4096,
    fragments_max: 16,
    message_time: Duration::from_secs(10),
    control: PaceLimit { most: 10, within: Duration::from_secs(1) },
    binary: false,
};
/// Messages a client may send, right or wrong: ten a second on average.
const TEXTS: PaceLimit = PaceLimit { most: 100, within: Duration::from_secs(10) };
/// Wrong messages a client may send before it is closed with 1008.
const RUBBISH_MAX: u32 = 10;
/// Time to answer our close.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// What a client still sends after a violation is read for so long before the connection is closed: else
/// a reset might overtake our close.
pub const LINGER: Duration = Duration::from_millis(100);

/// Why a session ended, for the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    ClientClosed,
    ConnectionLost,
    Silent,
    TooSlow,
    Rubbish,
    Protocol,
    ShuttingDown,
    NotAdmitted,
}

impl Ending {
    const ALL: [Self; 8] = [
        Self::ClientClosed,
        Self::ConnectionLost,
        Self::Silent,
        Self::TooSlow,
        Self::Rubbish,
        Self::Protocol,
        Self::ShuttingDown,
        Self::NotAdmitted,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "client_closed",
            Self::ConnectionLost => "connection_lost",
            Self::Silent => "silent",
            Self::TooSlow => "too_slow",
            Self::Rubbish => "rubbish",
            Self::Protocol => "protocol",
            Self::ShuttingDown => "shutting_down",
            Self::NotAdmitted => "not_admitted",
        }
    }
}

#[derive(Clone, Debug)]
pub struct SessionMetrics {
    endings: [IntCounter; Ending::ALL.len()],
}

impl SessionMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let opts = Opts::new("sattva_websocket_sessions_ended_total", "WebSocket sessions that ended, by reason.");
        let endings = IntCounterVec::new(opts, &["reason"])?;
        registry.register(Box::new(endings.clone()))?;
        Ok(Self { endings: Ending::ALL.map(|ending| endings.with_label_values(&[ending.as_str()])) })
    }
}

/// What the sessions of one thread share: whom they know, and what they count.
pub struct SessionOutlets {
    pub entrance: Entrance<SessionLine>,
    pub subscribe: Recipient<Subscribe>,
    pub refine: Recipient<Refine>,
    pub unsubscribe: Recipient<Unsubscribe>,
    pub metrics: SessionMetrics,
    pub sent: BrokerMetrics,
}

/// A session as its thread's shard sees it.
#[derive(Clone)]
pub struct SessionLine {
    socket: Socket,
    session: Recipient<Dismiss>,
}

impl Line for SessionLine {
    fn send(&self, run: &Run) -> Result<(), Overflow> {
        self.socket.send(run)
    }

    fn send_snapshot(&self, frame: Bytes, since: Bytes) -> Result<(), Overflow> {
        self.socket.push_snapshot(frame, since)
    }

    fn is_stalled(&self, now: Timestamp) -> bool {
        self.socket.is_stalled(now)
    }

    fn dismiss(&self, why: Dismiss) {
        // It takes one at least; who has been told to go need not be told again.
        let _ = self.session.try_send(why);
    }
}

/// What let a client in, held while its session lives.
pub trait Permit {
    /// Whether it still does; asked at each heartbeat.
    fn holds(&self) -> bool;
}

/// What a session has agreed with its client when it began.
#[derive(Clone, Debug)]
pub struct Terms {
    pub heartbeat: Duration,
    pub encoding: Encoding,
    pub filter: Filter,
}

pub struct SessionActor {
    id: u64,
    clock: Clock,
    heartbeat: Duration,
    encoding: Encoding,
    filter: Filter,
    outlets: Arc<SessionOutlets>,
    socket: Socket,
    permit: Box<dyn Permit>,
    last_seen: Timestamp,
    assembler: Assembler,
    texts: Pace,
    rubbish: u32,
    ending: Option<Ending>,
}

impl SessionActor {
    /// Runs a session on the caller's thread.
    pub fn begin(
        id: u64,
        clock: Clock,
        terms: Terms,
        outlets: Arc<SessionOutlets>,
        permit: Box<dyn Permit>,
        incoming: Incoming,
    ) {
        let Terms { heartbeat, encoding, filter } = terms;
        let last_seen = clock.now().at;
        let session = Self {
            id,
            clock,
            heartbeat,
            encoding,
            filter,
            outlets,
            socket: incoming.socket().clone(),
            permit,
            last_seen,
            assembler: Assembler::new(LIMITS, encoding, last_seen),
            texts: Pace::new(last_seen),
            rubbish: 0,
            ending: None,
        };
        Self::create(|ctx| {
            ctx.add_stream(incoming);
            session
        });
    }

    fn end(&mut self, ctx: &mut Context<Self>, ending: Ending, code: CloseCode, reason: &str) {
        self.end_with(ctx, ending, frame::close(code, reason));
    }

    fn end_with(&mut self, ctx: &mut Context<Self>, ending: Ending, close: Bytes) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(ending);
        self.outlets.metrics.endings[ending as usize].inc();
        // A client that does not keep up gets nothing more, so that its close may still get through.
        self.socket.finish(Some(close), ending == Ending::TooSlow);
        self.leave();
        ctx.run_later(CLOSE_TIME, |_, ctx| ctx.stop());
    }

    fn leave(&self) {
        self.outlets.entrance.leave(self.id);
        let unsubscribe = &self.outlets.unsubscribe;
        if let Err(SendError::Full(message)) = unsubscribe.try_send(Unsubscribe { session: self.id }) {
            // It must not be forgotten, and the session does not live to see it.
            actix::spawn(unsubscribe.send(message));
        }
    }

    fn tell(&mut self, ctx: &mut Context<Self>, frame: Bytes) {
        if self.socket.push(frame).is_err() {
            self.end(ctx, Ending::TooSlow, CloseCode::TryAgainLater, "too slow");
        }
    }

    /// A message for this client alone.
    fn say<T: Serialize>(&mut self, ctx: &mut Context<Self>, kind: MessageType, data: T) {
        let frame = frame::json(&Message { kind, timestamp: self.clock.now().wall, data });
        self.outlets.sent.count_one(kind, frame.len());
        self.tell(ctx, frame);
    }

    fn tell_error(&mut self, ctx: &mut Context<Self>, code: &'static str, message: String) {
        self.say(ctx, MessageType::Error, ClientError { code, message });
    }

    /// The client did something wrong.
    fn complain(&mut self, ctx: &mut Context<Self>, code: &'static str, message: String) {
        self.rubbish += 1;
        self.tell_error(ctx, code, message);
        if self.rubbish > RUBBISH_MAX {
            self.end(ctx, Ending::Rubbish, CloseCode::Policy, "too many wrong messages");
        }
    }

    fn on_text(&mut self, ctx: &mut Context<Self>, text: &[u8], now: Timestamp) {
        if self.texts.exceeds(now, TEXTS) {
            self.end(ctx, Ending::Rubbish, CloseCode::Policy, "too many messages");
            return;
        }
        match Wish::read(text) {
            Ok(Wish::Ping) => self.say(ctx, MessageType::Pong, serde_json::json!({})),
            Ok(Wish::Filter(change)) => {
                let filter = change.of(&self.filter);
                self.refine(ctx, filter, change.shows_more());
            }
            Err(what) => self.complain(ctx, "bad_message", what),
        }
    }

    fn violate(&mut self, ctx: &mut Context<Self>, violation: &Violation) {
        let ending = if violation.code == CloseCode::Policy { Ending::Rubbish } else { Ending::Protocol };
        self.end(ctx, ending, violation.code, violation.reason);
        // Nothing more can be understood, not even an answer to our close.
        ctx.run_later(LINGER, |_, ctx| ctx.stop());
    }

    fn refine(&mut self, ctx: &mut Context<Self>, filter: Result<Filter, FilterError>, snapshot: bool) {
        let filter = match filter {
            Ok(filter) => filter,
            Err(why) => return self.complain(ctx, "bad_filter", why.to_string()),
        };
        let refine = Refine { session: self.id, filter: filter.clone(), snapshot };
        match self.outlets.refine.try_send(refine) {
            Ok(()) => self.filter = filter,
            Err(_) => self.tell_error(ctx, "busy", "the server is too busy; try again in a second".into()),
        }
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now().at;
        if !self.permit.holds() {
            self.end(ctx, Ending::NotAdmitted, CloseCode::Policy, "the token is no longer valid");
            return;
        }
        if let Err(violation) = self.assembler.check_time(now) {
            self.violate(ctx, &violation);
            return;
        }
        // Our pings stand in line: who has not taken what stands before them cannot answer, and how long that
        // may be is the shard's to judge.
        if self.socket.is_waited_for() {
            self.last_seen = now;
        }
        if now.since(self.last_seen) > self.heartbeat * 2 {
            self.end(ctx, Ending::Silent, CloseCode::Policy, "silent for two heartbeats");
            return;
        }
        self.tell(ctx, frame::ping());
        ctx.run_later(self.heartbeat, Self::beat);
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_later(self.heartbeat, Self::beat);
        let line = SessionLine { socket: self.socket.clone(), session: ctx.address().recipient() };
        self.outlets.entrance.enter(self.id, self.encoding, self.filter.clone(), line);
        let subscribe = Subscribe {
            session: self.id,
            encoding: self.encoding,
            filter: self.filter.clone(),
            shard: self.outlets.entrance.handle.clone(),
        };
        if self.outlets.subscribe.try_send(subscribe).is_err() {
            self.end(ctx, Ending::TooSlow, CloseCode::TryAgainLater, "the server is too busy");
        }
    }
}

impl Drop for SessionActor {
    fn drop(&mut self) {
        // However it came to its end: nothing of it may stay behind.
        if self.ending.is_none() {
            self.outlets.metrics.endings[Ending::ConnectionLost as usize].inc();
            self.leave();
        }
    }
}

impl Handler<Dismiss> for SessionActor {
    type Result = ();

    fn handle(&mut self, dismiss: Dismiss, ctx: &mut Self::Context) {
        match dismiss {
            Dismiss::ShuttingDown => {
                self.end(ctx, Ending::ShuttingDown, CloseCode::GoingAway, "the server is shutting down");
            }
            Dismiss::TooSlow => self.end(ctx, Ending::TooSlow, CloseCode::TryAgainLater, "too slow"),
        }
    }
}

impl StreamHandler<Bytes> for SessionActor {
    fn handle(&mut self, mut part: Bytes, ctx: &mut Self::Context) {
        let now = self.clock.now().at;
        self.last_seen = now;
        while let Some(event) = self.assembler.next(&mut part, now) {
            match event {
                Ok(Event::Close(code)) => {
                    // Either the answer to our close, or theirs to be answered; both end it.
                    self.end_with(ctx, Ending::ClientClosed, frame::close_answer(code));
                    self.socket.release();
                }
                Ok(_) if self.ending.is_some() => {}
                Ok(Event::Text(text)) => self.on_text(ctx, &text, now),
                Ok(Event::Ping(payload)) => self.tell(ctx, frame::pong(&payload)),
                // The limits admit no binary message.
                Ok(Event::Pong | Event::Binary(_)) => {}
                Err(violation) => self.violate(ctx, &violation),
            }
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        // The client's side of the connection is gone.
        ctx.stop();
    }
}
