//! The gate: who a request comes from, by its token, and whether it may do what it asks for.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    cookie::Cookie,
    dev::Payload,
    http::{
        StatusCode,
        header::{AUTHORIZATION, HeaderMap, HeaderName, SEC_WEBSOCKET_PROTOCOL},
    },
};
use arc_swap::ArcSwap;
use ipnet::IpNet;
use prometheus::{IntCounterVec, Opts, Registry};
use sattva_actors::clock::{Now, WallTime};

use super::problem::Problem;
use crate::{
    access::{
        address::{self, parse_network},
        book::{Book, Entry, Unknown},
        bucket::{Buckets, Rate},
        caller::{Caller, OutOfScope},
        role::{Need, Role},
        token::Token,
    },
    config::Config,
};

/// The cookie in which a browser keeps its token.
pub const COOKIE: &str = "sattva-token";
/// The subprotocol of the live messages, for a client that can set no header and has no cookie;
pub const SUBPROTOCOL: &str = "sattva.v1";
/// it offers its token beside it, after this.
const SUBPROTOCOL_TOKEN: &str = "sattva.token.";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const WHO_ARE_YOU: &str = "Who are you?";
/// Wrong tokens an address may try: what is beyond is not even logged. Right ones always pass.
const WRONG_TOKENS: Rate = Rate { most: 10, every: Duration::from_secs(6) };
/// What one operator may do: a hundred streams at once, ten a second for long.
const OPERATIONS: Rate = Rate { most: 100, every: Duration::from_millis(100) };
/// At once an address may ask for as much as it may in so many seconds.
const BURST_SECONDS: u32 = 10;

/// Why somebody was turned away, for the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    NoToken,
    UnknownToken,
    ExpiredToken,
    TokenInUrl,
    WrongRole,
    OutOfScope,
    TooMany,
}

impl Refusal {
    const ALL: [Self; 7] = [
        Self::NoToken,
        Self::UnknownToken,
        Self::ExpiredToken,
        Self::TokenInUrl,
        Self::WrongRole,
        Self::OutOfScope,
        Self::TooMany,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::UnknownToken => "unknown_token",
            Self::ExpiredToken => "expired_token",
            Self::TokenInUrl => "token_in_url",
            Self::WrongRole => "wrong_role",
            Self::OutOfScope => "out_of_scope",
            Self::TooMany => "too_many",
        }
    }
}

/// What a reload replaces.
struct Rules {
    book: Book,
    proxies: Vec<IpNet>,
    requests: Option<Rate>,
}

pub struct Gate {
    rules: ArcSwap<Rules>,
    wrong_tokens: Mutex<Buckets<IpAddr>>,
    requests: Mutex<Buckets<IpAddr>>,
    operations: Mutex<Buckets<(String, IpAddr)>>,
    refused: IntCounterVec,
}

impl Gate {
    pub fn register(registry: &Registry, config: &Config, book: Book) -> prometheus::Result<Self> {
        let opts = Opts::new("sattva_access_refused_total", "Requests that were turned away, by reason.");
        let refused = IntCounterVec::new(opts, &["reason"])?;
        for refusal in Refusal::ALL {
            refused.with_label_values(&[refusal.as_str()]);
        }
        registry.register(Box::new(refused.clone()))?;
        Ok(Self {
            rules: ArcSwap::from_pointee(Rules::new(config, book)),
            wrong_tokens: Mutex::default(),
            requests: Mutex::default(),
            operations: Mutex::default(),
            refused,
        })
    }

    /// Other tokens, other proxies. Sessions whose token is gone are closed at their next heartbeat.
    pub fn apply(&self, config: &Config, book: Book) {
        self.rules.store(Arc::new(Rules::new(config, book)));
    }

    pub fn is_open(&self) -> bool {
        self.rules.load().book.is_open()
    }

    /// Whether somebody who came in may still be here.
    pub fn still_admits(&self, caller: &Caller, now: WallTime) -> bool {
        let rules = self.rules.load();
        match caller.entry() {
            Some(entry) => rules.book.still_has(entry, now),
            None => rules.book.is_open(),
        }
    }

    /// Who asks. Nobody is sent away here but for asking too often.
    pub fn who(&self, request: &HttpRequest, now: Now) -> Result<Visitor, Problem> {
        let rules = self.rules.load();
        let address = rules.address(request);
        if let Some(rate) = rules.requests {
            Self::take(&self.requests, party(address), rate, now).map_err(|wait| {
                self.too_many(wait, "this address asks too often (http.max_requests_per_second_per_ip)")
            })?;
        }
        Ok(Visitor { opened: rules.open(presented(request).as_deref(), now.wall), address })
    }

