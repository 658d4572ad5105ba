//! A streamer, as docs/streamers.md asks for one: it reports what is so, obeys what still holds, and says what it did.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::SocketAddr,
    ops::Range,
    sync::Arc,
    thread::sleep,
    time::{Duration, SystemTime},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};

use crate::{
    daemon::Door,
    operator::{Operator, Promise, Wish, Word},
    oracle::{Command, Ledger, Said},
    run::Progress,
    truth::{Kind, Truth},
    world::TIMEOUT,
};

const REPORTS_EVERY: Duration = Duration::from_millis(400);
const INTERVAL_SECONDS: f64 = 1.0;
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Some take so long, in milliseconds, between a command and the last look before they obey.
const HESITATES: Range<u64> = 1..700;
/// How long some of the reports have their answer held back until there is a command.
const HELD_BACK_SECONDS: u64 = 1;
/// One whose stream is over asks so often whether there is still something for it.
const ASKS_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What a daemon takes in that is not its own has been given to Redis so long before at most.
const PARKED_WITHIN: Duration = Duration::from_secs(2);
/// Sessions of a stream that returns, and until when it begins one.
const SESSIONS: u32 = 4;
const LAST_BEGINNING: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Live,
    /// It has obeyed, and no daemon knows that the stream is over.
    Ended,
    Over {
        begins_again: Option<Duration>,
    },
}

pub struct Stream {
    index: usize,
    kind: Kind,
    channel: String,
    random: StdRng,
    doors: Vec<Door>,
    agent: ureq::Agent,
    progress: Arc<Progress>,
    ledger: Ledger,

    stage: Stage,
    truth: Truth,
    operator: Operator,
    number: u32,
    session: String,
    started_at: Option<String>,
    seq: u64,
    /// Before the first report that said so.
    empty_since: Option<Duration>,
    /// Until then it did itself what puts its end off: it hid, paused or refused.
    put_off_until: Duration,
    has_refused: bool,
    /// When it last sent that it is paused and a daemon took it in, with the address that had: what that one decides is counted
    /// from then on.
    paused_to: Option<(Duration, SocketAddr)>,
    /// What each daemon has taken in last, when, and by the address it had: a new process may know nothing of it.
    heard_by: Vec<Option<(Duration, SocketAddr, Said)>>,
    acks: Vec<Value>,
    /// What became of each command: one that comes again is answered as before.
    outcomes: BTreeMap<String, &'static str>,
    next_report: Duration,
    missed: bool,
}

