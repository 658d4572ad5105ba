//! A file whose first line is a secret: a password, a token. What follows that line is its owner's own.

use std::{fs, path::Path};

/// The secret, or in one line what is wrong with the file. `what` tells what its first line must be.
pub fn first_line(path: &Path, what: &str) -> Result<String, String> {
    let path_shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| format!("the file {path_shown} cannot be read: {error}; its first line must be {what}"))?;
    match text.lines().next().map(str::trim_end) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(format!("the first line of the file {path_shown} is empty; it must be {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_by(text: &str) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        first_line(file.path(), "the password")
    }

    #[test]
    fn what_follows_the_first_line_is_no_part_of_the_secret() {
        for text in ["sesame", "sesame\n", "sesame\r\n", "sesame \n", "sesame\n# until may\n", "sesame\r\n\r\nold\r\n"]
        {
            assert_eq!(said_by(text).as_deref(), Ok("sesame"), "{text:?}");
        }
        assert_eq!(said_by("two words\n").as_deref(), Ok("two words"));
    }

    #[test]
    fn an_empty_first_line_is_no_secret_and_is_told_with_what_it_must_be() {
        for text in ["", "\n", "  \n", "\r\n", "\nsesame\n"] {
            let refused = said_by(text).unwrap_err();
            assert!(refused.contains("is empty; it must be the password"), "{text:?}: {refused}");
        }
        let missing = first_line(Path::new("/nowhere/at-all"), "a token").unwrap_err();
        assert!(missing.contains("/nowhere/at-all") && missing.contains("must be a token"), "{missing}");
    }
}
