//! What browsers are sent, as TypeScript: the dashboard's types are held against it.

use ts_rs::{Config, TS};

use super::*;
use crate::{
    channel::journal::Decision,
    protocol::{CommandView, Outcome, ReporterView},
};

const GENERATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../frontend/src/data/wire.generated.ts");
/// Set, the file is written instead of compared.
const WRITE: &str = "WRITE_WIRE_TYPES";

fn typescript() -> String {
    // JSON has no others.
    let config = Config::default().with_large_int("number");
    let declared = [
        Track::decl(&config),
        SystemStats::decl(&config),
        StreamEvent::decl(&config),
        StreamStatus::decl(&config),
        StreamUpdate::decl(&config),
        AutoEndWarning::decl(&config),
        AutoEndEvent::decl(&config),
        PhaseName::decl(&config),
        Why::decl(&config),
        AutoEndChange::decl(&config),
        AutoEndState::decl(&config),
        StreamState::decl(&config),
        Snapshot::decl(&config),
        ClientError::decl(&config),
        Status::decl(&config),
        Outcome::decl(&config),
        ReporterView::decl(&config),
        CommandView::decl(&config),
        Decision::decl(&config),
    ];
    let mut text = format!(
        "/** Generated from actors/src/wire.rs: `{WRITE}=1 cargo nextest run -p sattva-actors wire` writes it anew. */\n"
    );
    for declaration in declared {
        text.push_str(&format!("\nexport {declaration}\n"));
    }
    text
}

#[test]
fn the_types_of_the_dashboard_are_generated_from_these() {
    let text = typescript();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(GENERATED, &text).unwrap();
    }
    let committed = std::fs::read_to_string(GENERATED).unwrap_or_default();
    assert!(committed == text, "{GENERATED} is not what the source says; write it anew with {WRITE}=1");
}

#[test]
fn a_state_of_auto_end_bears_one_name_in_json_and_in_the_store_of_history() {
    use PhaseName::{Counting, Frozen, Off, Paused, StopFailed, Stopping, Watching};
    for phase in [Off, Watching, Counting, Frozen, Paused, Stopping, StopFailed] {
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str(), "{phase:?}");
    }
}
