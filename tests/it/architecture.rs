//! The tree is as docs/rooms.md says, and the documents are as the source says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Rooms that decide: no clock, no actor, no runtime, no file in them.
const PURE: [&str; 63] = [
    "actors/src/alarms.rs",
    "actors/src/broker/audience.rs",
    "actors/src/broker/burst.rs",
    "actors/src/broker/encoded.rs",
    "actors/src/broker/held.rs",
    "actors/src/broker/run.rs",
    "actors/src/broker/subscriptions.rs",
    "actors/src/channel/auto_end.rs",
    "actors/src/channel/cell.rs",
    "actors/src/channel/evidence.rs",
    "actors/src/channel/journal.rs",
    "actors/src/channel/policy.rs",
    "actors/src/channel/shown.rs",
    "actors/src/channel/stop.rs",
    "actors/src/channel/stop/spans.rs",
    "actors/src/channel/stream.rs",
    "actors/src/channel/words.rs",
    "actors/src/chronicle.rs",
    "actors/src/continuity.rs",
    "actors/src/fleet/roster.rs",
    "actors/src/identity.rs",
    "actors/src/session/deflate.rs",
    "actors/src/session/frame.rs",
    "actors/src/session/message.rs",
    "actors/src/session/outbox.rs",
    "actors/src/session/pace.rs",
    "actors/src/session/utf8.rs",
    "actors/src/session/wish.rs",
    "actors/src/source_clock.rs",
    "actors/src/stream_control/outbox.rs",
    "actors/src/traces.rs",
    "actors/src/traces/context.rs",
    "src/access/address.rs",
    "src/access/bucket.rs",
    "src/access/caller.rs",
    "src/access/names.rs",
    "src/access/role.rs",
    "src/adapters/icecast/clients.rs",
    "src/adapters/icecast/stats.rs",
    "src/adapters/janus/answer.rs",
    "src/adapters/janus/room.rs",
    "src/adapters/janus/visits.rs",
    "src/adapters/nginx_rtmp/publishers.rs",
    "src/adapters/nginx_rtmp/stat.rs",
    "src/adapters/nginx_rtmp/workers.rs",
    "src/adapters/polled/broadcast.rs",
    "src/adapters/polled/kill.rs",
    "src/adapters/polled/kind.rs",
    "src/adapters/polled/names.rs",
    "src/adapters/polled/settling.rs",
    "src/adapters/polled/stops.rs",
    "src/adapters/polled/trouble.rs",
    "src/adapters/polled/watch.rs",
    "src/adapters/polled/xml.rs",
    "src/adapters/redis_control/status.rs",
    "src/adapters/redis_control/stops.rs",
    "src/adapters/redis_control/watch.rs",
    "src/history/chunk.rs",
    "src/history/report.rs",
    "src/simulate/world.rs",
    "src/traces/otlp.rs",
    "src/webhooks/queue.rs",
    "src/webhooks/signature.rs",
];

/// What a pure room may not name.
const IMPURE: [&str; 9] =
    ["Clock::", "clock.now()", "Instant", "SystemTime", "actix", "tokio", "std::fs", "std::net", "std::thread"];

/// The heads of the columns in which documents name tests.
const NAMING_TESTS: [&str; 3] = ["Held by", "Mended by", "Test"];

/// Where an actor may be started, and who starts there.
const STARTING_ROOMS: [&str; 7] = [
    "actors/src/house.rs",
    "actors/src/broker/shard.rs",
    "actors/src/supervisor.rs",
    "actors/src/session.rs",
    "src/adapters.rs",
    "src/webhooks.rs",
    "src/wiring.rs",
];

/// The metrics of the specification, to the letter.
const METRICS_OF_THE_SPECIFICATION: [&str; 8] = [
    "sattva_http_requests_total",
    "sattva_http_request_duration_seconds",
    "sattva_active_streams",
    "sattva_stream_listeners",
    "sattva_queue_size",
    "sattva_queue_operations_total",
    "sattva_auto_end_events_total",
    "sattva_websocket_connections",
];

