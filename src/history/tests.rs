//! The history by itself, at times of its own.

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
            self.history.sample(at, value.map(|value| (jazz(), value * 100)));
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
        history.sample(NOON + 60 * minute, [(jazz(), 100)]);
        history.keep(at(NOON + 60 * minute));
        assert!(matches!(history.answer(&question, NOON), Err(HistoryError::Away(_))));
    }
    std::fs::remove_file(&folder).unwrap();
    history.keep(at(NOON + 180));
    assert_eq!(history.health.trouble(), None);
    assert_eq!(history.answer(&question, NOON).unwrap().points, [(NOON, None)]);
}
