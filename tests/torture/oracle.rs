//! What is right, and what came of it: one ledger per stream, one verdict per run, the totals of all.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    time::Duration,
};

use crate::{faults::Event, fleet::Fleet};

/// An empty stream must be stopped so soon after its deadline, or after the last fault if that was later. 13 s are promised
/// (docs/reliability.md), and told in the totals is what came of it; this is for a machine that has to do more than it can.
pub const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// A stop command as a streamer reads it.
#[derive(Clone, Debug)]
pub struct Command {
    pub id: String,
    pub session: String,
    pub joins: Option<u64>,
}

/// What a report said.
#[derive(Clone, Debug)]
pub struct Said {
    pub session: String,
    /// `None` is hidden.
    pub listeners: Option<u32>,
    pub joins: u64,
    pub paused: bool,
    pub over: bool,
}

impl Said {
    /// Nobody listens, and it may be ended.
    pub fn lets_it_end(&self) -> bool {
        self.listeners == Some(0) && !self.paused && !self.over
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// Obeyed although the stream had not been empty for the whole time.
    Early,
    /// Handed out by a daemon to whom it was last reported otherwise.
    Contradicts,
    /// Handed out although an operator had been told that there would be none.
    Forbidden,
    Missed,
    /// A second stop of a session whose end was known.
    Double,
}

#[derive(Debug)]
pub struct Violation {
    pub wrong: Wrong,
    pub at: Duration,
    pub what: String,
}

/// The end of one session by our stop.
#[derive(Debug)]
struct Executed {
    id: String,
    /// A daemon has taken in that it was obeyed.
    known: bool,
}

/// One stream's account.
#[derive(Debug, Default)]
pub struct Ledger {
    pub channel: String,
    pub executed: u32,
    pub refused: u32,
    pub deliveries: u32,
    /// The longest that one of its stops was obeyed after it was due and all was calm.
    pub late: Duration,
    pub violations: Vec<Violation>,
    executions: BTreeMap<String, Executed>,
    lines: Vec<String>,
}

impl Ledger {
    pub fn of(channel: &str) -> Self {
        Self { channel: channel.to_owned(), ..Self::default() }
    }

    pub fn note(&mut self, at: Duration, what: impl fmt::Display) {
        self.lines.push(format!("{:7.3}  {what}", at.as_secs_f64()));
    }

    fn violated(&mut self, wrong: Wrong, at: Duration, what: String) {
        self.note(at, format_args!("{wrong:?}: {what}"));
        self.violations.push(Violation { wrong, at, what });
    }

    /// A command has arrived; `known` is what the daemon that handed it out had taken in last, in this request or in one
    /// before. A streamer has one request under way at a time, so nothing can have overtaken that: the command must fit.
    pub fn delivered(&mut self, at: Duration, command: &Command, known: Option<&Said>) {
        self.deliveries += 1;
        self.note(at, format_args!("command {} for joins {:?}", command.id, command.joins));
        let contradicts = |known: &&Said| {
            let fits = known.session == command.session && command.joins == Some(known.joins);
            !known.lets_it_end() || !fits
        };
        if let Some(known) = known.filter(contradicts) {
            self.violated(Wrong::Contradicts, at, format!("{command:?} from one that knows {known:?}"));
        }
        let Some(executed) = self.executions.get(&command.session) else { return };
        if executed.known && executed.id != command.id {
            let what = format!("{} after {} was obeyed, and that was known", command.id, executed.id);
            self.violated(Wrong::Double, at, what);
        }
    }

    /// A command has arrived for a stream whose auto-end is held by an operator.
    pub fn forbidden(&mut self, at: Duration, command: &Command, since: Duration) {
        let what = format!("{} though it was to be held since {:.3}", command.id, since.as_secs_f64());
        self.violated(Wrong::Forbidden, at, what);
    }

