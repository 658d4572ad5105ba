//! Texts as XML has them.

/// Every character by its number, but those that XML has no number for.
pub fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '\t' | '\n' | '\r' | ' '.. => format!("&#{};", u32::from(c)),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}
