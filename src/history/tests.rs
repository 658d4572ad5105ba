//! The history by itself, at times of its own.

use sattva_actors::{
    channel::auto_end::PhaseName,
    chronicle::Happening,
    wire::{AutoEndEvent, Track},
};
use tempfile::TempDir;

use super::*;

/// The beginning of an hour.
const NOON: i64 = 1_800_000_000 / 3600 * 3600;

fn at(seconds: i64) -> WallTime {
    WallTime::from_millis(seconds * 1000)
}

/// Mean, least and most of a step.
type Shown = Option<(f64, i64, i64)>;

struct Shelved {
    dir: TempDir,
    history: History,
}

fn jazz() -> Series {
    Series::of(Metric::Listeners, ChannelId::new("jazz").unwrap())
}

impl Shelved {
    fn new() -> Self {
        Self::on(TempDir::new().unwrap())
    }

    fn on(dir: TempDir) -> Self {
        let history = History::at(dir.path().join("history.redb"));
        history.open(WallTime::from_millis(77));
        assert_eq!(history.health.trouble(), None);
        Self { dir, history }
    }

    /// As after a restart.
    fn again(self) -> Self {
        let Self { dir, history } = self;
        drop(history);
        Self::on(dir)
    }

    fn keep(&self, now: i64) {
        self.history.keep(at(now));
    }

    /// Every 5 s so many listeners, kept every minute.
    fn listen(&self, from: i64, values: impl IntoIterator<Item = Option<i64>>) {
        for (index, value) in values.into_iter().enumerate() {
            let at = from + 5 * index as i64;
            if at % 60 == 0 {
                self.keep(at);
            }
            self.history.sample(at, value.map(|value| (jazz(), Some(value * 100))));
        }
    }

    fn shows(&self, from: i64, to: i64, step: i64, now: i64) -> (i64, Vec<Shown>) {
        let answer = self.history.answer(&Question { series: jazz(), from, to, step }, now).unwrap();
        let begins = answer.points.iter().map(|(at, _)| *at);
        assert!(
            begins
                .eq((0..answer.points.len() as i64)
                    .map(|n| from.div_euclid(answer.step) * answer.step + n * answer.step))
        );
        let points = answer.points.iter();
        let points = points.map(|(_, point)| point.map(|p| (p.avg as f64 / 100.0, p.min / 100, p.max / 100)));
        (answer.step, points.collect())
    }
}

#[test]
fn what_was_measured_is_shown_at_once_and_what_is_unknown_is_not_made_up() {
    let shelved = Shelved::new();
    shelved.listen(NOON, [Some(3), None, Some(5)]);
    let shown = shelved.shows(NOON, NOON + 20, 5, NOON + 15);
    assert_eq!(shown, (5, vec![Some((3.0, 3, 3)), None, Some((5.0, 5, 5)), None]));
    shelved.keep(NOON + 15);
    assert_eq!(shelved.shows(NOON, NOON + 20, 5, NOON + 15), shown, "and the same when it is on disk");
    assert_eq!(shelved.again().shows(NOON, NOON + 20, 5, NOON + 15), shown, "and after a restart");
}

