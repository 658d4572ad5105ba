//! The file in which the past is kept: `history.redb` in the state directory.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use redb::{
    Builder, Database, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition,
    TableError,
};

use sattva_actors::{
    chronicle::{Entry, Happening},
    identity::ChannelId,
};
use serde::{Deserialize, Serialize};

use super::{
    chunk::{Chunk, Point},
    event::{Event, Played, What},
    series::{Metric, Series},
    tier::{TIERS, Tier},
};

/// Series are numbered in the order in which they were first seen.
const NUMBERS: TableDefinition<'_, &str, u32> = TableDefinition::new("series");
/// By tier, chunk and series: what is read together for one moment, and forgotten together, lies together.
const CHUNKS: TableDefinition<'_, (u8, u32, u32), &[u8]> = TableDefinition::new("points");
/// By day and series (of a channel's listeners): what happened on that day, in the order of its times.
const EVENTS: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("events");
/// The same for tracks, of which there are many more.
const PLAYS: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("plays");
/// Tracks are numbered in the order in which they were first heard.
const TRACKS: TableDefinition<'_, &str, u32> = TableDefinition::new("tracks");
const TRACK_NAMES: TableDefinition<'_, u32, &str> = TableDefinition::new("track_names");
/// The page cache, in bytes; the kernel keeps the rest. It fills while the file grows.
const CACHE: usize = 2 << 20;
/// Series that were ever seen; what comes beyond is not kept.
const SERIES_MAX: u32 = 1_000_000;
/// Chunks forgotten at a time, so that no write takes long.
const FORGOTTEN_TOGETHER: usize = 20_000;
/// Tracks that were ever heard; those beyond are kept without their name.
const TRACKS_MAX: u32 = 1_000_000;
/// Events of one channel and day; what comes beyond is not kept.
const EVENTS_MAX: usize = 10_000;
/// Days for which events are kept, and tracks.
pub const EVENT_DAYS: i64 = 365;
pub const PLAY_DAYS: i64 = 15;
const DAY_MS: i64 = 86_400_000;

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

/// What was measured of each series, and when; nothing where a stream's figure was unknown.
pub type Samples = HashMap<Series, Vec<(i64, Option<i64>)>>;

type Chunks<'txn> = Table<'txn, (u8, u32, u32), &'static [u8]>;
type Days<'txn> = Table<'txn, (u32, u32), &'static [u8]>;
type Numbers<'txn> = Table<'txn, &'static str, u32>;

