//! Phone numbers as search sees them: digits, whatever stands between them.

use super::digit;

/// A longer run of digits is no phone number; what is behind is not looked at.
const DIGITS_MAX: usize = 20;
/// Ends of a number shorter than this are not indexed.
const RUN_MIN: usize = 4;
/// Fewer digits than this are not looked for as a number.
pub(super) const NEEDLE_MIN: usize = 3;

/// The digits of a phone number: formatting, the international prefix (`+`, `00`) and a trunk zero
/// in brackets (`+49 (0) 30`) are left out. At most 20 digits are read.
pub fn phone_digits(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let mut digits = String::with_capacity(DIGITS_MAX);
    let mut international = false;
    let mut before = [' '; 2];
    for c in text.nfkd() {
        if c == '+' && digits.is_empty() {
            international = true;
        }
        if c == ')' && international && before == ['(', '0'] {
            digits.pop();
        }
        if !c.is_whitespace() {
            before = [before[1], c];
        }
        if let Some(digit) = digit(c) {
            digits.push(digit);
            if digits == "00" {
                international = true;
                digits.clear();
            }
            if digits.len() >= DIGITS_MAX {
                break;
            }
        }
    }
    digits
}

/// Whether a word could be a part of a phone number as somebody types it: digits and what is put
/// between them.
pub(super) fn is_phone_like(word: &str) -> bool {
    word.chars().any(|c| digit(c).is_some() || fullwidth_digit(c))
        && word.chars().all(|c| {
            digit(c).is_some()
                || fullwidth_digit(c)
                || matches!(
                    c,
                    '+' | '-' | '(' | ')' | '/' | '.' | '\u{2010}'
                        ..='\u{2015}' | '＋' | '－' | '（' | '）'
                )
        })
}

fn fullwidth_digit(c: char) -> bool {
    ('０'..='９').contains(&c)
}

/// What to look for inside the digits of stored numbers, so that a number is found however either
/// side wrote it: as typed, without its trunk prefix, and without its country code. Never empty
/// strings; the first is the number as typed.
pub(crate) fn phone_needles(text: &str) -> Vec<String> {
    let digits = phone_digits(text);
    if digits.is_empty() {
        return Vec::new();
    }
    let trimmed = text.trim_start();
    let international = trimmed.starts_with(['+', '＋']) || trimmed.starts_with("00");
    let mut needles = vec![digits.clone()];
    let mut add = |needle: &str| {
        if needle.len() >= NEEDLE_MIN && !needles.iter().any(|other| other == needle) {
            needles.push(needle.to_owned());
        }
    };
    if !international {
        add(digits.trim_start_matches('0'));
        // Russia and its neighbours dial 8 where others dial 0.
        if digits.len() == 11 && digits.starts_with('8') {
            add(&digits[1..]);
        }
    }
    let national = &digits[country_code_len(&digits).min(digits.len())..];
    if (international && national.len() >= 6) || (!digits.starts_with('0') && digits.len() >= 11) {
        add(national.trim_start_matches('0'));
        add(national);
    }
    needles
}

/// How many digits the country code at the start of an international number has. Country codes are
/// a prefix code: 1 and 7 stand alone, the ones listed have two digits, all others three.
fn country_code_len(digits: &str) -> usize {
    const TWO: [&str; 44] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46",
        "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63",
        "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    match digits.get(..2) {
        Some(two) if two.starts_with(['1', '7']) => 1,
        Some(two) if TWO.contains(&two) => 2,
        _ => 3,
    }
}

/// The words under which a number is indexed: its digits and every end of them that is at least
/// four digits long, so that a word that starts with what was typed exists for each run inside.
pub(super) fn index_words(number: &str, out: &mut String) {
    let digits = phone_digits(number);
    for start in 0..digits.len() {
        if start > 0 && digits.len() - start < RUN_MIN {
            break;
        }
        out.push(' ');
        out.push_str(&digits[start..]);
    }
}
