//! The actors of Sattva Monitor.
//!
//! ```text
//!  streamers ──▶ Batch ──▶ Supervisor ──▶ ChannelActor ──Publish──▶ Broker ──Deliver──▶ Shard ──▶ browsers
//!      ▲                   one child       owns listeners,           encodes once,       one per thread,
//!      │                   per stream      auto-end                  for all             a SessionActor per socket
//!      └──── StreamControl ◀──Offer────────┘   │  │                    └◀── StatsActor (5 s)
//!            delivers stops                    │  └──Save──▶ StoreActor (groups, redb or Redis)
//!                                              └──▶ cells: figures that GET /metrics reads
//! ```
//!
//! Decisions are pure ([`channel::auto_end`], [`channel::evidence`], [`channel::stream`]); actors read
//! the clock once per input and carry out what was decided. Messages live in [`protocol`], what browsers
//! read in [`wire`].

mod alarms;
pub mod broker;
pub mod channel;
pub mod chronicle;
pub mod clock;
mod continuity;
pub mod fleet;
pub mod house;
pub mod identity;
pub mod mailbox;
pub mod protocol;
pub mod secret_file;
pub mod session;
mod source_clock;
pub mod stats;
pub mod store;
pub mod stream_control;
pub mod supervisor;
pub mod territory;
pub mod traces;
pub mod vitals;
pub mod wire;
mod world;
