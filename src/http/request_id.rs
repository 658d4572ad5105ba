//! The id of a request: in its answer, in the problem document of its error, and in each line of the log that is
//! written while it is handled, where `src/log.rs` puts it.

use std::cell::Cell;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// What a client may call its request by is no longer.
const LENGTH_MAX: usize = 64;
/// Odd, so that every number comes once; and its neighbours do not look alike.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

tokio::task_local! {
    static CURRENT: RequestId;
}

thread_local! {
    /// Where it begins nobody knows, so that threads and daemons do not meet.
    static NEXT: Cell<u64> = Cell::new(getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id())));
}

/// 1 to 64 characters of `A-Z a-z 0-9 _ . -`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// As the client calls its request, or a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(HEADER).filter(|value| is_id(value.as_bytes()));
        sent.map_or_else(Self::new, |value| Self(value.clone()))
    }

    fn new() -> Self {
        let number = NEXT.get();
        NEXT.set(number.wrapping_add(STEP));
        let digit = |place: usize| b"0123456789abcdef"[(number >> (4 * place)) as usize & 15];
        let digits: [u8; 16] = std::array::from_fn(digit);
        // Digits are what a header may have.
        Self(HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("unknown")))
    }

    /// Of the request that is being handled here.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

fn is_id(bytes: &[u8]) -> bool {
    let may_be = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=LENGTH_MAX).contains(&bytes.len()) && bytes.iter().all(may_be)
}

/// A JSON object with the id of the request that is being handled here as its last member.
pub fn noted_in(mut object: String) -> String {
    if let Some(id) = RequestId::current()
        && object.ends_with('}')
    {
        object.truncate(object.len() - 1);
        object.push_str(&format!(",\"request_id\":\"{}\"}}", id.as_str()));
    }
    object
}

/// A request is handled under its id, which the answer then has.
pub async fn given<B>(
    id: RequestId,
    handled: impl Future<Output = Result<ServiceResponse<B>, Error>>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = CURRENT.scope(id.clone(), handled).await?;
    response.headers_mut().insert(HEADER, id.0);
    Ok(response)
}

pub async fn give<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    given(RequestId::of(request.headers()), next.call(request)).await
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn sent(value: &str) -> RequestId {
        let value = HeaderValue::from_str(value).unwrap_or_else(|e| panic!("{e}"));
        RequestId::of(&HeaderMap::from_iter([(HEADER, value)]))
    }

    #[test]
    fn what_a_client_sends_is_taken_only_if_it_can_stand_anywhere() {
        let longest = "x".repeat(64);
        for good in ["a", "7", "0af7651916cd43dd8448eb211c80319c", "web_1.req-2", longest.as_str()] {
            assert_eq!(sent(good).as_str(), good);
        }
        let longer = "x".repeat(65);
        for bad in ["", "a b", "a\"b", "ä", "a/b", "a=b", "{}", longer.as_str()] {
            assert_ne!(sent(bad).as_str(), bad);
        }
    }

    #[test]
    fn a_new_one_is_sixteen_digits_and_never_the_same() {
        let made: HashSet<String> = (0..10_000).map(|_| RequestId::new().as_str().to_owned()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|id| id.len() == 16 && is_id(id.as_bytes())));
        let elsewhere = std::thread::spawn(|| RequestId::new().as_str().to_owned()).join();
        assert!(!made.contains(&elsewhere.unwrap_or_else(|_| panic!("the thread died"))));
    }

    #[tokio::test]
    async fn an_object_tells_of_which_request_it_is() {
        assert_eq!(noted_in("{\"a\":1}".to_owned()), "{\"a\":1}");
        let noted = CURRENT.scope(sent("one"), async { noted_in("{\"a\":1}".to_owned()) }).await;
        assert_eq!(noted, "{\"a\":1,\"request_id\":\"one\"}");
    }
}
