//! `sattva-monitor token`: makes, lists and revokes tokens.

use std::{io::Write, path::PathBuf, time::Duration};

use clap::Subcommand;
use sattva_actors::clock::{Clock, WallTime};

use super::ConfigFile;
use crate::{
    access::{
        book::{self, BookError, Entry, Moment},
        names::Names,
        role::Role,
        token::Token,
    },
    config::{self, Flags, Sources},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    files: ConfigFile,
    /// The file of the tokens; otherwise the configuration's access.tokens_file.
    #[arg(long, value_name = "FILE", global = true)]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token and print it. It is printed this once: the file keeps only its digest.
    Create {
        /// Whose it is, for the log and for revoking: a person, a program, a streamer.
        #[arg(long)]
        name: String,
        /// What it is for.
        #[arg(long, value_enum)]
        role: Role,
        /// Of a streamer: a source it may report as, or the beginning of such with a * at its end; may be repeated.
        /// Without any it is the source of its own name.
        #[arg(long = "source", value_name = "SOURCE")]
        sources: Vec<String>,
        /// Of a streamer: a channel it may report, or the beginning of such with a * at its end; may be repeated. Without
        /// any it may report all.
        #[arg(long = "channel", value_name = "CHANNEL", allow_hyphen_values = true)]
        channels: Vec<String>,
        /// How long it is good for, such as 90days; without it until it is revoked.
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        expires_in: Option<Duration>,
    },
    /// List the tokens: names, roles, what for, until when.
    List,
    /// Revoke a token.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// Why nothing was done, in one line.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("{0}")]
    Config(#[from] config::ConfigError),
    #[error("the configuration names no file of tokens: set `tokens_file` under [access], or give --file FILE")]
    NoFile,
    #[error("{0}")]
    Book(#[from] BookError),
    #[error("the kernel gives no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    #[error("--expires-in is too long")]
    TooLong,
    #[error("cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Does what the command line says.
///
/// # Errors
/// When the file cannot be found, read or written, or the name is taken or not there.
pub fn run(args: Args) -> Result<(), TokenError> {
    let file = match args.file {
        Some(file) => file,
        None => {
            let loaded = config::load(&Sources::of_this_process(args.files.config, Flags::default()))?;
            loaded.config.access.tokens_file.ok_or(TokenError::NoFile)?
        }
    };
    let now = Clock::System.now().wall;
    let mut out = std::io::stdout().lock();
    match args.command {
        Command::Create { name, role, sources, channels, expires_in } => {
            let names = |list: Vec<String>| list.iter().map(|text| Names::from(text.as_str())).collect();
            let expires_at =
                expires_in.map(|time| later(now, time).map(Moment).ok_or(TokenError::TooLong)).transpose()?;
            let token = Token::random()?;
            let entry = Entry {
                name,
                role,
                sha256: token.digest(),
                sources: names(sources),
                channels: names(channels),
                created_at: Moment(now),
                expires_at,
            };
            book::add(&file, entry)?;
            writeln!(out, "{}", token.as_str())?;
            tell(&format!(
                "This is the only time it is shown. {} has its digest; the daemon takes it when it is reloaded:\n  \
                 systemctl reload sattva-monitor    (or kill -HUP its pid)",
                file.display()
            ));
        }
        Command::List => {
            for entry in book::list(&file)? {
                writeln!(out, "{}", line(&entry, now))?;
            }
        }
        Command::Revoke { name } => {
            book::revoke(&file, &name)?;
            tell(&format!(
                "{name} is revoked from the daemon's next reload on; its open dashboards are closed within a heartbeat:\n  \
                 systemctl reload sattva-monitor    (or kill -HUP its pid)"
            ));
        }
    }
    Ok(())
}

fn later(now: WallTime, by: Duration) -> Option<WallTime> {
    let millis = i64::try_from(by.as_millis()).ok()?;
    now.as_millis().checked_add(millis).filter(|at| *at < YEAR_9999).map(WallTime::from_millis)
}

/// What RFC 3339 can still say.
const YEAR_9999: i64 = 253_370_764_800_000;

fn line(entry: &Entry, now: WallTime) -> String {
    let until = match entry.expires_at {
        _ if entry.has_expired(now) => "has expired".to_owned(),
        Some(at) => format!("until {}", at.0),
        None => "until revoked".to_owned(),
    };
    let scope = match entry.role {
        Role::Streamer => {
            let sources = if entry.sources.is_empty() { entry.name.clone() } else { entry.listed(&entry.sources) };
            let channels =
                if entry.channels.is_empty() { "all channels".to_owned() } else { entry.listed(&entry.channels) };
            format!("  as {sources}, for {channels}")
        }
        _ => String::new(),
    };
    format!("{:<24} {:<9} since {}, {until}{scope}", entry.name, entry.role, entry.created_at.0)
}

/// For the person, beside what a program may read.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