impl Stream {
    pub fn new(index: usize, kind: Kind, random: &mut StdRng, doors: Vec<Door>, progress: Arc<Progress>) -> Self {
        let mut random = StdRng::seed_from_u64(random.random());
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWER_WITHIN)).build();
        let channel = format!("{index}-{kind:?}");
        let next_report = Duration::from_millis(random.random_range(0..400));
        let truth = Truth::draw(kind, Duration::ZERO, &mut random);
        let operator = Operator::draw(kind, Duration::ZERO, &mut random);
        Self {
            index,
            kind,
            ledger: Ledger::of(&channel),
            channel,
            random,
            heard_by: vec![None; doors.len()],
            paused_to: None,
            doors,
            agent: config.into(),
            progress,
            stage: Stage::Live,
            truth,
            operator,
            number: 0,
            session: String::new(),
            started_at: None,
            seq: 0,
            empty_since: None,
            put_off_until: Duration::ZERO,
            has_refused: false,
            acks: Vec::new(),
            outcomes: BTreeMap::new(),
            next_report,
            missed: false,
        }
    }

    pub fn play(mut self) -> Ledger {
        self.begin(Duration::ZERO);
        while !self.progress.is_over() {
            let now = self.progress.now();
            match self.stage {
                Stage::Live => self.live(now),
                Stage::Ended => self.tell_the_end(now),
                Stage::Over { begins_again: Some(at) } if at <= now => self.begin(now),
                Stage::Over { .. } => self.ask(now),
            }
            self.progress.settle(self.index, self.is_settled());
            sleep(LOOK_EVERY);
        }
        self.ledger
    }

    fn begin(&mut self, now: Duration) {
        self.number += 1;
        if self.number > 1 {
            self.truth = Truth::draw(self.kind, now, &mut self.random);
            self.next_report = now;
        }
        self.session = format!("s{}", self.number);
        // Half of the streamers know when they began.
        self.started_at =
            self.index.is_multiple_of(2).then(|| humantime::format_rfc3339_millis(SystemTime::now()).to_string());
        (self.seq, self.empty_since, self.has_refused, self.stage) = (0, None, false, Stage::Live);
        self.paused_to = None;
        self.ledger.note(now, format_args!("session {} begins", self.session));
    }

    /// As it is to be in the end, unless something goes wrong after all.
    fn is_settled(&self) -> bool {
        match self.stage {
            Stage::Live => self.missed || (self.truth.next_change().is_none() && self.truth.listeners > 0),
            Stage::Ended => false,
            Stage::Over { begins_again } => begins_again.is_none(),
        }
    }

    fn advance(&mut self, now: Duration) {
        if self.truth.advance(now) {
            self.empty_since = None;
            self.operator.somebody_came();
        }
    }

    /// From when on nothing but the daemons keeps it from being stopped, once faults are over.
    fn due(&self) -> Option<Duration> {
        let (since, calm) = self.empty_since.zip(self.progress.calm())?;
        Some((since.max(self.put_off_until) + TIMEOUT).max(calm))
    }

    /// What an operator was told will not be, unless that may be forgotten.
    fn promised(&self) -> Option<(Word, Promise)> {
        self.operator.promised().filter(|(word, _)| !self.progress.may_have_forgotten(*word))
    }

    // ---- what it says ----

    fn live(&mut self, now: Duration) {
        let changes = self.truth.next_change().is_some_and(|at| at <= now);
        self.advance(now);
        self.operator.looks_again(now, |word| self.progress.may_have_forgotten(word), self.progress.calm());
        if let Some(wish) = self.operator.wish(now) {
            self.wish(now, wish);
        }
        let may_end = !self.missed && !self.operator.interferes();
        if let Some(due) = self.due().filter(|_| may_end) {
            self.missed = self.ledger.still_runs(now, due);
        }
        // Not every change is reported at once: the next report tells of it.
        if now < self.next_report && !(changes && self.random.random()) {
            return;
        }
        if self.truth.listeners == 0 {
            self.empty_since.get_or_insert(now);
        }
        let said = self.said(false);
        self.next_report = now + REPORTS_EVERY;
        let report = self.report(if said.paused { "paused" } else { "live" }, &said);
        self.send(now, Some((report, said)));
        if self.truth.hides || self.truth.paused {
            // The next report may say otherwise, and be the first to be taken.
            self.put_off_until = self.progress.now() + REPORTS_EVERY;
        }
        // Some ask once more without a report, of which a daemon may think that it knows what is so.
        if self.stage == Stage::Live && self.random.random_ratio(1, 6) {
            let now = self.progress.now();
            self.advance(now);
            self.send(now, None);
        }
    }

    fn tell_the_end(&mut self, now: Duration) {
        if now < self.next_report {
            return;
        }
        self.next_report = now + REPORTS_EVERY;
        // The answer to the command may go ahead alone, or together with the end.
        let alone = !self.acks.is_empty() && self.random.random();
        let said = self.said(true);
        let report = (!alone).then(|| (self.report("stopped", &said), said));
        if !self.send(now, report) || alone {
            return;
        }
        let rest = Duration::from_millis(self.random.random_range(200..3_000));
        let returns = self.kind == Kind::Returns && self.number < SESSIONS && now + rest < LAST_BEGINNING;
        self.stage = Stage::Over { begins_again: returns.then_some(now + rest) };
    }

    /// Nothing may come for what is over.
    fn ask(&mut self, now: Duration) {
        if now < self.next_report {
            return;
        }
        self.next_report = now + ASKS_EVERY;
        self.send(now, None);
    }

    fn said(&self, over: bool) -> Said {
        let Truth { listeners, joins, hides, paused, .. } = self.truth;
        let session = self.session.clone();
        Said { session, listeners: (!hides || over).then_some(listeners), joins, paused: paused && !over, over }
    }

    fn report(&mut self, state: &str, said: &Said) -> Value {
        self.seq += 1;
        let mut report = json!({
            "channel_id": self.channel, "session": self.session, "seq": self.seq, "state": state,
            "listeners": said.listeners, "joins": said.joins, "interval_seconds": INTERVAL_SECONDS,
        });
        if let Some(started_at) = &self.started_at {
            report["started_at"] = json!(started_at);
        }
        report
    }

    /// All daemons.
    fn in_any_order(&mut self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.doors.len()).collect();
        order.shuffle(&mut self.random);
        order
    }

    /// To one daemon after the other, until one takes it. What comes back is heard at once.
    fn send(&mut self, now: Duration, report: Option<(Value, Said)>) -> bool {
        let mut line = match &report {
            Some((r, _)) => {
                format!("{} {} {}: {} of {}", r["session"], r["seq"], r["state"], r["listeners"], r["joins"])
            }
            None => "nothing to report".to_owned(),
        };
        if !self.acks.is_empty() {
            let _ = write!(line, ", acks {}", json!(self.acks));
        }
        let (reports, said) = report.unzip();
        let wait = if self.stage == Stage::Live && self.random.random_ratio(1, 4) { HELD_BACK_SECONDS } else { 0 };
        let body = json!({
            "source": format!("of-{}", self.channel), "reports": Vec::from_iter(reports), "acks": self.acks,
            "wait_seconds": wait,
        });
        for daemon in self.in_any_order() {
            let address = self.doors[daemon].address();
            let answer = address.ok_or_else(|| "is away".to_owned()).and_then(|at| Ok((at, self.post(at, &body)?)));
            match answer {
                Ok((address, answer)) => {
                    let _ = write!(line, "; {daemon} takes it at {:.3}", self.progress.now().as_secs_f64());
                    self.ledger.note(now, line);
                    self.taken(now, daemon, address, said, &answer);
                    return true;
                }
                Err(why) => {
                    // It may have taken it in all the same, and not been able to say so.
                    self.heard_by[daemon] = None;
                    let _ = write!(line, "; {daemon} {why}");
                }
            }
        }
        self.ledger.note(now, line);
        false
    }

    /// An operator asks one daemon after the other, until one does it.
    fn wish(&mut self, now: Duration, wish: Wish) {
        if wish == Wish::Resume {
            if self.promised().is_some_and(|(word, _)| word.durable) {
                // From here on it counts, and not from earlier. A pause that does not outlive its daemon may be forgotten with it.
                self.empty_since = self.empty_since.map(|_| now);
            }
            self.operator.takes_back();
        }
        let mut line = format!("an operator wants {wish:?}");
        for daemon in self.in_any_order() {
            let answer = self.doors[daemon].address().map(|address| self.operate(address, wish));
            let _ = write!(line, "; {daemon} {answer:?}");
            match answer {
                Some(Ok((200, durable))) => {
                    let before = self.promised();
                    self.operator.done(Word { since: now, durable }, wish, before.map(|(_, promise)| promise));
                    break;
                }
                Some(Err(_)) => self.operator.unanswered(wish),
                _ => {}
            }
        }
        self.ledger.note(now, line);
    }

    /// The status of the answer, and whether what was done outlives the daemon.
    fn operate(&self, address: SocketAddr, wish: Wish) -> Result<(u16, bool), String> {
        let (action, body) = wish.request();
        let url = format!("http://{address}/api/v1/streams/{}/{action}", self.channel);
        let answer = self.agent.post(url).header("content-type", "application/json").send(body);
        let mut answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        // 408 where the daemon slept before it had read what is wanted.
        assert!([200, 404, 408, 409, 503].contains(&status), "an operator got {status}");
        if status != 200 {
            return Ok((status, false));
        }
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let said: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok((status, said["durable"] != false))
    }

    fn post(&self, address: SocketAddr, body: &Value) -> Result<Value, String> {
        let request = self.agent.post(format!("http://{address}/api/v1/ingest"));
        let answer = request.header("content-type", "application/json").send(body.to_string());
        let mut answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match status {
            200 => Ok(answer),
            503 => Err(answer["code"].to_string()),
            _ => panic!("a streamer that reports as it should got {status}: {text}"),
        }
    }

    // ---- what it is told ----

    /// What was sent at `sent` has been answered.
    fn taken(&mut self, sent: Duration, daemon: usize, address: SocketAddr, said: Option<Said>, answer: &Value) {
        self.acks.clear();
        if self.stage == Stage::Ended {
            self.ledger.end_is_known(&self.session);
        }
        if let Some(said) = said {
            if said.paused {
                self.paused_to = Some((sent, address));
            }
            self.heard_by[daemon] = Some((self.progress.now(), address, said));
        }
        // What lay in Redis for the owner may be lost with it.
        let still = |then: Duration| !self.progress.has_lost_since(then.saturating_sub(PARKED_WITHIN));
        let known = self.heard_by[daemon].clone().filter(|(then, at, _)| *at == address && still(*then));
        // Of several, one without a way to Redis may have kept it to itself.
        let paused = self.paused_to.filter(|(_, at)| self.doors.len() == 1 && *at == address);
        for command in answer["commands"].as_array().unwrap() {
            let command = command_in(command);
            let known = known.as_ref().filter(|(then, _, _)| !self.is_outdated(*then, &command));
            self.hear(&command, known.map(|(_, _, said)| said), paused.map(|(then, _)| then));
        }
    }

    /// Whether another daemon has since been told what the command rests on.
    fn is_outdated(&self, then: Duration, command: &Command) -> bool {
        self.heard_by.iter().flatten().any(|(later, _, said)| {
            let fits = said.session == command.session && command.joins == Some(said.joins);
            *later > then && fits && said.lets_it_end()
        })
    }

    fn hear(&mut self, command: &Command, known: Option<&Said>, paused: Option<Duration>) {
        let now = self.progress.now();
        self.ledger.delivered(now, command, known);
        if let Some((word, Promise::Held { .. })) = self.promised()
            && command.session == self.session
        {
            self.ledger.forbidden(now, command, word.since);
        }
        if let Some(outcome) = self.outcomes.get(&command.id) {
            return self.acknowledge(command, outcome);
        }
        if self.random.random_ratio(1, 3) {
            sleep(Duration::from_millis(self.random.random_range(HESITATES)));
        }
        let now = self.progress.now();
        self.advance(now);
        let Truth { listeners, joins, .. } = self.truth;
        let lives = self.stage == Stage::Live && command.session == self.session;
        let is_empty = lives && listeners == 0 && command.joins == Some(joins);
        if is_empty && self.kind == Kind::Refuses && !std::mem::replace(&mut self.has_refused, true) {
            self.put_off_until = now;
            self.ledger.note(now, "refused: it wants to be asked twice");
            self.acknowledge(command, "refused");
        } else if is_empty {
            let later = match self.promised() {
                Some((_, Promise::Later(by))) => by,
                _ => Duration::ZERO,
            };
            self.ledger.executed(now, command, TIMEOUT + later, (self.empty_since.max(paused), self.due()));
            self.stage = Stage::Ended;
            self.acknowledge(command, "ok");
        } else {
            let why = if lives { "somebody has come" } else { "there is no such session" };
            self.ledger.refused(now, format_args!("{why}, {listeners} of {joins}"));
            self.acknowledge(command, "refused");
        }
    }

    fn acknowledge(&mut self, command: &Command, outcome: &'static str) {
        self.acks.push(json!({ "id": command.id, "outcome": outcome }));
        self.outcomes.insert(command.id.clone(), outcome);
    }
}

fn command_in(said: &Value) -> Command {
    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    Command { id: text("id"), session: text("session"), joins: said["only_if"]["joins"].as_u64() }
}
