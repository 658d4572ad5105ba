//! The embedded store: two redb files in the state directory. `state.redb` holds what a restart
//! needs and stays small, so that it can be checked whole before it is believed; `journal.redb` holds
//! the decisions and is opened after the daemon serves.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Committed, Group, Loaded, Store, StoreError, failed};
use crate::{
    channel::journal::{DECISIONS_KEPT, Decision},
    clock::{Stamp, Timestamp, WallTime},
    identity::ChannelId,
};

const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// A ring per channel: decision `n` lies at `n % DECISIONS_KEPT`.
const JOURNAL: TableDefinition<'_, (&str, u32), &[u8]> = TableDefinition::new("journal");
const PULSE: &str = "pulse";
const FENCE: &str = "fence";
/// Page caches, in bytes; the kernel keeps the rest.
const STATE_CACHE: usize = 2 << 20;
const JOURNAL_CACHE: usize = 1 << 20;

pub struct RedbStore {
    dir: PathBuf,
    state: Option<Database>,
    journal: Option<Database>,
}

impl RedbStore {
    /// Opens the state directory, making it if need be, and hands out what it holds. A file that is
    /// damaged is put aside, never deleted, and the daemon starts without it.
    pub fn open(dir: &Path, wall: WallTime) -> Result<(Self, Loaded), StoreError> {
        let at = |path: &Path, what: String, todo| StoreError::At { path: path.to_owned(), what, todo };
        const WRITABLE: &str = "give a directory with room that this user may write: --state-dir or store.state_dir";
        fs::create_dir_all(dir).map_err(|e| at(dir, format!("the state directory cannot be made: {e}"), WRITABLE))?;
        let path = dir.join("state.redb");
        let mut notice = None;
        let state = match open_checked(&path, STATE_CACHE) {
            Ok(state) => state,
            Err(Opening::Locked) => {
                let what = "another daemon has this state directory open".to_owned();
                return Err(at(&path, what, "stop that one first, or give this one its own --state-dir"));
            }
            Err(Opening::Io(error)) => {
                return Err(at(&path, format!("the store cannot be opened: {error}"), WRITABLE));
            }
            Err(Opening::Damaged(why)) => {
                let aside = put_aside(&path, wall)
                    .map_err(|e| at(&path, format!("{why}; putting it aside failed: {e}"), WRITABLE))?;
                let told = format!(
                    "{} was damaged ({why}) and is kept as {}; countdowns, holds and commands start anew",
                    path.display(),
                    aside.display()
                );
                tracing::error!(notice = %told, "the store was damaged");
                notice = Some(told);
                open_checked(&path, STATE_CACHE)
                    .map_err(|_| at(&path, "a new store cannot be made".into(), WRITABLE))?
            }
        };
        let mut store = Self { dir: dir.to_owned(), state: Some(state), journal: None };
        let mut loaded = catch_unwind(AssertUnwindSafe(|| store.load(wall))).unwrap_or_else(|_| Err(StoreError::Failed("reading it panicked".into())))
            .map_err(|e| at(&path, e.to_string(), "free some disk space or give another --state-dir; if it stays so, move the file away: countdowns then start anew"))?;
        loaded.notice = notice;
        Ok((store, loaded))
    }

    fn load(&mut self, wall: WallTime) -> Result<Loaded, StoreError> {
        let state = self.state()?;
        let write = state.begin_write().map_err(failed)?;
        let mut loaded = Loaded::default();
        {
            let mut meta = write.open_table(META).map_err(failed)?;
            let decode = |bytes: &[u8]| postcard::from_bytes::<(Stamp, Timestamp)>(bytes).ok();
            loaded.pulse = meta.get(PULSE).map_err(failed)?.and_then(|v| decode(v.value()));
            let before =
                meta.get(FENCE).map_err(failed)?.and_then(|v| v.value().try_into().ok().map(u64::from_le_bytes));
            // Rises even where the state was lost: no command's id is ever used twice.
            loaded.fence = (before.unwrap_or(0) + 1).max(wall.as_millis().max(0) as u64 / 1000);
            meta.insert(FENCE, loaded.fence.to_le_bytes().as_slice()).map_err(failed)?;
            let records = write.open_table(RECORDS).map_err(failed)?;
            for row in records.iter().map_err(failed)? {
                let (id, record) = row.map_err(failed)?;
                match ChannelId::new(id.value()) {
                    Ok(id) => loaded.records.push((id, record.value().to_vec())),
                    Err(error) => tracing::error!(%error, "a stored channel has an impossible name and is left out"),
                }
            }
        }
        write.commit().map_err(failed)?;
        Ok(loaded)
    }

    fn state(&self) -> Result<&Database, StoreError> {
        self.state.as_ref().ok_or_else(|| StoreError::Failed("state.redb is not open".into()))
    }

