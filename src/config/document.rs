//! The TOML file: its settings, and the place of each in the text.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    ops::Range,
    path::Path,
};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

use super::{
    Config,
    key::Key,
    limits,
    problem::{ConfigError, Place, Problem},
    schema, secret,
};
use crate::terminal::harmless;

/// Most wrong keys reported at a time; a file with more of them is another file.
const MAX_PROBLEMS: usize = 50;

pub struct Document<'text> {
    path: &'text Path,
    text: &'text str,
    root: Spanned<DeTable<'text>>,
}

/// The file's text; `None` where there is no such file.
pub fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    let refuse = |what: String| Problem::new("", what).at(Place::Path(path.to_owned()));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(refuse(format!("cannot be opened: {error}")).advice("let the daemon's user read it").into());
        }
    };
    let mut bytes = Vec::new();
    file.take(limits::FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > limits::FILE_BYTES {
        return Err(refuse(format!("is larger than {} bytes", limits::FILE_BYTES)).into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count();
        refuse(format!("is not UTF-8 (line {line})")).advice("save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok(Some(text))
}

impl<'text> Document<'text> {
    pub fn parse(path: &'text Path, text: &'text str) -> Result<Self, ConfigError> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { path, text, root }),
            Err(error) => {
                let message = error.message().trim_end_matches(", expected nothing");
                let advice = match message {
                    "duplicate key" => "keep one of the two",
                    _ => "write `key = value`, and a text in \"quotes\"",
                };
                Err(Problem::new("", format!("is not TOML: {message}"))
                    .at(place(path, text, error.span().unwrap_or(0..0)))
                    .advice(advice)
                    .into())
            }
        }
    }

    /// The settings, and every key of the file that cannot be one; those have their default.
    pub fn settings(&self) -> (Config, Vec<Problem>) {
        let mut root = self.root.clone();
        let mut problems = Vec::new();
        loop {
            let error = match Config::deserialize(Deserializer::from(root.clone())) {
                Ok(config) => return (config, problems),
                Err(error) => error,
            };
            let span = error.span().unwrap_or(0..0);
            let key = find(self.root.get_ref(), &span, &Key::default()).unwrap_or_default();
            // Without the wrong setting the next wrong one shows.
            let removed = remove(root.get_mut(), &key.setting());
            problems.push(misfit(key, error.message()).at(place(self.path, self.text, span)));
            if !removed || problems.len() == MAX_PROBLEMS {
                return (Config::default(), problems);
            }
        }
    }

    pub fn has(&self, key: &Key) -> bool {
        self.span(key).is_some()
    }

    /// The value of this key, or its table's where the key is left out.
    pub fn place(&self, key: &Key) -> Place {
        let mut key = key.clone();
        while !key.0.is_empty() {
            if let Some(span) = self.span(&key) {
                return place(self.path, self.text, span);
            }
            key.0.pop();
        }
        Place::Path(self.path.to_owned())
    }

    fn span(&self, key: &Key) -> Option<Range<usize>> {
        use super::key::Segment::{Index, Name};
        let (first, rest) = key.0.split_first()?;
        let Name(name) = first else { return None };
        let mut value = self.root.get_ref().get(name.as_str())?;
        for segment in rest {
            value = match segment {
                Name(name) => value.get_ref().get(name.as_str())?,
                Index(index) => value.get_ref().get(*index)?,
            };
        }
        Some(value.span())
    }
}

/// What serde says, as a person would.
fn misfit(key: Key, message: &str) -> Problem {
    if let Some(field) = message.strip_prefix("missing field ") {
        return Problem::new(key, format!("{field} is missing")).advice(format!("add {field}"));
    }
    if !message.starts_with("unknown field") {
        let what = message.split(", expected").next().unwrap_or(message);
        let what = what.replace("type: map", "type: table").replace("type: sequence", "type: list");
        return Problem::new(key, what);
    }
    let mut parent = key.clone();
    let Some(super::key::Segment::Name(name)) = parent.0.pop() else {
        return Problem::new(key, message);
    };
    let known = schema::names(&parent);
    let problem = Problem::new(key, format!("there is no setting `{}`", name.escape_debug()))
        .expected(format!("one of {}", known.join(", ")));
    match closest(&name, &known) {
        Some(near) => problem.advice(format!("did you mean `{near}`?")),
        None => problem.advice("remove it, or comment it out with #"),
    }
}

/// The known name a wrong one was probably meant to be.
fn closest<'names>(name: &str, known: &'names [String]) -> Option<&'names str> {
    let (near, likeness) = known
        .iter()
        .map(|known| (known.as_str(), strsim::jaro_winkler(name, known)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    (likeness > 0.85).then_some(near)
}

/// The key whose name or value is at this place of the text.
fn find(table: &DeTable<'_>, span: &Range<usize>, parent: &Key) -> Option<Key> {
    table.iter().find_map(|(name, value)| {
        let key = parent.clone().name(name.get_ref());
        if name.span() == *span {
            return Some(key);
        }
        find_in_value(value, span, key)
    })
}

fn find_in_value(value: &Spanned<DeValue<'_>>, span: &Range<usize>, key: Key) -> Option<Key> {
    let inside = match value.get_ref() {
        DeValue::Table(table) => find(table, span, &key),
        DeValue::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| find_in_value(item, span, key.clone().index(index)))
        }
        _ => None,
    };
    inside.or_else(|| (value.span() == *span).then_some(key))
}

fn remove(table: &mut DeTable<'_>, path: &[&str]) -> bool {
    match path {
        [] => false,
        [name] => table.remove(*name).is_some(),
        [name, rest @ ..] => match table.get_mut(*name).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => remove(inner, rest),
            _ => false,
        },
    }
}

fn place(path: &Path, text: &str, span: Range<usize>) -> Place {
    let start = text.floor_char_boundary(span.start);
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let value = text.get(start..span.end).unwrap_or_default();
    // A tab stays one: the caret stands below what it means.
    let shown = |c: char| if c == '\t' { c } else { harmless(c) };
    let excerpt: String = secret::mask_line(line).chars().map(shown).collect();
    Place::File {
        path: path.to_owned(),
        line: 1 + before.matches('\n').count(),
        column: 1 + text[line_start..start].chars().count(),
        width: value.lines().next().unwrap_or_default().chars().count(),
        excerpt,
    }
}
