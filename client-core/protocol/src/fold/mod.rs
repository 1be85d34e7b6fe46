//! Text folding for search, and sort keys (rule 27 of the sync rules).
//!
//! One function, [`fold`], is used for what is indexed and for what is asked, so that the two can't
//! drift. It leaves nothing to a tokenizer but the spaces: full-text tables must be created with
//! [`FTS_TOKENIZE`], which splits at spaces and changes nothing else.
//!
//! Raise [`crate::projection::VERSION`] whenever what this module returns changes: stored indexes
//! were made with the older one.

mod phone;
mod query;
mod search;

use icu_collator::CollatorBorrowed;
use icu_collator::options::CollatorOptions;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, compose, is_combining_mark};

pub use phone::phone_digits;
pub(crate) use phone::phone_needles;
pub(crate) use query::Query;
pub use query::fts_query;
pub use search::{FTS_COLUMNS, FTS_TOKENIZE, SearchText, search_text, sort_name};

/// The scalar SQL functions that filters use; every store registers them: NULL and anything that is
/// not text give NULL, and they are deterministic.
pub const SQL_FUNCTIONS: &[(&str, SqlFunction)] = &[("rb_fold", fold), ("rb_digits", phone_digits)];

/// A scalar SQL function of one text.
pub type SqlFunction = fn(&str) -> String;

/// A sort key is made of so many characters of its text at most.
const SORT_CHARS_MAX: usize = 200;

/// The form in which text is indexed, searched and compared: lower-case words of letters and
/// digits with one space between them, without accents, ligatures or punctuation.
///
/// Letters that do not decompose are written out (`ø` o, `ł` l, `ß` ss, `æ` ae, `þ` th); `ё` is е,
/// `й` is и; digits of every script are 0-9. In scripts that put no spaces between words (Chinese,
/// Japanese, Thai, ...) every character is a word of its own, so that a phrase of characters finds
/// a word inside a text. Folding twice changes nothing.
pub fn fold(text: &str) -> String {
    let mut folder = Folder { out: String::with_capacity(text.len()), gap: false, attached: false };
    if text.is_ascii() {
        for byte in text.bytes() {
            folder.ascii(byte);
        }
    } else {
        for c in text.nfkd() {
            folder.char(c);
        }
    }
    folder.out
}

struct Folder {
    out: String,
    /// A word has ended: a space is due before the next character.
    gap: bool,
    /// The character before was put, so that a voicing mark may belong to it.
    attached: bool,
}

impl Folder {
    fn ascii(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() {
            self.put(char::from(byte.to_ascii_lowercase()));
        } else {
            self.end_word();
        }
    }

    fn end_word(&mut self) {
        self.gap = true;
        self.attached = false;
    }

    /// One character of the decomposed text.
    fn char(&mut self, c: char) {
        if let Ok(byte) = u8::try_from(c)
            && byte.is_ascii()
        {
            return self.ascii(byte);
        }
        if matches!(c, '\u{3099}' | '\u{309A}') {
            return self.voice(c);
        }
        if is_combining_mark(c) {
            // Accents have a combining class; the vowel signs of Indic scripts and of Thai have
            // none and are letters.
            if canonical_combining_class(c) == 0 && c.is_alphabetic() {
                self.letter(c);
            }
            return;
        }
        if is_ignorable(c) || (c == '\u{B7}' && self.out.ends_with('l') && !self.gap) {
            return;
        }
        for lower in c.to_lowercase() {
            match spelled(lower) {
                Some(letters) => letters.chars().for_each(|letter| self.put(letter)),
                None if is_combining_mark(lower) => {}
                None => self.letter(lower),
            }
        }
    }

    fn letter(&mut self, c: char) {
        if let Some(digit) = digit(c) {
            self.put(digit);
        } else if !c.is_alphanumeric() && !is_combining_mark(c) {
            self.end_word();
        } else if is_spaceless(c) {
            self.gap = true;
            self.put(hiragana(c));
            self.gap = true;
        } else {
            self.put(c);
        }
    }

    fn put(&mut self, c: char) {
        if self.gap && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.gap = false;
        self.attached = true;
        self.out.push(c);
    }

    /// A voicing mark makes another kana (は, ば, ぱ); it is not an accent.
    fn voice(&mut self, mark: char) {
        if self.attached
            && let Some(last) = self.out.chars().next_back()
            && let Some(voiced) = compose(last, mark)
        {
            self.out.pop();
            self.out.push(voiced);
        }
    }
}

