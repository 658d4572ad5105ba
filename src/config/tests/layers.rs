use super::*;

#[test]
fn with_no_file_at_all_the_defaults_stand() {
    let loaded = Scene::empty().load();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.file, None);
    assert!(loaded.warnings.is_empty() && loaded.overridden.is_empty());
}

#[test]
fn the_defaults_are_what_the_contract_says() {
    let config = Config::default();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.http.max_body_bytes, 4 << 20);
    assert_eq!(config.auto_end.timeout, seconds(300));
    assert_eq!(config.auto_end.warnings, [60, 30, 10].map(seconds));
    assert_eq!(config.auto_end.lost_after, seconds(3600));
    assert_eq!(config.stats.broadcast_interval, seconds(5));
    assert_eq!(config.ingest.report_interval, seconds(5));
    assert_eq!(config.metrics.max_channels, 10_000);
    assert_eq!(config.metrics.port, None);
    assert_eq!(config.websocket.max_sessions, 1000);
    assert_eq!(config.websocket.heartbeat, seconds(30));
}

#[test]
fn the_laws_are_tested_with_the_rules_that_ship() {
    assert_eq!(crate::wiring::rulebook(&Config::default()), sattva_actors::protocol::Rulebook::default());
}

#[test]
fn every_layer_wins_over_the_one_before_it() {
    let mut scene = Scene::empty();
    let listen = |scene: &Scene| scene.config().http.listen.port();
    assert_eq!(listen(&scene), 8080);
    scene = scene.file("[http]\nlisten = \"127.0.0.1:1001\"\n");
    assert_eq!(listen(&scene), 1001);
    scene = scene.dotenv("SATTVA_LISTEN=127.0.0.1:1002\n");
    assert_eq!(listen(&scene), 1002);
    scene = scene.env("SATTVA_LISTEN", "127.0.0.1:1003");
    assert_eq!(listen(&scene), 1003);
    scene.sources.flags.listen = Some(([127, 0, 0, 1], 1004).into());
    assert_eq!(listen(&scene), 1004);
}

#[test]
fn where_no_other_file_is_that_of_the_installed_service_is_read() {
    let mut scene = Scene::empty();
    let installed = scene.path().join("installed.toml");
    scene.sources.installed = Some(installed.clone());
    assert_eq!(scene.load().file, None);
    fs::write(&installed, "http.workers = 3").unwrap();
    let loaded = scene.load();
    assert_eq!((loaded.config.http.workers, loaded.file), (3, Some(installed)));
    fs::create_dir(scene.path().join("config")).unwrap();
    fs::write(scene.path().join("config/sattva-monitor.toml"), "http.workers = 2").unwrap();
    assert_eq!(scene.load().config.http.workers, 2);
}

#[test]
fn a_file_in_the_usual_place_is_found_unnamed() {
    let scene = Scene::empty();
    fs::create_dir(scene.path().join("config")).unwrap();
    fs::write(scene.path().join("config/sattva-monitor.toml"), "http.workers = 3").unwrap();
    let loaded = scene.load();
    assert_eq!(loaded.config.http.workers, 3);
    assert!(loaded.file.unwrap().ends_with("config/sattva-monitor.toml"));
}

#[test]
fn a_named_file_that_is_absent_is_an_error_that_says_who_named_it() {
    let mut scene = Scene::empty();
    scene.sources.file = Some(scene.path().join("absent.toml"));
    assert_says(&scene.error(), &["absent.toml: there is no such file", "--config on the command line"]);
    let scene = Scene::empty().env("SATTVA_CONFIG", "/nowhere/a.toml");
    assert_says(&scene.error(), &["/nowhere/a.toml", "SATTVA_CONFIG in the environment"]);
    let scene = Scene::empty().dotenv("SATTVA_CONFIG=/nowhere/b.toml");
    assert_says(&scene.error(), &["/nowhere/b.toml", "SATTVA_CONFIG in .env"]);
}

#[test]
fn the_flag_names_the_file_before_the_variable_does() {
    let scene = Scene::empty().file("http.workers = 2").env("SATTVA_CONFIG", "/nowhere/a.toml");
    assert_eq!(scene.config().http.workers, 2);
}

#[test]
fn a_file_that_is_a_directory_or_not_text_is_refused() {
    let mut scene = Scene::empty();
    scene.sources.file = Some(scene.path().to_owned());
    assert!(scene.error().contains("cannot be read"), "{}", scene.error());
    let path = scene.path().join("binary.toml");
    fs::write(&path, b"# fine\nhttp.workers = \xff").unwrap();
    scene.sources.file = Some(path);
    assert_says(&scene.error(), &["binary.toml", "not UTF-8 (line 2)"]);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let scene = Scene::empty()
        .file("\u{feff}[http]\r\nworkers = 2\r\n")
        .dotenv("\u{feff}AUTO_END_TIMEOUT=60\r\nSATTVA_LOG=debug\r\n");
    let config = scene.config();
    assert_eq!((config.http.workers, config.auto_end.timeout), (2, seconds(60)));
    assert_eq!(config.log.level, "debug");
}

