//! `sattva-monitor doctor`: what is wrong on this host, and what to do about each. It changes nothing, and stops nothing.

mod host;
mod servers;

use std::{future::Future, path::PathBuf, pin::Pin, time::Duration};

use futures_util::future::join_all;
use serde::Serialize;

use super::ConfigFile;
use crate::{
    access,
    config::{self, Flags, Sources},
    terminal::plain,
    tls,
};

/// Each check is given so long.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    files: ConfigFile,
    /// File whose first line is a viewer's or an operator's token, to ask a running daemon what troubles it.
    #[arg(long, value_name = "FILE", env = "SATTVA_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// What was looked at, how it is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: String,
    pub verdict: Verdict,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Finding {
    pub fn ok(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Ok, detail: detail.into(), todo: None }
    }

    pub fn warn(check: impl Into<String>, detail: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Warn, detail: detail.into(), todo: Some(todo.into()) }
    }

    pub fn fail(check: impl Into<String>, detail: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Fail, detail: detail.into(), todo: Some(todo.into()) }
    }
}

/// Looks at something that may take its time.
type Check = Pin<Box<dyn Future<Output = Vec<Finding>>>>;

fn check(name: String, look: impl Future<Output = Vec<Finding>> + 'static) -> Check {
    Box::pin(async move {
        let seconds = PATIENCE.as_secs();
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| {
            let todo = "see whether it is up, and whether a firewall is in between";
            vec![Finding::fail(name, format!("no answer within {seconds} s"), todo)]
        })
    })
}

/// What is to be printed, and whether anything fails.
pub async fn run(args: Args) -> (String, Verdict) {
    let findings = examine(&args).await;
    let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
    let text = if args.json { format!("{:#}\n", serde_json::json!(findings)) } else { in_words(&findings) };
    (text, worst)
}

async fn examine(args: &Args) -> Vec<Finding> {
    let loaded = config::load(&Sources::of_this_process(args.files.config.clone(), Flags::default()));
    let loaded = loaded.and_then(|loaded| {
        tls::identity(&loaded.config)?;
        let tokens = access::tokens(&loaded.config)?;
        Ok((loaded, tokens))
    });
    let (loaded, tokens) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            let todo = "mend it; `sattva-monitor check-config` shows every problem with its line";
            let mut findings = vec![Finding::fail("configuration", error.summary(), todo)];
            findings.extend(host::proc_and_clock());
            return findings;
        }
    };
    let file = match &loaded.file {
        Some(file) => format!("{} is valid", file.display()),
        None => "there is no file, the defaults are used".to_owned(),
    };
    let mut findings = vec![Finding::ok("configuration", file)];
    for warning in &loaded.warnings {
        findings.push(Finding::warn("configuration", warning.clone(), "see docs/configuration.md"));
    }
    let config = loaded.config;
    findings.push(host::access(&config, tokens.is_open()));
    findings.extend(host::look(&config));
    let checks = servers::checks(&config, args.token_file.clone());
    findings.extend(join_all(checks).await.into_iter().flatten());
    findings
}

fn in_words(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        text.push_str(&format!("{word}  {}: {}\n", plain(&finding.check), plain(&finding.detail)));
        if let Some(todo) = &finding.todo {
            text.push_str(&format!("      → {}\n", plain(todo)));
        }
    }
    let number = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (fails, warns) = (number(Verdict::Fail), number(Verdict::Warn));
    text.push_str(&match (fails, warns) {
        (0, 0) => "\nAll is well.\n".to_owned(),
        _ => format!("\n{fails} failing, {warns} to look at.\n"),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_says_what_is_and_what_to_do() {
        let findings = [
            Finding::ok("port", "free"),
            Finding::warn("clock", "not\u{1b}[2J known", "look"),
            Finding::fail("disk", "full", "make room"),
        ];
        assert_eq!(
            in_words(&findings),
            "ok    port: free\nwarn  clock: not\u{fffd}[2J known\n      → look\nFAIL  disk: full\n      → make room\n\n\
             1 failing, 1 to look at.\n"
        );
        assert!(in_words(&findings[..1]).ends_with("All is well.\n"));
    }
}
