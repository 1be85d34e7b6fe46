//! One-time codes that change every half minute (RFC 6238), as authenticator apps make them: SHA-1, six
//! digits, thirty seconds.

use qrcode::{Color, EcLevel, QrCode};
use ring::hmac;
use roadbook_protocol::ids::UnixMs;

use super::url;

/// Bytes of a secret, as RFC 4226 recommends.
pub(super) const SECRET_BYTES: usize = 20;
const STEP_MS: i64 = 30_000;
const DIGITS: usize = 6;
/// So many steps a clock may be off, either way.
const STEPS_OFF: i64 = 1;

/// The step of a time.
fn step_of(now: UnixMs) -> i64 {
    now.div_euclid(STEP_MS)
}

/// The code of a step.
fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    // SHA-1 gives 20 bytes, and the offset is at most 15: there are always four bytes behind it.
    let offset = usize::from(tag[tag.len() - 1] & 0x0f);
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&tag[offset..offset + 4]);
    let number = (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 10_u32.pow(DIGITS as u32);
    format!("{number:0width$}", width = DIGITS)
}

/// The step whose code was given, if it is the present one or one beside it. Every candidate is
/// compared, so that the time does not tell which.
pub(super) fn matching(secret: &[u8], given: &str, now: UnixMs) -> Option<i64> {
    let given: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    let mut found = None;
    for step in step_of(now) - STEPS_OFF..=step_of(now) + STEPS_OFF {
        if super::session::equal(&given, &code(secret, step)) {
            found = Some(step);
        }
    }
    found
}

/// A secret as it is typed into an app: base 32 (RFC 4648), without padding.
pub(super) fn base32(secret: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut out, mut bits, mut held) = (String::new(), 0_u32, 0_u32);
    for byte in secret {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            out.push(char::from(ALPHABET[((bits >> held) & 31) as usize]));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        out.push(char::from(ALPHABET[((bits << (5 - held)) & 31) as usize]));
    }
    out
}

/// What an app reads from the picture.
pub(super) fn address(secret: &[u8], workspace: &str, login: &str) -> String {
    let encode = |text: &str| url::encode(text).replace('/', "%2F").replace('+', "%20");
    let issuer = format!("Roadbook {workspace}");
    format!(
        "otpauth://totp/{}:{}?secret={}&issuer={}",
        encode(&issuer),
        encode(login),
        base32(secret),
        encode(&issuer)
    )
}

/// A picture of a text: the side in modules with the quiet zone, and the dark modules as an SVG path.
/// `None` if the text is too long for one.
pub(super) fn picture(text: &str) -> Option<(usize, String)> {
    const QUIET: usize = 4;
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let side = code.width();
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % side + QUIET, at / side + QUIET));
        }
    }
    Some((side + 2 * QUIET, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (seconds, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(secret, step_of(seconds * 1000)), expected, "{seconds}");
        }
    }

    #[test]
    fn a_clock_may_be_half_a_minute_off_and_not_more() {
        let secret = b"12345678901234567890";
        let now = 1_111_111_111_000;
        let step = step_of(now);
        for off in -1..=1 {
            assert_eq!(matching(secret, &code(secret, step + off), now), Some(step + off));
        }
        for off in [-2, 2] {
            assert_eq!(matching(secret, &code(secret, step + off), now), None);
        }
        let spaced = code(secret, step);
        let spaced = format!("{} {}", &spaced[..3], &spaced[3..]);
        assert_eq!(matching(secret, &spaced, now), Some(step));
        assert_eq!(matching(secret, "", now), None);
    }

    #[test]
    fn secrets_are_written_in_base_32() {
        // RFC 4648, section 10.
        for (text, expected) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(text.as_bytes()), expected);
        }
        let address = address(b"foobar", "Ours & Co", "anna");
        assert_eq!(
            address,
            "otpauth://totp/Roadbook%20Ours%20%26%20Co:anna?secret=MZXW6YTBOI&issuer=Roadbook%20Ours%20%26%20Co"
        );
        let (side, path) = picture(&address).unwrap();
        assert!(side > 29 && path.starts_with('M'));
    }
}
