//! The languages that there are, and which one somebody gets.

use axum::http::{HeaderMap, header};
use unic_langid::LanguageIdentifier;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::office) enum Language {
    #[default]
    English,
    German,
    Danish,
    Italian,
    Russian,
}

impl Language {
    /// In the order in which they are offered, and in which their messages are kept.
    pub(in crate::office) const ALL: [Language; 5] = [
        Language::English,
        Language::German,
        Language::Danish,
        Language::Italian,
        Language::Russian,
    ];

    /// The tag of BCP 47.
    pub(in crate::office) fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
            Language::Danish => "da",
            Language::Italian => "it",
            Language::Russian => "ru",
        }
    }

    /// What its speakers call it.
    pub(in crate::office) fn own_name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::German => "Deutsch",
            Language::Danish => "Dansk",
            Language::Italian => "Italiano",
            Language::Russian => "Русский",
        }
    }

    /// The language of a tag; regions make no difference.
    pub(in crate::office) fn of_tag(tag: &str) -> Option<Language> {
        let base = tag.split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(base))
    }

    pub(super) fn id(self) -> LanguageIdentifier {
        self.tag().parse().unwrap_or_default()
    }

    /// What a browser prefers of what there is; English if it prefers none of it.
    pub(in crate::office) fn preferred(headers: &HeaderMap) -> Language {
        let lines = headers.get_all(header::ACCEPT_LANGUAGE);
        let mut best: Option<(Language, f32)> = None;
        for item in
            lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','))
        {
            let mut parts = item.split(';').map(str::trim);
            let Some(language) = parts.next().and_then(Language::of_tag) else { continue };
            let weight =
                parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            // Of two that are wanted as much the first counts.
            if weight > 0.0 && best.is_none_or(|(_, most)| weight > most) {
                best = Some((language, weight));
            }
        }
        best.map_or(Language::English, |(language, _)| language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &'static str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, header::HeaderValue::from_static(line));
        Language::preferred(&headers)
    }

    #[test]
    fn the_most_wanted_language_that_there_is_counts() {
        assert_eq!(of("de-AT,de;q=0.9,en;q=0.8"), Language::German);
        assert_eq!(of("fr,it;q=0.4,ru;q=0.5"), Language::Russian);
        assert_eq!(of("fr, da ; q=0.3"), Language::Danish);
        assert_eq!(of("de;q=0, fr"), Language::English);
        for nonsense in ["", ",,;q=", "de;q=NaN", "*", "q=1;de"] {
            assert_eq!(of(nonsense), Language::English, "{nonsense}");
        }
        assert_eq!(Language::preferred(&HeaderMap::new()), Language::English);
    }
}
