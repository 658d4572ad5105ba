//! Spans that have ended, on their way to whoever exports them. While nobody does, none is made.

mod context;

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus::IntCounter;

use crate::clock::Timestamp;

pub use self::context::{Context, Parent, TRACEPARENT};

/// Spans that wait to be fetched; what comes beyond is dropped, and counted.
pub const WAITING_MAX: usize = 4096;

/// A piece of work that is over: what it was, how long it took, and what it was a part of.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub context: Context,
    /// The span it is a part of, of this program or of another.
    pub parent: Option<u64>,
    pub name: Cow<'static, str>,
    pub kind: Kind,
    pub began: Timestamp,
    pub ended: Timestamp,
    pub attributes: Vec<(&'static str, Value)>,
    /// What happened in between.
    pub events: Vec<(&'static str, Timestamp)>,
    pub failed: bool,
}

/// On whose behalf it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Internal,
    /// For another program that waited for the answer.
    Server,
    /// Another program was asked, and its answer waited for.
    Client,
    /// Another program was told.
    Producer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(Cow<'static, str>),
    Number(i64),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

/// Anybody may note a span, one reader fetches them. The default is off.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Arc<Kept>>);

#[derive(Debug)]
struct Kept {
    /// Of this many halves of all trace ids.
    below: u64,
    waiting: Mutex<Vec<Span>>,
    dropped: IntCounter,
}

impl Traces {
    /// From here on somebody fetches them. Of what other programs have not begun, this share of 1 is kept.
    pub fn on(share: f64, dropped: IntCounter) -> Self {
        let below = (share.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        Self(Some(Arc::new(Kept { below, waiting: Mutex::default(), dropped })))
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a trace is among those that are kept: the same for everyone who asks.
    pub fn keeps(&self, context: Context) -> bool {
        self.0.as_ref().is_some_and(|kept| (context.trace as u64) >> 1 < kept.below)
    }

    /// The span of what another program may have asked for, which then has said whether it is kept.
    pub fn follow(&self, parent: Option<Parent>, fresh: impl FnOnce() -> Option<Context>) -> Option<Context> {
        self.0.as_ref()?;
        match parent {
            Some(Parent { sampled: false, .. }) => None,
            Some(Parent { context, sampled: true }) => Some(Context { span: fresh()?.span, ..context }),
            None => fresh().filter(|context| self.keeps(*context)),
        }
    }

    pub fn note(&self, span: Span) {
        let Some(kept) = &self.0 else { return };
        let mut waiting = kept.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push(span);
        } else {
            drop(waiting);
            kept.dropped.inc();
        }
    }

    /// What has been noted since the last time, in its order.
    pub fn fetch(&self) -> Vec<Span> {
        let waiting = self.0.as_ref().map(|kept| kept.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.map(|mut waiting| std::mem::take(&mut *waiting)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(share: f64) -> (Traces, IntCounter) {
        let dropped = IntCounter::new("dropped", "x").unwrap();
        (Traces::on(share, dropped.clone()), dropped)
    }

    fn span(began: u64) -> Span {
        Span {
            context: Context { trace: 1, span: 1 },
            parent: None,
            name: "x".into(),
            kind: Kind::Internal,
            began: Timestamp::from_micros(began),
            ended: Timestamp::from_micros(began + 1),
            attributes: Vec::new(),
            events: Vec::new(),
            failed: false,
        }
    }

    #[test]
    fn what_nobody_exports_is_not_even_begun_and_what_has_no_room_is_counted() {
        let off = Traces::default();
        assert_eq!(off.follow(None, || panic!("no id is made")), None);
        off.note(span(1));
        assert!(off.fetch().is_empty() && !off.keeps(Context { trace: 1, span: 1 }));
        let (traces, dropped) = traces(1.0);
        for began in 0..WAITING_MAX as u64 + 3 {
            traces.note(span(began));
        }
        let fetched = traces.fetch();
        assert_eq!((fetched.len(), dropped.get()), (WAITING_MAX, 3));
        assert!(fetched.iter().map(|span| span.began.as_micros()).eq(0..WAITING_MAX as u64));
        assert!(traces.fetch().is_empty());
    }

    #[test]
    fn a_share_of_the_traces_is_kept_and_whoever_began_one_decides_for_all() {
        let named = |n: u32| Context::named(&n.to_string(), "x");
        for (share, least, most) in [(0.0, 0, 0), (0.25, 2300, 2700), (1.0, 10_000, 10_000)] {
            let (traces, _) = traces(share);
            let kept = (0..10_000).filter(|n| traces.follow(None, || Some(named(*n))).is_some()).count();
            assert!((least..=most).contains(&kept), "{kept} of 10000 at {share}");
            let parent = |sampled| Some(Parent { context: Context { trace: u128::MAX, span: 7 }, sampled });
            let (own, fresh) = (named(1).span, || Some(named(1)));
            assert_eq!(traces.follow(parent(true), fresh), Some(Context { trace: u128::MAX, span: own }));
            assert_eq!(traces.follow(parent(false), fresh), None);
        }
    }
}