#[test]
fn minutes_and_hours_have_the_mean_and_the_extremes_of_their_samples_though_the_daemon_was_restarted() {
    let shelved = Shelved::new();
    // Two hours: in each minute 4 listen, for one sample 10; the second hour is without the peaks.
    let samples = |n: i64| Some(if n % 12 == 6 && n < 720 { 10 } else { 4 });
    shelved.listen(NOON, (0..300).map(samples));
    // In the middle of a minute.
    shelved.keep(NOON + 1500);
    let shelved = shelved.again();
    shelved.listen(NOON + 1500, (300..1440).map(samples));
    let now = NOON + 7200;
    shelved.keep(now);
    let (step, minutes) = shelved.shows(NOON, NOON + 7200, 60, now);
    assert_eq!((step, minutes.len()), (60, 120));
    assert!(minutes[..60].iter().all(|point| *point == Some((4.5, 4, 10))), "{minutes:?}");
    assert!(minutes[60..].iter().all(|point| *point == Some((4.0, 4, 4))));
    assert_eq!(shelved.shows(NOON, NOON + 7200, 3600, now), (3600, vec![Some((4.5, 4, 10)), Some((4.0, 4, 4))]));
    // Long after, only the hours are left.
    let later = now + 20 * 86_400;
    shelved.keep(later);
    assert_eq!(shelved.shows(NOON, NOON + 7200, 5, later), (3600, vec![Some((4.5, 4, 10)), Some((4.0, 4, 4))]));
    let much_later = now + 400 * 86_400;
    shelved.keep(much_later);
    assert_eq!(shelved.shows(NOON, NOON + 7200, 5, much_later), (3600, vec![None, None]), "forgotten");
}

#[test]
fn steps_that_do_not_divide_are_rounded_up_to_what_is_kept() {
    let shelved = Shelved::new();
    shelved.listen(NOON, (0..12).map(|n| Some(n % 2)));
    assert_eq!(shelved.shows(NOON, NOON + 60, 7, NOON + 60).0, 10);
    assert_eq!(shelved.shows(NOON, NOON + 60, 7, NOON + 60).1[0], Some((0.5, 0, 1)));
}

#[test]
fn a_damaged_file_is_put_aside_and_the_history_begins_anew() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("history.redb"), b"rubbish").unwrap();
    let shelved = Shelved::on(dir);
    assert_eq!(std::fs::read(shelved.dir.path().join("history.redb.damaged-77")).unwrap(), b"rubbish");
    shelved.listen(NOON, [Some(1)]);
    assert_eq!(shelved.shows(NOON, NOON + 5, 5, NOON + 5).1, [Some((1.0, 1, 1))]);
}

#[test]
fn without_its_file_there_is_no_history_the_reason_is_told_and_it_comes_by_itself_when_it_can() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("missing");
    std::fs::write(&folder, b"in the way").unwrap();
    let history = History::at(folder.join("history.redb"));
    history.open(at(NOON));
    assert!(history.health.trouble().unwrap().contains("missing/history.redb"));
    let question = Question { series: jazz(), from: NOON, to: NOON + 60, step: 60 };
    for minute in 0..3 {
        history.sample(NOON + 60 * minute, [(jazz(), Some(100))]);
        history.keep(at(NOON + 60 * minute));
        assert!(matches!(history.answer(&question, NOON), Err(HistoryError::Away(_))));
    }
    std::fs::remove_file(&folder).unwrap();
    history.keep(at(NOON + 180));
    assert_eq!(history.health.trouble(), None);
    assert_eq!(history.answer(&question, NOON).unwrap().points, [(NOON, None)]);
}

// ---- what happened, and what it amounts to ----

fn happened(at: i64, what: Happening) -> Entry {
    Entry { at: WallTime::from_millis(at * 1000), channel: ChannelId::new("jazz").unwrap(), what }
}

fn track(title: &str, listeners: u32) -> Happening {
    let track = Track { title: title.into(), artist: Some("Miles Davis".into()), ..Track::default() };
    Happening::Track { track: Some(track.into()), listeners: Some(listeners), resumed: false }
}

/// The same, first told after a restart.
fn found_to_play(title: &str, listeners: u32) -> Happening {
    let Happening::Track { track, listeners, .. } = track(title, listeners) else { unreachable!("it is a track") };
    Happening::Track { track, listeners, resumed: true }
}

fn stopping(event: AutoEndEvent) -> Happening {
    Happening::AutoEnd { event, phase: PhaseName::Stopping, reason: "all_left" }
}

impl Shelved {
    fn events(&self, from: i64, to: i64) -> Vec<Event> {
        self.history.events(&ChannelId::new("jazz").unwrap(), from * 1000, to * 1000).unwrap()
    }