/// Paths in backticks that begin so are paths of this repository.
const OURS: [&str; 15] = [
    "actors/",
    "bench/",
    "benches/",
    "clients/",
    "config/",
    "docs/",
    "examples/",
    "frontend/",
    "fuzz/",
    "scripts/",
    "src/",
    "systemd/",
    "tests/",
    "Cargo.toml",
    "Makefile",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder with one of these endings, as paths from the root.
fn files(folder: &str, endings: &[&str]) -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let made = ["target", "node_modules", "dist"].iter().any(|made| name == *made);
            if path.is_dir() && !made {
                walk(&path, found);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    let text = |path: &PathBuf| path.strip_prefix(root()).ok()?.to_str().map(str::to_owned);
    found.iter().filter_map(text).filter(|path| endings.iter().any(|ending| path.ends_with(ending))).collect()
}

/// The product's Rust: what runs, without the modules that only test it.
fn rooms() -> BTreeSet<String> {
    let product = |path: &String| !path.contains("/tests/") && !path.ends_with("/tests.rs");
    files("src", &[".rs"]).into_iter().chain(files("actors/src", &[".rs"])).filter(product).collect()
}

/// A file's code: no comments, nothing after its first test module.
fn code(path: &str) -> String {
    let text = read(path);
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn documents() -> BTreeSet<String> {
    let own = fs::read_dir(root()).into_iter().flatten().flatten();
    let own = own.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.ends_with(".md"));
    own.chain(files("docs", &[".md"])).collect()
}

/// What stands in backticks, outside of fenced blocks.
fn quoted(markdown: &str) -> Vec<String> {
    let mut fenced = false;
    let mut quoted = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            quoted.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    quoted
}

/// The rows of all tables: their cells, trimmed.
fn rows(markdown: &str) -> Vec<Vec<String>> {
    let table = markdown.lines().filter(|line| line.starts_with('|') && !line.starts_with("|-"));
    let cells = |line: &str| {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
        line.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
    };
    table.map(cells).collect()
}

/// What stands between `before` and the next `after`, each time.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

/// The names of all functions behind a `#[test]` of some runtime.
fn tests_of(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.contains("::test]") || line.contains("::test(");
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            names.push(rest.split(['(', '<']).next().unwrap_or_default().to_owned());
            is_test = false;
        } else if !line.starts_with("//") && !line.is_empty() {
            is_test = false;
        }
    }
    names
}

fn all_rust() -> BTreeSet<String> {
    ["src", "actors", "tests", "bench", "benches"].iter().flat_map(|folder| files(folder, &[".rs"])).collect()
}

fn fail_with(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

#[test]
fn every_room_has_its_row_and_every_row_its_room() {
    let picture = read("docs/rooms.md");
    let named = rows(&picture).into_iter().map(|row| row[0].trim_matches('`').to_owned());
    let rows: BTreeSet<String> = named.filter(|name| name.ends_with(".rs")).collect();
    let rooms = rooms();
    let missing = rooms.difference(&rows).map(|room| format!("docs/rooms.md has no row for {room}"));
    let gone = rows.difference(&rooms).map(|row| format!("docs/rooms.md has a row for {row}, which is gone"));
    fail_with(missing.chain(gone).collect());
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut wrong = Vec::new();
    for document in documents() {
        for name in quoted(&read(&document)) {
            let path = name.split([':', '#']).next().unwrap_or_default();
            let is_path = OURS.iter().any(|ours| path.starts_with(ours)) && !path.contains([' ', '*', '<', '{']);
            if is_path && !root().join(path).exists() {
                wrong.push(format!("{document} names {path}, which does not exist"));
            }
        }
    }
    fail_with(wrong);
}

/// A heading's anchor.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().replace(' ', "-")
}

/// The blocks between fences, without what stands behind a `#`, which is in the reader's language.
fn commands_of(markdown: &str) -> Vec<String> {
    let blocks = markdown.split("```").skip(1).step_by(2);
    let told = |line: &str| line.split(" #").next().unwrap_or_default().trim_end().to_owned();
    blocks.map(|block| block.lines().map(told).collect::<Vec<_>>().join("\n")).collect()
}

