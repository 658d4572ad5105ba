//! Whether a text that comes in parts is UTF-8, told at the first byte that cannot be.

/// The longest character.
const CHARACTER_MAX: usize = 4;

/// What has been read so far is UTF-8, but for a character whose rest is yet to come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8 {
    begun: [u8; CHARACTER_MAX],
    have: usize,
}

/// This can become no UTF-8, whatever follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8;

impl Utf8 {
    pub fn read(&mut self, mut part: &[u8]) -> Result<(), NotUtf8> {
        while self.have > 0 {
            let Some((byte, rest)) = part.split_first() else { return Ok(()) };
            self.begun[self.have] = *byte;
            part = rest;
            match std::str::from_utf8(&self.begun[..=self.have]) {
                Ok(_) => self.have = 0,
                // Four bytes are a character or none, so this one still has room.
                Err(error) if error.error_len().is_none() => self.have += 1,
                Err(_) => return Err(NotUtf8),
            }
        }
        let Err(error) = std::str::from_utf8(part) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(NotUtf8);
        }
        let begun = &part[error.valid_up_to()..];
        self.begun[..begun.len()].copy_from_slice(begun);
        self.have = begun.len();
        Ok(())
    }

    /// Whether the text may end here.
    pub fn is_whole(self) -> bool {
        self.have == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(parts: &[&[u8]]) -> Result<bool, NotUtf8> {
        let mut utf8 = Utf8::default();
        parts.iter().try_for_each(|part| utf8.read(part))?;
        Ok(utf8.is_whole())
    }

    #[test]
    fn a_character_may_be_cut_anywhere_but_not_at_the_end() {
        assert_eq!(check(&[b"\xf0\x9f", b"", b"\x8e", b"\xb5 ok"]), Ok(true));
        assert_eq!(check(&[b"ok \xf0\x9f\x8e"]), Ok(false));
    }

    #[test]
    fn what_can_become_no_character_is_refused_before_its_end() {
        // Beyond U+10FFFF, a surrogate, an overlong form, a byte that begins nothing.
        for wrong in [&b"\xf4\x90"[..], b"\xed\xa0", b"\xe0\x80", b"\xf0\x80", b"\xc0", b"\xff", b"\x80"] {
            assert_eq!(check(&[wrong]), Err(NotUtf8), "{wrong:x?}");
            assert_eq!(check(&wrong.chunks(1).collect::<Vec<_>>()), Err(NotUtf8), "{wrong:x?}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_standard_library_however_the_text_is_cut(
            bytes in prop_oneof![
                any::<String>().prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..12),
                prop::collection::vec(prop::sample::select(&b"a\x80\x90\xa0\xbf\xc2\xe0\xed\xf0\xf4"[..]), 0..6),
            ],
            part in 1_usize..6,
        ) {
            let whole = check(&bytes.chunks(part).collect::<Vec<_>>()) == Ok(true);
            prop_assert_eq!(whole, std::str::from_utf8(&bytes).is_ok());
        }
    }
}
