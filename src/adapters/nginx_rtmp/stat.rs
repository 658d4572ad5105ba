//! nginx-rtmp's `/stat`: a document becomes streams and their clients, or is not believed at all. Pure.

use std::time::Duration;

use crate::adapters::polled::xml::{self, BadXml, Step};

/// Streams one document may list.
const STREAMS_MAX: usize = 10_000;

/// A whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Of nginx-rtmp, such as `[1, 1, 4]`; empty where it says none.
    pub version: Vec<u32>,
    /// Who answered: the process id of a worker of nginx.
    pub pid: Option<u32>,
    /// How long that worker has been running.
    pub uptime: Option<Duration>,
    pub streams: Vec<Stream>,
}

/// A stream of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// The number of its `server { }` block, counted from 0.
    pub server: usize,
    pub application: String,
    pub name: String,
    pub clients: Vec<Client>,
    /// How many clients there are, the publisher among them, by nginx's own count; no real number where it says none.
    pub counted: Option<usize>,
}

/// A connection to a stream. What cannot be read of it is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Never given twice by one nginx.
    pub id: Option<u64>,
    /// Of a player its address; of a relay the URL it pushes to.
    pub address: String,
    pub flashver: String,
    /// How long it has been connected.
    pub connected: Option<Duration>,
    pub publishes: bool,
}

/// Why a document is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStat {
    #[error("the answer is no statistics of nginx-rtmp")]
    NotRtmp,
    #[error(transparent)]
    Xml(BadXml),
    #[error("the answer does not list the clients of a stream")]
    NoClients,
    #[error("a stream in the answer has no name")]
    Nameless,
    #[error("the answer lists more than {STREAMS_MAX} streams")]
    TooMany,
}

impl From<BadXml> for BadStat {
    fn from(bad: BadXml) -> Self {
        if bad == BadXml::Foreign { Self::NotRtmp } else { Self::Xml(bad) }
    }
}

/// Reads a whole document.
pub fn parse(body: &[u8]) -> Result<Stat, BadStat> {
    let mut stat = Stat::default();
    let (mut servers, mut application, mut is_live) = (0usize, String::new(), false);
    let (mut stream, mut client): (Option<Stream>, Option<Client>) = (None, None);
    xml::walk(body, b"rtmp", |step| {
        match step {
            Step::Begin { depth, element } => match (depth, element.name().as_ref()) {
                (1, b"server") => servers += 1,
                (2, _) => application.clear(),
                // `<play>` holds files, which nobody broadcasts.
                (3, name) => is_live = name == b"live",
                (4, b"stream") if is_live => {
                    let (server, application) = (servers.saturating_sub(1), application.clone());
                    stream = Some(Stream { server, application, ..Stream::default() });
                }
                (5, b"client") if stream.is_some() => client = Some(Client::default()),
                _ => {}
            },
            Step::End { depth, name, text } => match (depth, &mut stream, &mut client) {
                (6, _, Some(client)) => client.take(name, text),
                (5, Some(stream), Some(_)) => stream.clients.extend(client.take()),
                (5, Some(stream), None) => stream.take(name, &text)?,
                (4, Some(_), _) => {
                    if stat.streams.len() == STREAMS_MAX {
                        return Err(BadStat::TooMany);
                    }
                    stat.streams.push(stream.take().map_or(Err(BadStat::Nameless), Stream::closed)?);
                }
                (3, None, _) if name == b"name" => application = text,
                (1, ..) if name == b"nginx_rtmp_version" => stat.version = version(&text),
                (1, ..) if name == b"pid" => stat.pid = text.trim().parse().ok(),
                (1, ..) if name == b"uptime" => stat.uptime = text.trim().parse().ok().map(Duration::from_secs),
                _ => {}
            },
        }
        Ok(())
    })?;
    Ok(stat)
}

fn version(text: &str) -> Vec<u32> {
    let numbers: Result<_, _> = text.trim().split('.').map(str::parse).collect();
    numbers.unwrap_or_default()
}

impl Stream {
    fn take(&mut self, field: &[u8], text: &str) -> Result<(), BadStat> {
        match field {
            b"name" if !self.name.is_empty() => return Err(BadStat::Nameless),
            b"name" => text.clone_into(&mut self.name),
            // Two counts are no count.
            b"nclients" if self.counted.is_some() => self.counted = Some(usize::MAX),
            b"nclients" => self.counted = Some(text.trim().parse().unwrap_or(usize::MAX)),
            _ => {}
        }
        Ok(())
    }

    /// Refuses what says that somebody is there, but not who.
    fn closed(self) -> Result<Self, BadStat> {
        if self.name.is_empty() || self.application.is_empty() {
            return Err(BadStat::Nameless);
        }
        if self.clients.is_empty() && self.counted != Some(0) {
            return Err(BadStat::NoClients);
        }
        Ok(self)
    }
}

impl Client {
    fn take(&mut self, field: &[u8], text: String) {
        match field {
            b"id" => self.id = text.trim().parse().ok(),
            b"address" => self.address = text,
            b"flashver" => self.flashver = text,
            b"time" => self.connected = text.trim().parse().ok().map(Duration::from_millis),
            b"publishing" => self.publishes = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