    /// The streamer has obeyed. It was to be empty for `timeout`. `empty_since` was before it first reported so. It was `due` at
    /// that time if nothing has failed since.
    pub fn executed(
        &mut self,
        at: Duration,
        command: &Command,
        timeout: Duration,
        (empty_since, due): (Option<Duration>, Option<Duration>),
    ) {
        self.executed += 1;
        self.late = self.late.max(due.map_or(Duration::ZERO, |due| at.saturating_sub(due)));
        let empty_for = empty_since.map_or(Duration::ZERO, |since| at.saturating_sub(since));
        self.note(at, format_args!("obeyed after {:.3} s", empty_for.as_secs_f64()));
        if empty_for < timeout {
            let what = format!("{} was obeyed after only {:.3} s", command.id, empty_for.as_secs_f64());
            self.violated(Wrong::Early, at, what);
        }
        let executed = Executed { id: command.id.clone(), known: false };
        if let Some(before) = self.executions.insert(command.session.clone(), executed) {
            self.violated(Wrong::Double, at, format!("{} was obeyed after {}", command.id, before.id));
        }
    }

    pub fn refused(&mut self, at: Duration, why: impl fmt::Display) {
        self.refused += 1;
        self.note(at, format_args!("refused: {why}"));
    }

    /// A daemon has taken in that the session was ended.
    pub fn end_is_known(&mut self, session: &str) {
        if let Some(executed) = self.executions.get_mut(session) {
            executed.known = true;
        }
    }

    /// The stream is empty and runs, though it was due: nothing but the daemons keeps it from being stopped since.
    pub fn still_runs(&mut self, at: Duration, due: Duration) -> bool {
        let missed = at > due + STOPPED_WITHIN;
        if missed {
            self.violated(Wrong::Missed, at, format!("it was due at {:.3}", due.as_secs_f64()));
        }
        missed
    }
}

/// How one run went.
#[derive(Debug)]
pub struct Verdict {
    pub seed: u64,
    pub fleet: Fleet,
    pub took: Duration,
    pub calm: Duration,
    pub faults: Vec<Event>,
    pub ledgers: Vec<Ledger>,
    /// Daemons that ended though nobody had killed them.
    pub died: Vec<String>,
    /// Where the daemons' logs are, if something went wrong.
    pub logs: Option<PathBuf>,
}

impl Verdict {
    fn count(&self, wrong: &[Wrong]) -> usize {
        self.ledgers.iter().flat_map(|l| &l.violations).filter(|violation| wrong.contains(&violation.wrong)).count()
    }

    pub fn is_clean(&self) -> bool {
        self.died.is_empty() && self.ledgers.iter().all(|ledger| ledger.violations.is_empty())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut totals = Totals::default();
        totals.add(self);
        write!(f, "seed {} ({}) in {:.1} s: {}", self.seed, self.fleet, self.took.as_secs_f64(), totals.figures())?;
        if self.is_clean() {
            return Ok(());
        }
        write!(f, "\n\n  what happened, all calm since {:.3}:", self.calm.as_secs_f64())?;
        self.faults.iter().try_for_each(|event| write!(f, "\n    {event}"))?;
        self.died.iter().try_for_each(|died| write!(f, "\n  {died}"))?;
        for ledger in self.ledgers.iter().filter(|ledger| !ledger.violations.is_empty()) {
            write!(f, "\n\n  {}:", ledger.channel)?;
            for Violation { wrong, at, what } in &ledger.violations {
                write!(f, "\n    {wrong:?} at {:.3}: {what}", at.as_secs_f64())?;
            }
            ledger.lines.iter().try_for_each(|line| write!(f, "\n    {line}"))?;
        }
        match &self.logs {
            Some(logs) => writeln!(f, "\n  the daemons' logs: {}", logs.display()),
            None => writeln!(f),
        }
    }
}

/// Of all runs.
#[derive(Debug, Default)]
pub struct Totals {
    pub runs: usize,
    pub executed: u32,
    refused: u32,
    deliveries: u32,
    wrong: usize,
    missed: usize,
    double: usize,
    died: usize,
    late: Duration,
    faults: BTreeMap<&'static str, u32>,
    unclean: BTreeSet<u64>,
}

impl Totals {
    pub fn add(&mut self, verdict: &Verdict) {
        self.runs += 1;
        for ledger in &verdict.ledgers {
            self.executed += ledger.executed;
            self.refused += ledger.refused;
            self.deliveries += ledger.deliveries;
            self.late = self.late.max(ledger.late);
        }
        self.wrong += verdict.count(&[Wrong::Early, Wrong::Contradicts, Wrong::Forbidden]);
        self.missed += verdict.count(&[Wrong::Missed]);
        self.double += verdict.count(&[Wrong::Double]);
        self.died += verdict.died.len();
        for event in &verdict.faults {
            *self.faults.entry(event.fault.kind()).or_default() += 1;
        }
        if !verdict.is_clean() {
            self.unclean.insert(verdict.seed);
        }
    }

