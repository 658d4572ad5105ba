//! `GET /ws/stats`: checks who comes, then hands the connection to a SessionActor.

use std::{
    collections::HashMap,
    fmt::Display,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, get,
    http::{
        StatusCode, Version,
        header::{
            HeaderName, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
            SEC_WEBSOCKET_VERSION,
        },
    },
    web,
};
use actix_web_actors::ws;
use sattva_actors::{
    broker::subscriptions::Filter,
    clock::Clock,
    session::{
        self, SessionActor, SessionOutlets, Terms,
        deflate::{self, Encoding},
    },
};
use serde::Deserialize;

use super::{
    Front, Stage,
    gate::{Gate, SUBPROTOCOL, offers_the_subprotocol},
    problem::Problem,
    upgrade::Reception,
};
use crate::access::caller::Caller;

/// The one version of RFC 6455.
const VERSION: &[u8] = b"13";
/// When a full house may be tried again.
const RETRY_AFTER: u32 = 5;

/// How many sessions there are, in all and from each address.
#[derive(Debug, Default)]
pub struct Places {
    taken: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    numbers: AtomicU64,
}

/// One session's place; given back when it is dropped.
struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

/// What a session holds while it lives: its place, and what let it in.
struct Permit {
    _place: Place,
    caller: Caller,
    gate: Arc<Gate>,
    clock: Clock,
}

impl session::Permit for Permit {
    fn holds(&self) -> bool {
        self.gate.still_admits(&self.caller, self.clock.now().wall)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    House,
    Address,
}

impl Places {
    fn take(self: &Arc<Self>, address: IpAddr, max: usize, max_per_address: usize) -> Result<Place, Full> {
        let room = |taken: usize| (taken < max).then_some(taken + 1);
        if self.taken.fetch_update(Relaxed, Relaxed, room).is_err() {
            return Err(Full::House);
        }
        // From here on the place is given back whatever happens.
        let place = Place { places: Arc::clone(self), address };
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let own = by_address.entry(address).or_default();
        *own += 1;
        if *own > max_per_address {
            drop(by_address);
            drop(place);
            return Err(Full::Address);
        }
        Ok(place)
    }

    pub fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Relaxed);
        let mut by_address = self.places.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// A request that opens a WebSocket: its answer, what both have agreed to, and where to say what follows.
pub struct Handshake {
    pub answer: HttpResponseBuilder,
    pub encoding: Encoding,
    pub reception: Reception,
}

impl Handshake {
    pub fn with(request: &HttpRequest) -> Result<Self, Problem> {
        let not_a_websocket = |why: &dyn Display| {
            let detail = format!("this is a WebSocket endpoint ({why}); open it with a WebSocket client");
            Problem::bad_request("not_a_websocket", detail)
        };
        if request.version() < Version::HTTP_11 {
            return Err(not_a_websocket(&"it takes HTTP/1.1"));
        }
        let header = |name: HeaderName| request.headers().get(name).map(HeaderValue::as_bytes);
        match header(SEC_WEBSOCKET_VERSION) {
            Some(VERSION) | None => {}
            Some(_) => {
                let detail = "of the WebSocket protocol only version 13 is spoken here";
                return Err(Problem::new(
                    StatusCode::UPGRADE_REQUIRED,
                    "websocket_version",
                    "Upgrade required",
                    detail,
                )
                .header("Sec-WebSocket-Version", "13"));
            }
        }
        if !header(SEC_WEBSOCKET_KEY).is_some_and(is_key) {
            return Err(not_a_websocket(&"Sec-WebSocket-Key is 16 bytes in base64"));
        }
        let mut answer = ws::handshake(request).map_err(|error| not_a_websocket(&error))?;
        let reception =
            Reception::of(request).ok_or_else(|| not_a_websocket(&"Upgrade must name websocket and nothing else"))?;
        let offers = request.headers().get_all(SEC_WEBSOCKET_EXTENSIONS).filter_map(|offer| offer.to_str().ok());
        let encoding = match deflate::negotiate(offers) {
            Some(agreed) => {
                answer.insert_header((SEC_WEBSOCKET_EXTENSIONS, agreed));
                Encoding::Deflate
            }
            None => Encoding::Plain,
        };
        Ok(Self { answer, encoding, reception })
    }
}

/// 16 bytes in base64.
fn is_key(key: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|letters| letters.len() == 22 && letters.iter().all(letter))
}

#[derive(Debug, Deserialize)]
struct Query {
    channels: Option<String>,
    types: Option<String>,
}

fn list(text: Option<&str>) -> Option<impl Iterator<Item = &str>> {
    text.map(|text| text.split(',').map(str::trim).filter(|name| !name.is_empty()))
}

#[get("/ws/stats")]
pub async fn open(
    front: web::Data<Front>,
    outlets: web::Data<SessionOutlets>,
    request: HttpRequest,
    caller: Caller,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    if front.stage() != Stage::Serving {
        return Err(Problem::busy("stopping", "the daemon is starting or stopping", RETRY_AFTER));
    }
    let filter = Filter::parse(list(query.channels.as_deref()), list(query.types.as_deref()))
        .map_err(|error| Problem::bad_request("bad_filter", error.to_string()))?;
    let Handshake { mut answer, encoding, reception } = Handshake::with(&request)?;
    let settings = front.config.load().websocket.clone();
    let most_per_address = settings.max_sessions_per_ip.unwrap_or(settings.max_sessions);
    let most = front.room.sessions_for(settings.max_sessions);
    let place = front.places.take(caller.address, most, most_per_address).map_err(|full| match full {
        Full::House => {
            let detail = format!("all {most} sessions are taken");
            Problem::busy("too_many_sessions", detail, RETRY_AFTER)
        }
        Full::Address => {
            let detail = format!("{most_per_address} sessions are open from this address already");
            Problem::busy("too_many_sessions_from_address", detail, RETRY_AFTER)
        }
    })?;
    let terms = Terms { heartbeat: settings.heartbeat, encoding, filter };
    let id = front.places.numbers.fetch_add(1, Relaxed);
    let (clock, outlets) = (front.clock, outlets.into_inner());
    let permit = Permit { _place: place, caller, gate: Arc::clone(&front.gate), clock };
    if offers_the_subprotocol(request.headers()) {
        answer.insert_header((SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL));
    }
    reception.welcome(move |incoming| {
        SessionActor::begin(id, clock, terms, outlets, Box::new(permit), incoming);
    });
    Ok(answer.finish())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_full_house_turns_the_next_one_away_until_somebody_leaves() {
        let places = Arc::new(Places::default());
        let first = places.take(HOME, 1, 10).ok();
        assert!(first.is_some());
        assert_eq!(places.take(HOME, 1, 10).err(), Some(Full::House));
        drop(first);
        assert!(places.take(HOME, 1, 10).is_ok());
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let places = Arc::new(Places::default());
        let _first = places.take(HOME, 10, 1);
        assert_eq!(places.take(HOME, 10, 1).err(), Some(Full::Address));
        assert_eq!(places.taken(), 1);
        assert!(places.take(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 10, 1).is_ok());
    }
}
