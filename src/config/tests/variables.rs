use super::*;

#[test]
fn every_variable_reaches_its_setting_from_the_environment_and_from_the_env_file() {
    let set = [
        ("SATTVA_LISTEN", "[::1]:9000"),
        ("SATTVA_STATE_DIR", "/srv/state"),
        ("SATTVA_LOG", "warn,sattva_monitor=debug"),
        ("PROMETHEUS_ENABLED", "false"),
        ("PROMETHEUS_PORT", "9109"),
        ("STATS_BROADCAST_INTERVAL", "2"),
        ("AUTO_END_TIMEOUT", "10m"),
        ("REDIS_URL", "redis://127.0.0.1:6379/1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
    ];
    let environment = set.iter().fold(Scene::empty(), |scene, (name, value)| scene.env(name, value));
    let lines: Vec<String> = set.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let dotenv = Scene::empty().dotenv(&lines.join("\n"));
    for config in [environment.config(), dotenv.config()] {
        assert_eq!(config.http.listen.to_string(), "[::1]:9000");
        assert_eq!(config.store.state_dir, Path::new("/srv/state"));
        assert_eq!(config.log.level, "warn,sattva_monitor=debug");
        assert!(!config.metrics.enabled);
        assert_eq!(config.metrics.port, Some(9109));
        assert_eq!(config.stats.broadcast_interval, seconds(2));
        assert_eq!(config.auto_end.timeout, seconds(600));
        assert_eq!(config.store.redis_url.as_deref(), Some("redis://127.0.0.1:6379/1"));
        assert_eq!(config.traces.otlp_endpoint.as_deref(), Some("http://127.0.0.1:4318"));
    }
}

#[test]
fn the_seeds_own_env_file_is_accepted_as_it_is() {
    let loaded = Scene::empty()
        .dotenv("PROMETHEUS_ENABLED=true\nPROMETHEUS_PORT=9090\nSTATS_BROADCAST_INTERVAL=5\nAUTO_END_TIMEOUT=300\n")
        .load();
    assert_eq!(
        loaded.config,
        Config { metrics: Metrics { port: Some(9090), ..Metrics::default() }, ..Config::default() }
    );
    assert!(loaded.warnings.is_empty());
}

#[test]
fn a_switch_is_understood_in_every_usual_spelling() {
    for (text, on) in [
        ("true", true),
        ("1", true),
        ("YES", true),
        ("on", true),
        ("False", false),
        ("0", false),
        ("no", false),
        ("off", false),
    ] {
        assert_eq!(Scene::empty().env("PROMETHEUS_ENABLED", text).config().metrics.enabled, on, "{text}");
    }
}

#[test]
fn an_empty_variable_counts_as_absent() {
    let scene = Scene::empty().dotenv("AUTO_END_TIMEOUT=90").env("AUTO_END_TIMEOUT", "").env("REDIS_URL", " ");
    let config = scene.config();
    assert_eq!((config.auto_end.timeout, config.store.redis_url), (seconds(90), None));
}

#[test]
fn the_old_minutes_still_count_with_a_warning() {
    let loaded = Scene::empty().env("AUTO_END_TIMEOUT_MINUTES", "7").load();
    assert_eq!(loaded.config.auto_end.timeout, seconds(420));
    assert_says(
        &loaded.warnings.concat(),
        &["AUTO_END_TIMEOUT_MINUTES in the environment", "deprecated", "AUTO_END_TIMEOUT"],
    );
}

#[test]
fn the_new_timeout_wins_over_the_old_minutes_wherever_it_stands() {
    let loaded = Scene::empty().dotenv("AUTO_END_TIMEOUT=90").env("AUTO_END_TIMEOUT_MINUTES", "7").load();
    assert_eq!(loaded.config.auto_end.timeout, seconds(90));
    assert_says(&loaded.warnings.concat(), &["AUTO_END_TIMEOUT_MINUTES", "ignored"]);
}

#[test]
fn the_old_switch_still_counts_with_a_warning() {
    let loaded = Scene::empty().dotenv("AUTO_END_ENABLED=false").load();
    assert!(!loaded.config.auto_end.enabled);
    assert_says(&loaded.warnings.concat(), &["AUTO_END_ENABLED", "deprecated", "[auto_end]"]);
}

#[test]
fn a_slip_in_a_name_is_noticed_and_foreign_names_are_not() {
    let scene = Scene::empty()
        .dotenv("TELEGRAM_BOT_TOKEN=123\nAUTO_END_TIMOUT=60")
        .env("SATTVA_LISTN", "127.0.0.1:1")
        .env("PROMETHEUS_HOST", "x")
        .env("PATH", "/bin");
    let warnings = scene.load().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_says(&warnings.concat(), &["SATTVA_LISTN", "SATTVA_LISTEN?", "AUTO_END_TIMOUT", "AUTO_END_TIMEOUT?"]);
}

#[test]
fn the_port_that_kubernetes_sets_for_a_service_named_prometheus_is_ignored() {
    let loaded = Scene::empty().env("PROMETHEUS_PORT", "tcp://10.96.0.7:9090").load();
    assert_eq!(loaded.config.metrics.port, None);
    assert_says(&loaded.warnings.concat(), &["PROMETHEUS_PORT", "Kubernetes"]);
}

#[test]
fn a_wrong_variable_is_named_with_its_layer_and_its_setting() {
    let check = |name: &str, value: &str, expect: &[&str]| {
        let from_env = Scene::empty().env(name, value).error();
        assert_says(&from_env, &[&format!("{name} in the environment")]);
        let from_file = Scene::empty().dotenv(&format!("{name}='{value}'")).error();
        assert_says(&from_file, &[&format!("{name} in .env")]);
        assert_says(&from_env, expect);
        assert_says(&from_file, expect);
    };
    check("SATTVA_LISTEN", "localhost:8080", &["http.listen", "localhost:8080", "expected:", "127.0.0.1:8080"]);
    check("SATTVA_LISTEN", "127.0.0.1", &["http.listen", "IP address and port"]);
    check("SATTVA_LOG", "verbose", &["log.level", "verbose"]);
    check("PROMETHEUS_ENABLED", "maybe", &["metrics.enabled", "maybe", "true or false"]);
    check("PROMETHEUS_PORT", "70000", &["metrics.port", "70000", "1 to 65535"]);
    check("PROMETHEUS_PORT", "0", &["metrics.port", "0 is not a port"]);
    check("STATS_BROADCAST_INTERVAL", "0", &["stats.broadcast_interval", "from 100ms to 1h"]);
    check("STATS_BROADCAST_INTERVAL", "often", &["stats.broadcast_interval", "often"]);
    check("AUTO_END_TIMEOUT", "-5", &["auto_end.timeout", "`-5` is negative"]);
    check("AUTO_END_TIMEOUT", "5M", &["auto_end.timeout", "too long", "from 1s to 7days"]);
    check("AUTO_END_TIMEOUT", "99999999999999999999", &["auto_end.timeout", "too large"]);
    check("AUTO_END_TIMEOUT_MINUTES", "five", &["auto_end.timeout", "five", "minutes"]);
    check("AUTO_END_TIMEOUT_MINUTES", "0", &["auto_end.timeout", "from 1s"]);
    check("AUTO_END_ENABLED", "2", &["auto_end.enabled"]);
    check("REDIS_URL", "localhost:6379", &["store.redis_url"]);
    check("REDIS_URL", "redis://localhost/jazz", &["store.redis_url", "database"]);
}

#[test]
fn a_value_that_is_not_utf_8_is_refused() {
    let scene = Scene::empty().env("SATTVA_STATE_DIR", "/srv/\u{fffd}");
    assert_says(&scene.error(), &["SATTVA_STATE_DIR", "not UTF-8"]);
}

#[test]
fn in_the_env_file_the_last_of_a_name_wins_and_quotes_and_comments_work() {
    let scene = Scene::empty()
        .dotenv("# a comment\nexport AUTO_END_TIMEOUT=1 # one\nSATTVA_LOG='debug'\nAUTO_END_TIMEOUT=\"2m\" ");
    let config = scene.config();
    assert_eq!((config.auto_end.timeout, config.log.level.as_str()), (seconds(120), "debug"));
}

#[test]
fn a_broken_line_of_the_env_file_is_named_by_its_number_and_not_shown() {
    let error = Scene::empty().dotenv("A=1\n\nsecret hunter2 here\nB=2\nanother hunter2\n").error();
    assert_says(&error, &[".env:3:", ".env:5:", "NAME=value"]);
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn an_env_file_that_cannot_be_read_is_an_error() {
    let scene = Scene::empty();
    fs::create_dir(&scene.sources.dotenv).unwrap();
    assert!(scene.error().contains(".env: cannot be read"), "{}", scene.error());
}

#[test]
fn problems_of_the_file_and_of_the_variables_are_reported_together() {
    let error = Scene::empty()
        .file("[http]\nworkers = -1\nportt = 2\n[auto_end]\ntimeout = 0\n")
        .dotenv("PROMETHEUS_PORT=x")
        .env("SATTVA_LISTEN", "y")
        .error();
    assert_says(
        &error,
        &["monitor.toml:2:11: http.workers", "monitor.toml:3:1: http.portt", "monitor.toml:5:11: auto_end.timeout"],
    );
    assert_says(&error, &["PROMETHEUS_PORT in .env", "SATTVA_LISTEN in the environment"]);
}
