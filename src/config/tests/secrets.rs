use super::*;

const URL: &str = "redis://user:hunter2@localhost:6379/0";

#[test]
fn a_printed_configuration_hides_the_password() {
    let config = Scene::empty().env("REDIS_URL", URL).config();
    assert_eq!(config.store.redis_url.as_deref(), Some(URL));
    for printed in [format!("{config:?}"), format!("{config:#?}"), toml::to_string(&config).unwrap()] {
        assert!(!printed.contains("hunter2"), "{printed}");
        assert_says(&printed, &["user", "localhost:6379"]);
    }
}

#[test]
fn a_password_in_the_query_of_a_socket_url_is_hidden_too() {
    let config = Config {
        store: Store { redis_url: Some("redis+unix:///run/r.sock?pass=hunter2".to_owned()), ..Store::default() },
        ..Config::default()
    };
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn no_error_shows_a_secret_of_the_file() {
    for text in [
        "[store]\nredis_url = \"redis://:hunter2@\"",
        "[store]\nredis_url = \"nonsense hunter2\"",
        "[store]\nredis_url = redis://:hunter2@localhost",
        "[store]\nredis_url = \"redis://:hunter2@localhost",
        "[store]\nredis_url = [\"hunter2\"]",
        "[store]\nredis_url = \"rediss://:hunter2@localhost/jazz\"",
        "[store]\nredis_ulr = \"redis://:hunter2@localhost\"",
        "[store]\nstate_dir = 1\nredis_url = \"\"\"\nredis://:hunter2@localhost\"\"\"\"\"\"",
        "store = { redis_url = \"hunter2\", state_dir = 5 }",
        "[http]\nlisten = \"redis://:hunter2@localhost\"",
        "[auto_end]\ntimeout = \"redis://:hunter2@localhost\"",
        "[log]\nlevel = \"redis://:hunter2@localhost\"",
        "[log]\nformat = \"redis://:hunter2@localhost\"",
        "[[icecast]]\nname = \"a\"\nurl = \"http://localhost\"\npassword = \"hunter2\"",
        "[[icecast]]\nname = \"a\"\nurl = \"http://admin:hunter2@localhost\"\npassword_file = \"p\"",
        "[[icecast]]\nname = \"a\"\nurl = \"http://localhost\"\npassword_file = \"hunter2\"\nx = 1",
        "[[icecast]]\nname = \"a\"\nurl = \"http://localhost\"\npassword_file = hunter2",
        "[http]\nallowed_origins = [\"https://a:hunter2@radio.example\"]",
    ] {
        let error = Scene::empty().file(text).error();
        assert!(!error.contains("hunter2"), "of {text}:\n{error}");
    }
}

#[test]
fn no_error_shows_a_secret_of_a_variable() {
    for value in
        ["redis://:hunter2@", "hunter2", "rediss://:hunter2@h", "redis://:hunter2@h/x", "redis://h?pass=hunter2 x"]
    {
        if let Err(error) = load(&Scene::empty().env("REDIS_URL", value).sources) {
            let debug = format!("{error} {error:?}");
            assert!(!debug.contains("hunter2"), "{debug}");
        }
    }
    for name in ["SATTVA_LISTEN", "AUTO_END_TIMEOUT", "PROMETHEUS_PORT", "PROMETHEUS_ENABLED", "SATTVA_LOG"] {
        let error = Scene::empty().env(name, URL).error();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn an_error_steers_no_terminal() {
    let error = Scene::empty().file("[log]\nlevel = \"\u{202e}x\u{9b}31m\"\n").error();
    assert!(!error.contains(['\u{202e}', '\u{9b}', '\u{1b}']), "{error:?}");
    let error = Scene::empty().file("[log]\nformat = \"\\u001b[31m\"\n").error();
    assert!(!error.contains('\u{1b}'), "{error:?}");
}
