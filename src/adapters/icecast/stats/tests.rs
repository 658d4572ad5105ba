use proptest::prelude::*;

use super::*;

const HEAD: &str =
    "<?xml version=\"1.0\"?>\n<icestats><admin>nobody@localhost</admin><listeners>9</listeners><sources>1</sources>";

fn document(sources: &str) -> String {
    format!("{HEAD}{sources}</icestats>\n")
}

fn live(mount: &str, fields: &str) -> String {
    format!(
        "<source mount=\"{mount}\">{fields}<stream_start>Tue, 24 Nov 2026 00:03:30 +0000</stream_start>\
         <stream_start_iso8601>2026-11-24T00:03:30+0000</stream_start_iso8601></source>"
    )
}

fn one(fields: &str) -> Mount {
    let mounts = parse(document(&live("/live.mp3", fields)).as_bytes()).unwrap();
    assert_eq!(mounts.len(), 1);
    mounts.into_iter().next().unwrap()
}

fn title(text: &str) -> Option<String> {
    one(&format!("<title>{text}</title>")).title
}

#[test]
fn a_server_without_sources_has_no_mounts() {
    assert_eq!(parse(document("").as_bytes()), Ok(Vec::new()));
    assert_eq!(parse(b"<icestats/>"), Ok(Vec::new()));
}

#[test]
fn each_source_is_one_mount_with_its_own_count() {
    let sources = live("/a.mp3", "<listeners>2</listeners>") + &live("/b.mp3", "<listeners>0</listeners>");
    let mounts = parse(document(&sources).as_bytes()).unwrap();
    let counts: Vec<_> = mounts.iter().map(|m| (m.name.as_str(), m.listeners)).collect();
    assert_eq!(counts, [("/a.mp3", Some(2)), ("/b.mp3", Some(0))]);
    assert_eq!(mounts[0].start.as_deref(), Some("2026-11-24T00:03:30+0000"));
    assert_eq!(mounts[0].started_at, WallTime::parse_rfc3339("2026-11-24T00:03:30Z"));
}

#[test]
fn an_answer_of_icecast_2_4_4_is_read_in_full() {
    let body = br#"<?xml version="1.0"?>
<icestats><admin>nobody@localhost</admin><client_connections>7</client_connections><clients>3</clients><connections>10</connections><host>localhost</host><listener_connections>4</listener_connections><listeners>1</listeners><server_id>Icecast 2.4.4</server_id><sources>1</sources><source mount="/live.mp3"><genre>various</genre><listener_peak>1</listener_peak><listeners>1</listeners><listenurl>http://localhost:28000/live.mp3</listenurl><max_listeners>unlimited</max_listeners><public>0</public><server_name>&#xD0;&#xA2;&#xD0;&#xB5;&#xD1;&#x81;&#xD1;&#x82; "one" \ &lt;b&gt;</server_name><slow_listeners>0</slow_listeners><source_ip>127.0.0.1</source_ip><stream_start>Tue, 24 Nov 2026 00:03:30 +0000</stream_start><stream_start_iso8601>2026-11-24T00:03:30+0000</stream_start_iso8601><title>&#xD0;&#x9F;&#xD0;&#xB5;&#xD1;&#x81;&#xD0;&#xBD;&#xD1;&#x8F;</title><total_bytes_read>18017</total_bytes_read></source></icestats>
"#;
    let mounts = parse(body).unwrap();
    let [mount] = mounts.as_slice() else { panic!("{mounts:?}") };
    assert_eq!((mount.name.as_str(), mount.listeners), ("/live.mp3", Some(1)));
    assert_eq!(mount.title.as_deref(), Some("Песня"));
}

#[test]
fn a_count_that_is_missing_doubled_or_no_number_is_unknown() {
    assert_eq!(one("").listeners, None);
    for text in ["", "-1", "many", "99999999999999999999", "1.5", "&zero;", "0x0", "<b>0</b>"] {
        assert_eq!(one(&format!("<listeners>{text}</listeners>")).listeners, None, "{text}");
    }
    assert_eq!(one("<listeners>0</listeners><listeners>3</listeners>").listeners, None);
    assert_eq!(one("<listeners/>").listeners, None);
    assert_eq!(one("<listeners> 3\n</listeners>").listeners, Some(3));
}

#[test]
fn a_count_within_another_element_is_not_the_mounts_count() {
    assert_eq!(one("<clients><listeners>0</listeners></clients>").listeners, None);
    assert_eq!(one("<x><listeners>0</listeners></x><listeners>3</listeners>").listeners, Some(3));
}

#[test]
fn a_mount_without_a_start_has_no_source() {
    let mounts = parse(document("<source mount=\"/relay\"><listeners>0</listeners></source>").as_bytes()).unwrap();
    assert_eq!((mounts[0].start.clone(), mounts[0].started_at), (None, None));
}

#[test]
fn an_old_servers_start_still_names_the_session() {
    let start = "<stream_start>Tue, 24 Nov 2026 00:03:30 +0000</stream_start>";
    let mounts = parse(document(&format!("<source mount=\"/a\">{start}</source>")).as_bytes()).unwrap();
    assert_eq!(mounts[0].start.as_deref(), Some("Tue, 24 Nov 2026 00:03:30 +0000"));
    assert_eq!(mounts[0].started_at, None);
}

