//! The layers, one on the other.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{
    Config,
    document::{self, Document},
    environment::{Environment, read_dotenv},
    key::Key,
    problem::{ConfigError, Place, Problem},
    validate::{remarks, validate},
};

/// The file that is read when none is named, beside the `.env` file; it may be absent.
const DEFAULT_FILE: &str = "config/sattva-monitor.toml";
/// Where there is neither: that of the installed service, so that a terminal asks about the same daemon.
const INSTALLED_FILE: &str = "/etc/sattva-monitor/sattva-monitor.toml";

/// Everything a configuration is made of. The same sources read again are a reload.
/// Not `Debug`: the environment holds secrets.
#[derive(Clone, Default)]
pub struct Sources {
    /// `--config`; else `SATTVA_CONFIG` names the file.
    pub file: Option<PathBuf>,
    /// What is read where no file is named and none lies beside the `.env` file; it may be absent.
    pub installed: Option<PathBuf>,
    /// The `.env` file, usually in the working directory; it may be absent.
    pub dotenv: PathBuf,
    /// The process environment.
    pub env: BTreeMap<String, String>,
    pub flags: Flags,
}

/// What the command line sets.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub listen: Option<SocketAddr>,
    /// The address of a socket that the service manager has handed over.
    pub inherited: Option<SocketAddr>,
    pub state_dir: Option<PathBuf>,
}

/// A configuration that may be used, and what to tell about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// The file that was read; `None` where there is none.
    pub file: Option<PathBuf>,
    /// For the log: deprecated variables, settings without effect.
    pub warnings: Vec<String>,
    /// Settings of the file that something later overrides: the key, and by what.
    pub overridden: Vec<(String, String)>,
}

impl Sources {
    /// With the environment of this process, and its working directory's `.env`.
    pub fn of_this_process(file: Option<PathBuf>, flags: Flags) -> Self {
        // A value that is not UTF-8 must not end the start; one of ours is refused by `load`.
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .collect();
        Self { file, installed: Some(INSTALLED_FILE.into()), dotenv: PathBuf::from(".env"), env, flags }
    }
}

/// Reads and checks all layers. Every problem is in the error, in the order of the file.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let dotenv = gather(read_dotenv(&sources.dotenv), &mut problems).unwrap_or_default();
    let environment = Environment { dotenv_path: &sources.dotenv, dotenv, process: &sources.env };

    let (path, text) = gather(read_file(sources, &environment), &mut problems).unwrap_or_default();
    let document = text.as_deref().and_then(|text| gather(Document::parse(&path, text), &mut problems));
    let mut config = Config::default();
    if let Some(document) = &document {
        let (settings, found) = document.settings();
        config = settings;
        problems.extend(found);
        problems.extend(validate(&config).into_iter().map(|problem| {
            let place = document.place(&problem.key);
            problem.at(place)
        }));
    }
    let in_file = |key: &Key| document.as_ref().is_some_and(|document| document.has(key));

    if !in_file(&Key::from("store.state_dir"))
        && let Some(directory) = systemd_state_dir(&sources.env)
    {
        config.store.state_dir = directory;
    }
    let mut origins = Vec::new();
    let outcome = environment.apply(&mut config);
    problems.extend(outcome.problems);
    origins.extend(outcome.origins);
    origins.extend(apply_flags(&sources.flags, &mut config));
    // The file's own problems are known; here the values that came later are looked at.
    problems.extend(validate(&config).into_iter().filter_map(|problem| {
        let (_, place) = origins.iter().rfind(|(key, _)| *key == problem.key)?;
        Some(problem.at(place.clone()))
    }));
    if !problems.is_empty() {
        problems.sort_by_key(position);
        return Err(ConfigError { problems });
    }

    let warnings = &mut config.auto_end.warnings;
    warnings.sort_unstable_by(|a, b| b.cmp(a));
    warnings.dedup();
    let overridden: BTreeMap<String, String> = origins
        .iter()
        .filter(|(key, _)| in_file(key))
        .map(|(key, place)| (key.to_string(), place.to_string()))
        .collect();
    Ok(Loaded {
        warnings: outcome.warnings.into_iter().chain(remarks(&config)).collect(),
        file: document.is_some().then_some(path.clone()),
        overridden: overridden.into_iter().collect(),
        config,
    })
}

/// Goes on without what is wrong, to find all of it.
fn gather<T>(result: Result<T, ConfigError>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|error| problems.extend(error.problems)).ok()
}

/// The file's path and text; a file that somebody named must be there.
fn read_file(sources: &Sources, environment: &Environment<'_>) -> Result<(PathBuf, Option<String>), ConfigError> {
    let named = match &sources.file {
        Some(path) => Some((path.clone(), Place::Flag { name: "--config".to_owned() })),
        None => environment.get("SATTVA_CONFIG").map(|(path, place)| (PathBuf::from(path), place)),
    };
    let Some((path, named_by)) = named else {
        let path = sources.dotenv.parent().unwrap_or(Path::new("")).join(DEFAULT_FILE);
        let text = document::read(&path)?;
        if text.is_none()
            && let Some(installed) = &sources.installed
            && let Some(text) = document::read(installed)?
        {
            return Ok((installed.clone(), Some(text)));
        }
        return Ok((path, text));
    };
    match document::read(&path)? {
        Some(text) => Ok((path, Some(text))),
        None => Err(Problem::new("", "there is no such file")
            .at(Place::Path(path))
            .expected(format!("the file that is named by {named_by}"))
            .advice("correct the path, or name none to run with the defaults")
            .into()),
    }
}

/// The first of the directories systemd made for this service.
fn systemd_state_dir(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let first = env.get("STATE_DIRECTORY")?.split(':').next()?;
    (!first.is_empty()).then(|| PathBuf::from(first))
}

fn apply_flags(flags: &Flags, config: &mut Config) -> Vec<(Key, Place)> {
    let flag = |key: &str, name: &str| (Key::from(key), Place::Flag { name: name.to_owned() });
    let mut origins = Vec::new();
    if let Some(listen) = flags.listen {
        config.http.listen = listen;
        origins.push(flag("http.listen", "--listen"));
    }
    if let Some(inherited) = flags.inherited {
        config.http.listen = inherited;
        origins.push((Key::from("http.listen"), Place::Inherited));
    }
    if let Some(directory) = &flags.state_dir {
        config.store.state_dir = directory.clone();
        origins.push(flag("store.state_dir", "--state-dir"));
    }
    origins
}

fn position(problem: &Problem) -> (usize, usize) {
    match problem.place {
        Place::File { line, column, .. } => (line, column),
        _ => (usize::MAX, 0),
    }
}
