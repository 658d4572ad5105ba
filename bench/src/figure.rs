//! A figure: what was measured, against what, and the goal.

use std::fmt;

/// The median of several measurements, and how far apart they lay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Measured {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self { median: at(values.len() / 2), least: at(0), most: at(values.len().saturating_sub(1)) }
    }

    /// Rounded to whole numbers, with thin spaces.
    pub fn round(self) -> String {
        format!("{} ({}–{})", thousands(self.median), thousands(self.least), thousands(self.most))
    }

    pub fn with_digits(self, digits: usize, unit: &str) -> String {
        format!("{:.digits$} {unit} ({:.digits$}–{:.digits$})", self.median, self.least, self.most)
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// The bound, and its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    AtLeast(f64, &'static str),
    AtMost(f64, &'static str),
}

impl Goal {
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound, _) => value >= bound,
            Self::AtMost(bound, _) => value <= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound, unit) => write!(f, "≥ {bound} {unit}"),
            Self::AtMost(bound, unit) => write!(f, "≤ {bound} {unit}"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Peer {
    pub measured: String,
    /// Ours to theirs, or where less is better, theirs to ours; nothing where they cannot be compared.
    pub ratio: Option<Measured>,
}

#[derive(Clone, Debug)]
pub struct Figure {
    pub what: String,
    pub measured: String,
    pub peer: Option<Peer>,
    /// What the goal is held against.
    pub compared: f64,
    /// Nothing where the figure is only for comparison.
    pub goal: Option<Goal>,
}

impl Figure {
    /// A figure without a peer.
    pub fn alone(what: impl Into<String>, measured: Measured, digits: usize, goal: Goal, unit: &str) -> Self {
        Self {
            what: what.into(),
            measured: measured.with_digits(digits, unit),
            peer: None,
            compared: measured.median,
            goal: Some(goal),
        }
    }

    pub fn goal(&self) -> String {
        self.goal.map_or("–".to_owned(), |goal| goal.to_string())
    }

    /// Its row in a Markdown table.
    pub fn row(&self, number: usize) -> String {
        let peer = self.peer.as_ref();
        let met = self.goal.map_or("–", |goal| if goal.is_met(self.compared) { "yes" } else { "**no**" });
        let ratio = peer.and_then(|peer| peer.ratio).map_or("–".to_owned(), |ratio| ratio.with_digits(2, "×"));
        format!(
            "| {number} | {} | {} | {} | {ratio} | {} | {met} |",
            self.what,
            self.measured,
            peer.map_or("–", |peer| &peer.measured),
            self.goal(),
        )
    }
}

/// The head of the table that [`Figure::row`] fills.
pub const HEAD: &str =
    "| | Figure | Measured | Peer in the same run | Ratio | Goal | Met |\n|-:|---|---|---|---|---|---|";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_three_is_the_middle_one() {
        assert_eq!(Measured::of([3.0, 1.0, 2.0]), Measured { median: 2.0, least: 1.0, most: 3.0 });
    }

    #[test]
    fn a_row_says_whether_the_goal_is_met() {
        let figure = |value| Figure::alone("Start", Measured::of([value]), 1, Goal::AtMost(40.0, "ms"), "ms");
        assert_eq!(figure(39.0).row(1), "| 1 | Start | 39.0 ms (39.0–39.0) | – | – | ≤ 40 ms | yes |");
        assert!(figure(41.0).row(1).ends_with("| **no** |"));
    }

    #[test]
    fn what_cannot_be_compared_meets_no_goal_and_what_has_no_goal_is_only_told() {
        let peer = Peer { measured: "Bun".into(), ratio: None };
        let goal = Some(Goal::AtLeast(0.5, "×"));
        let figure =
            Figure { what: "x".into(), measured: "declines".into(), peer: Some(peer), compared: f64::NAN, goal };
        assert_eq!(figure.row(1), "| 1 | x | declines | Bun | – | ≥ 0.5 × | **no** |");
        assert_eq!(Figure { goal: None, ..figure }.row(1), "| 1 | x | declines | Bun | – | – | – |");
    }

    #[test]
    fn long_numbers_are_grouped_by_thousands() {
        assert_eq!(thousands(1_234_567.4), "1\u{202f}234\u{202f}567");
        assert_eq!(thousands(123.0), "123");
    }
}