    pub fn add_all(&mut self, other: Self) {
        self.runs += other.runs;
        self.executed += other.executed;
        self.refused += other.refused;
        self.deliveries += other.deliveries;
        self.wrong += other.wrong;
        self.missed += other.missed;
        self.double += other.double;
        self.died += other.died;
        self.late = self.late.max(other.late);
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.unclean.extend(other.unclean);
    }

    pub fn is_clean(&self) -> bool {
        self.unclean.is_empty()
    }

    fn figures(&self) -> String {
        let faults: Vec<String> = self.faults.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let died = if self.died == 0 { String::new() } else { format!(", {} daemons died", self.died) };
        format!(
            "{} faults ({}), {} deliveries, {} stops executed (at most {:.1} s late once all was \
             calm), {} refused by the guard, {} wrong, {} missed, {} double{died}",
            self.faults.values().sum::<u32>(),
            faults.join(", "),
            self.deliveries,
            self.executed,
            self.late.as_secs_f64(),
            self.refused,
            self.wrong,
            self.missed,
            self.double,
        )
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs: {}", self.runs, self.figures())?;
        if !self.is_clean() {
            write!(f, "; seeds {:?}", self.unclean)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::TIMEOUT;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn command(id: &str) -> Command {
        Command { id: id.into(), session: "s1".into(), joins: Some(4) }
    }

    fn said(listeners: u32, joins: u64) -> Said {
        Said { session: "s1".into(), listeners: Some(listeners), joins, paused: false, over: false }
    }

    fn found(ledger: &Ledger) -> Vec<Wrong> {
        ledger.violations.iter().map(|violation| violation.wrong).collect()
    }

    #[test]
    fn a_stop_one_millisecond_early_is_wrong() {
        let mut ledger = Ledger::of("jazz");
        ledger.executed(ms(5_000), &command("a"), TIMEOUT, (Some(ms(1_000)), None));
        assert_eq!(found(&ledger), []);
        let mut ledger = Ledger::of("jazz");
        ledger.executed(ms(4_999), &command("a"), TIMEOUT, (Some(ms(1_000)), None));
        assert_eq!(found(&ledger), [Wrong::Early]);
        let mut ledger = Ledger::of("jazz");
        ledger.executed(ms(9_000), &command("a"), TIMEOUT, (None, None));
        assert_eq!(found(&ledger), [Wrong::Early], "it has never been reported empty");
    }

    #[test]
    fn a_command_must_fit_what_its_daemon_knows() {
        let fitting = |known: Option<&Said>| {
            let mut ledger = Ledger::of("jazz");
            ledger.delivered(ms(0), &command("a"), known);
            found(&ledger).is_empty()
        };
        assert!(fitting(None) && fitting(Some(&said(0, 4))));
        assert!(!fitting(Some(&said(1, 4))) && !fitting(Some(&said(0, 5))));
        assert!(!fitting(Some(&Said { session: "s2".into(), ..said(0, 4) })));
        assert!(!fitting(Some(&Said { over: true, ..said(0, 4) })));
        assert!(!fitting(Some(&Said { paused: true, ..said(0, 4) })));
        assert!(!fitting(Some(&Said { listeners: None, ..said(0, 4) })));
    }

    #[test]
    fn a_second_stop_is_double_once_the_first_is_known() {
        let mut ledger = Ledger::of("jazz");
        ledger.executed(ms(5_000), &command("a"), TIMEOUT, (Some(ms(0)), None));
        ledger.delivered(ms(5_100), &command("b"), None);
        assert_eq!(found(&ledger), [], "nobody knew of the first");
        ledger.end_is_known("s1");
        ledger.delivered(ms(5_200), &command("a"), None);
        assert_eq!(found(&ledger), [], "the same once more");
        ledger.delivered(ms(5_300), &command("b"), None);
        assert_eq!(found(&ledger), [Wrong::Double]);
    }

    #[test]
    fn an_empty_stream_is_missed_when_all_has_been_calm_for_long_enough() {
        let mut ledger = Ledger::of("jazz");
        assert!(!ledger.still_runs(ms(40_000), ms(20_000)));
        assert!(ledger.still_runs(ms(40_001), ms(20_000)));
        assert_eq!(found(&ledger), [Wrong::Missed]);
    }
}
