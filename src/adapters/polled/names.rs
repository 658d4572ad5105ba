//! What a stream of a server is called on the daemon's side: channel, source, session. Pure.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode, utf8_percent_encode};
use sattva_actors::identity::{CHANNEL_ID_MAX, ChannelId, SESSION_ID_MAX, SOURCE_ID_MAX, SessionId, SourceId};

/// What stays as it is in a source's name: everything printable but the escape itself.
const NAME: &AsciiSet = &CONTROLS.add(b' ').add(b'%');
/// What stays as it is in a query: nothing that means something there.
const QUERY: &AsciiSet = &NAME.add(b'&').add(b'+').add(b'#').add(b'"').add(b'<').add(b'>').add(b'=').add(b';');

/// Every source of a server begins so; a server's name has no slash, so no server's prefix is another's.
pub fn source_prefix(kind: &str, server: &str) -> String {
    format!("{kind}:{server}/")
}

/// `None` for a stream that leaves no name to call it by.
pub fn channel(prefix: &str, path: &str) -> Option<ChannelId> {
    let name = path.strip_prefix('/').unwrap_or(path);
    if name.is_empty() {
        return None;
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '@' | '-');
    let name = name.chars().map(|c| if allowed(c) { c } else { '-' });
    let id: String = prefix.chars().chain(name).take(CHANNEL_ID_MAX).collect();
    ChannelId::new(&id).ok()
}

/// `None` for what is no path.
pub fn source(kind: &str, server: &str, path: &str) -> Option<SourceId> {
    let path = path.strip_prefix('/')?;
    let id = format!("{}{}", source_prefix(kind, server), utf8_percent_encode(path, NAME));
    SourceId::new(&fitted(&id, SOURCE_ID_MAX)).ok()
}

pub fn session(path: &str, connection: &str) -> SessionId {
    let connection = connection.split_whitespace().collect::<Vec<_>>().join("_");
    let connection = fitted(&utf8_percent_encode(&connection, NAME).to_string(), SESSION_ID_MAX / 2);
    let path = fitted(&utf8_percent_encode(path, NAME).to_string(), SESSION_ID_MAX - 1 - connection.len());
    format!("{path}@{connection}").into()
}

/// A name as the value of a query parameter.
pub fn in_query(name: &str) -> String {
    percent_encode(name.as_bytes(), QUERY).to_string()
}

/// A name cut to its limit; what is cut off leaves a mark, so that two long names stay two.
fn fitted(ascii: &str, limit: usize) -> String {
    if ascii.len() <= limit {
        return ascii.to_owned();
    }
    // FNV-1a: the same in every version, because stores keep these names.
    let mark = ascii.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{}~{mark:016x}", &ascii[..limit - 17])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_becomes_a_channel_without_its_slash_and_without_odd_characters() {
        let channel = |prefix: &str, mount: &str| channel(prefix, mount).map(|c| c.to_string());
        assert_eq!(channel("", "/live.mp3").as_deref(), Some("live.mp3"));
        assert_eq!(channel("studio:", "/a b/c?.ogg").as_deref(), Some("studio:a-b-c-.ogg"));
        assert_eq!(channel("", "/Джаз").as_deref(), Some("----"));
        assert_eq!(channel("", &format!("/{}", "x".repeat(200))).map(|c| c.len()), Some(64));
        assert_eq!(channel("p", "/"), None);
        assert_eq!(channel("", ""), None);
    }

    #[test]
    fn a_source_is_named_by_server_and_mount() {
        let source = |mount: &str| super::source("icecast", "studio", mount).map(|s| s.to_string());
        assert_eq!(source("/live.mp3").as_deref(), Some("icecast:studio/live.mp3"));
        assert_eq!(source("/a b%").as_deref(), Some("icecast:studio/a%20b%25"));
        assert_eq!(source("live.mp3"), None);
        assert!(source("/live.mp3").unwrap().starts_with(&source_prefix("icecast", "studio")));
    }

    #[test]
    fn two_long_mounts_are_two_sources_and_two_sessions() {
        let long = |end: &str| format!("/{}{end}", "д".repeat(100));
        assert_ne!(source("icecast", "s", &long("1")), source("icecast", "s", &long("2")));
        assert_ne!(session(&long("1"), "2026"), session(&long("2"), "2026"));
        assert!(session(&long("1"), &"9".repeat(500)).len() <= SESSION_ID_MAX);
        assert!(session(&long("1"), "2026-11-24T00:03:30+0000").ends_with("@2026-11-24T00:03:30+0000"));
    }

    #[test]
    fn a_session_is_named_by_mount_and_start() {
        assert_eq!(session("/live.mp3", "2026-11-24T00:03:30+0000"), "/live.mp3@2026-11-24T00:03:30+0000");
        assert_eq!(session("/l", "Tue, 24 Nov 2026 00:03:30 +0000"), "/l@Tue,_24_Nov_2026_00:03:30_+0000");
    }

    #[test]
    fn a_mount_in_a_query_cannot_become_another_parameter() {
        assert_eq!(in_query("/a&mount=/b c+%.mp3"), "/a%26mount%3D/b%20c%2B%25.mp3");
    }
}