    fn journal_file(&mut self) -> Result<&Database, StoreError> {
        if self.journal.is_none() {
            let path = self.dir.join("journal.redb");
            let opened = match open_checked(&path, JOURNAL_CACHE) {
                Err(Opening::Damaged(why)) => {
                    let stamp = WallTime::from_millis(
                        std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_millis() as i64),
                    );
                    let aside = put_aside(&path, stamp).map_err(failed)?;
                    tracing::error!(%why, kept_as = %aside.display(), "the decision journal was damaged and starts anew");
                    open_checked(&path, JOURNAL_CACHE)
                }
                other => other,
            };
            self.journal = Some(opened.map_err(|e| StoreError::Failed(format!("{}: {e:?}", path.display())))?);
        }
        self.journal.as_ref().ok_or_else(|| StoreError::Failed("journal.redb is not open".into()))
    }

    fn commit_state(&self, group: &Group) -> Result<(), StoreError> {
        if group.records.is_empty() && group.pulse.is_none() {
            return Ok(());
        }
        let write = self.state()?.begin_write().map_err(failed)?;
        {
            let mut records = write.open_table(RECORDS).map_err(failed)?;
            for (channel, record) in &group.records {
                match record {
                    Some(record) => records.insert(channel.as_str(), record.as_slice()).map_err(failed)?,
                    None => records.remove(channel.as_str()).map_err(failed)?,
                };
            }
            if let Some(pulse) = &group.pulse {
                let mut meta = write.open_table(META).map_err(failed)?;
                let bytes = postcard::to_stdvec(pulse).map_err(failed)?;
                meta.insert(PULSE, bytes.as_slice()).map_err(failed)?;
            }
        }
        write.commit().map_err(failed)
    }

    fn commit_journal(&mut self, group: &Group) -> Result<(), StoreError> {
        if group.decisions.is_empty() && group.forgotten.is_empty() {
            return Ok(());
        }
        let write = self.journal_file()?.begin_write().map_err(failed)?;
        {
            let mut journal = write.open_table(JOURNAL).map_err(failed)?;
            for channel in &group.forgotten {
                journal
                    .retain_in((channel.as_str(), 0)..=(channel.as_str(), u32::MAX), |_, _| false)
                    .map_err(failed)?;
            }
            for (channel, decision) in &group.decisions {
                let bytes = serde_json::to_vec(decision).map_err(failed)?;
                journal.insert((channel.as_str(), decision.seq % DECISIONS_KEPT), bytes.as_slice()).map_err(failed)?;
            }
        }
        write.commit().map_err(failed)
    }
}

#[derive(Debug)]
enum Opening {
    Locked,
    Io(String),
    Damaged(String),
}

/// Opens a file and checks it whole; makes it only where there is none.
fn open_checked(path: &Path, cache: usize) -> Result<Database, Opening> {
    let open = || -> Result<Database, Opening> {
        let mut builder = Builder::new();
        // A plain open believes a file that was closed in order, whatever happened to it since.
        builder.set_cache_size(cache).set_check_integrity_on_open(true);
        if !path.exists() {
            return builder.create(path).map_err(|error| {
                let why = opening(error);
                if matches!(why, Opening::Io(_)) {
                    // No room, perhaps: half a file must not be taken for a damaged one at the next attempt.
                    let _ = fs::remove_file(path);
                }
                why
            });
        }
        // An empty file would silently become an empty store.
        if fs::metadata(path).map_err(|e| Opening::Io(e.to_string()))?.len() == 0 {
            return Err(Opening::Damaged("it is empty".into()));
        }
        builder.open(path).map_err(opening)
    };
    // Damaged pages can panic.
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err(Opening::Damaged("reading it panicked".into())))
}

fn opening(error: DatabaseError) -> Opening {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Opening::Locked,
        DatabaseError::Storage(redb::StorageError::Io(error))
            if !matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
        {
            Opening::Io(error.to_string())
        }
        other => Opening::Damaged(other.to_string()),
    }
}

fn put_aside(path: &Path, wall: WallTime) -> std::io::Result<PathBuf> {
    let named = |n: i64| path.with_extension(format!("redb.damaged-{n}"));
    // A clock that was set back must not make it take the place of an earlier one.
    let aside = named((wall.as_millis()..).find(|n| !named(*n).exists()).unwrap_or(i64::MAX));
    fs::rename(path, &aside)?;
    Ok(aside)
}

impl Store for RedbStore {
    fn commit(&mut self, group: &Group) -> Result<Committed, StoreError> {
        // The journal first: a stop that is on disk always has its decision beside it.
        self.commit_journal(group)?;
        self.commit_state(group)?;
        Ok(Committed::default())
    }

    fn record(&mut self, channel: &ChannelId) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.state()?.begin_read().map_err(failed)?;
        let records = read.open_table(RECORDS).map_err(failed)?;
        Ok(records.get(channel.as_str()).map_err(failed)?.map(|record| record.value().to_vec()))
    }

    fn journal(&mut self, channel: &ChannelId) -> Result<Vec<Decision>, StoreError> {
        let read = self.journal_file()?.begin_read().map_err(failed)?;
        let journal = match read.open_table(JOURNAL) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut decisions: Vec<Decision> = Vec::new();
        for row in journal.range((channel.as_str(), 0)..=(channel.as_str(), u32::MAX)).map_err(failed)? {
            let (_, bytes) = row.map_err(failed)?;
            decisions.push(serde_json::from_slice(bytes.value()).map_err(failed)?);
        }
        // After the state was lost the numbers begin anew.
        decisions.sort_by_key(|d| (d.at, d.seq));
        Ok(decisions)
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        // After a full disk redb refuses everything until the file is opened again.
        self.state = None;
        self.journal = None;
        let path = self.dir.join("state.redb");
        let opened = Builder::new().set_cache_size(STATE_CACHE).open(&path).map_err(failed)?;
        self.state = Some(opened);
        Ok(())
    }
}
