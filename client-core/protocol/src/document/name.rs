//! One line of name is split into given and family name.

/// Words that belong to the family name when they stand before it.
const PARTICLES: &[&str] = &[
    "af", "al", "auf", "av", "bin", "bint", "da", "dal", "das", "de", "degli", "del", "dela",
    "della", "den", "der", "des", "di", "dos", "du", "el", "ibn", "la", "las", "le", "los", "lo",
    "op", "'t", "ten", "ter", "van", "vom", "von", "zu", "zum", "zur", "фон", "ван", "де", "ибн",
];
/// Words that stay with the family name when they stand after it.
const SUFFIXES: &[&str] = &["jr", "jr.", "sr", "sr.", "ii", "iii", "iv", "фис"];

/// Splits a full name into (given, family), both trimmed, inner white space made single spaces.
///
/// - `Anders, Maria` is family, given.
/// - The last word is the family name, with the particles before it (`van`, `von der`, `de la`,
///   `bin` ...) and a `Jr.` after it. The first word is never a particle if others follow that are
///   none, so `Al Gore` has a given name; a name that begins with a lower-case particle
///   (`von Trapp`) is all family.
/// - A Slavic name that ends in a patronymic (`Иванов Иван Иванович`) begins with the family name.
/// - Names in Chinese, Japanese or Korean characters that are written with a space begin with the
///   family name.
/// - A single word is the family name: lists sort by it, and a given name alone is rarer.
pub fn split_name(full: &str) -> (String, String) {
    if let Some((family, given)) = full.split_once([',', '،', '、']) {
        let (family, given) = (spaced(family), spaced(given));
        let suffix = SUFFIXES.contains(&given.to_lowercase().as_str());
        if !family.is_empty() && !given.is_empty() && !suffix {
            return (given, family);
        }
    }
    let cleaned = full.replace([',', '،', '、'], " ");
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    match words.as_slice() {
        [] => (String::new(), String::new()),
        [only] => (String::new(), (*only).to_owned()),
        [family, given @ ..] if words.iter().all(|word| word.chars().all(is_cjk)) => {
            (given.join(" "), (*family).to_owned())
        }
        [family, given @ ..] if words.len() == 3 && is_patronymic(words[2]) => {
            (given.join(" "), (*family).to_owned())
        }
        words => {
            let at = family_start(words);
            (words[..at].join(" "), words[at..].join(" "))
        }
    }
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn family_start(words: &[&str]) -> usize {
    let is_particle = |word: &str| PARTICLES.contains(&word.to_lowercase().as_str());
    let mut last = words.len() - 1;
    while last > 1 && SUFFIXES.contains(&words[last].to_lowercase().as_str()) {
        last -= 1;
    }
    if words[0].chars().all(|c| !c.is_uppercase()) && is_particle(words[0]) {
        return 0;
    }
    (1..last).find(|at| is_particle(words[*at])).unwrap_or(last)
}

fn is_patronymic(word: &str) -> bool {
    let word = word.to_lowercase();
    ["вич", "вна", "чна", "оглы", "кызы", "ovich", "evich", "ovna", "evna"]
        .iter()
        .any(|ending| word.ends_with(ending))
}

/// Han, kana and hangul.
fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ffff}' | '々' | '〆')
}

/// Given and family name in the order that their script has.
pub(crate) fn full_name(given: &str, family: &str) -> String {
    let cjk = |text: &str| !text.is_empty() && text.chars().all(is_cjk);
    let (first, second) = match cjk(given) && cjk(family) {
        true => (family, given),
        false => (given, family),
    };
    [first.trim(), second.trim()].join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_their_languages_write_them() {
        for (full, given, family) in [
            ("Maria Anders", "Maria", "Anders"),
            ("Anders, Maria", "Maria", "Anders"),
            ("  José   Pedro Freyre ", "José Pedro", "Freyre"),
            ("Vincent van Gogh", "Vincent", "van Gogh"),
            ("Ludwig Maria von der Tann", "Ludwig Maria", "von der Tann"),
            ("Robert De Niro", "Robert", "De Niro"),
            ("Leonardo da Vinci", "Leonardo", "da Vinci"),
            ("Osama bin Zaid", "Osama", "bin Zaid"),
            ("Hilma af Klint", "Hilma", "af Klint"),
            ("Charles de la Fosse", "Charles", "de la Fosse"),
            ("von Trapp", "", "von Trapp"),
            ("Al Gore", "Al", "Gore"),
            ("Martin Luther King Jr.", "Martin Luther", "King Jr."),
            ("King, Jr.", "King", "Jr."),
            ("Иванов Иван Иванович", "Иван Иванович", "Иванов"),
            ("Иван Иванович Иванов", "Иван Иванович", "Иванов"),
            ("Пётр Чайковский", "Пётр", "Чайковский"),
            ("山田 太郎", "太郎", "山田"),
            ("山田太郎", "", "山田太郎"),
            ("Madonna", "", "Madonna"),
            ("Maria,", "", "Maria"),
            ("", "", ""),
        ] {
            assert_eq!(split_name(full), (given.to_owned(), family.to_owned()), "{full}");
        }
    }

    #[test]
    fn a_name_is_written_in_the_order_of_its_script() {
        assert_eq!(full_name("Maria", "Anders"), "Maria Anders");
        assert_eq!(full_name("太郎", "山田"), "山田 太郎");
        assert_eq!(full_name("", "Madonna"), "Madonna");
        assert_eq!(full_name("", ""), "");
    }
}
