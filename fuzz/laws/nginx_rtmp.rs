//! nginx-rtmp's `/stat`.

use sattva_monitor::adapters::nginx_rtmp::stat::{self, Stat};

use super::xml::escaped;

/// Of one element's text, in bytes.
const TEXT_MAX: usize = 1024;
const STREAMS_MAX: usize = 10_000;

pub fn hold(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match stat::parse(bytes) {
        Ok(stat) => {
            let end = text.rfind("</rtmp").or_else(|| text.rfind("<rtmp")).unwrap_or(0);
            assert!(stat::parse(&text.as_bytes()[..end]).is_err(), "half a document is believed");
            is_of_the_text(&stat, &text);
            let again = written(&stat);
            assert_eq!(stat::parse(again.as_bytes()).as_ref(), Ok(&stat), "{again}");
        }
        Err(bad) => {
            let told = bad.to_string();
            assert!(told.len() <= TEXT_MAX && !told.contains(char::is_control), "{told:?}");
        }
    }
}

fn is_of_the_text(stat: &Stat, text: &str) {
    let streams = &stat.streams;
    assert!(
        streams.len() <= STREAMS_MAX && streams.len() <= text.matches("<stream").count(),
        "more streams than elements"
    );
    let clients: usize = streams.iter().map(|stream| stream.clients.len()).sum();
    assert!(clients <= text.matches("<client").count(), "more clients than elements");
    let publishers = streams.iter().flat_map(|stream| &stream.clients).filter(|client| client.publishes).count();
    assert!(publishers <= text.matches("<publishing").count(), "a publisher that nobody named");
    for stream in streams {
        assert!(!stream.clients.is_empty() || stream.counted == Some(0), "somebody may be there, and nobody is shown");
        assert!((1..=TEXT_MAX).contains(&stream.name.len()) && (1..=TEXT_MAX).contains(&stream.application.len()));
        assert!(stream.clients.iter().all(|client| client.address.len().max(client.flashver.len()) <= TEXT_MAX));
    }
}

fn element(name: &str, value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(String::new, |value| format!("<{name}>{value}</{name}>"))
}

fn written(stat: &Stat) -> String {
    let version: Vec<String> = stat.version.iter().map(u32::to_string).collect();
    let mut text = "<rtmp>".to_owned();
    text += &element("nginx_rtmp_version", Some(version.join(".")));
    text += &element("pid", stat.pid);
    text += &element("uptime", stat.uptime.map(|uptime| uptime.as_secs()));
    let mut servers = 0;
    for stream in &stat.streams {
        // Streams stand in the order of their servers; one without is counted as of the first.
        while servers <= stream.server {
            text += "<server/>";
            servers += 1;
        }
        text += &format!("<_><application><name>{}</name><live><stream>", escaped(&stream.application));
        text += &element("name", Some(escaped(&stream.name)));
        text += &element("nclients", stream.counted);
        for client in &stream.clients {
            text += "<client>";
            text += &element("id", client.id);
            text += &element("address", Some(escaped(&client.address)));
            text += &element("flashver", Some(escaped(&client.flashver)));
            text += &element("time", client.connected.map(|connected| connected.as_millis()));
            text += if client.publishes { "<publishing/></client>" } else { "</client>" };
        }
        text += "</stream></live></application></_>";
    }
    text + "</rtmp>"
}
