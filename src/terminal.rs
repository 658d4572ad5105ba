//! What a person at a terminal is shown: texts from outside, harmless, and lengths of time.

/// One line in which nothing can move the cursor, change colours or turn the direction of writing.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { harmless(c) }).collect()
}

/// A control character, or one that cannot be seen, is shown as what it is: unreadable.
pub fn harmless(c: char) -> char {
    let unseen = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if c.is_control() || unseen { '\u{fffd}' } else { c }
}

/// A time that has gone by, or is left, in the two largest units.
pub fn length(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let Some(first) = units.iter().position(|(size, _)| seconds >= *size) else { return "0 s".to_owned() };
    let (size, unit) = units[first];
    let rest = units.get(first + 1).map(|(small, name)| (seconds % size / small, *name)).filter(|(n, _)| *n > 0);
    match rest {
        Some((number, name)) => format!("{} {unit} {number} {name}", seconds / size),
        None => format!("{} {unit}", seconds / size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_title_cannot_reach_the_terminal() {
        let text = plain("a\u{1b}[31mred\r\nnext\u{202e}evil\u{9b}2J\u{200b}");
        assert_eq!(text, "a\u{fffd}[31mred  next\u{fffd}evil\u{fffd}2J\u{fffd}");
        assert_eq!(plain("Мир — 世界 é"), "Мир — 世界 é");
    }

    #[test]
    fn a_length_of_time_is_told_in_its_two_largest_units() {
        let told = [0.2, 59.4, 60.0, 61.0, 3600.0, 3660.0, 90_061.0].map(length);
        assert_eq!(told, ["0 s", "59 s", "1 min", "1 min 1 s", "1 h", "1 h 1 min", "1 d 1 h"]);
    }
}
