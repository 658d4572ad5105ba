//! What a stretch of the past amounts to. Pure: points and events in, figures out.

use std::collections::BTreeMap;

use sattva_actors::identity::ChannelId;
use serde::{Deserialize, Serialize};

use super::{
    chunk::Point,
    event::{Event, Played, What},
    tier::TIERS,
};

/// Seconds that one sample stands for.
const SAMPLE: i64 = TIERS[0].step;
/// A stop by auto-end is taken to have saved no more than this, in milliseconds.
pub const SAVED_MAX: i64 = 86_400_000;
/// A stop is confirmed within this after it was decided, or was another one.
const CONFIRMED_WITHIN: i64 = 3_600_000;
/// How far back of a stretch its events must be known.
pub const LOOK_BACK: i64 = SAVED_MAX + CONFIRMED_WITHIN;
const DAY_MS: i64 = 86_400_000;

/// From the first moment on and before the last, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

impl Span {
    const fn holds(self, at: i64) -> bool {
        self.from <= at && at < self.to
    }

    /// How much of another stretch lies in this one.
    fn overlap(self, from: i64, to: i64) -> i64 {
        (to.min(self.to) - from.max(self.from)).max(0)
    }
}

/// Sums, which may be added to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// In samples.
    known: u64,
    unknown: u64,
    unheard: u64,
    /// Hundredths of listeners, times samples.
    heard: i128,
    /// In hundredths.
    peak: Option<i64>,
    pub sessions: u64,
    pub auto_ends: u64,
    /// In milliseconds.
    saved: i64,
}

impl Figures {
    pub fn hear(&mut self, point: &Point) {
        let samples = &point.samples;
        self.known += u64::from(samples.known);
        self.unknown += u64::from(samples.unknown);
        self.unheard += u64::from(samples.zero);
        self.heard += i128::from(point.avg) * i128::from(samples.known);
        if point.is_known() {
            self.peak = self.peak.max(Some(point.max));
        }
    }

