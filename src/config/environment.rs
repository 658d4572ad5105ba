//! The variables: the process environment over the `.env` file, each as one setting.
//!
//! `.env` is read here and not put into the process environment, so a reload sees its new values.
//! A variable that is set but empty counts as absent.

use std::{collections::BTreeMap, path::Path};

use super::{
    Config, document, duration,
    key::Key,
    problem::{ConfigError, Place, Problem},
    secret,
};

pub type Variables = BTreeMap<String, String>;

/// A variable and the setting it is another name of.
struct Variable {
    name: &'static str,
    key: &'static str,
    set: fn(&mut Config, &str) -> Result<(), String>,
}

const VARIABLES: [Variable; 9] = [
    Variable {
        name: "SATTVA_LISTEN",
        key: "http.listen",
        set: |config, text| {
            config.http.listen = text.parse().map_err(|_| format!("`{text}` is not an IP address and port"))?;
            Ok(())
        },
    },
    Variable {
        name: "SATTVA_STATE_DIR",
        key: "store.state_dir",
        set: |config, text| {
            config.store.state_dir = text.into();
            Ok(())
        },
    },
    Variable {
        name: "SATTVA_LOG",
        key: "log.level",
        set: |config, text| {
            config.log.level = text.to_owned();
            Ok(())
        },
    },
    Variable {
        name: "PROMETHEUS_ENABLED",
        key: "metrics.enabled",
        set: |config, text| {
            config.metrics.enabled = switch(text)?;
            Ok(())
        },
    },
    Variable {
        name: "PROMETHEUS_PORT",
        key: "metrics.port",
        set: |config, text| {
            config.metrics.port = Some(text.parse().map_err(|_| format!("`{text}` is not a port"))?);
            Ok(())
        },
    },
    Variable {
        name: "STATS_BROADCAST_INTERVAL",
        key: "stats.broadcast_interval",
        set: |config, text| {
            config.stats.broadcast_interval = duration::parse(text)?;
            Ok(())
        },
    },
    Variable {
        name: "AUTO_END_TIMEOUT",
        key: "auto_end.timeout",
        set: |config, text| {
            config.auto_end.timeout = duration::parse(text)?;
            Ok(())
        },
    },
    Variable {
        name: "REDIS_URL",
        key: "store.redis_url",
        set: |config, text| {
            config.store.redis_url = Some(text.to_owned());
            Ok(())
        },
    },
    Variable {
        name: "OTEL_EXPORTER_OTLP_ENDPOINT",
        key: "traces.otlp_endpoint",
        set: |config, text| {
            config.traces.otlp_endpoint = Some(text.to_owned());
            Ok(())
        },
    },
];

const OLD_MINUTES: Variable = Variable {
    name: "AUTO_END_TIMEOUT_MINUTES",
    key: "auto_end.timeout",
    set: |config, text| {
        let minutes: u32 = text.parse().map_err(|_| format!("`{text}` is not whole minutes"))?;
        config.auto_end.timeout = duration::parse(&format!("{}", u64::from(minutes) * 60))?;
        Ok(())
    },
};

const OLD_ENABLED: Variable = Variable {
    name: "AUTO_END_ENABLED",
    key: "auto_end.enabled",
    set: |config, text| {
        config.auto_end.enabled = switch(text)?;
        Ok(())
    },
};

/// Both layers of variables.
pub struct Environment<'a> {
    pub dotenv_path: &'a Path,
    pub dotenv: Variables,
    pub process: &'a Variables,
}

/// What the layers above the file changed, and what is to be said about it.
#[derive(Default)]
pub struct Outcome {
    pub origins: Vec<(Key, Place)>,
    pub warnings: Vec<String>,
    pub problems: Vec<Problem>,
}

