use super::{check_broken as check, *};

#[test]
fn an_address_must_be_one() {
    check("[http]\nlisten = \"localhost:8080\"", "2:10", &["http.listen", "IP address and port"]);
    check("[http]\nlisten = \"127.0.0.1\"", "2:10", &["http.listen"]);
    check("[http]\nlisten = \":8080\"", "2:10", &["http.listen"]);
    check("[http]\nlisten = 8080", "2:10", &["http.listen"]);
}

#[test]
fn a_duration_must_make_sense_where_it_stands() {
    check("[auto_end]\ntimeout = 0", "2:11", &["auto_end.timeout", "0 is no duration here", "from 1s to 7days"]);
    check("[auto_end]\ntimeout = -5", "2:11", &["auto_end.timeout", "`-5` is negative"]);
    check("[auto_end]\ntimeout = \"-5m\"", "2:11", &["auto_end.timeout", "negative"]);
    check("[auto_end]\ntimeout = 1.5", "2:11", &["auto_end.timeout", "1.5", "1500ms"]);
    check("[auto_end]\ntimeout = \"5M\"", "2:11", &["auto_end.timeout", "too long"]);
    check("[auto_end]\ntimeout = true", "2:11", &["auto_end.timeout", "whole seconds (300)"]);
    check("[auto_end]\ntimeout = \"\"", "2:11", &["auto_end.timeout"]);
    check("[auto_end]\nlost_after = \"1year\"", "2:14", &["auto_end.lost_after", "too long"]);
    check("[auto_end]\nwarnings = [60, \"soon\"]", "2:17", &["auto_end.warnings[1]", "soon"]);
    check("[auto_end]\nwarnings = [60, 0]", "2:17", &["auto_end.warnings[1]", "from 1s to 1day"]);
    check("[auto_end]\nwarnings = [\"1500ms\"]", "2:13", &["auto_end.warnings[0]", "whole seconds"]);
    check("[auto_end]\nwarnings = [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]", "2:12", &["21 warnings"]);
    check("[stats]\nbroadcast_interval = \"1ms\"", "2:22", &["stats.broadcast_interval", "too short", "100ms"]);
    check("[stats]\nsample_interval = \"2h\"", "2:19", &["stats.sample_interval", "too long"]);
    check("[ingest]\nreport_interval = 0", "2:19", &["ingest.report_interval"]);
    check("[ingest]\nforget_ended_after = \"2years\"", "2:22", &["ingest.forget_ended_after"]);
    check("[websocket]\nheartbeat = \"500ms\"", "2:13", &["websocket.heartbeat", "from 1s to 1h"]);
}

#[test]
fn a_number_must_be_within_its_limits() {
    check("[http]\nworkers = 5000", "2:11", &["http.workers", "5000 is too large"]);
    check("[http]\nmax_body_bytes = 10", "2:18", &["http.max_body_bytes", "from 1024 to"]);
    check("[ingest]\nmax_reports_per_request = 0", "2:27", &["ingest.max_reports_per_request", "0 is too small"]);
    check("[ingest]\nmax_channels = 0", "2:16", &["ingest.max_channels"]);
    check("[metrics]\nmax_channels = 99999999", "2:16", &["metrics.max_channels"]);
    check("[metrics]\nport = 0", "2:8", &["metrics.port", "0 is not a port"]);
    check("[websocket]\nmax_sessions = 0", "2:16", &["websocket.max_sessions"]);
    check("[websocket]\nmax_sessions_per_ip = 0", "2:23", &["websocket.max_sessions_per_ip"]);
}

#[test]
fn a_channel_id_must_be_one() {
    check("[channels.\"a b\"]\nenabled = true", "1:1", &["channels.\"a b\"", "not a channel id", "1 to 64 of"]);
    check("[channels.\"\"]\nenabled = true", "1:1", &["not a channel id"]);
    check("[channels.\"каналы\"]\nenabled = true", "1:1", &["каналы"]);
    check(&format!("[channels.{}]\nenabled = true", "a".repeat(65)), "1:1", &["not a channel id"]);
    check("[channels.\"a.b\"]\ntimeout = 0", "2:11", &["channels.\"a.b\".timeout"]);
}

