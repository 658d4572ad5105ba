//! SessionActor: one WebSocket client. It owns what waits for the client's socket, its heartbeat and
//! its manners; it runs by itself, so that a jammed socket cannot freeze it.

pub mod frame;
pub mod outbox;

use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
    time::Duration,
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient, StreamHandler};
use actix_http::ws::{Codec, Frame, Item, ProtocolError};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use serde::Deserialize;

use self::{
    frame::CloseCode,
    outbox::{Outbox, OutboxBody},
};
use crate::{
    broker::subscriptions::{Filter, FilterError},
    clock::{Clock, Timestamp},
    protocol::{Deliver, Dismiss, Refine, Subscribe, Unsubscribe},
    wire::{ClientError, Message, MessageType},
};

/// Live messages a session may have waiting besides its outbox.
pub const MAILBOX: usize = 1024;
/// A client's message, all its fragments together.
pub const MESSAGE_MAX: usize = 4096;
/// Fragments of one message, counting empty ones.
const FRAGMENTS_MAX: usize = 16;
/// Time to finish a fragmented message.
const FRAGMENTS_TIME: Duration = Duration::from_secs(10);
/// Control frames a client may send within so long.
const CONTROL_MAX: u32 = 10;
const CONTROL_WITHIN: Duration = Duration::from_secs(1);
/// Messages a client may send within so long, right or wrong: ten a second on average.
const TEXTS_MAX: u32 = 100;
const TEXTS_WITHIN: Duration = Duration::from_secs(10);
/// Wrong messages a client may send before it is closed with 1008.
const RUBBISH_MAX: u32 = 10;
/// Time to answer our close.
const CLOSE_TIME: Duration = Duration::from_secs(2);

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
}

impl Ending {
    const ALL: [Self; 7] = [
        Self::ClientClosed,
        Self::ConnectionLost,
        Self::Silent,
        Self::TooSlow,
        Self::Rubbish,
        Self::Protocol,
        Self::ShuttingDown,
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

/// What a session may do and whom it knows.
#[derive(Clone)]
pub struct SessionOutlets {
    pub subscribe: Recipient<Subscribe>,
    pub refine: Recipient<Refine>,
    pub unsubscribe: Recipient<Unsubscribe>,
}

/// What a client may send.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    Ping,
    Subscribe(Wish),
    Unsubscribe(Wish),
}

#[derive(Debug, Deserialize)]
struct Wish {
    channels: Option<Vec<String>>,
    types: Option<Vec<String>>,
}

impl Wish {
    fn filter(&self) -> Result<Filter, FilterError> {
        fn names(list: Option<&Vec<String>>) -> Option<impl Iterator<Item = &str>> {
            list.map(|list| list.iter().map(String::as_str))
        }
        Filter::parse(names(self.channels.as_ref()), names(self.types.as_ref()))
    }
}

/// How many of one thing came since a moment.
struct Pace {
    since: Timestamp,
    count: u32,
}

impl Pace {
    fn new(since: Timestamp) -> Self {
        Self { since, count: 0 }
    }

    /// Counts one more; true where that is too many for the time.
    fn exceeds(&mut self, now: Timestamp, most: u32, within: Duration) -> bool {
        if now.since(self.since) >= within {
            *self = Self::new(now);
        }
        self.count += 1;
        self.count > most
    }
}

pub struct SessionActor {
    id: u64,
    clock: Clock,
    heartbeat: Duration,
    filter: Filter,
    outlets: SessionOutlets,
    metrics: SessionMetrics,
    outbox: Outbox,
    /// Held while the session lives: its place among the allowed number.
    _place: Box<dyn std::any::Any>,
    last_seen: Timestamp,
    fragments: Option<(BytesMut, usize, Timestamp)>,
    control: Pace,
    texts: Pace,
    rubbish: u32,
    ending: Option<Ending>,
}

impl SessionActor {
    /// A session and the body that goes to its socket; `start` runs it on the caller's thread.
    pub fn new(
        id: u64,
        clock: Clock,
        heartbeat: Duration,
        filter: Filter,
        outlets: SessionOutlets,
        metrics: SessionMetrics,
        place: Box<dyn std::any::Any>,
    ) -> (Self, OutboxBody) {
        let (outbox, body) = Outbox::new();
        let last_seen = clock.now().at;
        let session = Self {
            id,
            clock,
            heartbeat,
            filter,
            outlets,
            metrics,
            outbox,
            _place: place,
            last_seen,
            fragments: None,
            control: Pace::new(last_seen),
            texts: Pace::new(last_seen),
            rubbish: 0,
            ending: None,
        };
        (session, body)
    }

    pub fn start(self, payload: Payload) {
        Self::create(|ctx| {
            ctx.add_stream(Frames {
                payload,
                codec: Codec::new().max_size(MESSAGE_MAX),
                buffer: BytesMut::new(),
                ended: false,
            });
            self
        });
    }

    fn end(&mut self, ctx: &mut Context<Self>, ending: Ending, code: CloseCode, reason: &str) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(ending);
        self.metrics.endings[ending as usize].inc();
        // A client that does not keep up gets nothing more, so that its close may still get through.
        self.outbox.finish(Some(frame::close(code, reason)), ending == Ending::TooSlow);
        self.leave();
        ctx.run_later(CLOSE_TIME, |_, ctx| ctx.stop());
    }

    fn leave(&self) {
        // The broker also lets go of a session whose mailbox it finds closed.
        let _ = self.outlets.unsubscribe.try_send(Unsubscribe { session: self.id });
    }

    fn tell(&mut self, ctx: &mut Context<Self>, frame: Bytes) {
        if self.outbox.push(frame, None).is_err() {
            self.end(ctx, Ending::TooSlow, CloseCode::TryAgainLater, "too slow");
        }
    }