    /// Takes in what happened to one channel in a stretch of time; its events are known from [`LOOK_BACK`] before on.
    pub fn happen(&mut self, events: &[Event], span: Span) {
        // When an operator last wanted it stopped.
        let mut by_operator = None;
        for (index, Event { at, what }) in events.iter().enumerate() {
            if what.is_auto_end("stopping") {
                by_operator = what.is_by_operator().then_some(*at);
            }
            self.sessions += u64::from(*what == What::Started && span.holds(*at));
            if what.is_auto_end("ended") && by_operator.is_none_or(|decided| at - decided > CONFIRMED_WITHIN) {
                self.auto_ends += u64::from(span.holds(*at));
                // What ends once more was on the air again.
                let is_again = |later: &&Event| later.what == What::Started || later.what.is_auto_end("ended");
                let again = events[index + 1..].iter().find(is_again).map_or(i64::MAX, |again| again.at);
                self.saved += span.overlap(*at, again.min(at + SAVED_MAX));
            }
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.known += other.known;
        self.unknown += other.unknown;
        self.unheard += other.unheard;
        self.heard += other.heard;
        self.peak = self.peak.max(other.peak);
        self.sessions += other.sessions;
        self.auto_ends += other.auto_ends;
        self.saved += other.saved;
    }

    pub fn known_minutes(&self) -> f64 {
        minutes(self.known)
    }

    pub fn unknown_minutes(&self) -> f64 {
        minutes(self.unknown)
    }

    pub fn minutes_without_listeners(&self) -> f64 {
        minutes(self.unheard)
    }

    pub fn listener_minutes(&self) -> f64 {
        self.heard as f64 / 100.0 * SAMPLE as f64 / 60.0
    }

    /// Nothing where nothing is known.
    pub fn average(&self) -> Option<f64> {
        (self.known > 0).then(|| self.heard as f64 / self.known as f64 / 100.0)
    }

    pub fn peak(&self) -> Option<f64> {
        self.peak.map(|peak| peak as f64 / 100.0)
    }

    pub fn minutes_saved(&self) -> f64 {
        self.saved as f64 / 60_000.0
    }
}

fn minutes(samples: u64) -> f64 {
    samples as f64 * SAMPLE as f64 / 60.0
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The sums over the streams.
    pub streams: Figures,
    /// All streams together, moment by moment, where it is about all of them.
    pub together: Option<Figures>,
}

impl Row {
    /// Whose peak and average are told.
    pub fn heard(&self) -> &Figures {
        self.together.as_ref().unwrap_or(&self.streams)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Channel(ChannelId),
    /// Seconds since 1970 at which a day, in UTC, begins.
    Day(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Channel,
    Day,
    /// Of one channel only: its rows are made by [`by_track`].
    Track,
}

/// The rows of a report while they are written.
pub struct Ledger {
    by: By,
    span: Span,
    pub rows: BTreeMap<Key, Row>,
    pub total: Row,
}

impl Ledger {
    pub fn new(by: By, span: Span) -> Self {
        Self { by, span, rows: BTreeMap::new(), total: Row::default() }
    }

    /// What was measured at a moment, in seconds, of one channel or of all together.
    pub fn hear(&mut self, channel: Option<&ChannelId>, at: i64, point: &Point) {
        if !self.span.holds(at * 1000) {
            return;
        }
        let day = Key::Day(at.div_euclid(DAY_MS / 1000) * (DAY_MS / 1000));
        let key = match (self.by, channel) {
            (By::Channel | By::Track, channel) => channel.cloned().map(Key::Channel),
            (By::Day, _) => Some(day),
        };
        let row = key.map(|key| self.rows.entry(key).or_default());
        for row in row.into_iter().chain([&mut self.total]) {
            match channel {
                Some(_) => row.streams.hear(point),
                None => row.together.get_or_insert_default().hear(point),
            }
        }
    }

    /// What happened to one channel, in its order.
    pub fn happen(&mut self, channel: &ChannelId, events: &[Event]) {
        self.total.streams.happen(events, self.span);
        match self.by {
            By::Channel | By::Track => self.write(Key::Channel(channel.clone()), events, self.span),
            By::Day => {
                let (first, last) = (self.span.from.div_euclid(DAY_MS), (self.span.to - 1).div_euclid(DAY_MS));
                for day in first..=last {
                    let (from, to) = (self.span.from.max(day * DAY_MS), self.span.to.min((day + 1) * DAY_MS));
                    let begin = events.partition_point(|event| event.at < from - LOOK_BACK);
                    let end = events.partition_point(|event| event.at < to);
                    self.write(Key::Day(day * DAY_MS / 1000), &events[begin..end], Span { from, to });
                }
            }
        }
    }

    /// Where nothing comes of it, there is no row for it.
    fn write(&mut self, key: Key, events: &[Event], span: Span) {
        let mut figures = Figures::default();
        figures.happen(events, span);
        if figures != Figures::default() {
            self.rows.entry(key).or_default().streams.add(&figures);
        }
    }
}

/// What is known of a track over all times it was played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackFigures {
    /// How often it began.
    pub plays: u64,
    /// In milliseconds.
    played: i64,
    pub figures: Figures,
    /// By how many listeners a play ended with more, or with fewer, than it began with.
    pub gained: u64,
    pub lost: u64,
}

impl TrackFigures {
    pub fn played_minutes(&self) -> f64 {
        self.played as f64 / 60_000.0
    }
}

/// One time a track was played, and what its listeners came to where both counts are known.
struct Play<'a> {
    track: &'a Played,
    from: i64,
    to: i64,
    change: Option<i64>,
}

fn plays(events: &[Event], end: i64) -> Vec<Play<'_>> {
    let mut plays = Vec::new();
    let mut running: Option<(i64, &Played, Option<u32>)> = None;
    for Event { at, what } in events {
        let (next, count) = match what {
            What::AutoEnd { .. } => continue,
            // Who loses them is not the track.
            What::Started | What::Stopped => (None, None),
            What::Track { track, listeners } => (track.as_ref().map(|track| (*at, track, *listeners)), *listeners),
        };
        if let Some((from, track, before)) = std::mem::replace(&mut running, next) {
            let change = before.zip(count).map(|(before, after)| i64::from(after) - i64::from(before));
            plays.push(Play { track, from, to: *at, change });
        }
    }
    plays.extend(running.map(|(from, track, _)| Play { track, from, to: end, change: None }));
    plays
}

