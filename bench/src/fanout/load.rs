//! The load: the audience and the publisher on one thread and one epoll set.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mio::{Events, Poll, Token};

use super::{
    audience::{Audience, Crowd},
    latencies::Latencies,
    publisher::{Programme, Publisher},
};
use crate::server::Server;

const PUBLISHER: Token = Token(usize::MAX);
const EVENTS: usize = 1024;
/// Handshakes under way at once.
const OPENING: usize = 64;
/// Nothing takes longer: to open all connections, or to deliver everything.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest wait for something to happen.
const TURN: Duration = Duration::from_millis(100);
/// Ticks under way at once when there is no pace to keep.
const UNDER_WAY: u32 = 2;

pub struct Load {
    poll: Poll,
    events: Events,
    pub audience: Audience,
    publisher: Option<Publisher>,
    per_tick: usize,
}

impl Load {
    /// Nobody has come yet.
    pub fn new(server: &Server, crowd: Crowd) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            audience: Audience::new(server.address, crowd),
            publisher: None,
            per_tick: crowd.per_tick,
        })
    }

    /// Opens connections until there are so many.
    pub fn gather(&mut self, connections: usize) -> Result<()> {
        let began = Instant::now();
        while self.audience.opened() < connections {
            while self.audience.opening() < OPENING.min(connections - self.audience.opened()) {
                self.audience.come(self.poll.registry())?;
            }
            self.turn(TURN)?;
            let opened = self.audience.opened();
            ensure!(began.elapsed() < PATIENCE, "{opened} of {connections} connections opened within {PATIENCE:?}");
        }
        Ok(())
    }

    /// Nothing is published.
    pub fn rest(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.turn(left.min(TURN))?;
        }
        Ok(())
    }

    /// From here on there may be ticks.
    pub fn begin(&mut self, server: &Server, programme: Programme) -> Result<()> {
        self.publisher = Some(Publisher::new(server.address, programme, self.poll.registry(), PUBLISHER)?);
        Ok(())
    }

    /// So many ticks at this pace, and until all that was published has arrived.
    pub fn keep_pace(&mut self, ticks: u32, every: Duration) -> Result<()> {
        let began = Instant::now();
        for number in 0..ticks {
            let due = began + every * number;
            while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                self.turn(left.min(TURN))?;
            }
            self.tick()?;
        }
        self.catch_up()
    }

    /// The next tick when one has arrived, for so long; how many deliveries there were, and in what time.
    pub fn saturate(&mut self, time: Duration) -> Result<(u64, Duration)> {
        let (began, before) = (Instant::now(), self.audience.deliveries);
        while began.elapsed() < time {
            while u64::from(self.ticks()) < self.arrived_ticks() + u64::from(UNDER_WAY) {
                self.tick()?;
            }
            self.turn(TURN)?;
        }
        let result = (self.audience.deliveries - before, began.elapsed());
        self.catch_up()?;
        Ok(result)
    }

    /// Latencies of the ticks from here on, and of no others.
    pub fn forget_latencies(&mut self) {
        self.audience.latencies = Latencies::new();
        self.audience.latencies_from = self.ticks();
    }

    /// Until all that was published has arrived.
    fn catch_up(&mut self) -> Result<()> {
        let began = Instant::now();
        while self.arrived_ticks() < u64::from(self.ticks()) {
            self.turn(TURN)?;
            let (arrived, healthy) = (self.audience.deliveries, self.audience.healthy() as u64);
            let sent = u64::from(self.ticks()) * self.per_tick as u64 * healthy;
            ensure!(began.elapsed() < PATIENCE, "{arrived} of {sent} deliveries arrived within {PATIENCE:?}");
        }
        Ok(())
    }

    fn ticks(&self) -> u32 {
        self.publisher.as_ref().map_or(0, Publisher::ticks)
    }

    /// As many ticks as deliveries make up.
    fn arrived_ticks(&self) -> u64 {
        self.audience.deliveries / (self.per_tick * self.audience.healthy()) as u64
    }

    fn tick(&mut self) -> Result<()> {
        let now = self.audience.epoch.elapsed();
        self.publisher.as_mut().map_or(Ok(()), |publisher| publisher.tick(now))
    }

    fn turn(&mut self, at_most: Duration) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(at_most)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            match (event.token(), &mut self.publisher) {
                (PUBLISHER, Some(publisher)) => publisher.ready()?,
                (Token(index), _) => self.audience.ready(index, event, self.poll.registry())?,
            }
        }
        Ok(())
    }
}