#[test]
fn the_russian_readme_gives_the_same_commands_and_links_as_the_english_one() {
    let [english, russian] = ["README.md", "README.ru.md"].map(read);
    assert!(commands_of(&english).len() > 5);
    assert_eq!(commands_of(&english), commands_of(&russian));
    let links = |text: &str, itself: &str| {
        let links = between(text, "](", ")").into_iter().filter(|link| *link != itself).map(str::to_owned);
        links.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(links(&english, "README.ru.md"), links(&russian, "README.md"));
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut wrong = Vec::new();
    for document in documents() {
        let text = read(&document);
        let folder = Path::new(&document).parent().unwrap_or(Path::new("")).to_owned();
        for link in between(&text, "](", ")") {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { root().join(&document) } else { root().join(&folder).join(path) };
            let Ok(there) = fs::read(&target) else {
                wrong.push(format!("{document} links to {link}, which does not exist"));
                continue;
            };
            let there = String::from_utf8_lossy(&there);
            let leads = heading.is_empty()
                || there.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
            if !leads {
                wrong.push(format!("{document} links to {link}, which has no such heading"));
            }
        }
    }
    fail_with(wrong);
}

#[test]
fn pure_rooms_name_neither_clock_nor_actor_nor_runtime() {
    let mut wrong = Vec::new();
    for room in PURE {
        let code = code(room);
        wrong.extend(IMPURE.iter().filter(|name| code.contains(**name)).map(|name| format!("{room} names {name}")));
    }
    fail_with(wrong);
}

#[test]
fn a_room_that_calls_itself_pure_is_held_to_it() {
    let calls_itself_pure = |room: &String| {
        let text = read(room);
        let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        ["Pure.", "Pure;", "Pure:", ": pure"].iter().any(|word| head.contains(word))
    };
    let pure = rooms().into_iter().filter(calls_itself_pure);
    let unheld = pure.filter(|room| !PURE.contains(&room.as_str()));
    fail_with(unheld.map(|room| format!("{room} calls itself pure and is not in the list of pure rooms")).collect());
}

#[test]
fn nothing_is_sent_past_a_mailboxs_bound() {
    let banned = ["do", "send"].join("_");
    fail_with(rooms().into_iter().filter(|room| code(room).contains(&banned)).collect());
}

#[test]
fn actors_start_only_where_the_picture_says() {
    let mut wrong = Vec::new();
    for room in rooms() {
        let code = code(&room);
        // Whoever starts an actor has its trait in scope.
        let imports = between(&code, "use actix::", ";");
        let words = imports.iter().flat_map(|import| import.split([',', '{', '}', ':']));
        let can_start = words.map(str::trim).any(|word| word == "Actor");
        let starts = code.contains(".start()") || code.contains("::create(");
        let by_name =
            code.contains("Actor::start") || code.contains("Actor::create") || code.contains("actix::prelude::*");
        if ((can_start && starts) || by_name) && !STARTING_ROOMS.contains(&room.as_str()) {
            wrong.push(format!("{room} starts an actor; let src/wiring.rs or actors/src/house.rs do it"));
        }
    }
    fail_with(wrong);
}

#[test]
fn the_actors_crate_does_not_know_the_daemon() {
    let manifest = read("actors/Cargo.toml");
    let own = manifest.lines().filter(|line| !line.starts_with("description"));
    assert!(!own.into_iter().any(|line| line.contains("sattva-monitor")), "actors/Cargo.toml depends on the daemon");
    let rooms = rooms().into_iter().filter(|room| room.starts_with("actors/"));
    fail_with(rooms.filter(|room| code(room).contains("sattva_monitor")).collect());
}

#[test]
fn no_file_is_named_for_a_heap_of_things() {
    let frontend = files("frontend/src", &[".ts", ".tsx"]);
    let heaps = ["utils", "util", "helpers", "helper", "common", "shared", "misc"];
    let is_heap = |path: &String| {
        let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        heaps.contains(&stem) || path.split('/').any(|folder| heaps.contains(&folder))
    };
    fail_with(all_rust().into_iter().chain(frontend).filter(is_heap).collect());
}

#[test]
fn every_test_is_named_by_a_sentence() {
    let mut wrong = Vec::new();
    for path in all_rust() {
        for name in tests_of(&read(&path)) {
            if name.split('_').filter(|word| !word.is_empty()).count() < 3 {
                wrong.push(format!("{path}: {name} is no sentence of three words"));
            }
        }
    }
    fail_with(wrong);
}

#[test]
fn every_test_that_a_document_names_exists() {
    let exist: BTreeSet<String> = all_rust().iter().flat_map(|path| tests_of(&read(path))).collect();
    let mut wrong = Vec::new();
    // Words of a name; what is written otherwise is none.
    let words = |name: &str| if name.contains(['.', '/', ' ', '=', '-']) { 0 } else { name.split('_').count() };
    for document in documents() {
        let text = read(&document);
        // Outside of those columns only a test has so long a name, and a metric.
        let mut named: BTreeSet<String> =
            quoted(&text).into_iter().filter(|name| words(name) >= 6 && !name.starts_with("sattva_")).collect();
        let mut column = None;
        for row in rows(&text) {
            let head = row.iter().position(|cell| NAMING_TESTS.contains(&cell.as_str()));
            match column.and_then(|column: usize| row.get(column)) {
                Some(cell) if head.is_none() => named.extend(quoted(cell).into_iter().filter(|name| words(name) >= 3)),
                _ => column = head.or(column),
            }
        }
        let gone = named.into_iter().filter(|name| !exist.contains(name));
        wrong.extend(gone.map(|name| format!("{document} names the test {name}, which does not exist")));
    }
    fail_with(wrong);
}

/// The metrics that the source registers.
fn metrics() -> BTreeSet<String> {
    let mut metrics = BTreeSet::new();
    for room in rooms() {
        let code = code(&room);
        for text in code.split('"').skip(1).step_by(2) {
            let is_metric = text.starts_with("sattva_")
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && !["sattva_monitor", "sattva_actors", "sattva_"].contains(&text);
            if is_metric {
                metrics.insert(text.to_owned());
            }
        }
    }
    metrics
}

#[test]
fn the_metrics_reference_names_what_the_source_registers() {
    let reference = read("docs/metrics.md");
    let named = rows(&reference).into_iter().map(|row| row[0].trim_matches('`').to_owned());
    let named: BTreeSet<String> = named.filter(|name| name.starts_with("sattva_")).collect();
    let metrics = metrics();
    let missing = metrics.difference(&named).map(|name| format!("docs/metrics.md has no row for {name}"));
    let gone = named.difference(&metrics).map(|name| format!("docs/metrics.md has a row for {name}, which is gone"));
    fail_with(missing.chain(gone).collect());
}

#[test]
fn every_metric_of_the_specification_keeps_its_name() {
    let metrics = metrics();
    let missing = METRICS_OF_THE_SPECIFICATION.iter().filter(|name| !metrics.contains(**name));
    fail_with(missing.map(|name| format!("{name} is gone")).collect());
}

/// The routes and the problem codes of the source.
fn routes_and_codes() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut routes, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for room in rooms().into_iter().filter(|room| room.starts_with("src/http")) {
        let code = code(&room);
        for method in ["#[get(\"", "#[post(\"", "#[put(\"", "#[delete(\""] {
            routes.extend(between(&code, method, "\"").into_iter().map(str::to_owned));
        }
        for made in ["bad_request(", "conflict(", "forbidden(", "busy(", "Problem::new(", "Self::new("] {
            for arguments in code.split(made).skip(1) {
                let status_or_code = arguments.trim_start();
                let arguments = match status_or_code.strip_prefix("StatusCode::") {
                    Some(rest) => rest.split_once(',').map_or("", |(_, rest)| rest).trim_start(),
                    None => status_or_code,
                };
                let code = arguments.strip_prefix('"').and_then(|rest| rest.split('"').next());
                codes.extend(code.map(str::to_owned));
            }
        }
    }
    (routes, codes)
}