    fn report(&self, by: By, channel: Option<&str>, (from, to): (i64, i64), now: i64) -> Report {
        let channel = channel.map(|channel| ChannelId::new(channel).unwrap());
        self.history.report(&Inquiry { by, channel, from, to }, now).unwrap()
    }
}

#[test]
fn what_happened_is_told_at_once_and_the_same_when_it_is_on_disk_and_after_a_restart() {
    let shelved = Shelved::new();
    // Through midnight.
    let evening = NOON.div_euclid(86_400) * 86_400 + 86_390;
    let all = [
        happened(evening, Happening::Started),
        happened(evening, track("So What", 3)),
        happened(evening + 30, stopping(AutoEndEvent::Stopping)),
        happened(evening + 40, stopping(AutoEndEvent::Ended)),
        happened(evening + 40, Happening::Track { track: None, listeners: None, resumed: false }),
        happened(evening + 40, Happening::Stopped),
    ];
    let sorted = |mut events: Vec<Event>| {
        events.sort_by_key(|event| (event.at, format!("{:?}", event.what)));
        events
    };
    let expected =
        sorted(all.iter().map(|entry| Event { at: entry.at.as_millis(), what: What::of(&entry.what) }).collect());
    shelved.history.happened(all[..2].to_vec());
    shelved.history.happened(all[2..].to_vec());
    let everything = |shelved: &Shelved| sorted(shelved.events(evening, evening + 60));
    assert_eq!(everything(&shelved), expected);
    shelved.keep(evening + 45);
    assert_eq!(everything(&shelved), expected);
    let shelved = shelved.again();
    assert_eq!(everything(&shelved), expected);
    assert_eq!(
        shelved.events(evening + 30, evening + 40).len(),
        1,
        "the first moment belongs to a stretch, the last one does not"
    );
    let rock = ChannelId::new("rock").unwrap();
    assert_eq!(shelved.history.events(&rock, 0, evening * 2000).unwrap(), []);
}

#[test]
fn a_track_that_plays_through_a_restart_is_one_play() {
    let shelved = Shelved::new();
    // The first restart is in the minute in which it began, the second after midnight.
    let evening = NOON.div_euclid(86_400) * 86_400 + 86_340;
    shelved.history.happened(vec![
        happened(evening, Happening::Started),
        happened(evening, track("So What", 3)),
        happened(evening + 10, found_to_play("So What", 4)),
    ]);
    let played = |shelved: &Shelved| {
        let events = shelved.events(evening, evening + 600).into_iter();
        let titles = events.filter_map(|event| match event.what {
            What::Track { track, .. } => Some((event.at / 1000 - evening, track.unwrap().title)),
            _ => None,
        });
        titles.collect::<Vec<_>>()
    };
    let once = |at: i64, title: &str| (at, title.to_owned());
    assert_eq!(played(&shelved), [once(0, "So What")]);
    shelved.keep(evening + 55);
    assert_eq!(played(&shelved), [once(0, "So What")]);
    let shelved = shelved.again();
    shelved.history.happened(vec![happened(evening + 70, found_to_play("So What", 2))]);
    assert_eq!(played(&shelved), [once(0, "So What")]);
    shelved.keep(evening + 80);
    assert_eq!(played(&shelved), [once(0, "So What")]);
    let shelved = shelved.again();
    // Another one has begun meanwhile; and it ends to begin again, which is a play of its own.
    shelved.history.happened(vec![
        happened(evening + 100, found_to_play("Blue in Green", 2)),
        happened(evening + 400, track("Blue in Green", 2)),
    ]);
    let all = [once(0, "So What"), once(100, "Blue in Green"), once(400, "Blue in Green")];
    assert_eq!(played(&shelved), all);
    shelved.keep(evening + 500);
    assert_eq!(played(&shelved), all);
    let report = shelved.report(By::Track, Some("jazz"), (evening, evening + 500), evening + 500);
    let Rows::Tracks(tracks) = &report.rows else { panic!("no tracks") };
    let plays: Vec<_> = tracks.iter().map(|(track, figures)| (track.title.as_str(), figures.plays)).collect();
    assert_eq!(plays, [("Blue in Green", 2), ("So What", 1)]);
}

