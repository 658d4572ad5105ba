//! The configuration's file.

use std::collections::BTreeMap;

use sattva_monitor::config::{self, Config, ConfigError, Flags, Loaded, Place, Sources};

use super::memory_file::MemoryFile;

fn load(text: &[u8]) -> Result<Loaded, ConfigError> {
    let file = MemoryFile::holding(text);
    let sources = Sources {
        installed: None,
        file: Some(file.path()),
        dotenv: "/nowhere/.env".into(),
        env: BTreeMap::new(),
        flags: Flags::default(),
    };
    config::load(&sources)
}

pub fn hold(bytes: &[u8]) {
    match load(bytes) {
        Ok(loaded) => stays_as_it_is(&loaded.config),
        Err(error) => names_where(&error, bytes),
    }
}

/// What was read, written down, is read as the same. Passwords are not written.
fn stays_as_it_is(config: &Config) {
    let text = toml::to_string(config).expect("settings are TOML");
    let again = load(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\nin\n{text}"));
    assert_eq!(toml::to_string(&again.config).as_ref(), Ok(&text));
}

/// Every problem is at a place that is in the file, and nothing that it shows steers a terminal.
fn names_where(error: &ConfigError, bytes: &[u8]) {
    assert!(!error.problems.is_empty());
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    for problem in &error.problems {
        match &problem.place {
            Place::File { line, column, .. } => {
                // The end of the text is a place too.
                let shown = text.split('\n').nth(line - 1).unwrap_or_else(|| panic!("no line {line}: {problem}"));
                let columns = shown.chars().count() + 1;
                assert!((1..=columns).contains(column), "column {column} of {columns}: {problem}");
            }
            // It is no text at all.
            Place::Path(_) => {}
            other => panic!("a problem of the file at {other}"),
        }
        let shown = problem.to_string();
        assert!(!shown.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{shown:?}");
        assert!(!problem.summary().contains(|c: char| c.is_control() && c != '\t'), "{shown:?}");
        assert!(!problem.what.is_empty());
    }
}
