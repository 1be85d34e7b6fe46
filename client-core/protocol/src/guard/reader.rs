//! Reading bytes that may be hostile: every read is bounded, nothing is allocated, and each integer
//! has one encoding only.

use super::error::GateError;

const TRUNCATED: GateError = GateError::Malformed { what: "the data ends too early" };
const TOO_BIG: GateError = GateError::Malformed { what: "an integer is larger than 64 bits" };
const OVERLONG: GateError =
    GateError::NotCanonical { what: "an integer is longer than it need be" };

/// A position in a byte slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], GateError> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or(TRUNCATED)?;
        self.rest = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], GateError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(TRUNCATED)?;
        self.rest = tail;
        Ok(head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, GateError> {
        let (&first, tail) = self.rest.split_first().ok_or(TRUNCATED)?;
        self.rest = tail;
        Ok(first)
    }

    /// An unsigned LEB128 of at most 64 bits, in its shortest form.
    pub(super) fn unsigned(&mut self) -> Result<u64, GateError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(TOO_BIG);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return if byte == 0 { Err(OVERLONG) } else { Ok(value) };
            }
            shift += 7;
        }
    }

    /// A signed LEB128 of at most 64 bits, in its shortest form.
    pub(super) fn signed(&mut self) -> Result<i64, GateError> {
        let mut value = 0_i64;
        let mut shift = 0;
        let mut before = 0_u8;
        loop {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(TOO_BIG);
            }
            value |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                let sign_repeated =
                    (byte == 0 && before & 0x40 == 0) || (byte == 0x7f && before & 0x40 != 0);
                if shift > 7 && sign_repeated {
                    return Err(OVERLONG);
                }
                if shift < 64 && byte & 0x40 != 0 {
                    value |= -1 << shift;
                }
                return Ok(value);
            }
            before = byte;
        }
    }

    /// A length and that many bytes.
    pub(super) fn prefixed(&mut self) -> Result<&'a [u8], GateError> {
        let length = self.unsigned()?;
        self.take(usize::try_from(length).map_err(|_| TRUNCATED)?)
    }
}

/// UTF-8 or an error that says what is not.
pub(super) fn utf8<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a str, GateError> {
    std::str::from_utf8(bytes).map_err(|_| GateError::Malformed { what })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsigned_bytes(mut value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    }

    #[test]
    fn integers_survive_at_every_width() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let bytes = unsigned_bytes(value);
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.unsigned(), Ok(value));
                assert!(reader.is_empty());
            }
        }
        for (bytes, value) in [
            (vec![0x7f], -1),
            (vec![0x40], -64),
            (vec![0x3f], 63),
            (vec![0x80, 0x01], 128),
            (vec![0x80, 0x40], -8192),
            (vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00], i64::MAX),
            (vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f], i64::MIN),
        ] {
            assert_eq!(Reader::new(&bytes).signed(), Ok(value));
        }
    }

    #[test]
    fn overlong_oversized_and_cut_integers_are_refused() {
        for bytes in [&[0x80, 0x00][..], &[0x81, 0x00], &[0xff; 12], &[0x80], &[]] {
            assert!(Reader::new(bytes).unsigned().is_err(), "{bytes:x?}");
        }
        for bytes in [
            &[0xbf, 0x00][..],
            &[0x81, 0xff, 0x7f],
            &[0xff; 12],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x90],
        ] {
            assert!(Reader::new(bytes).signed().is_err(), "{bytes:x?}");
        }
        assert!(Reader::new(&[0x05, 1, 2]).prefixed().is_err());
        assert!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
                .prefixed()
                .is_err()
        );
    }
}