#[test]
fn tracks_are_forgotten_before_sessions_and_those_after_a_year() {
    let shelved = Shelved::new();
    shelved.history.happened(vec![happened(NOON, Happening::Started), happened(NOON, track("So What", 1))]);
    shelved.keep(NOON + 60);
    let left = |days: i64| {
        shelved.keep(NOON + days * 86_400);
        shelved.events(NOON, NOON + 60).into_iter().map(|event| event.what).collect::<Vec<_>>()
    };
    assert_eq!(left(14).len(), 2);
    assert_eq!(left(17), [What::Started]);
    assert_eq!(left(364), [What::Started]);
    assert_eq!(left(367), []);
}

#[test]
fn a_report_is_the_same_before_and_after_it_is_on_disk_and_when_only_hours_are_left() {
    let shelved = Shelved::new();
    // An hour: 4 listen for half of it, then nobody, and at last the count is unknown for ten minutes.
    let rock = Series::of(Metric::Listeners, ChannelId::new("rock").unwrap());
    let all = Series::of_all(Metric::Listeners);
    shelved.history.happened(vec![happened(NOON, Happening::Started)]);
    for n in 0..720 {
        let (at, of_jazz) = (NOON + 5 * n, if n < 360 { Some(400) } else { (n < 600).then_some(0) });
        let together = of_jazz.unwrap_or(0) + 100;
        shelved.history.sample(at, [(jazz(), of_jazz), (rock.clone(), Some(100)), (all.clone(), Some(together))]);
    }
    let told = |channel: Option<&str>, now: i64| {
        let report = shelved.report(By::Channel, channel, (NOON, NOON + 3600), now);
        assert_eq!((report.from, report.to), (NOON, NOON + 3600));
        let total = &report.total;
        let streams = &total.streams;
        let rows = match &report.rows {
            Rows::Figures(rows) => rows.len(),
            Rows::Tracks(_) => panic!("tracks"),
        };
        let times = (streams.known_minutes(), streams.unknown_minutes(), streams.minutes_without_listeners());
        (rows, times, total.heard().listener_minutes(), total.heard().peak(), streams.sessions)
    };
    let of_jazz = (1, (50.0, 10.0, 20.0), 120.0, Some(4.0), 1);
    let of_all = (2, (110.0, 10.0, 20.0), 180.0, Some(5.0), 1);
    let now = NOON + 3600;
    assert_eq!((told(Some("jazz"), now), told(None, now)), (of_jazz, of_all));
    shelved.keep(now);
    assert_eq!((told(Some("jazz"), now), told(None, now)), (of_jazz, of_all));
    let later = now + 20 * 86_400;
    shelved.keep(later);
    assert_eq!((told(Some("jazz"), later), told(None, later)), (of_jazz, of_all));
    // A row of days, and none for those of which nothing is known.
    let report = shelved.report(By::Day, None, (NOON - 86_400 * 3, now), later);
    let Rows::Figures(days) = &report.rows else { panic!("tracks") };
    assert_eq!(days.keys().collect::<Vec<_>>(), [&Key::Day(NOON.div_euclid(86_400) * 86_400)]);
}

#[test]
fn one_report_of_all_channels_is_made_at_a_time() {
    let shelved = Shelved::new();
    let inquiry = Inquiry { by: By::Channel, channel: None, from: NOON, to: NOON + 60 };
    let held = shelved.history.reporting.lock().unwrap();
    assert!(matches!(shelved.history.report(&inquiry, NOON + 60), Err(HistoryError::Busy)));
    let of_one = Inquiry { channel: Some(ChannelId::new("jazz").unwrap()), ..inquiry.clone() };
    shelved.history.report(&of_one, NOON + 60).unwrap();
    drop(held);
    shelved.history.report(&inquiry, NOON + 60).unwrap();
}
