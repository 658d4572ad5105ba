//! Icecast's `/admin/stats` and `/admin/listclients`.

use std::collections::BTreeSet;

use sattva_monitor::adapters::icecast::{
    clients,
    stats::{self, MOUNTS_MAX, Mount},
};

use super::xml::escaped;

/// Of one element's text, in bytes.
const TEXT_MAX: usize = 1024;
const TITLE_MAX: usize = 300;

pub fn hold(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match stats::parse(bytes) {
        Ok(mounts) => {
            assert!(stats::parse(before_the_end(&text)).is_err(), "half a document is believed");
            are_mounts(&mounts, &text);
            reads_as_written(&mounts);
        }
        Err(bad) => is_told_briefly(&bad.to_string()),
    }
    match clients::parse(bytes) {
        Ok(agents) => {
            assert!(clients::parse(before_the_end(&text)).is_err(), "half a list is believed");
            assert!(agents.len() <= text.matches("<listener").count(), "more listeners than elements");
            assert!(agents.iter().all(|agent| agent.len() <= TEXT_MAX));
        }
        Err(bad) => is_told_briefly(&bad.to_string()),
    }
}

/// All but the outermost element's end.
fn before_the_end(text: &str) -> &[u8] {
    let end = text.rfind("</icestats").or_else(|| text.rfind("<icestats")).unwrap_or(0);
    &text.as_bytes()[..end]
}

fn is_told_briefly(told: &str) {
    // A name that is there twice is told with its escapes.
    assert!(told.len() <= 10 * TEXT_MAX && !told.contains(char::is_control), "{told:?}");
}

fn are_mounts(mounts: &[Mount], text: &str) {
    assert!(mounts.len() <= MOUNTS_MAX && mounts.len() <= text.matches("<source").count(), "more mounts than elements");
    let names: BTreeSet<&str> = mounts.iter().map(|mount| mount.name.as_str()).collect();
    assert_eq!(names.len(), mounts.len(), "two mounts have one name");
    let counted = mounts.iter().filter(|mount| mount.listeners.is_some()).count();
    assert!(counted <= text.matches("<listeners").count(), "a count that nobody gave");
    for mount in mounts {
        assert!((1..=TEXT_MAX).contains(&mount.name.len()));
        assert!(mount.start.as_ref().is_none_or(|start| !start.is_empty()));
        assert!(mount.started_at.is_none() || mount.start.is_some());
        for shown in [&mount.title, &mount.artist].into_iter().flatten() {
            assert!(!shown.is_empty() && shown.chars().count() <= TITLE_MAX && !shown.contains(char::is_control));
        }
    }
}

fn reads_as_written(mounts: &[Mount]) {
    let mut text = "<icestats>".to_owned();
    for mount in mounts {
        text += &format!("<source mount=\"{}\">", escaped(&mount.name));
        if let Some(listeners) = mount.listeners {
            text += &format!("<listeners>{listeners}</listeners>");
        }
        if let Some(start) = &mount.start {
            text += &format!("<stream_start>{}</stream_start>", escaped(start));
        }
        text += "</source>";
    }
    text += "</icestats>";
    let again = stats::parse(text.as_bytes()).unwrap_or_else(|bad| panic!("{bad}: {text}"));
    let facts = |mount: &Mount| (mount.name.clone(), mount.listeners, mount.start.clone(), mount.started_at);
    assert_eq!(again.iter().map(facts).collect::<Vec<_>>(), mounts.iter().map(facts).collect::<Vec<_>>(), "{text}");
}
