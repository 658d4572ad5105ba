//! Fills a daemon with empty channels that count down.

use std::fmt::Write;

use anyhow::{Result, ensure};

use crate::server::Server;

/// Telegram's ids look like this; nobody else here has these.
const FIRST: u64 = 1_002_000_000_000;
const PER_REQUEST: u64 = 1000;

pub fn fill(server: &Server, channels: u64) -> Result<()> {
    for first in (0..channels).step_by(PER_REQUEST as usize) {
        let mut body = format!(r#"{{"source":"streamer-{}","reports":["#, first / PER_REQUEST);
        for number in first..channels.min(first + PER_REQUEST) {
            let comma = if number == first { "" } else { "," };
            // Its source reports once an hour, so that what is known stays known.
            write!(
                body,
                r#"{comma}{{"channel_id":"-{}","session":"s1","seq":1,"state":"live","listeners":0,"joins":3,"queue_size":5,"interval_seconds":3600,"track":{{"title":"Track {number}","artist":"Artist {number}"}}}}"#,
                FIRST + number,
            )?;
        }
        body.push_str("]}");
        let answer = ureq::post(server.url("/api/v1/ingest")).content_type("application/json").send(body);
        let answer: serde_json::Value = serde_json::from_str(&answer?.body_mut().read_to_string()?)?;
        ensure!(answer["duplicates"] == 0, "the filling was not accepted: {answer}");
    }
    let counting = server.metric("sattva_countdowns")?;
    ensure!(counting == channels as f64, "{counting} of {channels} channels count down");
    Ok(())
}
