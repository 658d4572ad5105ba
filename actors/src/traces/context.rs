//! Which trace something belongs to, and which span of it, as W3C Trace Context has it.

use std::fmt;

use sha2::{Digest, Sha256};

/// The header that names it, from one program to the next.
pub const TRACEPARENT: &str = "traceparent";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Never 0.
    pub trace: u128,
    /// Never 0.
    pub span: u64,
}

/// The span of another program that asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    pub context: Context,
    /// Whether its trace is kept.
    pub sampled: bool,
}

impl Context {
    /// Of what has names of its own: the same wherever it is asked for, so nobody has to hand it on.
    pub fn named(trace: &str, span: &str) -> Self {
        let number = |text: &str| Sha256::digest(text).iter().take(16).fold(0, |n, byte| n << 8 | u128::from(*byte));
        Self::of(number(trace), number(span) as u64)
    }

    /// 0 is nobody's.
    pub fn of(trace: u128, span: u64) -> Self {
        Self { trace: trace.max(1), span: span.max(1) }
    }
}

/// As the header `traceparent` of a request for which this is kept.
impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

impl Parent {
    /// The header `traceparent`. One that is not as it must be is as none.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (known, more) = header.split_at_checked(55)?;
        let [version, trace, span, flags] = [&known[..2], &known[3..35], &known[36..52], &known[53..]].map(hex);
        let dashed = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let (version, trace, span, flags) = (version?, trace?, span? as u64, flags?);
        // Later versions may say more behind what this one says.
        let fits = if version == 0 { more.is_empty() } else { more.is_empty() || more[0] == b'-' };
        let valid = dashed && fits && version != 0xff && trace != 0 && span != 0;
        valid.then_some(Self { context: Context { trace, span }, sampled: flags & 1 == 1 })
    }
}

/// Digits and small letters, nothing else.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_header_as_the_standard_has_it_is_read_and_anything_else_is_as_none() {
        let context = Context { trace: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, span: 0xb7ad_6b71_6920_3331 };
        assert_eq!(Parent::parse(GOOD.as_bytes()), Some(Parent { context, sampled: true }));
        assert_eq!(context.to_string(), GOOD);
        let later = GOOD.replacen("00", "cc", 1);
        for (good, sampled) in [
            (GOOD.replace("-01", "-00"), false),
            (GOOD.replace("-01", "-ff"), true),
            (later.clone(), true),
            (format!("{later}-what-comes-later"), true),
        ] {
            assert_eq!(Parent::parse(good.as_bytes()), Some(Parent { context, sampled }), "{good}");
        }
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
            "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
        ] {
            assert_eq!(Parent::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_brings_it_down_and_what_is_written_is_read(bytes: Vec<u8>, trace in 1_u128.., span in 1_u64..) {
            Parent::parse(&bytes);
            let context = Context { trace, span };
            let parent = Parent::parse(context.to_string().as_bytes());
            prop_assert_eq!(parent, Some(Parent { context, sampled: true }));
        }
    }

    #[test]
    fn what_has_names_has_the_same_span_wherever_it_is_asked_for() {
        let one = Context::named("stop", "r0");
        assert_eq!(one, Context::named("stop", "r0"));
        let other = Context::named("stop", "r1");
        assert_eq!(one.trace, other.trace);
        assert_ne!(one.span, other.span);
        assert_ne!(one.trace, Context::named("another", "r0").trace);
    }
}
