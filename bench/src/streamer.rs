//! What one connection of the ingest figures sends: a streamer with a hundred channels. Each request is
//! written once; before it goes out only the digits that change are written over.

/// Channels of one streamer.
pub const CHANNELS: u64 = 100;
/// One channel in so many has an audience, another one in each report: that is broadcast. All others
/// are empty: their countdowns run.
const AUDIENCE_EVERY: u64 = 10;
/// One report in so many tells that somebody came and went: the countdown begins anew, which is
/// journalled, and on disk before the answer. A prime to the channels, so that it is each one's turn.
const VISIT_EVERY: u64 = 101;
/// Fields that grow keep their number of digits.
const FIRST: u64 = 1_000_000_000;

pub struct Streamer {
    requests: Vec<Request>,
    next: usize,
    reports: u64,
}

struct Request {
    bytes: Vec<u8>,
    channels: Vec<Channel>,
}

/// One channel's place in its request.
struct Channel {
    seq: Field,
    joins: Field,
    audience: Option<Field>,
}

/// A number that is written over.
struct Field {
    value: u64,
    place: std::ops::Range<usize>,
}

impl Field {
    fn append(bytes: &mut Vec<u8>, value: u64) -> Self {
        let from = bytes.len();
        bytes.extend_from_slice(value.to_string().as_bytes());
        Self { value, place: from..bytes.len() }
    }

    fn set(&mut self, bytes: &mut [u8], value: u64) {
        self.value = value;
        let mut rest = value;
        for digit in bytes[self.place.clone()].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

impl Request {
    fn new(streamer: usize, channels: std::ops::Range<u64>, audience_every: u64) -> Self {
        let head = |length: usize| {
            format!(
                "POST /api/v1/ingest HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            )
        };
        let body = |start: Vec<u8>| {
            let (mut bytes, mut places) = (start, Vec::new());
            bytes.extend_from_slice(format!(r#"{{"source":"streamer-{streamer}","reports":["#).as_bytes());
            for number in channels.clone() {
                if number != channels.start {
                    bytes.push(b',');
                }
                let id = 1_000_000_000 + streamer as u64 * CHANNELS + number;
                bytes.extend_from_slice(format!(r#"{{"channel_id":"-{id}","session":"s1","seq":"#).as_bytes());
                let seq = Field::append(&mut bytes, FIRST);
                bytes.extend_from_slice(br#","state":"live","listeners":"#);
                let has_audience = number % audience_every == 0;
                let audience = has_audience.then(|| Field::append(&mut bytes, 10));
                if audience.is_none() {
                    bytes.push(b'0');
                }
                bytes.extend_from_slice(br#","joins":"#);
                let joins = Field::append(&mut bytes, FIRST);
                bytes.extend_from_slice(br#","queue_size":5}"#);
                places.push(Channel { seq, joins, audience });
            }
            bytes.extend_from_slice(b"]}");
            (bytes, places)
        };
        let length = body(Vec::new()).0.len();
        let (bytes, channels) = body(head(length).into_bytes());
        Self { bytes, channels }
    }
}

impl Streamer {
    /// `per_request` divides [`CHANNELS`].
    pub fn new(number: usize, per_request: u64) -> Self {
        Self::with_audiences(number, per_request, AUDIENCE_EVERY)
    }

    /// Every channel of it has an audience: everything it reports is broadcast.
    pub fn heard(number: usize, per_request: u64) -> Self {
        Self::with_audiences(number, per_request, 1)
    }

    fn with_audiences(number: usize, per_request: u64, every: u64) -> Self {
        let request = |n: u64| Request::new(number, n * per_request..(n + 1) * per_request, every);
        Self { requests: (0..CHANNELS / per_request).map(request).collect(), next: 0, reports: 0 }
    }

    /// The next request, and how many reports are in it.
    pub fn next_request(&mut self) -> (&[u8], u64) {
        let turns = self.requests.len();
        let request = &mut self.requests[self.next];
        self.next = (self.next + 1) % turns;
        for channel in &mut request.channels {
            self.reports += 1;
            let (seq, joins) = (channel.seq.value + 1, channel.joins.value + 1);
            channel.seq.set(&mut request.bytes, seq);
            if self.reports.is_multiple_of(VISIT_EVERY) {
                channel.joins.set(&mut request.bytes, joins);
            }
            if let Some(audience) = &mut channel.audience {
                audience.set(&mut request.bytes, 10 + seq % 90);
            }
        }
        (&request.bytes, request.channels.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &[u8]) -> serde_json::Value {
        let text = std::str::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn every_channel_is_reported_in_turn_and_its_seq_rises() {
        let mut streamer = Streamer::new(3, 1);
        let first: Vec<_> = (0..CHANNELS).map(|_| body(streamer.next_request().0)).collect();
        assert_eq!(first[7]["reports"][0]["channel_id"], "-1000000307");
        let again = body(streamer.next_request().0);
        assert_eq!(again["reports"][0]["channel_id"], first[0]["reports"][0]["channel_id"]);
        assert!(again["reports"][0]["seq"].as_u64() > first[0]["reports"][0]["seq"].as_u64());
    }

    #[test]
    fn one_channel_in_ten_has_an_audience_and_about_one_report_in_a_hundred_tells_of_a_visit() {
        let mut streamer = Streamer::new(0, CHANNELS);
        let (mut visits, mut before) = (0, vec![FIRST; CHANNELS as usize]);
        for _ in 0..101 {
            let (request, count) = streamer.next_request();
            let body = body(request);
            let reports = body["reports"].as_array().unwrap();
            assert_eq!(reports.len() as u64, count);
            assert_eq!(reports.iter().filter(|r| r["listeners"].as_u64() > Some(0)).count(), 10);
            for (report, before) in reports.iter().zip(&mut before) {
                let joins = report["joins"].as_u64().unwrap();
                visits += joins - *before;
                *before = joins;
            }
        }
        assert_eq!(visits, 100);
        assert!(before.iter().all(|joins| *joins == FIRST + 1));
    }
}
