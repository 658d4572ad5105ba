use super::{check_broken as check, *};

#[test]
fn a_problem_is_shown_with_its_line_a_caret_and_what_to_do() {
    let error = Scene::empty().file("[auto_end]\nenabled = true\ntimout = \"5m\"\n").error();
    let expected = "\
monitor.toml:3:1: auto_end.timout: there is no setting `timout`
  |
3 | timout = \"5m\"
  | ^^^^^^
  = expected: one of dry_run, enabled, lost_after, never_joined_timeout, timeout, warnings
  = what to do: did you mean `timeout`?";
    assert_eq!(error, expected);
    let error = Scene::empty().file("[auto_end]\ntimeout = \"5 parsecs\"\n").error();
    assert_says(
        &error,
        &["2 | timeout = \"5 parsecs\"\n  |           ^^^^^^^^^^^\n", "expected: whole seconds (300) or a text"],
    );
}

#[test]
fn unknown_keys_are_refused_at_every_depth() {
    check("colour = 1", "1:1", &["colour: there is no setting `colour`", "auto_end", "websocket"]);
    check("\n[htpp]\nlisten = \"127.0.0.1:1\"", "2:2", &["htpp", "did you mean `http`?"]);
    check("[http]\nlisten_on = 1", "2:1", &["http.listen_on", "did you mean `listen`?"]);
    check(
        "[channels.a]\ntimeout = 5\nwarnings = [5]",
        "3:1",
        &["channels.a.warnings", "dry_run, enabled, never_joined_timeout, timeout"],
    );
    check(
        "[[icecast]]\nname = \"a\"\nurl = \"http://h\"\npassword_file = \"p\"\nport = 1",
        "5:1",
        &["icecast[0].port"],
    );
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    check("[http]\nworkers = \"four\"", "2:11", &["http.workers", "expected: a whole number from 0 to 1024"]);
    check("[http]\nworkers = -1", "2:11", &["http.workers", "-1"]);
    check("[http]\nworkers = 1.5", "2:11", &["http.workers", "1.5"]);
    check("[http]\nopen_to_the_network = \"yes\"", "2:23", &["http.open_to_the_network", "true or false"]);
    check("[http]\nallowed_origins = \"https://a.example\"", "2:19", &["http.allowed_origins", "a list"]);
    check("[auto_end]\nenabled = 1", "2:11", &["auto_end.enabled", "true or false"]);
    check("http = 5", "1:8", &["http", "a table"]);
    check("[log]\nformat = \"xml\"", "2:10", &["log.format", "xml", "\"pretty\", \"json\", \"journald\", \"auto\""]);
    check("[metrics]\nport = 70000", "2:8", &["metrics.port", "70000", "1 to 65535"]);
    check("[channels]\na = 5", "2:5", &["channels.a"]);
    check("[icecast]\nname = \"a\"", "1:1", &["icecast", "a list"]);
}

#[test]
fn an_icecast_server_must_be_whole_and_alone_of_its_name() {
    check("[[icecast]]\nname = \"a\"\nurl = \"http://h\"", "1:1", &["icecast[0]", "`password_file` is missing"]);
    let one = "[[icecast]]\nname = \"a\"\nurl = \"http://h\"\npassword_file = \"p\"\n";
    check(&format!("{one}{one}"), "6:8", &["icecast[1].name", "name of another server"]);
    check(&format!("{one}[[icecast]]\nname = \"b\"\n"), "5:1", &["icecast[1]", "`url` is missing"]);
}

#[test]
fn an_nginx_that_is_to_stop_streams_must_say_where() {
    let one = "[[nginx_rtmp]]\nname = \"a\"\nrtmp_only = true\nstat_url = \"http://h/stat\"\n";
    check(one, "1:1", &["nginx_rtmp[0].control_url", "is missing", "stop = false"]);
    Scene::empty().file(&format!("{one}stop = false\n")).config();
    Scene::empty().file(&format!("{one}control_url = \"http://h/control\"\n")).config();
    check(&format!("{one}control_url = \"h\"\n"), "5:15", &["nginx_rtmp[0].control_url", "URL"]);
    check(&format!("{one}stop = false\nignored_addresses = [\"\"]\n"), "6:22", &["ignored_addresses[0]"]);
    check(&format!("{one}stop = false\nsettle = \"11m\"\n"), "6:10", &["nginx_rtmp[0].settle", "too long"]);
}

