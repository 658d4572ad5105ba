//! The command line.

mod ask;
mod doctor;
mod explain;
mod status;
mod token;

use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    access,
    config::{self, Flags, Sources},
    listener, log, simulate, tls, webhooks, wiring,
};

/// As sysexits' EX_CONFIG: a service manager need not try again.
const EXIT_CONFIG: u8 = 78;

/// Watches live audio streams, shows who listens, and ends the ones nobody hears.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Serve {
        #[command(flatten)]
        files: ConfigFile,
        /// Address and port to listen on.
        #[arg(long, value_name = "ADDR:PORT")]
        listen: Option<SocketAddr>,
        /// Directory of the embedded store.
        #[arg(long, value_name = "DIR")]
        state_dir: Option<PathBuf>,
    },
    /// Check the configuration and say what would be used.
    CheckConfig {
        #[command(flatten)]
        files: ConfigFile,
        /// Print the JSON schema of the configuration file instead.
        #[arg(long)]
        schema: bool,
        /// Say nothing about a valid one.
        #[arg(long)]
        quiet: bool,
    },
    /// Say how a running daemon is, and what it watches. Exit code: 0 all is well, 1 degraded or a stream does not end, 2 not
    /// ready or not reachable.
    Status(status::Args),
    /// Say why a stream is, or is not, about to be ended: evidence, commands, the last decisions.
    Explain(explain::Args),
    /// Look for what is wrong: configuration, port, disk, limits, clock, Redis, watched servers, webhooks. It changes nothing.
    /// Exit code: 0 nothing fails, 1 something does.
    Doctor(doctor::Args),
    /// Make, list and revoke the tokens by which the daemon knows who may do what.
    Token(token::Args),
    /// Report made-up streams to a daemon, to look at or to try it on.
    Simulate(simulate::Args),
    /// Receive webhooks, or check one, as a receiver would.
    WebhookVerify(webhooks::verify::Args),
    /// Print the completions for a shell.
    Completions { shell: clap_complete::Shell },
    /// Print the manual page.
    Man {
        /// Write it, and one of each command, into this directory instead.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file; SATTVA_CONFIG names it otherwise, config/sattva-monitor.toml is the default, and where that
    /// is not, /etc/sattva-monitor/sattva-monitor.toml.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// Runs what the command line says.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve { files, listen, state_dir } => {
            serve(files.config, Flags { listen, state_dir, inherited: None })
        }
        Command::CheckConfig { schema: true, .. } => print(&pretty(&config::schema())),
        Command::CheckConfig { files, quiet, .. } => check_config(files.config, quiet),
        Command::Status(args) => match actix_rt::System::new().block_on(status::run(args)) {
            Ok((text, verdict)) => {
                print(&text);
                ExitCode::from(verdict as u8)
            }
            Err(error) => fail(&error, 2),
        },
        Command::Explain(args) => match actix_rt::System::new().block_on(explain::run(args)) {
            Ok(text) => print(&text),
            Err(error) => fail(&error, 1),
        },
        Command::Doctor(args) => {
            let (text, worst) = actix_rt::System::new().block_on(doctor::run(args));
            print(&text);
            ExitCode::from(u8::from(worst == doctor::Verdict::Fail))
        }
        Command::Token(args) => match token::run(args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        },
        Command::Simulate(args) => simulate(args),
        Command::WebhookVerify(args) => match actix_rt::System::new().block_on(webhooks::verify::run(args)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        },
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sattva-monitor", &mut out);
            print(&String::from_utf8_lossy(&out))
        }
        Command::Man { dir: Some(dir) } => match clap_mangen::generate_to(Cli::command(), dir) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        },
        Command::Man { dir: None } => {
            let mut out = Vec::new();
            match clap_mangen::Man::new(Cli::command()).render(&mut out) {
                Ok(()) => print(&String::from_utf8_lossy(&out)),
                Err(error) => fail(&error, 1),
            }
        }
    }
}

fn serve(file: Option<PathBuf>, flags: Flags) -> ExitCode {
    let (inherited, address) = match listener::inherited() {
        Ok(inherited) => inherited.unzip(),
        Err(error) => return fail(&error, EXIT_CONFIG),
    };
    let sources = Sources::of_this_process(file, Flags { inherited: address, ..flags });
    let loaded = match config::load(&sources) {
        Ok(loaded) => loaded,
        Err(error) => return fail(&error, EXIT_CONFIG),
    };
    let log_level = log::start(&loaded.config.log.level, loaded.config.log.format);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for (key, by) in &loaded.overridden {
        tracing::info!(key, by, "a setting of the file has no effect: something later overrides it");
    }
    if !crate::scheduling::wake_without_preempting() {
        tracing::debug!("the kernel refused SCHED_BATCH; the daemon is a little dearer under load");
    }
    if let Err(error) = crate::memory::in_small_pages() {
        tracing::debug!(%error, "huge pages could not be declined; the daemon holds a little more memory");
    }
    let system = actix_rt::System::new();
    let outcome = system.block_on(wiring::serve(sources, loaded, log_level, inherited));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ wiring::StartError::Config(_)) => fail(&error, EXIT_CONFIG),
        Err(error) => fail(&error, 1),
    }
}

fn simulate(args: simulate::Args) -> ExitCode {
    log::start("info", config::LogFormat::Auto);
    match actix_rt::System::new().block_on(simulate::run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

fn check_config(file: Option<PathBuf>, quiet: bool) -> ExitCode {
    let loaded = config::load(&Sources::of_this_process(file, Flags::default()))
        .and_then(|loaded| access::tokens(&loaded.config).map(|_| loaded))
        .and_then(|loaded| tls::identity(&loaded.config).map(|_| loaded));
    match loaded {
        Ok(_) if quiet => ExitCode::SUCCESS,
        Ok(loaded) => {
            let mut text = match &loaded.file {
                Some(file) => format!("# {} is valid; this is what would be used:\n", file.display()),
                None => "# there is no configuration file; these are the defaults:\n".to_owned(),
            };
            for warning in &loaded.warnings {
                text.push_str(&format!("# warning: {warning}\n"));
            }
            for (key, by) in &loaded.overridden {
                text.push_str(&format!("# {key} of the file has no effect: {by} overrides it\n"));
            }
            match toml::to_string_pretty(&loaded.config) {
                Ok(settings) => print(&format!("{text}\n{settings}")),
                Err(error) => fail(&error, 1),
            }
        }
        Err(error) => fail(&error, EXIT_CONFIG),
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn print(text: &str) -> ExitCode {
    // A reader that has seen enough closes the pipe.
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "sattva-monitor: {error}");
    ExitCode::from(code)
}