    fn tell_error(&mut self, ctx: &mut Context<Self>, code: &'static str, message: String) {
        let error =
            Message { kind: MessageType::Error, timestamp: self.clock.now().wall, data: ClientError { code, message } };
        self.tell(ctx, frame::text(&error));
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
        if self.texts.exceeds(now, TEXTS_MAX, TEXTS_WITHIN) {
            self.end(ctx, Ending::Rubbish, CloseCode::Policy, "too many messages");
            return;
        }
        match serde_json::from_slice::<ClientMessage>(text) {
            Ok(ClientMessage::Ping) => {
                let pong =
                    Message { kind: MessageType::Pong, timestamp: self.clock.now().wall, data: serde_json::json!({}) };
                self.tell(ctx, frame::text(&pong));
            }
            Ok(ClientMessage::Subscribe(wish)) => {
                let filter = wish.filter().and_then(|more| self.filter.with(more));
                self.refine(ctx, filter, wish.channels.is_some());
            }
            Ok(ClientMessage::Unsubscribe(wish)) => {
                let filter = wish.filter().and_then(|less| self.filter.without(&less));
                self.refine(ctx, filter, false);
            }
            Err(error) => {
                let what = format!("not a message this server knows ({error}); there are ping, subscribe, unsubscribe");
                self.complain(ctx, "bad_message", what);
            }
        }
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

    fn on_fragment(&mut self, ctx: &mut Context<Self>, item: Item, now: Timestamp) {
        let (part, last) = match item {
            Item::FirstText(part) => {
                self.fragments = Some((BytesMut::new(), 0, now));
                (part, false)
            }
            Item::FirstBinary(_) => {
                self.end(ctx, Ending::Protocol, CloseCode::Unsupported, "text only");
                return;
            }
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        let Some((whole, count, began)) = self.fragments.as_mut() else { return };
        whole.extend_from_slice(&part);
        *count += 1;
        if whole.len() > MESSAGE_MAX {
            self.end(ctx, Ending::Protocol, CloseCode::TooBig, "message too big");
        } else if *count > FRAGMENTS_MAX || now.since(*began) > FRAGMENTS_TIME {
            self.end(ctx, Ending::Protocol, CloseCode::Policy, "too many fragments");
        } else if last && let Some((whole, _, _)) = self.fragments.take() {
            self.on_text(ctx, &whole, now);
        }
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now().at;
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
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_later(self.heartbeat, Self::beat);
        let me = ctx.address();
        let subscribe = Subscribe {
            session: self.id,
            filter: self.filter.clone(),
            deliver: me.clone().recipient(),
            dismiss: me.recipient(),
        };
        if self.outlets.subscribe.try_send(subscribe).is_err() {
            self.end(ctx, Ending::TooSlow, CloseCode::TryAgainLater, "the server is too busy");
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.outbox.finish(None, true);
        if self.ending.is_none() {
            self.metrics.endings[Ending::ConnectionLost as usize].inc();
            self.leave();
        }
    }
}

impl Handler<Deliver> for SessionActor {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, ctx: &mut Self::Context) {
        if self.ending.is_some() {
            return;
        }
        let kept_up = match deliver {
            Deliver::Live { frame, replaces } => self.outbox.push(frame, replaces),
            Deliver::Snapshot { frame, since } => self.outbox.push_snapshot(frame, since),
        };
        if kept_up.is_err() {
            self.end(ctx, Ending::TooSlow, CloseCode::TryAgainLater, "too slow");
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

impl StreamHandler<Result<Frame, ProtocolError>> for SessionActor {
    fn handle(&mut self, frame: Result<Frame, ProtocolError>, ctx: &mut Self::Context) {
        let now = self.clock.now().at;
        self.last_seen = now;
        match frame {
            Ok(Frame::Close(_)) => {
                // Either the answer to our close, or theirs to be answered; both end it.
                self.end(ctx, Ending::ClientClosed, CloseCode::Normal, "");
                ctx.stop();
            }
            _ if self.ending.is_some() => {}
            Ok(Frame::Ping(_) | Frame::Pong(_)) if self.control.exceeds(now, CONTROL_MAX, CONTROL_WITHIN) => {
                self.end(ctx, Ending::Rubbish, CloseCode::Policy, "too many control frames");
            }
            Ok(Frame::Ping(payload)) => self.tell(ctx, frame::pong(&payload)),
            Ok(Frame::Pong(_)) => {}
            Ok(Frame::Text(text)) => self.on_text(ctx, &text, now),
            Ok(Frame::Binary(_)) => self.end(ctx, Ending::Protocol, CloseCode::Unsupported, "text only"),
            Ok(Frame::Continuation(item)) => self.on_fragment(ctx, item, now),
            Err(ProtocolError::Overflow) => {
                self.end(ctx, Ending::Protocol, CloseCode::TooBig, "message too big");
            }
            Err(error) => self.end(ctx, Ending::Protocol, CloseCode::Protocol, &error.to_string()),
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        // The client's side of the connection is gone.
        ctx.stop();
    }
}

/// The frames of a request's payload.
struct Frames {
    payload: Payload,
    codec: Codec,
    buffer: BytesMut,
    ended: bool,
}

impl Stream for Frames {
    type Item = Result<Frame, ProtocolError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        use actix_codec::Decoder;
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(None);
            }
            match this.codec.decode(&mut this.buffer) {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) => {}
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match ready!(Pin::new(&mut this.payload).poll_next(cx)) {
                Some(Ok(chunk)) => this.buffer.extend_from_slice(&chunk),
                // The session ends the same way whether the connection was closed or lost.
                Some(Err(_)) | None => this.ended = true,
            }
        }
    }
}