impl Environment<'_> {
    /// The value that wins, and where it is from.
    pub fn get(&self, name: &str) -> Option<(&str, Place)> {
        let variable = name.to_owned();
        if let Some(value) = self.process.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()) {
            return Some((value, Place::Environment { variable }));
        }
        let value = self.dotenv.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())?;
        Some((value, Place::DotEnv { path: self.dotenv_path.to_owned(), variable }))
    }

    pub fn apply(&self, config: &mut Config) -> Outcome {
        let mut outcome = Outcome::default();
        for variable in &VARIABLES {
            self.apply_one(variable, config, &mut outcome);
        }
        self.apply_old(config, &mut outcome);
        self.suspect_typos(&mut outcome.warnings);
        outcome
    }

    fn apply_one(&self, variable: &Variable, config: &mut Config, outcome: &mut Outcome) {
        let Some((text, place)) = self.get(variable.name) else {
            return;
        };
        if variable.name == "PROMETHEUS_PORT" && text.starts_with("tcp://") {
            outcome.warnings.push(format!(
                "{place} is ignored: Kubernetes sets it for a service named prometheus \
                 (`enableServiceLinks: false` turns that off)"
            ));
            return;
        }
        let result = if text.contains('\u{fffd}') {
            Err("the value is not UTF-8".to_owned())
        } else {
            (variable.set)(config, text)
        };
        match result {
            Ok(()) => outcome.origins.push((Key::from(variable.key), place)),
            Err(what) => outcome.problems.push(Problem::new(variable.key, what).at(place)),
        }
    }

    fn apply_old(&self, config: &mut Config, outcome: &mut Outcome) {
        if let Some((_, place)) = self.get(OLD_MINUTES.name) {
            if self.get("AUTO_END_TIMEOUT").is_some() {
                outcome.warnings.push(format!("{place} is ignored: AUTO_END_TIMEOUT is set, and wins"));
            } else {
                outcome
                    .warnings
                    .push(format!("{place} is deprecated: use AUTO_END_TIMEOUT, in seconds (300) or with a unit (5m)"));
                self.apply_one(&OLD_MINUTES, config, outcome);
            }
        }
        if let Some((_, place)) = self.get(OLD_ENABLED.name) {
            outcome.warnings.push(format!("{place} is deprecated: use `enabled` under [auto_end] in the file"));
            self.apply_one(&OLD_ENABLED, config, outcome);
        }
    }

    /// A variable one slip away from one of ours would be silently without effect.
    fn suspect_typos(&self, warnings: &mut Vec<String>) {
        let known: Vec<&str> = VARIABLES
            .iter()
            .map(|variable| variable.name)
            .chain([OLD_MINUTES.name, OLD_ENABLED.name, "SATTVA_CONFIG"])
            .collect();
        let mut seen: Vec<&String> = self.process.keys().chain(self.dotenv.keys()).collect();
        seen.sort();
        seen.dedup();
        for name in seen.into_iter().filter(|name| !known.contains(&name.as_str())) {
            let near = known.iter().find(|known| strsim::osa_distance(name, known) == 1);
            if let (Some(near), Some((_, place))) = (near, self.get(name)) {
                warnings.push(format!("{place} has no effect; did you mean {near}?"));
            }
        }
    }
}

/// The variables of a `.env` file, the last of a name winning; none where there is no such file.
/// An error names the line but never shows it: such files hold secrets.
pub fn read_dotenv(path: &Path) -> Result<Variables, ConfigError> {
    let Some(mut text) = document::read(path)? else {
        return Ok(Variables::new());
    };
    text.push('\n'); // dotenvy refuses a last line that ends in a space
    let mut variables = Variables::new();
    let mut problems = Vec::new();
    let mut searched = 0;
    for entry in dotenvy::from_read_iter(text.as_bytes()) {
        match entry {
            Ok((name, value)) => {
                variables.insert(name, value);
            }
            Err(error) => {
                let at = match &error {
                    dotenvy::Error::LineParse(line, _) => text[searched..].find(line.as_str()).map(|at| searched + at),
                    _ => None,
                };
                let place = match at {
                    Some(at) => {
                        searched = at + 1;
                        Place::Line { path: path.to_owned(), line: 1 + text[..at].matches('\n').count() }
                    }
                    None => Place::Path(path.to_owned()),
                };
                problems.push(
                    Problem::new("", "this line cannot be read (not shown: it may hold a secret)")
                        .at(place)
                        .expected("NAME=value; a value with spaces, # or $ in 'single quotes'"),
                );
            }
        }
    }
    if problems.is_empty() { Ok(variables) } else { Err(ConfigError { problems }) }
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("`{}` is neither true nor false", secret::mask_line(text))),
    }
}