    /// Who signs in with this token.
    pub fn sign_in(&self, request: &HttpRequest, token: &str, now: Now) -> Result<Caller, Problem> {
        let rules = self.rules.load();
        let visitor = Visitor { opened: rules.open(Some(token), now.wall), address: rules.address(request) };
        self.caller(visitor, now)?.map_err(|refusal| self.unknown(refusal))
    }

    /// Whoever a visitor is known as; one whose token opens nothing has that noted.
    fn caller(&self, visitor: Visitor, now: Now) -> Result<Result<Caller, Refusal>, Problem> {
        let Visitor { opened, address } = visitor;
        match opened {
            Opened::House => Ok(Ok(Caller::anyone(address))),
            Opened::With(entry) => Ok(Ok(Caller::holding(entry, address))),
            Opened::Nothing(Refusal::NoToken) => Ok(Err(Refusal::NoToken)),
            Opened::Nothing(refusal) => {
                Self::take(&self.wrong_tokens, party(address), WRONG_TOKENS, now)
                    .map_err(|wait| self.too_many(wait, "too many wrong tokens from this address"))?;
                tracing::warn!(%address, reason = refusal.as_str(), "a wrong token was tried");
                Ok(Err(refusal))
            }
        }
    }

    /// Whether somebody may do what a request asks for; `None` is one of whom nothing is known and who wants to know nothing.
    pub fn admit(&self, visitor: Visitor, need: impl FnOnce() -> Need, now: Now) -> Result<Option<Caller>, Problem> {
        if let Opened::House = visitor.opened {
            return Ok(Some(Caller::anyone(visitor.address)));
        }
        let need = need();
        let caller = match self.caller(visitor, now)? {
            Ok(caller) => caller,
            // The page that asks for a token must come without one, and a browser's old one must not be in its way.
            Err(_) if need == Need::Nothing => return Ok(None),
            Err(refusal) => return Err(self.unknown(refusal)),
        };
        if !caller.may(need) {
            self.count(Refusal::WrongRole);
            let role = caller.role().map_or("", Role::as_str);
            let detail =
                format!("`{}` is a token for a {role}, who may not do this; see docs/security.md", caller.name());
            return Err(Problem::forbidden("wrong_role", detail));
        }
        if need == Need::Operate {
            let key = (caller.name().to_owned(), party(caller.address));
            Self::take(&self.operations, key, OPERATIONS, now)
                .map_err(|wait| self.too_many(wait, "more than a hundred operations at once, or ten a second"))?;
        }
        Ok(Some(caller))
    }

    /// Nobody knows who this is.
    fn unknown(&self, refusal: Refusal) -> Problem {
        self.count(refusal);
        let problem = match refusal {
            Refusal::ExpiredToken => Problem::new(
                StatusCode::UNAUTHORIZED,
                "token_expired",
                WHO_ARE_YOU,
                "this token has expired; ask for a new one",
            ),
            Refusal::UnknownToken => Problem::new(
                StatusCode::UNAUTHORIZED,
                "token_unknown",
                WHO_ARE_YOU,
                "there is no such token, or it has been revoked",
            ),
            _ => Problem::new(
                StatusCode::UNAUTHORIZED,
                "token_required",
                WHO_ARE_YOU,
                "this needs a token: `Authorization: Bearer …`, or sign in at /monitoring; \
                 `sattva-monitor token create` makes one",
            ),
        };
        problem.header("WWW-Authenticate", "Bearer")
    }

    /// A streamer reports what its token is not for.
    pub fn out_of_scope(&self, error: OutOfScope, field: String) -> Problem {
        self.count(Refusal::OutOfScope);
        let detail = error.to_string();
        let problem = match error {
            OutOfScope::Source { .. } => Problem::forbidden("source_not_yours", detail),
            OutOfScope::Channel { .. } => Problem::forbidden("channel_not_yours", detail),
        };
        problem.field(field)
    }

    /// Tokens do not belong into URLs: they end up in logs and histories.
    pub fn check_url(&self, request: &HttpRequest) -> Result<(), Problem> {
        if !names_a_token(request.query_string()) {
            return Ok(());
        }
        self.count(Refusal::TokenInUrl);
        let detail = "a token in a URL is written into logs and histories: revoke this one, and send the next as \
                      `Authorization: Bearer …`";
        Err(Problem::bad_request("token_in_url", detail))
    }

    fn take<K: Eq + std::hash::Hash>(
        buckets: &Mutex<Buckets<K>>,
        key: K,
        rate: Rate,
        now: Now,
    ) -> Result<(), Duration> {
        buckets.lock().unwrap_or_else(PoisonError::into_inner).take(key, rate, now.at)
    }

    fn too_many(&self, wait: Duration, detail: &str) -> Problem {
        self.count(Refusal::TooMany);
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests", detail)
            .header("Retry-After", seconds.to_string())
    }

    fn count(&self, refusal: Refusal) {
        self.refused.with_label_values(&[refusal.as_str()]).inc();
    }
}

