//! A start that cannot work says in one line what is wrong and what to do, and ends with a code.

use std::{fs, net::TcpListener};

use crate::daemon::{Daemon, Ended, Plan};

const HERE: &str = "127.0.0.1:0";

#[track_caller]
fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.said);
    let last = ended.said.lines().filter(|line| line.starts_with("sattva-monitor: ")).count();
    assert_eq!(last, 1, "one line of its own: {}", ended.said);
    for word in words {
        assert!(ended.said.contains(word), "{word:?} is missing in: {}", ended.said);
    }
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = TcpListener::bind(HERE).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let plan = Plan::new("");
    let state = plan.own_state_dir();
    let ended = plan.run_to_its_end(&["serve", "--listen", &address, "--state-dir", state.to_str().unwrap()]);
    refused(&ended, 1, &[&address, "another program has the port", "--listen"]);
}

#[test]
fn a_state_directory_that_cannot_be_made_is_named_with_what_to_do() {
    let plan = Plan::new("");
    let file = plan.own_state_dir();
    fs::write(&file, "a file where the directory should be").unwrap();
    let ended = plan.run_to_its_end(&["serve", "--listen", HERE, "--state-dir", file.to_str().unwrap()]);
    refused(&ended, 1, &[file.to_str().unwrap(), "--state-dir"]);
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused_and_the_first_goes_on() {
    let first = Daemon::start("");
    let state = first.state_dir().to_str().unwrap().to_owned();
    let ended = Plan::new("").run_to_its_end(&["serve", "--listen", HERE, "--state-dir", &state]);
    refused(&ended, 1, &["another daemon", "--state-dir"]);
    assert_eq!(first.get("/readyz").json()["status"], "ready");
}

#[test]
fn a_wrong_configuration_is_named_by_file_line_and_key() {
    let plan = Plan::new("[auto_end]\ntimeout = \"soon\"\n");
    let ended = plan.run_to_its_end(&["serve", "--config", "config.toml", "--listen", HERE]);
    refused(&ended, 78, &["config.toml:2", "timeout", "soon"]);
}

#[test]
fn check_config_refuses_what_serve_would() {
    let plan = Plan::new("[auto_end]\ntimeuot = 5\n");
    let ended = plan.run_to_its_end(&["check-config", "--config", "config.toml"]);
    refused(&ended, 78, &["config.toml:2", "timeuot"]);
}

#[test]
fn an_address_others_can_reach_is_refused_until_it_is_allowed_in_words() {
    let plan = Plan::new("");
    let state = plan.own_state_dir();
    let ended = plan.run_to_its_end(&["serve", "--listen", "0.0.0.0:0", "--state-dir", state.to_str().unwrap()]);
    refused(&ended, 78, &["0.0.0.0", "open_to_the_network"]);
}
