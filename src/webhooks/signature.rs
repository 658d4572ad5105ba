//! Standard Webhooks: how a message is signed, and how its receiver knows it. Pure.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

pub const ID: &str = "webhook-id";
pub const TIMESTAMP: &str = "webhook-timestamp";
pub const SIGNATURE: &str = "webhook-signature";

/// How far the clocks of both sides may differ, in seconds: a message that is older may be a replay.
pub const TOLERANCE: i64 = 300;
/// Secrets in use at a time: the new one, and those that receivers may still know.
pub const SECRETS_MAX: usize = 4;
/// Bytes of a secret.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 24..=64;
const PREFIX: &str = "whsec_";

#[derive(Clone, PartialEq, Eq)]
struct Secret(Vec<u8>);

/// The secrets of one endpoint: a message is signed with each, and any of them proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(Vec<Secret>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecrets {
    #[error(
        "line {line} is no secret: one is {PREFIX} and 24 to 64 bytes in base64 (make one: echo {PREFIX}$(openssl rand -base64 32))"
    )]
    NotOne { line: usize },
    #[error("there is no secret in it; each line is one (make one: echo {PREFIX}$(openssl rand -base64 32))")]
    None,
    #[error("there are more than {SECRETS_MAX} secrets in it; remove those no receiver knows any more")]
    TooMany,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    #[error("{TIMESTAMP} is not a number of seconds since 1970")]
    BadTimestamp,
    #[error("the message is {0} s old, more than {TOLERANCE}: a replay, or a clock is wrong")]
    Old(i64),
    #[error("the message is {0} s from the future, more than {TOLERANCE}: a clock is wrong")]
    FromTheFuture(i64),
    #[error("no signature in {SIGNATURE} fits: another secret, or the body was changed on its way")]
    NoneFits,
}

impl Secrets {
    /// One a line; empty lines and those that begin with # are none.
    pub fn parse(text: &str) -> Result<Self, BadSecrets> {
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let secret = |(index, line): (usize, &str)| {
            let bytes = line.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
            let fitting = bytes.filter(|bytes| SECRET_LENGTH.contains(&bytes.len()));
            fitting.map(Secret).ok_or(BadSecrets::NotOne { line: index + 1 })
        };
        let secrets = lines.map(secret).collect::<Result<Vec<_>, _>>()?;
        match secrets.len() {
            0 => Err(BadSecrets::None),
            1..=SECRETS_MAX => Ok(Self(secrets)),
            _ => Err(BadSecrets::TooMany),
        }
    }

    /// The value of the signature's header; `timestamp` in seconds since 1970.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signatures = self.0.iter().map(|secret| {
            let code = secret.code(id, timestamp, body).finalize().into_bytes();
            format!("v1,{}", STANDARD.encode(code))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Whether a message that has come is one of ours, and new. Compares in constant time.
    pub fn prove(&self, id: &str, timestamp: &str, signatures: &str, body: &[u8], now: i64) -> Result<(), Unproven> {
        let timestamp: i64 = timestamp.parse().map_err(|_| Unproven::BadTimestamp)?;
        let age = now.saturating_sub(timestamp);
        if age > TOLERANCE {
            return Err(Unproven::Old(age));
        }
        if age < -TOLERANCE {
            return Err(Unproven::FromTheFuture(age.saturating_neg()));
        }
        let codes = signatures.split(' ').filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok());
        let mut fits = false;
        for code in codes {
            for secret in &self.0 {
                fits |= secret.code(id, timestamp, body).verify_slice(&code).is_ok();
            }
        }
        if fits { Ok(()) } else { Err(Unproven::NoneFits) }
    }
}

impl Secret {
    fn code(&self, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
        // HMAC takes a key of any length.
        let Ok(mut code) = Hmac::<Sha256>::new_from_slice(&self.0) else { unreachable!("HMAC refuses no key") };
        code.update(format!("{id}.{timestamp}.").as_bytes());
        code.update(body);
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn secrets(text: &str) -> Secrets {
        Secrets::parse(text).unwrap()
    }

    #[test]
    fn a_message_is_signed_as_the_reference_libraries_sign_it() {
        // The example of the reference libraries' own tests.
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secrets(SECRET).sign(ID, AT, BODY), signature);
        assert_eq!(secrets(SECRET).prove(ID, "1614265330", signature, BODY, AT), Ok(()));
    }

    #[test]
    fn while_secrets_change_a_receiver_with_either_is_satisfied() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let both = secrets(&format!("# new\n{other}\n\n{SECRET}\n"));
        let signatures = both.sign(ID, AT, BODY);
        assert_eq!(signatures.split(' ').count(), 2);
        for receiver in [&other, SECRET] {
            assert_eq!(secrets(receiver).prove(ID, "1614265330", &signatures, BODY, AT), Ok(()));
        }
    }

    #[test]
    fn whatever_is_changed_on_the_way_is_noticed() {
        let ours = secrets(SECRET);
        let good = ours.sign(ID, AT, BODY);
        let stranger = secrets(&format!("whsec_{}", STANDARD.encode([7; 32]))).sign(ID, AT, BODY);
        for (id, at, signature, body) in [
            ("msg_other", "1614265330", good.as_str(), BODY),
            (ID, "1614265331", &good, BODY),
            (ID, "1614265330", &good, br#"{"test": 1}"#),
            (ID, "1614265330", &stranger, BODY),
            (ID, "1614265330", "", BODY),
            (ID, "1614265330", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY),
            (ID, "1614265330", "v1,", BODY),
        ] {
            assert_eq!(ours.prove(id, at, signature, body, AT), Err(Unproven::NoneFits), "{id} {at} {signature}");
        }
        assert_eq!(ours.prove(ID, "now", &good, BODY, AT), Err(Unproven::BadTimestamp));
    }

    #[test]
    fn a_message_that_is_old_or_from_the_future_is_a_replay_or_a_wrong_clock() {
        let ours = secrets(SECRET);
        let good = ours.sign(ID, AT, BODY);
        let at = |now| ours.prove(ID, "1614265330", &good, BODY, now);
        assert_eq!((at(AT + 300), at(AT - 300)), (Ok(()), Ok(())));
        assert_eq!((at(AT + 301), at(AT - 301)), (Err(Unproven::Old(301)), Err(Unproven::FromTheFuture(301))));
        assert!(ours.prove(ID, &i64::MIN.to_string(), &good, BODY, i64::MAX).is_err());
    }

    #[test]
    fn what_is_no_secret_is_named_by_its_line_and_never_repeated() {
        for bad in ["secret", "whsec_", "whsec_short", "whsec_!!!!", "whsec_aGVsbG8="] {
            let error = Secrets::parse(&format!("{SECRET}\n{bad}")).unwrap_err();
            assert_eq!(error, BadSecrets::NotOne { line: 2 });
            assert!(bad.len() < 7 || !error.to_string().contains(&bad[6..]), "{error}");
        }
        assert_eq!(Secrets::parse("# nothing\n"), Err(BadSecrets::None));
        assert_eq!(Secrets::parse(&format!("{SECRET}\n").repeat(5)), Err(BadSecrets::TooMany));
        assert_eq!(format!("{:?}", secrets(SECRET)), "1 secrets");
    }
}