#[test]
fn a_title_keeps_every_quote_and_alphabet() {
    assert_eq!(title("&quot;q&quot; &apos;x&apos; &lt;b&gt; &amp;amp; \\").as_deref(), Some("\"q\" 'x' <b> &amp; \\"));
    assert_eq!(title("Песня 歌 🎷").as_deref(), Some("Песня 歌 🎷"));
    assert_eq!(title("<![CDATA[<b> & ]]>").as_deref(), Some("<b> &"));
    assert_eq!(title("Caf&#xE9;").as_deref(), Some("Café"));
    assert_eq!(title("007").as_deref(), Some("007"));
}

#[test]
fn a_title_that_icecast_took_for_latin_1_is_readable_again() {
    assert_eq!(title("&#xD0;&#x9F;&#xD0;&#xB5;").as_deref(), Some("Пе"));
}

#[test]
fn a_title_is_one_bounded_line_without_control_characters() {
    assert_eq!(title("a&#10;b&#x1b;[31m&#x7f;c&#0;").as_deref(), Some("ab[31mc\u{fffd}"));
    assert_eq!(title(" \n ").as_deref(), None);
    assert_eq!(title(&"я".repeat(5000)).unwrap().chars().count(), TITLE_MAX);
}

#[test]
fn entities_that_the_document_defines_are_never_expanded() {
    let bomb = "<!DOCTYPE icestats [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    let body = format!("{bomb}<icestats>{}</icestats>", live("/a", "<title>&b;&x;</title><listeners>1</listeners>"));
    let mounts = parse(body.as_bytes()).unwrap();
    assert_eq!(mounts[0].title.as_deref(), Some("\u{fffd}\u{fffd}"));
    let mount = format!("{bomb}<icestats><source mount=\"/&b;\"/></icestats>");
    assert!(matches!(parse(mount.as_bytes()), Err(BadStats::Xml(BadXml::Malformed(_)))));
}

#[test]
fn a_document_cut_off_anywhere_is_not_believed() {
    let whole = document(&(live("/a", "<listeners>1</listeners>") + &live("/b", "<title>ж</title>")));
    for end in 0..whole.trim_end().len() {
        assert!(parse(&whole.as_bytes()[..end]).is_err(), "{end}");
    }
}

#[test]
fn what_is_no_statistics_is_not_believed() {
    for body in [
        "",
        "   ",
        "ok",
        "<html><head><title>Error 400</title></head><body>no</body></html>",
        "<icestats></icestats><icestats></icestats>",
        "</icestats>",
        "<iceresponse><return>1</return></iceresponse>",
        "{\"icestats\":{}}",
        "<icestats><source mount=\"/a\"></icestats></source>",
        "\u{0}\u{0}\u{0}",
    ] {
        assert!(parse(body.as_bytes()).is_err(), "{body}");
    }
    assert!(parse(&[0xff; 4096]).is_err());
}

#[test]
fn a_source_without_a_mount_or_a_mount_listed_twice_makes_the_whole_doubtful() {
    assert_eq!(parse(document("<source><listeners>0</listeners></source>").as_bytes()), Err(BadStats::NamelessSource));
    assert_eq!(parse(document(&live("", "")).as_bytes()), Err(BadStats::NamelessSource));
    assert_eq!(parse(document(&(live("/a", "") + &live("/a", ""))).as_bytes()), Err(BadStats::Twice("/a".into())));
}

#[test]
fn a_document_too_deep_or_too_long_is_refused() {
    let deep = format!("<icestats>{}{}</icestats>", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert!(matches!(parse(deep.as_bytes()), Err(BadStats::Xml(BadXml::Malformed(_)))));
    let many: String = (0..=MOUNTS_MAX).map(|i| format!("<source mount=\"/{i}\"/>")).collect();
    assert_eq!(parse(document(&many).as_bytes()), Err(BadStats::TooMany));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_markup_makes_it_panic(text in "[<>/&;#x0-9a\"'= !\\[\\]?-]{0,200}") {
        let _ = parse(document(&text).as_bytes());
        let _ = parse(document(&live("/a", &text)).as_bytes());
    }

    #[test]
    fn what_icecast_would_write_is_what_is_read(
        listeners in any::<u32>(),
        title in "[a-zA-Z0-9<>&\"'а-я歌 ]{0,40}",
        mount in "/[a-zA-Z0-9<&\"а-я]{1,20}",
    ) {
        let escaped = |text: &str| quick_xml::escape::escape(text).into_owned();
        let fields = format!("<listeners>{listeners}</listeners><title>{}</title>", escaped(&title));
        let mounts = parse(document(&live(&escaped(&mount), &fields)).as_bytes()).unwrap();
        prop_assert_eq!(&mounts[0].name, &mount);
        prop_assert_eq!(mounts[0].listeners, Some(listeners));
        prop_assert_eq!(mounts[0].title.clone().unwrap_or_default(), title.trim());
    }
}