#[test]
fn a_janus_must_be_told_who_streams() {
    let one = "[[janus]]\nname = \"a\"\nurl = \"http://h/janus\"\n";
    check(one, "1:1", &["janus[0].streamer_ids", "nobody is named who streams"]);
    Scene::empty().file(&format!("{one}streamer_displays = [\"radio\"]\n")).config();
    check(&format!("{one}streamer_ids = [1000]\n"), "4:17", &["janus[0].streamer_ids"]);
    check(&format!("{one}streamer_ids = [\"1\"]\nsettle = \"-1s\"\n"), "5:10", &["janus[0].settle"]);
}

#[test]
fn a_file_that_is_not_toml_is_shown_where_it_breaks() {
    check("[http\nlisten = \"127.0.0.1:1\"", "1:6", &["is not TOML"]);
    check("[http]\nlisten = 127.0.0.1:1", "2:15", &["is not TOML", "quotes"]);
    check("[http]\nlisten", "2:7", &["is not TOML"]);
    check("[http]\nworkers = 1\nworkers = 2", "3:1", &["duplicate key"]);
    check("[http]\n[stats]\n[http]", "3:2", &["duplicate key", "keep one"]);
    check("[log]\nlevel = \"info", "2:14", &["is not TOML"]);
    check("listen: 5", "1:9", &["is not TOML"]);
    check("{}", "1:1", &["is not TOML"]);
}

#[test]
fn every_problem_of_a_file_is_reported_in_its_order() {
    let file = "[auto_end]\ntimeout = 0\nwarnigns = [1]\nenabled = \"x\"\n[http]\nworkers = 9999\n[[icecast]]\nname = 5\n[log]\nlevel = \"x\"\n";
    let error = Scene::empty().file(file).error();
    let places: Vec<&str> =
        error.lines().filter_map(|line| line.strip_prefix("monitor.toml:")?.split(": ").next()).collect();
    assert_eq!(places, ["2:11", "3:1", "4:11", "6:11", "8:8", "10:9"], "{error}");
}

#[test]
fn the_summary_is_one_line_with_file_line_and_key() {
    let scene = Scene::empty().file("[auto_end]\ntimeout = 0\ndry_run = 1\n");
    let summary = load(&scene.sources).unwrap_err().summary();
    assert_says(&summary, &["monitor.toml:2:11: auto_end.timeout: 0 is no duration here", "(and 1 more)"]);
    assert_eq!(summary.lines().count(), 1);
}

#[test]
fn a_caret_stands_right_below_text_of_any_alphabet_and_tabs() {
    let error = Scene::empty().file("http = { allowed_origins = [\"https://радио.рф\", \"ы\"] }").error();
    assert_says(&error, &["http.allowed_origins[1]", "monitor.toml:1:49"]);
    let error = Scene::empty().file("[http]\n\tworkers = -1\n").error();
    assert_says(&error, &["2 | \tworkers = -1\n  | \t          ^^"]);
}

#[test]
fn a_file_of_nothing_but_mistakes_does_not_fill_the_log() {
    let file: String = (0..5000).map(|n| format!("wrong{n} = 1\n")).collect();
    let scene = Scene::empty().file(&file);
    assert!(load(&scene.sources).unwrap_err().problems.len() <= 50);
}

#[test]
fn a_torn_or_damaged_file_is_refused_or_read_but_never_a_panic() {
    let whole = shipped_file::everything_on();
    let scene = Scene::empty().file("");
    let path = scene.sources.file.clone().unwrap();
    for (at, c) in whole.char_indices().step_by(13) {
        let torn = whole[..at].to_owned();
        let shortened = format!("{}{}", &whole[..at], &whole[at + c.len_utf8()..]);
        let flipped = format!("{}\u{fe}{}", &whole[..at], &whole[at + c.len_utf8()..]);
        for text in [torn, shortened, flipped] {
            fs::write(&path, text).unwrap();
            if let Err(error) = load(&scene.sources) {
                assert!(!error.to_string().is_empty() && !error.summary().is_empty());
            }
        }
    }
}

#[test]
fn a_bottomless_file_is_refused() {
    for (open, depth) in [("a.", 100_000), ("[", 100_000), ("x = [", 100_000), ("x = {a=", 100_000)] {
        assert!(load(&Scene::empty().file(&open.repeat(depth)).sources).is_err(), "{open}");
    }
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    assert!(load(&Scene::empty().file(&dotted).sources).is_err());
    let nested = format!("x = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(load(&Scene::empty().file(&nested).sources).is_err());
}
