//! A token: 256 random bits, shown once. What is kept of it is a digest, which tells nothing of it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;

/// What every token begins with, so that one that leaked is found by whoever looks for it.
pub const PREFIX: &str = "sattva_";
const RANDOM_BYTES: usize = 32;
/// No token of ours is longer; what is longer need not be looked at.
const LENGTH_MAX: usize = 128;

/// A token as its holder has it.
pub struct Token(String);

/// What is kept of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// What a client presents: `None` where it cannot be one.
    pub fn presented(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let fits = text.len() <= LENGTH_MAX
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Self(text.to_owned()))
    }

    /// For its holder's eyes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn digest(&self) -> Digest {
        // A slow hash would protect a guessable secret; of 256 random bits nothing can be guessed.
        Digest(<Sha256 as sha2::Digest>::digest(self.0.as_bytes()).into())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&hex)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("sha256 is 64 digits 0-9 a-f");
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_random_and_fits_a_header_and_a_cookie() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(one.as_str(), other.as_str());
        assert_eq!(one.as_str().len(), PREFIX.len() + 43);
        assert_eq!(Token::presented(one.as_str()).unwrap().digest(), one.digest());
        assert!(!format!("{one:?}{:?}", one.digest()).contains(&one.as_str()[10..20]));
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_at() {
        for text in ["", "sattva", "Sattva_abc", "sattva_a b", "sattva_é", &format!("{PREFIX}{}", "a".repeat(200))] {
            assert!(Token::presented(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_digest_is_read_as_it_was_written_and_nothing_else_is() {
        let digest = Token::random().unwrap().digest();
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), digest);
        for wrong in ["\"\"", "\"zz\"", &format!("\"{}\"", "é".repeat(32)), &format!("\"+{}\"", "a".repeat(63))] {
            assert!(serde_json::from_str::<Digest>(wrong).is_err(), "{wrong}");
        }
    }
}
