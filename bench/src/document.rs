//! The generated part of `docs/benchmarks.md`.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::figure::{Figure, HEAD};

const BEGIN: &str = "<!-- figures: begin; written by make bench -->";
const END: &str = "<!-- figures: end -->";

/// The figures that one command made.
pub struct Group {
    pub command: String,
    pub figures: Vec<Figure>,
}

/// One table of all figures, and the commands behind them.
pub fn table(machine: &str, note: Option<&str>, groups: &[Group]) -> String {
    let mut text = format!("{machine}.\n");
    if let Some(note) = note {
        text.push_str(&format!("\n**{note}**\n"));
    }
    text.push_str(&format!("\n{HEAD}\n"));
    let mut commands = String::from("\nMade by:\n\n");
    let mut number = 0;
    for group in groups {
        let first = number + 1;
        for figure in &group.figures {
            number += 1;
            text.push_str(&figure.row(number));
            text.push('\n');
        }
        let rows = if first == number { number.to_string() } else { format!("{first}–{number}") };
        commands.push_str(&format!("- {rows}: `{}`\n", group.command));
    }
    text + &commands
}

/// Puts the text where the document keeps its figures.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let context = || path.display().to_string();
    let document = fs::read_to_string(path).with_context(context)?;
    let new = replaced(&document, text).with_context(context)?;
    fs::write(path, new).with_context(context)
}

fn replaced(document: &str, text: &str) -> Result<String> {
    let (before, rest) = document.split_once(BEGIN).context("the line that begins the figures is missing")?;
    let (_, after) = rest.split_once(END).context("the line that ends the figures is missing")?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Goal, Measured};

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let document = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        assert_eq!(replaced(&document, "new\n").unwrap(), format!("above\n{BEGIN}\n\nnew\n\n{END}\nbelow\n"));
        assert!(replaced("no markers", "new").is_err());
    }

    #[test]
    fn each_command_is_named_with_the_rows_it_made() {
        let figure = || Figure::alone("x", Measured::of([1.0]), 0, Goal::AtMost(1.0, "s"), "s");
        let groups = [
            Group { command: "one".into(), figures: vec![figure()] },
            Group { command: "two".into(), figures: vec![figure(), figure()] },
        ];
        let text = table("a machine", None, &groups);
        assert!(text.ends_with("- 1: `one`\n- 2–3: `two`\n"), "{text}");
    }
}