#[test]
fn what_the_file_sets_and_something_later_overrides_is_named() {
    let mut scene = Scene::empty()
        .file("auto_end.timeout = 60\nhttp.listen = \"127.0.0.1:1\"\nstore.state_dir = \"a\"\nlog.level = \"warn\"")
        .dotenv("AUTO_END_TIMEOUT=90\nREDIS_URL=redis://localhost")
        .env("SATTVA_LISTEN", "127.0.0.1:2");
    scene.sources.flags.state_dir = Some("b".into());
    let dotenv = format!("AUTO_END_TIMEOUT in {}", scene.sources.dotenv.display());
    let expected = [
        ("auto_end.timeout", dotenv.as_str()),
        ("http.listen", "SATTVA_LISTEN in the environment"),
        ("store.state_dir", "--state-dir on the command line"),
    ];
    let expected = expected.map(|(key, by)| (key.to_owned(), by.to_owned()));
    assert_eq!(scene.load().overridden, expected);
}

#[test]
fn systemd_says_where_the_state_goes_unless_a_person_does() {
    let state_dir = |scene: &Scene| scene.config().store.state_dir.display().to_string();
    let scene = Scene::empty();
    assert_eq!(state_dir(&scene), "./.state");
    let scene = scene.env("STATE_DIRECTORY", "/var/lib/sattva-monitor:/var/lib/other");
    assert_eq!(state_dir(&scene), "/var/lib/sattva-monitor");
    let scene = scene.file("[store]\nstate_dir = \"/srv/state\"");
    assert_eq!(state_dir(&scene), "/srv/state");
    assert!(scene.load().overridden.is_empty());
    let scene = scene.env("SATTVA_STATE_DIR", "/srv/other");
    assert_eq!(state_dir(&scene), "/srv/other");
}

#[test]
fn a_reload_reads_the_env_file_again_and_the_process_environment_stays_untouched() {
    let scene = Scene::empty().dotenv("AUTO_END_TIMEOUT=90");
    assert_eq!(scene.config().auto_end.timeout, seconds(90));
    assert!(std::env::var_os("AUTO_END_TIMEOUT").is_none());
    let scene = scene.dotenv("AUTO_END_TIMEOUT=120");
    assert_eq!(scene.config().auto_end.timeout, seconds(120));
}

#[test]
fn a_value_of_the_file_is_checked_even_where_it_is_overridden() {
    let scene = Scene::empty().file("auto_end.timeout = 0").env("AUTO_END_TIMEOUT", "300");
    assert_says(&scene.error(), &["monitor.toml:1:20", "auto_end.timeout"]);
}

#[test]
fn warnings_are_sorted_and_told_once() {
    let scene = Scene::empty().file("auto_end.warnings = [10, \"1m\", 30, \"60s\"]");
    assert_eq!(scene.config().auto_end.warnings, [60, 30, 10].map(seconds));
}

#[test]
fn a_warning_that_is_not_shorter_than_the_timeout_is_remarked_upon() {
    let loaded = Scene::empty().file("auto_end.timeout = 30").load();
    assert_eq!(loaded.warnings.len(), 1);
    assert_says(&loaded.warnings[0], &["auto_end.warnings", "1m, 30s", "skipped"]);
}

#[test]
fn an_extra_metrics_port_that_is_taken_by_the_daemon_itself_is_remarked_upon() {
    let loaded = Scene::empty().file("metrics.port = 8080").load();
    assert_says(&loaded.warnings.concat(), &["metrics.port", "http.listen"]);
}

#[test]
fn a_channel_may_differ_and_an_icecast_server_needs_three_keys() {
    let config = Scene::empty()
        .file(
            "[channels.\"-1001234567890\"]\ntimeout = \"15m\"\n[channels.jazz]\nenabled = false\n\
             [[icecast]]\nname = \"a\"\nurl = \"http://127.0.0.1:8000\"\npassword_file = \"p\"",
        )
        .config();
    let channel = &config.channels["-1001234567890"];
    assert_eq!((channel.timeout, channel.enabled, channel.dry_run), (Some(seconds(900)), None, None));
    assert_eq!(config.channels["jazz"].enabled, Some(false));
    let server = &config.icecast[0];
    assert_eq!((server.user.as_str(), server.poll_interval, server.stop), ("admin", seconds(5), true));
    assert!(server.mounts.is_empty() && server.channel_prefix.is_empty());
}

#[test]
fn a_server_that_others_can_reach_needs_tokens_or_a_clear_word() {
    let listening = |listen: &str, open: bool| {
        let text = format!("[http]\nlisten = \"{listen}\"\nopen_to_the_network = {open}");
        Scene::empty().file(&text).config()
    };
    for private in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        listening(private, false).refuse_open_network(false).unwrap();
    }
    for public in ["0.0.0.0:1", "192.168.1.5:1", "[::]:1"] {
        let error = listening(public, false).refuse_open_network(false).unwrap_err().to_string();
        assert_says(&error, &["http.listen", public, "tokens", "open_to_the_network = true"]);
        listening(public, true).refuse_open_network(false).unwrap();
        listening(public, false).refuse_open_network(true).unwrap();
    }
}
