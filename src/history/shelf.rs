//! The file in which the past is kept: `history.redb` in the state directory.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition, TableError,
};

use super::{
    chunk::{Chunk, Point},
    series::Series,
    tier::{TIERS, Tier},
};

/// Series are numbered in the order in which they were first seen.
const NUMBERS: TableDefinition<'_, &str, u32> = TableDefinition::new("series");
/// By tier, chunk and series: what is read together for one moment, and forgotten together, lies together.
const CHUNKS: TableDefinition<'_, (u8, u32, u32), &[u8]> = TableDefinition::new("chunks");
/// The page cache, in bytes; the kernel keeps the rest.
const CACHE: usize = 8 << 20;
/// Series that were ever seen; what comes beyond is not kept.
const SERIES_MAX: u32 = 1_000_000;
/// Chunks forgotten at a time, so that no write takes long.
const FORGOTTEN_TOGETHER: usize = 20_000;

#[derive(Debug, thiserror::Error)]
#[error("the history in {path} failed: {error}; free some disk space, or move the file away to begin anew")]
pub struct ShelfError {
    path: PathBuf,
    error: Box<redb::Error>,
}

impl ShelfError {
    /// The file is no history, or not whole; anything else may pass.
    pub fn is_damage(&self) -> bool {
        match &*self.error {
            redb::Error::Corrupted(_) => true,
            redb::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
            _ => false,
        }
    }
}

pub struct Shelf {
    path: PathBuf,
    file: Database,
}

/// What was measured of each series, and when.
pub type Samples = HashMap<Series, Vec<(i64, i64)>>;

type Chunks<'txn> = Table<'txn, (u8, u32, u32), &'static [u8]>;

impl Shelf {
    pub fn open(path: &Path) -> Result<Self, ShelfError> {
        // With a shared store nobody else may have made the directory.
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(redb::Error::Io);
        let file = made.and_then(|()| Ok(Builder::new().set_cache_size(CACHE).create(path)?));
        let file = file.map_err(|error| ShelfError { path: path.to_owned(), error: Box::new(error) })?;
        Ok(Self { path: path.to_owned(), file })
    }

    fn failed(&self, error: impl Into<redb::Error>) -> ShelfError {
        ShelfError { path: self.path.clone(), error: Box::new(error.into()) }
    }

    /// Adds what was measured of many series, in the steps of every tier, and forgets what is too old by `now`.
    pub fn add(&self, samples: &Samples, now: i64) -> Result<(), ShelfError> {
        self.add_all(samples, now).map_err(|error| self.failed(error))
    }

    fn add_all(&self, samples: &Samples, now: i64) -> Result<(), redb::Error> {
        let write = self.file.begin_write()?;
        {
            let mut numbers = write.open_table(NUMBERS)?;
            let mut chunks = write.open_table(CHUNKS)?;
            let mut next = u32::try_from(numbers.len()?).unwrap_or(SERIES_MAX);
            for (series, samples) in samples {
                let name = series.name();
                let known = numbers.get(name.as_str())?.map(|number| number.value());
                let number = match known {
                    Some(number) => number,
                    None if next >= SERIES_MAX => continue,
                    None => {
                        numbers.insert(name.as_str(), next)?;
                        next += 1;
                        next - 1
                    }
                };
                let mut points: Vec<(i64, Point)> =
                    samples.iter().map(|(at, value)| (*at, Point::of(*value))).collect();
                for (index, tier) in TIERS.iter().enumerate() {
                    points = add_to(&mut chunks, number, tier, TIERS.get(index + 1), &points)?;
                }
            }
            forget(&mut chunks, now)?;
        }
        write.commit()?;
        Ok(())
    }

    /// What is known of a series from `from` on and before `to`, with the beginning of each step.
    pub fn read(&self, series: &str, tier: &Tier, from: i64, to: i64) -> Result<Vec<(i64, Point)>, ShelfError> {
        self.read_all(series, tier, from, to).map_err(|error| self.failed(error))
    }

    fn read_all(&self, series: &str, tier: &Tier, from: i64, to: i64) -> Result<Vec<(i64, Point)>, redb::Error> {
        let read = self.file.begin_read()?;
        let numbers = match read.open_table(NUMBERS) {
            Ok(numbers) => numbers,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let Some(number) = numbers.get(series)?.map(|number| number.value()) else { return Ok(Vec::new()) };
        let chunks = read.open_table(CHUNKS)?;
        let mut found = Vec::new();
        for chunk in tier.chunk_at(from)..=tier.chunk_at(to) {
            let Some(bytes) = chunks.get((tier.number, chunk, number))? else { continue };
            let Some(points) = Chunk::decode(bytes.value()) else { continue };
            let points = points.0.iter().enumerate();
            let points = points.filter_map(|(place, point)| Some((tier.beginning(chunk, place), (*point)?)));
            found.extend(points.filter(|(at, _)| *at + tier.step > from && *at < to));
        }
        Ok(found)
    }
}

/// Some of what is too old: the next time there is more.
fn forget(chunks: &mut Chunks<'_>, now: i64) -> Result<(), redb::Error> {
    let mut left = FORGOTTEN_TOGETHER;
    for tier in &TIERS {
        let old = (tier.number, 0, 0)..(tier.number, tier.oldest_chunk(now), 0);
        let keys = chunks.range(old)?.take(left).map(|row| row.map(|(key, _)| key.value()));
        let keys: Vec<(u8, u32, u32)> = keys.collect::<Result<_, _>>()?;
        left -= keys.len();
        for key in keys {
            chunks.remove(key)?;
        }
    }
    Ok(())
}

/// Adds points, in the order of their times, to one tier; answers with the points of the next one that follow from all
/// that is known there by now, so that a restart in between changes none.
fn add_to(
    chunks: &mut Chunks<'_>,
    series: u32,
    tier: &Tier,
    coarser: Option<&Tier>,
    points: &[(i64, Point)],
) -> Result<Vec<(i64, Point)>, redb::Error> {
    let mut following = Vec::new();
    for points in points.chunk_by(|a, b| tier.chunk_at(a.0) == tier.chunk_at(b.0)) {
        let Some(number) = points.first().map(|(at, _)| tier.chunk_at(*at)) else { continue };
        let key = (tier.number, number, series);
        let stored = chunks.get(key)?.and_then(|bytes| Chunk::decode(bytes.value()));
        let mut chunk = stored.unwrap_or_default();
        for (at, point) in points {
            chunk.0[tier.place_at(*at)] = Some(*point);
        }
        chunks.insert(key, chunk.encode().as_slice())?;
        let Some(coarser) = coarser else { continue };
        let steps = (coarser.step / tier.step) as usize;
        for (group, together) in chunk.0.chunks(steps).enumerate() {
            let beginning = tier.beginning(number, group * steps);
            if points.iter().any(|(at, _)| *at >= beginning && *at < beginning + coarser.step) {
                following.extend(Point::over(together.iter().copied().flatten()).map(|point| (beginning, point)));
            }
        }
    }
    Ok(following)
}
