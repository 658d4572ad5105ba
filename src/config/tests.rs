//! What people write, and what becomes of it. Each test is a sentence.
#![allow(clippy::unwrap_used)]

mod broken_files;
mod durations;
mod layers;
mod reload;
mod secrets;
mod shipped_file;
mod variables;
mod wrong_values;

use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;

use super::*;

/// A working directory with the files of a test.
struct Scene {
    directory: TempDir,
    sources: Sources,
}

impl Scene {
    /// Nothing but the defaults.
    fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources { dotenv: directory.path().join(".env"), ..Sources::default() };
        Self { directory, sources }
    }

    fn file(mut self, text: &str) -> Self {
        let path = self.directory.path().join("monitor.toml");
        fs::write(&path, text).unwrap();
        self.sources.file = Some(path);
        self
    }

    fn dotenv(self, text: &str) -> Self {
        fs::write(&self.sources.dotenv, text).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn load(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|error| panic!("{error}"))
    }

    fn config(&self) -> Config {
        self.load().config
    }

    /// The error as a person sees it, the scene's directory left out.
    fn error(&self) -> String {
        let error = load(&self.sources).expect_err("should be refused");
        error.to_string().replace(&format!("{}/", self.path().display()), "")
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

/// A broken file, the place of its problem, and what the message must say.
#[track_caller]
fn check_broken(file: &str, place: &str, expect: &[&str]) {
    let error = Scene::empty().file(file).error();
    assert_says(&error, &[&format!("monitor.toml:{place}: ")]);
    assert_says(&error, expect);
}
