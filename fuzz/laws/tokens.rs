//! The file of the tokens.

use std::collections::BTreeSet;

use sattva_actors::clock::WallTime;
use sattva_monitor::access::{
    book::{self, Book, BookError, Entry, Moment, TOKENS_MAX},
    role::Role,
    token::Token,
};
use serde::Serialize;

use super::memory_file::MemoryFile;

/// Of a digest in hexadecimal.
const DIGEST: usize = 64;

#[derive(Serialize)]
struct Document {
    token: Vec<Entry>,
}

pub fn hold(bytes: &[u8]) {
    let file = MemoryFile::holding(bytes);
    let (listed, book) = (book::list(&file.path()), Book::load(Some(&file.path())));
    match (listed, book) {
        (Ok(entries), Ok(book)) => {
            are_tokens(&entries, bytes);
            opens_to_those_alone(&entries, &book);
            let text = toml::to_string_pretty(&Document { token: entries.clone() }).expect("tokens are TOML");
            let again = book::list(&MemoryFile::holding(text.as_bytes()).path());
            assert_eq!(again.expect(&text), entries.into_iter().map(written).collect::<Vec<_>>(), "{text}");
        }
        (Err(error), Err(same)) => {
            assert_eq!(error.to_string(), same.to_string());
            names_where(&error, &file);
        }
        (listed, book) => panic!("{listed:?} but {book:?}"),
    }

    if let Ok(text) = std::str::from_utf8(bytes)
        && Token::presented(text).is_some()
    {
        assert!(text.starts_with("sattva_") && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}

/// A moment before 1970 is written as 1970.
fn written(mut entry: Entry) -> Entry {
    entry.created_at = since_1970(entry.created_at);
    entry.expires_at = entry.expires_at.map(since_1970);
    entry
}

fn since_1970(moment: Moment) -> Moment {
    Moment(moment.0.max(WallTime::from_millis(0)))
}

fn are_tokens(entries: &[Entry], bytes: &[u8]) {
    assert!(entries.len() <= TOKENS_MAX && entries.len() * DIGEST <= bytes.len(), "more tokens than digests");
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names.len(), entries.len(), "two have one name");
    for entry in entries {
        assert!((1..=64).contains(&entry.name.len()) && entry.name.is_ascii());
        let narrowed = !entry.sources.is_empty() || !entry.channels.is_empty();
        assert!(entry.role == Role::Streamer || !narrowed, "{entry:?}");
    }
}

/// The book has each of them, and nobody else's.
fn opens_to_those_alone(entries: &[Entry], book: &Book) {
    assert!(!book.is_open(), "a file of tokens, and nobody is asked");
    let now = WallTime::from_millis(0);
    for entry in entries {
        assert_eq!(book.still_has(entry, now), !entry.has_expired(now));
    }
    let stranger = Token::presented("sattva_nobody").expect("it could be one");
    assert!(book.holder(&stranger, now).is_err());
}

/// In one line that does nothing to a terminal.
fn names_where(error: &BookError, file: &MemoryFile) {
    let told = error.to_string();
    assert!(told.starts_with(&*file.path().to_string_lossy()), "{told}");
    assert!(!told.contains(char::is_control), "{told:?}");
}