#[test]
fn an_origin_must_be_spelled_as_browsers_send_it() {
    let origin = |origin: &str, expect: &str| {
        check(
            &format!("[http]\nallowed_origins = [\"https://a.example\", \"{origin}\"]"),
            "2:41",
            &["http.allowed_origins[1]", expect],
        );
    };
    origin("https://radio.example/", "browsers send `https://radio.example`");
    origin("https://radio.example:443", "browsers send `https://radio.example`");
    origin("https://Radio.Example", "browsers send `https://radio.example`");
    origin("https://radio.example/page", "browsers send `https://radio.example`");
    origin("radio.example", "not an origin");
    origin("null", "not an origin");
    origin("*", "not an origin");
    origin("ftp://radio.example", "neither http nor https");
}

#[test]
fn a_log_level_must_be_one() {
    let wrong = "inof|  |info,sattva_monitor=loud|info,,warn|=|ünfo|info,actix|actix=|=info|a=b=info|a[span{x}]=debug|";
    for level in wrong.split('|') {
        check(&format!("[log]\nlevel = \"{level}\""), "2:9", &["log.level"]);
    }
    for level in ["info", "OFF", "warn,sattva_monitor::config=trace", "info, actix_server=warn", "actix-web = debug"] {
        assert_eq!(Scene::empty().file(&format!("log.level = \"{level}\"")).config().log.level, level);
    }
}

#[test]
fn a_redis_url_must_be_one() {
    for url in ["localhost", "http://localhost", "redis://", "redis://h/jazz", "redis://h:99999"] {
        check(&format!("[store]\nredis_url = \"{url}\""), "2:13", &["store.redis_url"]);
    }
    check("[store]\nstate_dir = \"\"", "2:13", &["store.state_dir", "empty"]);
    check("[store]\nredis_url = 5", "2:13", &["store.redis_url"]);
    check("[store]\nredis_lease = \"1s\"", "2:15", &["store.redis_lease", "2s"]);
    for sentinel in ["localhost", ":26379", "h:0", "redis://h:1", "h:99999"] {
        check(
            &format!("[store]\nredis_sentinels = [\"h:26379\", \"{sentinel}\"]"),
            "2:31",
            &["store.redis_sentinels[1]"],
        );
    }
}

#[test]
fn a_retired_source_must_be_a_name() {
    check("[ingest]\nretired_sources = [\"a\", \"\"]", "2:25", &["ingest.retired_sources[1]"]);
    check("[ingest]\nretired_sources = [\"a\\u0007\"]", "2:20", &["ingest.retired_sources[0]", "\\u{7}"]);
    // No source can be called so, and none would be retired.
    check("[ingest]\nretired_sources = [\"old studio\"]", "2:20", &["old studio", "without spaces"]);
    check("[ingest]\nretired_sources = [\"студия\"]", "2:20", &["printable ASCII"]);
}

#[test]
fn an_icecast_server_must_be_usable() {
    let server = |line: &str, place: &str, expect: &[&str]| {
        let lines = ["name = \"a\"", "url = \"http://h:8000\"", "password_file = \"p\""];
        let key = line.split(' ').next().unwrap_or_default();
        let others = lines.iter().filter(|other| !other.starts_with(&format!("{key} ")));
        let file = others.fold(format!("[[icecast]]\n{line}\n"), |file, other| file + other + "\n");
        check(&file, place, expect);
    };
    server("name = \"a b\"", "2:8", &["icecast[0].name", "1 to 32"]);
    server("name = \"\"", "2:8", &["icecast[0].name"]);
    server("url = \"ice.example\"", "2:7", &["icecast[0].url", "not a URL"]);
    server("url = \"icecast://h\"", "2:7", &["icecast[0].url", "neither http nor https"]);
    server("url = \"http://admin:x@h\"", "2:7", &["icecast[0].url", "password_file"]);
    server("url = \"http://h/?a\"", "2:7", &["icecast[0].url"]);
    server("user = \"a:b\"", "2:8", &["icecast[0].user"]);
    server("password_file = \"\"", "2:17", &["icecast[0].password_file", "empty"]);
    server("poll_interval = 0", "2:17", &["icecast[0].poll_interval"]);
    server("mounts = [\"/a.mp3\", \"b.mp3\"]", "2:21", &["icecast[0].mounts[1]", "begins with /"]);
    server("mounts = [\"/\"]", "2:11", &["icecast[0].mounts[0]"]);
    server("channel_prefix = \"a b\"", "2:18", &["icecast[0].channel_prefix"]);
    server("stop = \"no\"", "2:8", &["icecast[0].stop", "true or false"]);
}
