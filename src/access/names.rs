//! Names, or beginnings of names: `radio-1`, `bot-*`, `*`.

use serde::{Deserialize, Serialize};

/// A name, or the beginning of names with a `*` at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(String);

/// Longest of them: no channel or source has a longer name.
const LENGTH_MAX: usize = 129;

impl Names {
    /// What is wrong with it, if anything.
    pub fn trouble(&self) -> Option<String> {
        let text = self.0.strip_suffix('*').unwrap_or(&self.0);
        let fits = self.0.len() <= LENGTH_MAX && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
        (!fits || self.0.is_empty()).then(|| {
            format!("`{}` is neither a name nor the beginning of names with a * at its end", self.0.escape_debug())
        })
    }

    pub fn includes(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0,
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Names {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_only_itself_and_a_beginning_is_all_that_begin_so() {
        assert!(Names::from("radio").includes("radio"));
        assert!(!Names::from("radio").includes("radio-1"));
        assert!(!Names::from("radio").includes("RADIO"));
        assert!(Names::from("radio-*").includes("radio-1"));
        assert!(!Names::from("radio-*").includes("radio"));
        assert!(Names::from("*").includes("anything"));
    }

    #[test]
    fn what_would_never_match_is_refused() {
        for wrong in ["", "a*b", "**", "a b", "é"] {
            assert!(Names::from(wrong).trouble().is_some(), "{wrong:?}");
        }
        for right in ["*", "-1001234567890", "icecast:studio:/live.mp3", "bot-*"] {
            assert_eq!(Names::from(right).trouble(), None);
        }
    }
}
