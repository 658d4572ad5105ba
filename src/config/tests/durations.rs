use super::*;
use crate::config::duration::parse;

#[test]
fn a_duration_is_whole_seconds_or_a_text_with_units() {
    let check = |toml: &str, expect: Duration| {
        let text = format!("auto_end.timeout = {toml}");
        assert_eq!(Scene::empty().file(&text).config().auto_end.timeout, expect, "{toml}");
        let plain = toml.trim_matches('"');
        assert_eq!(Scene::empty().env("AUTO_END_TIMEOUT", plain).config().auto_end.timeout, expect, "{plain}");
    };
    check("300", seconds(300));
    check("\"300\"", seconds(300));
    check("\"5m\"", seconds(300));
    check("\"1h 30m\"", seconds(5400));
    check("\"1h30m\"", seconds(5400));
    check("\"90s\"", seconds(90));
    check("\"2 minutes\"", seconds(120));
    check("\"1500ms\"", Duration::from_millis(1500));
    check("\"7days\"", seconds(7 * 24 * 3600));
    check("\"1s\"", seconds(1));
}

#[test]
fn what_is_no_duration_is_refused_with_its_reason() {
    let check = |text: &str, expect: &str| {
        let reason = parse(text).unwrap_err();
        assert!(reason.contains(expect), "{text:?}: {reason}");
    };
    check("", "not a duration");
    check("soon", "`soon` is not a duration");
    check("5 parsecs", "parsec");
    check("-5m", "negative");
    check("1.5.5h", "not a duration");
    check("99999999999999999999", "too large");
    check("9999999999999999999y", "not a duration");
    check("5m\u{1b}[31m", "\\u{1b}");
}

#[test]
fn a_duration_survives_being_written_and_read_again() {
    let config = Scene::empty().file("auto_end.timeout = \"1h 2m 3s\"\n[channels.a]\ntimeout = 90").config();
    let text = toml::to_string(&config).unwrap();
    assert_says(&text, &["timeout = \"1h 2m 3s\"", "timeout = \"1m 30s\""]);
    assert_eq!(Scene::empty().file(&text).config(), config);
}
