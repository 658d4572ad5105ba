//! The file of the tokens: who has one, and what for. It holds digests, never a token.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use sattva_actors::clock::WallTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    names::Names,
    role::Role,
    token::{Digest, Token},
};
use crate::terminal::plain;

/// Most tokens in a file.
pub const TOKENS_MAX: usize = 10_000;
const FILE_BYTES: u64 = 16 << 20;
const NAME_LENGTH: usize = 64;
/// Others may read it: of a digest nothing can be learnt, and the daemon runs as a user that root's umask knows nothing of.
const FILE_MODE: u32 = 0o644;
const HEAD: &str = "# The tokens of Sattva Monitor, by their digests. `sattva-monitor token` writes this file; \
reload the daemon afterwards.\n\n";

/// A moment as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub WallTime);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = WallTime::parse_rfc3339(&text).map(Self);
        moment.ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no time such as 2027-01-31T12:00:00Z")))
    }
}

/// One token, but not the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub role: Role,
    pub sha256: Digest,
    /// Of a streamer: the sources it may report as; none = only the one that has its own name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Names>,
    /// Of a streamer: the channels it may report; none = all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Names>,
    pub created_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
}

impl Entry {
    pub fn covers_source(&self, source: &str) -> bool {
        if self.sources.is_empty() {
            source == self.name
        } else {
            self.sources.iter().any(|names| names.includes(source))
        }
    }

    pub fn covers_channel(&self, channel: &str) -> bool {
        self.channels.is_empty() || self.channels.iter().any(|names| names.includes(channel))
    }

    pub fn listed(&self, names: &[Names]) -> String {
        names.iter().map(Names::as_str).collect::<Vec<_>>().join(", ")
    }

    pub fn has_expired(&self, now: WallTime) -> bool {
        self.expires_at.is_some_and(|at| at.0 <= now)
    }
}

/// Why a presented token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    NoSuchToken,
    Expired,
}

/// Every token there is, or the word that nobody needs one.
#[derive(Clone, Debug, Default)]
pub struct Book(Option<HashMap<Digest, Arc<Entry>>>);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Debug, thiserror::Error)]
pub enum BookError {
    #[error(
        "{path}: there is no such file; make the first token, which makes the file: sattva-monitor token create --file {path} --name NAME --role operator"
    )]
    Absent { path: String },
    #[error("{path} cannot be read: {error}; let the daemon's user read it (mode 0644: it holds only digests)")]
    Unreadable { path: String, error: std::io::Error },
    #[error("{path} cannot be written: {error}; run this as the user who owns it")]
    Unwritable { path: String, error: std::io::Error },
    #[error("{path} is not a file of tokens: {what}; restore it, or make the tokens anew with `sattva-monitor token`")]
    Damaged { path: String, what: String },
    #[error("there is a token named `{0}` already; revoke it first, or take another name")]
    Taken(String),
    #[error("there is no token named `{0}`; `sattva-monitor token list` tells which there are")]
    NoSuchName(String),
    #[error("{0}")]
    Wrong(String),
}

fn is_name(name: &str) -> bool {
    (1..=NAME_LENGTH).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'@' | b'-'))
}

/// What is wrong with an entry by itself.
fn trouble(entry: &Entry) -> Option<String> {
    if !is_name(&entry.name) {
        return Some(format!(
            "`{}` is no name: 1 to {NAME_LENGTH} of A-Z a-z 0-9 _ . : @ -",
            entry.name.escape_debug()
        ));
    }
    if entry.role != Role::Streamer && !(entry.sources.is_empty() && entry.channels.is_empty()) {
        return Some(format!("`{}`: only a streamer's token is for sources or channels", entry.name));
    }
    let wrong = entry.sources.iter().chain(&entry.channels).find_map(Names::trouble);
    wrong.map(|what| format!("`{}`: {what}", entry.name))
}