#[test]
fn the_api_reference_names_every_code_and_every_route() {
    let reference = read("docs/api.md");
    let quoted: BTreeSet<String> = quoted(&reference).into_iter().collect();
    let (routes, codes) = routes_and_codes();
    let mut wrong: Vec<String> = Vec::new();
    for route in routes {
        let named = quoted.iter().any(|text| text.split([' ', '?']).any(|word| word == route));
        // The tail of the dashboard's router is not a route of the API.
        if !named && !route.contains("{path") {
            wrong.push(format!("docs/api.md does not name the route {route}"));
        }
    }
    let mut listed = BTreeMap::new();
    for row in rows(&reference).into_iter().filter(|row| row.len() == 3) {
        listed.insert(row[0].trim_matches('`').to_owned(), row[1].clone());
    }
    let statuses = ["400", "401", "403", "404", "408", "409", "413", "426", "429", "503"];
    listed.retain(|_, status| statuses.contains(&status.as_str()));
    let listed: BTreeSet<String> = listed.into_keys().collect();
    wrong.extend(codes.difference(&listed).map(|code| format!("docs/api.md has no row for the code {code}")));
    wrong.extend(
        listed.difference(&codes).map(|code| format!("docs/api.md has a row for the code {code}, which is gone")),
    );
    fail_with(wrong);
}

#[test]
fn the_configuration_reference_names_every_setting() {
    let schema: serde_json::Value = serde_json::from_str(&read("config/sattva-monitor.schema.json")).unwrap();
    let quoted: BTreeSet<String> = quoted(&read("docs/configuration.md")).into_iter().collect();
    let mut wrong = Vec::new();
    for (section, settings) in schema["properties"].as_object().unwrap() {
        let settings = [
            &settings["properties"],
            &settings["items"]["properties"],
            &settings["additionalProperties"]["properties"],
        ];
        for name in settings.into_iter().filter_map(serde_json::Value::as_object).flat_map(|settings| settings.keys()) {
            let key = format!("{section}.{name}");
            if !quoted.contains(&key) {
                wrong.push(format!("docs/configuration.md does not name {key}"));
            }
        }
    }
    fail_with(wrong);
}

#[test]
fn each_attack_of_the_security_page_is_tried_by_a_test() {
    let page = read("docs/security.md");
    let (_, tried) = page.split_once("## What was tried").unwrap();
    let attacks: Vec<Vec<String>> =
        rows(tried).into_iter().filter(|row| row.len() == 3 && row[0] != "Attack").collect();
    assert!(attacks.len() > 15, "the table of attacks is gone");
    // That the tests are there is looked at above.
    let untried = attacks.iter().filter(|row| quoted(&row[2]).is_empty());
    fail_with(untried.map(|row| format!("docs/security.md names no test for: {}", row[0])).collect());
}
