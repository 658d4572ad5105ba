//! The daemon as its users meet it: the real binary, real sockets, real files, real signals.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics, and it waits for another process, outside of any actor"
)]

// What the tests speak with: the daemon's process, a streamer, a WebSocket client, a disk that can be full.
mod architecture;
mod by_hand;
mod collector;
mod daemon;
mod door_keeper;
mod figures;
mod live;
mod page;
mod patience;
mod raw_socket;
mod receiver;
#[path = "../../actors/tests/store/redis_server.rs"]
mod redis_server;
#[path = "../../actors/tests/store/small_disk.rs"]
mod small_disk;
mod streamer;
mod token_desk;

// What the daemon does, by behaviour.
mod access;
mod at_three_in_the_morning;
mod auto_end_to_the_end;
mod damaged_store;
mod explanations;
mod fleet;
mod full_disk;
mod history;
mod ingest_bad_input;
mod ingest_commands;
mod ingest_events;
mod ingest_order;
mod journal;
mod kill_and_restart;
mod metrics_exposition;
mod metrics_negotiation;
mod metrics_reference;
mod operator_actions;
mod redis_control;
mod redis_store;
mod reload;
mod reload_under_load;
mod reports;
mod request_ids;
mod seed_shapes;
mod simple_report;
mod slow_clients;
mod socket_activation;
mod standby_proxy;
mod start_errors;
mod tls;
mod traces;
mod upgrades;
mod webhooks;
mod websocket;
