//! Keeps secrets out of everything a person or a log may read.

use serde::Serializer;
use url::Url;

const NAMES: [&str; 5] = ["redis_url", "password", "passwd", "secret", "token"];

/// A URL without its password and its query, where `redis+unix:` carries one.
pub fn mask_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return "(not a URL, not shown)".to_owned();
    };
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return format!("{}:***", url.scheme());
    }
    if url.query().is_some() {
        url.set_query(Some("***"));
    }
    url.to_string()
}

/// For `serialize_with`: a printed configuration is one that may be pasted into a ticket.
pub fn serialize_masked<S: Serializer>(url: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    match url {
        Some(url) => serializer.serialize_some(&mask_url(url)),
        None => serializer.serialize_none(),
    }
}

/// One line of a file or a message, cut where a secret may begin.
pub fn mask_line(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let named = NAMES.iter().filter_map(|name| lower.find(name)).min();
    let assigned = named.and_then(|at| Some(at + lower[at..].find('=')? + 1));
    let line = match assigned {
        Some(end) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    };
    mask_userinfo(&line)
}

/// `scheme://anything@` loses the `anything`; a Redis URL loses all of it.
fn mask_userinfo(text: &str) -> String {
    let Some(start) = text.find("://").map(|at| at + 3) else {
        return text.to_owned();
    };
    let (head, tail) = text.split_at(start);
    let scheme = head.trim_end_matches("://").to_ascii_lowercase();
    if ["redis", "rediss", "valkey", "valkeys", "unix"].iter().any(|name| scheme.ends_with(name)) {
        return format!("{head}…");
    }
    match tail.rfind('@') {
        Some(at) => format!("{head}…{}", &tail[at..]),
        None => text.to_owned(),
    }
}
