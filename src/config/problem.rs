//! What is wrong with a configuration, where, what is expected, and what to do.

use std::{fmt, path::PathBuf};

use super::{key::Key, schema, secret};
use crate::terminal::plain;

/// Everything that is wrong, at least one problem.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.report())]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}

/// One thing that is wrong. Displayed it takes several lines; its [`summary`](Problem::summary) one.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub place: Place,
    /// The setting, as TOML writes it; empty where the file as a whole is meant.
    pub key: Key,
    pub what: String,
    pub expected: Option<String>,
    pub advice: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Place {
    #[default]
    Unknown,
    /// A file that cannot be used at all.
    Path(PathBuf),
    /// `line` and `column` count from 1; `excerpt` is that line, without secrets.
    File { path: PathBuf, line: usize, column: usize, width: usize, excerpt: String },
    /// A line that is not shown, because it may hold a secret.
    Line { path: PathBuf, line: usize },
    /// A variable of the `.env` file.
    DotEnv { path: PathBuf, variable: String },
    /// A variable of the process environment.
    Environment { variable: String },
    /// A flag of the command line.
    Flag { name: String },
    /// The socket that the service manager has handed over.
    Inherited,
}

impl ConfigError {
    /// One line, for the service status and the log: the first problem, and how many more there are.
    pub fn summary(&self) -> String {
        let first = self.problems.first().map(Problem::summary).unwrap_or_default();
        match self.problems.len().saturating_sub(1) {
            0 => first,
            more => format!("{first} (and {more} more)"),
        }
    }

    fn report(&self) -> String {
        let problems: Vec<String> = self.problems.iter().map(Problem::to_string).collect();
        problems.join("\n\n")
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl Problem {
    pub fn new(key: impl Into<Key>, what: impl Into<String>) -> Self {
        let key = key.into();
        Self {
            place: Place::Unknown,
            expected: schema::expectation(&key),
            key,
            what: secret::mask_line(&what.into()),
            advice: None,
        }
    }

    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub fn at(mut self, place: Place) -> Self {
        if let Place::DotEnv { variable, .. } | Place::Environment { variable } = &place {
            self.advice.get_or_insert_with(|| format!("correct or unset {variable}"));
            // A variable needs no quotes.
            self.expected = self.expected.map(|text| text.replace(schema::TEXT, ""));
        }
        self.place = place;
        self
    }

    /// `file:line:column: key: what`, in one line; a value that is quoted in it steers no terminal.
    pub fn summary(&self) -> String {
        let place = match &self.place {
            Place::Unknown => String::new(),
            place => format!("{place}: "),
        };
        let key = if self.key == Key::default() { String::new() } else { format!("{}: ", self.key) };
        plain(&format!("{place}{key}{}", self.what))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        if let Place::File { line, column, width, excerpt, .. } = &self.place {
            let line = line.to_string();
            let margin = " ".repeat(line.len());
            // A tab stays a tab, so that the caret stands below what it means.
            let indent: String = excerpt.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).take(column - 1).collect();
            let room = excerpt.chars().count().saturating_sub(column - 1);
            let caret = "^".repeat((*width).min(room).max(1));
            write!(f, "\n{margin} |\n{line} | {excerpt}\n{margin} | {indent}{caret}")?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "\n  = expected: {expected}")?;
        }
        if let Some(advice) = &self.advice {
            write!(f, "\n  = what to do: {advice}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("configuration"),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::File { path, line, column, .. } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Line { path, line } => write!(f, "{}:{line}", path.display()),
            Self::DotEnv { path, variable } => write!(f, "{variable} in {}", path.display()),
            Self::Environment { variable } => write!(f, "{variable} in the environment"),
            Self::Flag { name } => write!(f, "{name} on the command line"),
            Self::Inherited => f.write_str("the socket that the service manager has handed over (LISTEN_FDS)"),
        }
    }
}
