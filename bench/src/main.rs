//! Measures the daemon, and its peers in the same run. `docs/benchmarks.md` tells what and how.

mod channels;
mod connection;
mod cores;
mod document;
mod exposition;
mod fanout;
mod figure;
mod fill;
mod fleet;
mod history;
mod house;
mod ingest;
mod machine;
mod polling;
mod process;
mod ready;
mod scrape;
mod server;
mod service;
mod soak;
mod streamer;

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use self::document::Group;

/// As the daemon.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Sattva Monitor and its peers.
#[derive(Debug, Parser)]
struct Cli {
    /// Puts the table into this document, too.
    #[arg(long, global = true, value_name = "FILE")]
    write: Option<PathBuf>,
    /// A word on these figures for their reader.
    #[arg(long, global = true)]
    note: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything, one after the other.
    All(Rigour),
    /// Requests a second, against Bun.
    Ingest(ingest::Args),
    /// 100 000 channels: start, memory, countdowns.
    Channels(channels::Args),
    /// Formatting the channels' metrics.
    Exposition,
    /// `GET /metrics` over HTTP.
    Scrape(scrape::Args),
    /// 1000 Icecast mounts.
    Polling(polling::Args),
    /// The history on disk, and its charts.
    History(history::Args),
    /// Several daemons on one Redis.
    Fleet(fleet::Args),
    /// A million channels on one Redis.
    Scale(fleet::scale::Args),
    /// Start to ready.
    Ready(ready::Args),
    /// What it takes of a small host: start, memory, CPU.
    Service(service::Args),
    /// Everything at once for half an hour: whether anything grows.
    Soak(soak::Args),
    /// One message to many clients, against Bun, Node, FastAPI and a bare epoll loop.
    Fanout(fanout::Args),
    /// Clients that never read.
    Stuck(fanout::stuck::Args),
    /// Serves as the limit of the fan-out.
    #[command(hide = true)]
    EpollLoop(fanout::epoll_loop::Args),
    #[command(hide = true)]
    Part {
        #[command(subcommand)]
        part: channels::Part,
    },
}

#[derive(Debug, clap::Args)]
struct Rigour {
    /// Short runs: they show that everything works, not how fast it is.
    #[arg(long)]
    quick: bool,
}

/// What [`Command::All`] runs, in the words of the command line.
const ALL: [&str; 11] = [
    "ingest --seconds 5 --repetitions 3",
    "channels --idle-seconds 60 --spread-seconds 30 --repetitions 3",
    "exposition",
    "scrape --scrapes 300 --repetitions 3 --seconds 10 --turns 5",
    "polling --seconds 60 --repetitions 3",
    "history --channels 1000 --days 15",
    "fleet --seconds 10 --repetitions 3",
    "ready --starts 9",
    "service --seconds 60 --starts 9",
    "fanout --seconds 3 --repetitions 3",
    "stuck --seconds 10 --repetitions 3",
];
const QUICK: [&str; 11] = [
    "ingest --seconds 2 --repetitions 3",
    "channels --idle-seconds 60 --spread-seconds 10 --repetitions 1",
    "exposition",
    "scrape --scrapes 50 --repetitions 3 --seconds 3 --turns 1",
    "polling --seconds 15 --repetitions 1",
    "history --channels 1000 --days 2",
    "fleet --seconds 2 --repetitions 1",
    "ready --starts 5",
    "service --seconds 10 --starts 3 --days 1",
    "fanout --quick",
    "stuck --seconds 2 --repetitions 1",
];

fn main() -> ExitCode {
    // What the actors complain of must be seen; on standard error, where no figure is.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "sattva-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let machine = machine::description();
    machine::allow_open_files()?;
    cores::pin(cores::LOAD)?;
    let groups = match cli.command {
        Command::Part { part } => {
            writeln!(std::io::stdout(), "{}", channels::run_part(&part)?)?;
            return Ok(());
        }
        Command::EpollLoop(args) => return fanout::epoll_loop::run(&args),
        Command::All(rigour) => {
            let mut groups = Vec::new();
            for words in if rigour.quick { QUICK } else { ALL } {
                let one = Cli::try_parse_from(std::iter::once("sattva-bench").chain(words.split(' ')))?;
                groups.push(group(words, &one.command)?);
            }
            groups
        }
        command => {
            let words: Vec<String> = std::env::args().skip(1).collect();
            vec![group(&words.join(" "), &command)?]
        }
    };
    let text = document::table(&machine, cli.note.as_deref(), &groups);
    if let Some(path) = &cli.write {
        document::write(path, &text)?;
    }
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

fn group(words: &str, command: &Command) -> Result<Group> {
    let command_line = format!("scripts/bench.sh {words}");
    writeln!(std::io::stderr(), "== {command_line}")?;
    let figures = match command {
        Command::Ingest(args) => ingest::run(args)?,
        Command::Channels(args) => channels::run(args)?,
        Command::Exposition => exposition::run()?,
        Command::Scrape(args) => scrape::run(args)?,
        Command::Polling(args) => polling::run(args)?,
        Command::History(args) => history::run(args)?,
        Command::Fleet(args) => fleet::run(args)?,
        Command::Scale(args) => fleet::scale::run(args)?,
        Command::Ready(args) => ready::run(args)?,
        Command::Service(args) => service::run(args)?,
        Command::Soak(args) => soak::run(args)?,
        Command::Fanout(args) => fanout::run(args)?,
        Command::Stuck(args) => fanout::stuck::run(args)?,
        Command::All(_) | Command::Part { .. } | Command::EpollLoop(_) => Vec::new(),
    };
    for figure in &figures {
        writeln!(std::io::stderr(), "   {}: {} (goal {})", figure.what, figure.measured, figure.goal())?;
    }
    Ok(Group { command: command_line, figures })
}