impl Document {
    fn read(path: &Path) -> Result<Option<Self>, BookError> {
        let shown = || path.display().to_string();
        let unreadable = |error| BookError::Unreadable { path: shown(), error };
        let damaged = |what: String| BookError::Damaged { path: shown(), what };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mut text = String::new();
        file.take(FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > FILE_BYTES {
            return Err(damaged(format!("it is larger than {FILE_BYTES} bytes")));
        }
        let document: Self = toml::from_str(&text).map_err(|error| damaged(plain(error.to_string().trim_end())))?;
        document.check().map_err(damaged)?;
        Ok(Some(document))
    }

    fn check(&self) -> Result<(), String> {
        if self.token.len() > TOKENS_MAX {
            return Err(format!("there are more than {TOKENS_MAX} tokens in it"));
        }
        let (mut names, mut digests) = (HashMap::new(), HashMap::new());
        for entry in &self.token {
            if let Some(what) = trouble(entry) {
                return Err(what);
            }
            if names.insert(entry.name.as_str(), ()).is_some() {
                return Err(format!("two tokens are named `{}`", entry.name));
            }
            if digests.insert(entry.sha256, ()).is_some() {
                return Err(format!("`{}` and another one are the same token", entry.name));
            }
        }
        Ok(())
    }

    /// All or nothing: whoever reads meanwhile reads what was there before.
    fn write(&self, path: &Path) -> Result<(), BookError> {
        let unwritable = |error| BookError::Unwritable { path: path.display().to_string(), error };
        let text = toml::to_string_pretty(self).map_err(|error| BookError::Wrong(error.to_string()))?;
        let beside = path.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&beside)?;
            file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
            file.write_all(HEAD.as_bytes())?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            directory(path)?.sync_all()
        };
        write().map_err(unwritable)
    }
}

fn directory(path: &Path) -> std::io::Result<File> {
    File::open(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Nobody else changes the file while this is held: of two who do so at once none loses what the other one wrote.
fn alone(path: &Path) -> Result<File, BookError> {
    let locked = directory(path).and_then(|directory| directory.lock().map(|()| directory));
    locked.map_err(|error| BookError::Unwritable { path: path.display().to_string(), error })
}

impl Book {
    /// Nobody is asked for a token.
    pub const fn open_house() -> Self {
        Self(None)
    }

    /// The tokens of a file; without one nobody is asked. An empty file lets nobody in.
    ///
    /// # Errors
    /// When the file is not there, cannot be read, or is not a file of tokens: a daemon that then let everybody in, or
    /// nobody, would be wrong either way.
    pub fn load(file: Option<&Path>) -> Result<Self, BookError> {
        let Some(path) = file else { return Ok(Self::open_house()) };
        let document = Document::read(path)?.ok_or_else(|| BookError::Absent { path: path.display().to_string() })?;
        Ok(Self(Some(document.token.into_iter().map(|entry| (entry.sha256, Arc::new(entry))).collect())))
    }

    pub const fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// When it is nobody's, or has expired.
    pub fn holder(&self, token: &Token, now: WallTime) -> Result<Arc<Entry>, Unknown> {
        let entry = self.0.as_ref().and_then(|entries| entries.get(&token.digest())).ok_or(Unknown::NoSuchToken)?;
        if entry.has_expired(now) { Err(Unknown::Expired) } else { Ok(Arc::clone(entry)) }
    }

    /// Whether the token that an entry was made for still opens what it opened.
    pub fn still_has(&self, entry: &Entry, now: WallTime) -> bool {
        let found = self.0.as_ref().and_then(|entries| entries.get(&entry.sha256));
        found.is_some_and(|found| **found == *entry && !entry.has_expired(now))
    }
}

/// The tokens of a file, sorted by name.
///
/// # Errors
/// As [`Book::load`].
pub fn list(path: &Path) -> Result<Vec<Entry>, BookError> {
    let document = Document::read(path)?.ok_or_else(|| BookError::Absent { path: path.display().to_string() })?;
    let mut entries = document.token;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Writes one more token into the file, which is made if it is not there.
///
/// # Errors
/// When the name is taken or wrong, or the file cannot be read or written.
pub fn add(path: &Path, entry: Entry) -> Result<(), BookError> {
    let _alone = alone(path)?;
    let mut document = Document::read(path)?.unwrap_or_default();
    if document.token.iter().any(|known| known.name == entry.name) {
        return Err(BookError::Taken(entry.name));
    }
    document.token.push(entry);
    document.check().map_err(BookError::Wrong)?;
    document.write(path)
}

/// Takes a token out of the file.
///
/// # Errors
/// When there is none of that name, or the file cannot be read or written.
pub fn revoke(path: &Path, name: &str) -> Result<(), BookError> {
    let _alone = alone(path)?;
    let mut document = Document::read(path)?.ok_or_else(|| BookError::Absent { path: path.display().to_string() })?;
    let before = document.token.len();
    document.token.retain(|entry| entry.name != name);
    if document.token.len() == before {
        return Err(BookError::NoSuchName(name.to_owned()));
    }
    document.write(path)
}

#[cfg(test)]
mod tests;