/// Letters that no decomposition reaches, as people type them on another keyboard.
fn spelled(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' | 'ɵ' | 'ɔ' => "o",
        'ł' | 'ƚ' | 'ɫ' => "l",
        'đ' | 'ð' | 'ɖ' | 'ɗ' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ı' | 'ɨ' => "i",
        'ȷ' | 'ɉ' => "j",
        'ŧ' | 'ț' => "t",
        'ŋ' | 'ɲ' => "n",
        'ĸ' | 'ƙ' => "k",
        'ƀ' | 'ɓ' => "b",
        'ə' | 'ɛ' | 'ɇ' | 'ǝ' => "e",
        'ƒ' => "f",
        'ǥ' => "g",
        'ʉ' => "u",
        'ƴ' => "y",
        'ƶ' => "z",
        'ς' => "σ",
        'ґ' | 'ғ' => "г",
        'қ' => "к",
        'ң' => "н",
        'ө' => "о",
        'ұ' | 'ү' => "у",
        'һ' | 'ҳ' => "х",
        'ә' => "а",
        // Hebrew letters at the end of a word.
        'ך' => "כ",
        'ם' => "מ",
        'ן' => "נ",
        'ף' => "פ",
        'ץ' => "צ",
        // Arabic and Persian forms that are typed for one another.
        'ٱ' => "ا",
        'ى' | 'ی' => "ي",
        'ة' => "ه",
        'ک' => "ك",
        _ => return None,
    })
}

/// Characters that leave no trace and do not end a word: soft hyphen, joiners, direction marks,
/// the Arabic tatweel, modifier apostrophes (Hawaiʻi).
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{640}' | '\u{2B9}'..='\u{2BF}' | '\u{2C8}' | '\u{200C}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}'
    )
}

/// Whether a character belongs to a script that is written without spaces between words.
pub(crate) fn is_spaceless(c: char) -> bool {
    matches!(
        u32::from(c),
        0x0E00..=0x0EFF          // Thai, Lao
            | 0x1000..=0x109F    // Myanmar
            | 0x1780..=0x17FF    // Khmer
            | 0x1950..=0x19FF    // Tai Le, New Tai Lue
            | 0x1A20..=0x1AAF    // Tai Tham
            | 0x1B00..=0x1B7F    // Balinese
            | 0x2E80..=0x2FDF    // radicals
            | 0x3005..=0x3007
            | 0x3021..=0x3029
            | 0x3031..=0x303C
            | 0x3041..=0x312F    // kana, bopomofo
            | 0x31A0..=0x31BF
            | 0x31F0..=0x31FF
            | 0x3400..=0x4DBF    // Han
            | 0x4E00..=0xA4CF    // Han, Yi
            | 0xA980..=0xA9DF    // Javanese
            | 0xA9E0..=0xA9FF
            | 0xAA60..=0xAADF
            | 0xF900..=0xFAFF
            | 0x1AFF0..=0x1B16F
            | 0x20000..=0x3FFFF
    )
}

/// Katakana is folded to hiragana: a name is found by its reading.
fn hiragana(c: char) -> char {
    match c {
        'ァ'..='ヶ' => char::from_u32(u32::from(c) - 0x60).unwrap_or(c),
        _ => c,
    }
}

/// The ASCII digit of a decimal digit of another script.
pub(crate) fn digit(c: char) -> Option<char> {
    // The zeros of the scripts whose digits people type; full-width ones decompose before.
    const ZEROS: [u32; 16] = [
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50,
        0xED0, 0xF20, 0x17E0,
    ];
    if c.is_ascii_digit() {
        return Some(c);
    }
    let code = u32::from(c);
    let zero = ZEROS.into_iter().find(|zero| (*zero..*zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}

/// A key whose bytes compare as the texts sort, by the Unicode collation of the root locale:
/// accents and case decide only between texts that are otherwise equal. Only the first 200
/// characters count.
///
/// Keys are comparable only with keys of the same [`crate::projection::VERSION`].
pub fn sort_key(text: &str) -> Vec<u8> {
    // Not by `try_new`: that looks the locale up, and the tables of all languages come along, most of
    // a megabyte that every phone would download.
    const COLLATOR: CollatorBorrowed<'static> = CollatorBorrowed::new_root(ROOT);
    const ROOT: CollatorOptions = CollatorOptions::default();
    sort_key_by(&COLLATOR, text)
}

/// As [`sort_key`], by the order of a language. Keys are comparable only with keys of the same collator.
pub fn sort_key_by(collator: &CollatorBorrowed<'_>, text: &str) -> Vec<u8> {
    let end = text.char_indices().nth(SORT_CHARS_MAX).map_or(text.len(), |(at, _)| at);
    let text = &text[..end];
    let mut key = Vec::with_capacity(text.len() * 2 + 8);
    let Ok(()) = collator.write_sort_key_to(text, &mut key);
    key
}

#[cfg(test)]
pub(crate) mod tests;