/// The tracks of one channel; points are of steps of so many seconds, in the order of their times.
pub fn by_track(events: &[Event], points: &[(i64, Point)], step: i64, span: Span) -> BTreeMap<Played, TrackFigures> {
    let mut tracks = BTreeMap::<Played, TrackFigures>::new();
    let plays = plays(events, span.to);
    for play in &plays {
        let played = span.overlap(play.from, play.to);
        let begins = span.holds(play.from);
        if played == 0 && !begins {
            continue;
        }
        let track = tracks.entry(play.track.clone()).or_default();
        track.played += played;
        if begins {
            track.plays += 1;
            let change = play.change.unwrap_or(0);
            track.gained += change.max(0).unsigned_abs();
            track.lost += change.min(0).unsigned_abs();
        }
    }
    for (at, point) in points {
        let middle = at * 1000 + step * 500;
        let index = plays.partition_point(|play| play.from <= middle);
        let Some(play) = index.checked_sub(1).map(|index| &plays[index]) else { continue };
        if middle < play.to
            && let Some(track) = tracks.get_mut(play.track)
        {
            track.figures.hear(point);
        }
    }
    tracks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The beginning of a day.
    const MIDNIGHT: i64 = 1_800_000_000 / 86_400 * 86_400;

    fn channel(name: &str) -> ChannelId {
        ChannelId::new(name).unwrap()
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: from * 1000, to: to * 1000 }
    }

    fn at(seconds: i64, what: What) -> Event {
        Event { at: seconds * 1000, what }
    }

    fn auto_end(event: &str, reason: &str) -> What {
        What::AutoEnd { event: event.into(), phase: String::new(), reason: reason.into() }
    }

    fn plays_now(title: &str, listeners: Option<u32>) -> What {
        What::Track { track: Some(Played { title: title.into(), artist: None }), listeners }
    }

    fn saved(events: &[Event], from: i64, to: i64) -> (u64, f64) {
        let mut figures = Figures::default();
        figures.happen(events, span(from, to));
        (figures.auto_ends, figures.minutes_saved())
    }

    #[test]
    fn what_is_unknown_is_neither_heard_nor_nobody() {
        let mut figures = Figures::default();
        for value in [Some(200), None, Some(0), None, None, Some(100)] {
            figures.hear(&Point::of(value));
        }
        assert_eq!(figures.known_minutes(), 0.25);
        assert_eq!(figures.unknown_minutes(), 0.25);
        assert_eq!(figures.minutes_without_listeners() * 60.0, 5.0);
        assert_eq!(figures.listener_minutes() * 60.0, 15.0);
        assert_eq!((figures.average(), figures.peak()), (Some(1.0), Some(2.0)));
        let mut nothing = Figures::default();
        nothing.hear(&Point::of(None));
        assert_eq!((nothing.average(), nothing.peak(), nothing.minutes_without_listeners()), (None, None, 0.0));
    }

    #[test]
    fn what_auto_end_saves_lasts_until_the_channel_is_on_the_air_again_and_no_longer_than_a_day() {
        let ended = [at(0, auto_end("stopping", "all_left")), at(60, auto_end("ended", "confirmed"))];
        assert_eq!(saved(&ended, 0, 3600), (1, 59.0));
        assert_eq!(saved(&ended, 0, 1_000_000), (1, 1440.0));
        // Asked later, it is still the same silence.
        assert_eq!(saved(&ended, 3600, 7200), (0, 60.0));
        assert_eq!(saved(&ended, 86_460, 1_000_000), (0, 0.0));
        let again = [ended.as_slice(), &[at(660, What::Started), at(700, What::Stopped)]].concat();
        assert_eq!(saved(&again, 0, 3600), (1, 10.0));
    }

    #[test]
    fn what_an_operator_stops_or_what_ends_by_itself_is_not_saved_by_auto_end() {
        let by_hand = [at(0, auto_end("stopping", "operator")), at(9, auto_end("ended", "confirmed"))];
        assert_eq!(saved(&by_hand, 0, 3600), (0, 0.0));
        assert_eq!(saved(&[at(5, What::Started), at(9, What::Stopped)], 0, 3600), (0, 0.0));
        let both = [by_hand.as_slice(), &[at(20, auto_end("stopping", "never_joined")), at(30, auto_end("ended", ""))]];
        assert_eq!(saved(&both.concat(), 0, 90).0, 1);
    }

    #[test]
    fn a_track_has_gained_and_lost_what_each_play_ended_with_more_or_less_than_it_began_with() {
        let events = [
            at(0, plays_now("a", Some(5))),
            at(100, plays_now("b", Some(8))),
            at(160, auto_end("started", "all_left")),
            at(200, plays_now("a", Some(2))),
            at(300, plays_now("b", None)),
            at(400, plays_now("a", Some(9))),
            at(500, What::Stopped),
        ];
        let tracks = by_track(&events, &[], 5, span(0, 1000));
        let of = |title: &str| {
            let track = &tracks[&Played { title: title.into(), artist: None }];
            (track.plays, track.played_minutes() * 60.0, track.gained, track.lost)
        };
        // The second play of a ends with an unknown count, the third with the stream.
        assert_eq!(of("a"), (3, 300.0, 3, 0));
        assert_eq!(of("b"), (2, 200.0, 0, 6));
        let later = by_track(&events, &[], 5, span(50, 150));
        assert_eq!(
            later.values().map(|track| (track.plays, track.played)).collect::<Vec<_>>(),
            [(0, 50_000), (1, 50_000)]
        );
    }

    #[test]
    fn a_step_is_heard_by_the_track_that_plays_in_its_middle() {
        let events = [at(3, plays_now("a", None)), at(11, plays_now("b", None)), at(20, What::Stopped)];
        let points: Vec<_> = (0..6).map(|n| (5 * n, Point::of(Some(100 << n)))).collect();
        let tracks = by_track(&events, &points, 5, span(0, 30));
        let peaks: Vec<_> = tracks.values().map(|track| (track.figures.known, track.figures.peak)).collect();
        // Middles at 2.5 (nobody's), 7.5, 12.5, 17.5, 22.5 and 27.5 (over).
        assert_eq!(peaks, [(1, Some(200)), (2, Some(800))]);
    }

    /// One channel as it was, sample by sample; and what happened to it.
    #[derive(Clone, Debug)]
    struct Past {
        samples: Vec<Option<Option<i64>>>,
        events: Vec<Event>,
    }

    /// Samples every 5 s, as all tiers have them: about three days with long stretches alike.
    fn any_past() -> impl Strategy<Value = Past> {
        let stretch =
            (prop_oneof![Just(None), Just(Some(None)), (0_i64..40).prop_map(|n| Some(Some(n * 100)))], 1_usize..3000);
        let samples = prop::collection::vec(stretch, 1..40)
            .prop_map(|all| all.into_iter().flat_map(|(value, often)| std::iter::repeat_n(value, often)).collect());
        let what = prop_oneof![
            Just(What::Started),
            Just(What::Stopped),
            Just(auto_end("stopping", "all_left")),
            Just(auto_end("stopping", "operator")),
            Just(auto_end("ended", "confirmed")),
        ];
        let events = prop::collection::vec((0_i64..250_000, what), 0..40).prop_map(|mut all| {
            all.sort_by_key(|(at, _)| *at);
            all.into_iter().map(|(seconds, what)| at(MIDNIGHT + seconds, what)).collect()
        });
        (samples, events).prop_map(|(samples, events)| Past { samples, events })
    }

    /// Second by second, as one would do it by hand.
    fn saved_by_hand(events: &[Event], from: i64, to: i64) -> i64 {
        let (mut silent_until, mut stopping, mut next, mut seconds) = (i64::MIN, None, 0, 0);
        for second in MIDNIGHT..to {
            while next < events.len() && events[next].at <= second * 1000 {
                let now = events[next].at / 1000;
                match &events[next].what {
                    What::Started => silent_until = i64::MIN,
                    What::AutoEnd { event, reason, .. } if event == "stopping" => {
                        stopping = Some((now, reason == "operator"))
                    }
                    What::AutoEnd { event, .. } if event == "ended" => {
                        let by_operator = stopping.is_some_and(|(at, by_operator)| by_operator && now - at <= 3600);
                        silent_until = if by_operator { i64::MIN } else { now + 86_400 };
                    }
                    _ => {}
                }
                next += 1;
            }
            seconds += i64::from(second >= from && second < silent_until);
        }
        seconds
    }

    /// The points of a tier with steps of so many samples.
    fn points(samples: &[Option<Option<i64>>], together: usize) -> Vec<(i64, Point)> {
        let steps = samples.chunks(together).enumerate();
        let point = |some: &[Option<Option<i64>>]| Point::over(some.iter().flatten().map(|value| Point::of(*value)));
        steps.filter_map(|(n, some)| Some((MIDNIGHT + (n * together) as i64 * SAMPLE, point(some)?))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn a_report_says_what_one_would_count_by_hand_whatever_steps_it_is_made_of(
            past in any_past(), hours in (0_i64..60, 1_i64..40), together in prop_oneof![Just(1_usize), Just(12), Just(720)],
        ) {
            let (from, to) = (MIDNIGHT + hours.0 * 3600, MIDNIGHT + (hours.0 + hours.1) * 3600);
            let events = past.events.clone();
            let (jazz, points) = (channel("jazz"), points(&past.samples, together));
            let write = |by| {
                let mut ledger = Ledger::new(by, span(from, to));
                for (at, point) in &points {
                    ledger.hear(Some(&jazz), *at, point);
                }
                ledger.happen(&jazz, &events);
                ledger
            };
            let ledger = write(By::Channel);
            let total = &ledger.total.streams;

            let seconds = |n: usize| MIDNIGHT + n as i64 * SAMPLE;
            let within = past.samples.iter().enumerate().filter(|(n, _)| (from..to).contains(&seconds(*n)));
            let taken: Vec<Option<i64>> = within.filter_map(|(_, sample)| *sample).collect();
            let known: Vec<i64> = taken.iter().copied().flatten().collect();
            prop_assert_eq!(total.known as usize, known.len());
            prop_assert_eq!(total.unknown as usize, taken.len() - known.len());
            prop_assert_eq!(total.unheard as usize, known.iter().filter(|count| **count == 0).count());
            prop_assert_eq!(total.peak, known.iter().copied().max());
            // A mean is kept to a hundredth of a listener.
            let (told, true_sum) = (total.heard, i128::from(known.iter().sum::<i64>()));
            prop_assert!((told - true_sum).abs() <= known.len() as i128, "{} {}", told, true_sum);
            let held = |event: &&Event| (from * 1000..to * 1000).contains(&event.at);
            let sessions = events.iter().filter(held).filter(|event| event.what == What::Started).count();
            prop_assert_eq!(total.sessions as usize, sessions);
            prop_assert_eq!(total.saved, saved_by_hand(&events, from, to) * 1000);
            if let Some(row) = ledger.rows.get(&Key::Channel(jazz.clone())) {
                prop_assert_eq!(&row.streams, total);
            }

            // The days of a stretch add up to it.
            let days = write(By::Day);
            prop_assert_eq!(&days.total, &ledger.total);
            let sum = |figure: fn(&Figures) -> i128| days.rows.values().map(|row| figure(&row.streams)).sum::<i128>();
            prop_assert_eq!(sum(|f| f.known.into()), i128::from(total.known));
            prop_assert_eq!(sum(|f| f.heard), total.heard);
            prop_assert_eq!(sum(|f| f.unheard.into()), i128::from(total.unheard));
            prop_assert_eq!(sum(|f| f.sessions.into()), i128::from(total.sessions));
            prop_assert_eq!(sum(|f| f.auto_ends.into()), i128::from(total.auto_ends));
            prop_assert_eq!(sum(|f| f.saved.into()), i128::from(total.saved));
            prop_assert_eq!(days.rows.values().filter_map(|row| row.streams.peak).max(), total.peak);
        }
    }

    #[test]
    fn peak_and_average_of_all_are_those_of_all_together_the_rest_is_added_up() {
        let mut ledger = Ledger::new(By::Channel, span(MIDNIGHT, MIDNIGHT + 60));
        let (jazz, rock) = (channel("jazz"), channel("rock"));
        for (n, (of_jazz, of_rock)) in [(300, 0), (0, 200), (100, 100)].into_iter().enumerate() {
            let at = MIDNIGHT + 5 * n as i64;
            ledger.hear(Some(&jazz), at, &Point::of(Some(of_jazz)));
            ledger.hear(Some(&rock), at, &Point::of(Some(of_rock)));
            ledger.hear(None, at, &Point::of(Some(of_jazz + of_rock)));
        }
        assert_eq!(ledger.rows.len(), 2);
        let total = &ledger.total;
        assert_eq!((total.heard().peak(), total.heard().average().map(f64::round)), (Some(3.0), Some(2.0)));
        assert_eq!(total.streams.minutes_without_listeners() * 60.0, 10.0);
        assert_eq!(total.streams.known_minutes() * 60.0, 30.0);
        assert_eq!(total.heard().listener_minutes(), total.streams.listener_minutes());
    }
}