impl Rules {
    fn address(&self, request: &HttpRequest) -> IpAddr {
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        if self.proxies.is_empty() {
            return peer.to_canonical();
        }
        let lines = request.headers().get_all(FORWARDED_FOR).map(|line| line.to_str().unwrap_or_default());
        let lines: Vec<&str> = lines.collect();
        address::client(peer, lines.into_iter(), &self.proxies)
    }

    fn open(&self, presented: Option<&str>, now: WallTime) -> Opened {
        if self.book.is_open() {
            return Opened::House;
        }
        let Some(text) = presented else { return Opened::Nothing(Refusal::NoToken) };
        let holder = Token::presented(text).ok_or(Unknown::NoSuchToken).and_then(|token| self.book.holder(&token, now));
        match holder {
            Ok(entry) => Opened::With(entry),
            Err(Unknown::NoSuchToken) => Opened::Nothing(Refusal::UnknownToken),
            Err(Unknown::Expired) => Opened::Nothing(Refusal::ExpiredToken),
        }
    }

    fn new(config: &Config, book: Book) -> Self {
        let proxies = config.http.trusted_proxies.iter();
        let rate =
            |most: u32| Rate { most: most.saturating_mul(BURST_SECONDS), every: Duration::from_secs(1) / most.max(1) };
        Self {
            book,
            // The configuration has been checked.
            proxies: proxies.filter_map(|text| parse_network(text).ok()).collect(),
            requests: config.http.max_requests_per_second_per_ip.map(rate),
        }
    }
}

/// Somebody at the gate.
pub struct Visitor {
    opened: Opened,
    address: IpAddr,
}

enum Opened {
    House,
    With(Arc<Entry>),
    Nothing(Refusal),
}

/// Who is counted together: of IPv6 the network that one household has.
fn party(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(whole) => IpAddr::V6(Ipv6Addr::from_bits(whole.to_bits() & (u128::MAX << 64))),
    }
}

/// What a client shows: the header of a program, a browser's cookie, or the subprotocol of a WebSocket.
fn presented(request: &HttpRequest) -> Option<String> {
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        // Another scheme is for somebody else, such as a proxy before us.
        let text = header.to_str().unwrap_or_default();
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(token.trim().to_owned());
        }
    }
    let offered = subprotocols(request.headers()).find_map(|name| name.strip_prefix(SUBPROTOCOL_TOKEN));
    let cookie = || request.cookie(COOKIE).map(|cookie: Cookie<'static>| cookie.value().to_owned());
    offered.map(|token| format!("{}{token}", crate::access::token::PREFIX)).or_else(cookie)
}

fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// Whether a client can speak as this server does when it is told so.
pub fn offers_the_subprotocol(headers: &HeaderMap) -> bool {
    subprotocols(headers).any(|name| name == SUBPROTOCOL)
}

/// Whether a query holds a token, by its name or by its looks.
fn names_a_token(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        let looks = percent_encoding::percent_decode_str(pair).decode_utf8_lossy();
        ["token", "access_token", "api_key", "apikey", "auth"].iter().any(|known| name.eq_ignore_ascii_case(known))
            || looks.contains(crate::access::token::PREFIX)
    })
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        // The door has put it there, or has not let the request pass.
        std::future::ready(caller.ok_or_else(|| Problem::forbidden("token_required", "this needs a token")))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_token_is_taken_from_the_header_the_subprotocol_or_the_cookie_and_from_nowhere_else() {
        let shown = |request: TestRequest| presented(&request.to_http_request());
        assert_eq!(shown(TestRequest::default()), None);
        assert_eq!(shown(TestRequest::with_uri("/?token=sattva_x")), None);
        assert_eq!(
            shown(TestRequest::default().insert_header(("authorization", "bearer sattva_x"))).unwrap(),
            "sattva_x"
        );
        assert_eq!(shown(TestRequest::default().insert_header(("authorization", "Basic c2F0dHZh"))), None);
        let cookie = ("cookie", "other=1; sattva-token=sattva_y");
        assert_eq!(shown(TestRequest::default().insert_header(cookie)).unwrap(), "sattva_y");
        let offer = ("sec-websocket-protocol", "sattva.v1, sattva.token.z");
        assert_eq!(shown(TestRequest::default().insert_header(offer).insert_header(cookie)).unwrap(), "sattva_z");
    }

    #[test]
    fn a_token_in_a_url_is_recognised_by_its_name_and_by_its_looks() {
        for query in ["token=abc", "a=1&Access_Token=", "q=sattva_abc", "q=%73attva_abc", "sattva_abc"] {
            assert!(names_a_token(query), "{query}");
        }
        for query in ["", "channels=jazz", "channels=token", "by=channel&format=csv"] {
            assert!(!names_a_token(query), "{query}");
        }
    }

    #[test]
    fn of_ipv6_a_whole_household_is_one_party() {
        let of = |text: &str| party(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