/// An event as it is kept, at a millisecond of its day. Part of the format.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Kept(u32, KeptWhat);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum KeptWhat {
    Started,
    Stopped,
    /// By its number; with the count, if it was known.
    Track(Option<u32>, Option<u32>),
    /// Event, phase and reason by their names, which do not change.
    AutoEnd(String, String, String),
}

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

    /// Adds what was measured of many series, in the steps of every tier, and what happened; forgets what is too old
    /// by `now`.
    pub fn add(&self, samples: &Samples, entries: &[Entry], now: i64) -> Result<(), ShelfError> {
        self.add_all(samples, entries, now).map_err(|error| self.failed(error))
    }

    fn add_all(&self, samples: &Samples, entries: &[Entry], now: i64) -> Result<(), redb::Error> {
        let write = self.file.begin_write()?;
        {
            let mut numbers = write.open_table(NUMBERS)?;
            let mut chunks = write.open_table(CHUNKS)?;
            for (series, samples) in samples {
                let Some(number) = number_of(&mut numbers, &series.name(), SERIES_MAX)? else { continue };
                let mut points: Vec<(i64, Point)> =
                    samples.iter().map(|(at, value)| (*at, Point::of(*value))).collect();
                for (index, tier) in TIERS.iter().enumerate() {
                    points = add_to(&mut chunks, number, tier, TIERS.get(index + 1), &points)?;
                }
            }
            forget(&mut chunks, now)?;
            let (mut events, mut plays) = (write.open_table(EVENTS)?, write.open_table(PLAYS)?);
            let mut tracks = (write.open_table(TRACKS)?, write.open_table(TRACK_NAMES)?);
            for ((day, channel), entries) in by_day(entries) {
                let name = Series::of(Metric::Listeners, channel.clone()).name();
                let Some(number) = number_of(&mut numbers, &name, SERIES_MAX)? else { continue };
                let (mut happened, mut played) = (Vec::new(), Vec::new());
                for entry in entries {
                    let at = entry.at.as_millis().rem_euclid(DAY_MS) as u32;
                    match &entry.what {
                        Happening::Started => happened.push(Kept(at, KeptWhat::Started)),
                        Happening::Stopped => happened.push(Kept(at, KeptWhat::Stopped)),
                        Happening::AutoEnd { event, phase, reason } => {
                            let [event, phase, reason] = [event.as_str(), phase.as_str(), reason].map(str::to_owned);
                            happened.push(Kept(at, KeptWhat::AutoEnd(event, phase, reason)));
                        }
                        Happening::Track { track, listeners, resumed } => {
                            let text = track.as_deref().map(|track| Played::of(track).as_text());
                            let track = text.map(|text| number_track(&mut tracks, &text)).transpose()?;
                            if !resumed || last_play(&plays, (day, number), &played)? != Some(track) {
                                played.push(Kept(at, KeptWhat::Track(track, *listeners)));
                            }
                        }
                    }
                }
                append(&mut events, (day, number), happened)?;
                append(&mut plays, (day, number), played)?;
            }
            forget_days(&mut events, day_of(now * 1000 - EVENT_DAYS * DAY_MS))?;
            forget_days(&mut plays, day_of(now * 1000 - PLAY_DAYS * DAY_MS))?;
        }
        write.commit()?;
        Ok(())
    }

    /// What is known to have happened to a channel from `from` on and before `to`, in milliseconds, in its order.
    pub fn events(&self, channel: &ChannelId, from: i64, to: i64) -> Result<Vec<Event>, ShelfError> {
        let name = Series::of(Metric::Listeners, channel.clone()).name();
        self.read_events(&name, from, to).map_err(|error| self.failed(error))
    }

    fn read_events(&self, name: &str, from: i64, to: i64) -> Result<Vec<Event>, redb::Error> {
        let read = self.file.begin_read()?;
        let Some(numbers) = there(read.open_table(NUMBERS))? else { return Ok(Vec::new()) };
        let Some(number) = numbers.get(name)?.map(|number| number.value()) else { return Ok(Vec::new()) };
        let names = there(read.open_table(TRACK_NAMES))?;
        let mut found = Vec::new();
        for table in [EVENTS, PLAYS] {
            let Some(days) = there(read.open_table(table))? else { continue };
            for day in day_of(from)..=day_of(to) {
                let Some(bytes) = days.get((day, number))? else { continue };
                for Kept(at, what) in decode(bytes.value()) {
                    let at = i64::from(day) * DAY_MS + i64::from(at);
                    if at < from || at >= to {
                        continue;
                    }
                    let what = read_what(what, names.as_ref())?;
                    found.push(Event { at, what });
                }
            }
        }
        // Stable: of what happened at once, the end of a session comes before the next one's track.
        found.sort_by_key(|event| event.at);
        Ok(found)
    }

    /// Shows the points of every channel's listeners, and of all together, to `visit`.
    pub fn visit_listeners(
        &self,
        tier: &Tier,
        from: i64,
        to: i64,
        visit: &mut dyn FnMut(Option<&ChannelId>, i64, Point),
    ) -> Result<(), ShelfError> {
        self.visit_all_listeners(tier, from, to, visit).map_err(|error| self.failed(error))
    }

    fn visit_all_listeners(
        &self,
        tier: &Tier,
        from: i64,
        to: i64,
        visit: &mut dyn FnMut(Option<&ChannelId>, i64, Point),
    ) -> Result<(), redb::Error> {
        let read = self.file.begin_read()?;
        let Some(numbers) = there(read.open_table(NUMBERS))? else { return Ok(()) };
        let channels = channels_of(&numbers)?;
        let all = numbers.get(Series::of_all(Metric::Listeners).name().as_str())?.map(|number| number.value());
        let chunks = read.open_table(CHUNKS)?;
        let rows = (tier.number, tier.chunk_at(from), 0)..(tier.number, tier.chunk_at(to) + 1, 0);
        for row in chunks.range(rows)? {
            let (key, bytes) = row?;
            let (_, chunk, number) = key.value();
            let channel = channels.get(&number);
            if channel.is_none() && all != Some(number) {
                continue;
            }
            let Some(points) = Chunk::decode(bytes.value()) else { continue };
            for (place, point) in points.0.iter().enumerate() {
                let at = tier.beginning(chunk, place);
                if let Some(point) = point.filter(|_| at >= from && at < to) {
                    visit(channel, at, point);
                }
            }
        }
        Ok(())
    }

    /// Sessions and auto-end events of every channel from `from` on and before `to`, in milliseconds; no tracks.
    pub fn all_events(&self, from: i64, to: i64) -> Result<BTreeMap<ChannelId, Vec<Event>>, ShelfError> {
        self.read_all_events(from, to).map_err(|error| self.failed(error))
    }

    fn read_all_events(&self, from: i64, to: i64) -> Result<BTreeMap<ChannelId, Vec<Event>>, redb::Error> {
        let mut found = BTreeMap::<ChannelId, Vec<Event>>::new();
        let read = self.file.begin_read()?;
        let Some(numbers) = there(read.open_table(NUMBERS))? else { return Ok(found) };
        let Some(days) = there(read.open_table(EVENTS))? else { return Ok(found) };
        let channels = channels_of(&numbers)?;
        for row in days.range((day_of(from), 0)..(day_of(to) + 1, 0))? {
            let (key, bytes) = row?;
            let (day, number) = key.value();
            let Some(channel) = channels.get(&number) else { continue };
            let kept =
                decode(bytes.value()).into_iter().map(|Kept(at, what)| (i64::from(day) * DAY_MS + i64::from(at), what));
            for (at, what) in kept.filter(|(at, _)| *at >= from && *at < to) {
                let what = read_what(what, None)?;
                found.entry(channel.clone()).or_default().push(Event { at, what });
            }
        }
        Ok(found)
    }

    /// What is known of a series from `from` on and before `to`, with the beginning of each step.
    pub fn read(&self, series: &str, tier: &Tier, from: i64, to: i64) -> Result<Vec<(i64, Point)>, ShelfError> {
        self.read_all(series, tier, from, to).map_err(|error| self.failed(error))
    }

    fn read_all(&self, series: &str, tier: &Tier, from: i64, to: i64) -> Result<Vec<(i64, Point)>, redb::Error> {
        let read = self.file.begin_read()?;
        let Some(numbers) = there(read.open_table(NUMBERS))? else { return Ok(Vec::new()) };
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

/// A table that nothing was ever written to is not there.
fn there<T>(table: Result<T, TableError>) -> Result<Option<T>, redb::Error> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Every channel of which anything was ever kept.
fn channels_of(numbers: &impl ReadableTable<&'static str, u32>) -> Result<HashMap<u32, ChannelId>, redb::Error> {
    let mut channels = HashMap::new();
    for row in numbers.iter()? {
        let (name, number) = row?;
        if let Some(channel) = Series::channel_of_listeners(name.value()) {
            channels.insert(number.value(), channel);
        }
    }
    Ok(channels)
}

fn read_what(kept: KeptWhat, names: Option<&ReadOnlyTable<u32, &'static str>>) -> Result<What, redb::Error> {
    Ok(match kept {
        KeptWhat::Started => What::Started,
        KeptWhat::Stopped => What::Stopped,
        KeptWhat::AutoEnd(event, phase, reason) => What::AutoEnd { event, phase, reason },
        KeptWhat::Track(None, listeners) => What::Track { track: None, listeners },
        KeptWhat::Track(Some(number), listeners) => {
            let name = names.map(|names| names.get(number)).transpose()?.flatten();
            let track = name.map(|name| Played::from_text(name.value())).unwrap_or_default();
            What::Track { track: Some(track), listeners }
        }
    })
}

/// The number of a name, a new one if need be and if there is room.
fn number_of(numbers: &mut Numbers<'_>, name: &str, most: u32) -> Result<Option<u32>, redb::Error> {
    if let Some(number) = numbers.get(name)?.map(|number| number.value()) {
        return Ok(Some(number));
    }
    let next = u32::try_from(numbers.len()?).unwrap_or(most);
    if next >= most {
        return Ok(None);
    }
    numbers.insert(name, next)?;
    Ok(Some(next))
}

/// Beyond the last number nothing is named: every name that finds no room has that one.
fn number_track(
    (numbers, names): &mut (Numbers<'_>, Table<'_, u32, &'static str>),
    text: &str,
) -> Result<u32, redb::Error> {
    let Some(number) = number_of(numbers, text, TRACKS_MAX)? else { return Ok(TRACKS_MAX) };
    if names.get(number)?.is_none() {
        names.insert(number, text)?;
    }
    Ok(number)
}

/// Times are in milliseconds.
fn day_of(at: i64) -> u32 {
    u32::try_from(at.div_euclid(DAY_MS)).unwrap_or(0)
}

fn by_day(entries: &[Entry]) -> BTreeMap<(u32, &ChannelId), Vec<&Entry>> {
    let mut days = BTreeMap::<_, Vec<&Entry>>::new();
    for entry in entries {
        days.entry((day_of(entry.at.as_millis()), &entry.channel)).or_default().push(entry);
    }
    days
}

fn decode(bytes: &[u8]) -> Vec<Kept> {
    postcard::from_bytes(bytes).unwrap_or_default()
}

fn append(days: &mut Days<'_>, key: (u32, u32), events: Vec<Kept>) -> Result<(), redb::Error> {
    if events.is_empty() {
        return Ok(());
    }
    let mut kept = days.get(key)?.map(|bytes| decode(bytes.value())).unwrap_or_default();
    kept.extend(events);
    kept.truncate(EVENTS_MAX);
    // Numbers and texts can always be written.
    days.insert(key, postcard::to_stdvec(&kept).unwrap_or_default().as_slice())?;
    Ok(())
}

/// The number of the track that a channel played last, by what is not kept yet and by what is, of that day and the one
/// before.
fn last_play(days: &Days<'_>, (day, channel): (u32, u32), unkept: &[Kept]) -> Result<Option<Option<u32>>, redb::Error> {
    let last = |kept: &[Kept]| {
        kept.iter().rev().find_map(|Kept(_, what)| match what {
            KeptWhat::Track(track, _) => Some(*track),
            _ => None,
        })
    };
    let mut track = last(unkept);
    for day in [day, day.saturating_sub(1)] {
        if track.is_none() {
            track = days.get((day, channel))?.and_then(|bytes| last(&decode(bytes.value())));
        }
    }
    Ok(track)
}

fn forget_days(days: &mut Days<'_>, oldest: u32) -> Result<(), redb::Error> {
    let keys = days.range((0, 0)..(oldest, 0))?.take(FORGOTTEN_TOGETHER).map(|row| row.map(|(key, _)| key.value()));
    let keys: Vec<(u32, u32)> = keys.collect::<Result<_, _>>()?;
    for key in keys {
        days.remove(key)?;
    }
    Ok(())
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
