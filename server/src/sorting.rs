//! By which language's alphabet lists are sorted.
//!
//! A workspace has one, for everybody who looks at its lists: `Åberg` stands behind `Zander` in Danish, beside `Aberg`
//! in German; Russian names stand before Latin ones in Russian. The tables are those of the Unicode CLDR, by ICU4X.
//! Why it is the workspace's and not each viewer's: `docs/adr/0015-sorting-by-language.md`.

use std::sync::LazyLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed};
use icu_locale_core::Locale;
use roadbook_protocol::fold;

/// An order of texts.
///
/// Keys are comparable only with keys of the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sorting(usize);

/// The tag of BCP 47, and what its speakers call the language. The first is the order where nothing was chosen.
const ORDERS: [(&str, &str); 26] = [
    ("und", ""),
    ("cs", "Čeština"),
    ("da", "Dansk"),
    ("de", "Deutsch"),
    ("de-u-co-phonebk", "Deutsch (Telefonbuch: ä wie ae)"),
    ("et", "Eesti"),
    ("en", "English"),
    ("es", "Español"),
    ("fr", "Français"),
    ("hr", "Hrvatski"),
    ("it", "Italiano"),
    ("lv", "Latviešu"),
    ("lt", "Lietuvių"),
    ("hu", "Magyar"),
    ("nl", "Nederlands"),
    ("nb", "Norsk"),
    ("pl", "Polski"),
    ("pt", "Português"),
    ("ro", "Română"),
    ("sk", "Slovenčina"),
    ("sl", "Slovenščina"),
    ("fi", "Suomi"),
    ("sv", "Svenska"),
    ("tr", "Türkçe"),
    ("ru", "Русский"),
    ("uk", "Українська"),
];

/// One for each order, made when the first is asked for: each is a handful of pointers into constants.
static COLLATORS: LazyLock<Vec<Option<CollatorBorrowed<'static>>>> = LazyLock::new(|| {
    let collator = |tag: &str| {
        let locale = Locale::try_from_str(tag).ok()?;
        Collator::try_new(locale.into(), CollatorOptions::default()).ok()
    };
    ORDERS.iter().map(|(tag, _)| collator(tag)).collect()
});

impl Sorting {
    /// The order where nothing was chosen, and the one of devices: right in most languages, for all scripts.
    pub const GENERAL: Sorting = Sorting(0);

    /// All that may be chosen, by what they are called.
    pub fn all() -> impl Iterator<Item = Sorting> {
        (0..ORDERS.len()).map(Sorting)
    }

    /// The order of a tag of BCP 47; `None` where there is none of exactly that tag.
    pub fn of_tag(tag: &str) -> Option<Sorting> {
        ORDERS.iter().position(|(known, _)| known.eq_ignore_ascii_case(tag)).map(Sorting)
    }

    /// The tag of BCP 47.
    pub fn tag(self) -> &'static str {
        ORDERS[self.0].0
    }

    /// What the speakers of the language call it; empty for [`Sorting::GENERAL`].
    pub fn own_name(self) -> &'static str {
        ORDERS[self.0].1
    }

    /// The key of a text: keys compare as the texts sort. As [`fold::sort_key`], in this order.
    pub fn key(self, text: &str) -> Vec<u8> {
        match COLLATORS.get(self.0).and_then(Option::as_ref) {
            Some(collator) => fold::sort_key_by(collator, text),
            None => fold::sort_key(text),
        }
    }

    /// Sorts what has a name; what has the same stays as it stood.
    pub fn sort<T>(self, all: &mut [T], name: impl Fn(&T) -> &str) {
        all.sort_by_cached_key(|one| self.key(name(one)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted<'a>(tag: &str, mut names: Vec<&'a str>) -> Vec<&'a str> {
        Sorting::of_tag(tag).unwrap().sort(&mut names, |name| name);
        names
    }

    #[test]
    fn names_stand_where_their_readers_look_for_them() {
        let names =
            vec!["Zander", "Åberg", "Aaby", "Ærø", "Østergård", "Müller", "Mueller", "Muller"];
        let general =
            vec!["Aaby", "Åberg", "Ærø", "Mueller", "Muller", "Müller", "Østergård", "Zander"];
        for like_general in ["und", "en", "de", "it"] {
            assert_eq!(sorted(like_general, names.clone()), general, "{like_general}");
        }
        assert_eq!(
            sorted("da", names.clone()),
            ["Mueller", "Muller", "Müller", "Zander", "Ærø", "Østergård", "Åberg", "Aaby"]
        );
        assert_eq!(
            sorted("de-u-co-phonebk", vec!["Müller", "Muller", "Mueller", "Mufti"]),
            ["Mueller", "Müller", "Mufti", "Muller"]
        );
        let scripts = vec!["Zander", "Яшин", "Артём", "Adam"];
        assert_eq!(sorted("und", scripts.clone()), ["Adam", "Zander", "Артём", "Яшин"]);
        assert_eq!(sorted("ru", scripts), ["Артём", "Яшин", "Adam", "Zander"]);
    }

    #[test]
    fn every_order_has_its_tables_and_the_general_one_is_that_of_devices() {
        for sorting in Sorting::all() {
            assert!(COLLATORS[sorting.0].is_some(), "{}", sorting.tag());
            assert_eq!(Sorting::of_tag(sorting.tag()), Some(sorting));
            assert_eq!(sorting.own_name().is_empty(), sorting == Sorting::GENERAL);
        }
        for text in ["", "Åberg", "Яшин", "山田", "O'Neil-Smith 3"] {
            assert_eq!(Sorting::GENERAL.key(text), fold::sort_key(text), "{text}");
        }
        for unknown in ["", "xx", "danish", "da-x"] {
            assert_eq!(Sorting::of_tag(unknown), None, "{unknown}");
        }
    }
}
