//! The path of a setting, as TOML writes it: `auto_end.timeout`, `icecast[0].url`, `channels."a.b".timeout`.

use std::fmt;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(pub Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Name(String),
    Index(usize),
}

impl Key {
    pub fn name(mut self, name: &str) -> Self {
        self.0.push(Segment::Name(name.to_owned()));
        self
    }

    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// The path without what follows its first index: a list is one setting.
    pub fn setting(&self) -> Vec<&str> {
        self.0
            .iter()
            .map_while(|segment| match segment {
                Segment::Name(name) => Some(name.as_str()),
                Segment::Index(_) => None,
            })
            .collect()
    }
}

impl From<&str> for Key {
    /// Of a path whose names hold no dots.
    fn from(path: &str) -> Self {
        path.split('.').filter(|name| !name.is_empty()).fold(Self::default(), Self::name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Name(name) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(&spell(name))?;
                }
            }
        }
        Ok(())
    }
}

/// A name as TOML wants it: bare where it can be, else quoted.
fn spell(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { format!("{name:?}") }
}
