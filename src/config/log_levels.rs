//! What is logged of which part of the program: `info,sattva_monitor::config=debug`.

use tracing_subscriber::filter::{LevelFilter, Targets};

/// A level for everything, and `target=level` for parts, with commas between. A bare word that is no level, as the typo
/// `inof`, is not taken for a part of which all is logged.
pub fn read(text: &str) -> Result<Targets, String> {
    let mut levels = Targets::new();
    for part in text.split(',').map(str::trim) {
        let shown = part.escape_debug();
        levels = match part.split_once('=') {
            None => levels.with_default(level(part).ok_or_else(|| {
                format!("`{shown}` is not a log level; for a part of the program write `{shown}=debug`")
            })?),
            Some((target, level_of_it)) => {
                let level = level(level_of_it.trim()).filter(|_| is_path(target.trim()));
                let wrong = || format!("`{shown}` is not `target=level`, as `sattva_monitor::config=debug` is");
                levels.with_target(target.trim(), level.ok_or_else(wrong)?)
            }
        };
    }
    Ok(levels)
}

/// Nothing at all passes for `error` with the library.
fn level(text: &str) -> Option<LevelFilter> {
    text.parse().ok().filter(|_| !text.is_empty())
}

fn is_path(target: &str) -> bool {
    !target.is_empty() && target.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':'))
}
