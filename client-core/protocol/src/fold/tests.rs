use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::document::Value;
use crate::ids::ContactId;
use crate::projection::Row;

/// Written one way in the base, typed another way: both must fold to the third.
const PAIRS: &[(&str, &str, &str)] = &[
    ("Müller", "muller", "muller"),
    ("MU\u{308}LLER", "müller", "muller"),
    ("Østergård", "ostergard", "ostergard"),
    ("Straße", "STRASSE", "strasse"),
    ("GROẞ", "groß", "gross"),
    ("Łukasz Żółć", "lukasz zolc", "lukasz zolc"),
    ("Артём", "артем", "артем"),
    ("Иванов", "иванов", "иванов"),
    ("Андрей", "андреи", "андреи"),
    ("Зайцев", "заицев", "заицев"),
    ("Київ", "киів", "киів"),
    ("Ґалаґан", "галаган", "галаган"),
    ("Æsir", "aesir", "aesir"),
    ("Œuvre", "oeuvre", "oeuvre"),
    ("Đorđe", "dorde", "dorde"),
    ("Þórður", "thordur", "thordur"),
    ("İstanbul", "ISTANBUL", "istanbul"),
    ("Işık", "isik", "isik"),
    ("Əliyev", "eliyev", "eliyev"),
    ("ﬁnance", "finance", "finance"),
    ("１２３ ＡＢＣ", "123 abc", "123 abc"),
    ("٠١٢٣", "0123", "0123"),
    ("۴۵۶", "456", "456"),
    ("Nguyễn Thị Hồng", "nguyen thi hong", "nguyen thi hong"),
    ("Ὀδυσσεύς", "οδυσσευσ", "οδυσσευσ"),
    ("Παπαδόπουλος", "ΠΑΠΑΔΟΠΟΥΛΟΣ", "παπαδοπουλοσ"),
    ("Paral·lel", "parallel", "parallel"),
    ("Hawaiʻi", "hawaii", "hawaii"),
    ("Dvořák", "dvorak", "dvorak"),
    ("Ștefan Țepeș", "stefan tepes", "stefan tepes"),
    ("O’Brien", "o'brien", "o brien"),
    ("Jean-Luc", "jean luc", "jean luc"),
    ("  a.b@c.de ", "A B C DE", "a b c de"),
    ("株式会社", "株 式 会 社", "株 式 会 社"),
    ("カタカナ", "かたかな", "か た か な"),
    ("ﾊﾞｽ", "バス", "ば す"),
    ("が", "か\u{3099}", "が"),
    ("กรุงเทพ", "กรุงเทพ", "ก ร ง เ ท พ"),
    ("أحمد", "احمد", "احمد"),
    ("علی", "علي", "علي"),
    ("מלך", "מלכ", "מלכ"),
    ("한국", "한국", "한국"),
    ("soft\u{AD}hyphen", "softhyphen", "softhyphen"),
    ("🙂!?", "", ""),
];

#[test]
fn what_is_stored_and_what_is_typed_fold_to_the_same() {
    for (stored, typed, folded) in PAIRS {
        let folded: String = fold(folded);
        assert_eq!(fold(stored), folded, "stored {stored:?}");
        assert_eq!(fold(typed), folded, "typed {typed:?}");
    }
}

#[test]
fn voiced_kana_and_vowel_signs_are_not_accents() {
    assert_ne!(fold("はす"), fold("ばす"));
    assert_ne!(fold("राम"), fold("रमा"));
}

pub(crate) fn row(display_name: &str) -> Row {
    Row {
        id: ContactId::from_bytes([7; 16]),
        version: crate::projection::VERSION,
        display_name: display_name.to_owned(),
        fields: BTreeMap::new(),
        custom: BTreeMap::new(),
        external_ids: BTreeMap::new(),
        tags: Vec::new(),
        phones: Vec::new(),
        emails: Vec::new(),
        street: String::new(),
        postal_code: String::new(),
        city: String::new(),
        region: String::new(),
        country: String::new(),
        note: String::new(),
        last_contact_at: None,
        interactions: BTreeMap::new(),
        open_tasks: 0,
        next_due: None,
        stages: Vec::new(),
        open_amount: BTreeMap::new(),
        purchases: 0,
        last_purchase: None,
        revenue: BTreeMap::new(),
        conflicts: 0,
        touched_at: 0,
    }
}

/// A full-text table as stores make it.
pub(crate) fn search_table(db: &Connection) {
    let columns: Vec<&str> = FTS_COLUMNS.iter().map(|(name, _)| *name).collect();
    db.execute_batch(&format!(
        "CREATE VIRTUAL TABLE search USING fts5({}, content='', contentless_delete=1,
         tokenize='{FTS_TOKENIZE}', prefix='1 2 3')",
        columns.join(", ")
    ))
    .unwrap();
}

pub(crate) fn index(db: &Connection, rowid: i64, row: &Row) {
    let text = search_text(row);
    let [names, company, reach, place, tags, note] = text.columns();
    db.execute(
        "INSERT INTO search (rowid, names, company, reach, place, tags, note)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        (rowid, names, company, reach, place, tags, note),
    )
    .unwrap();
}

fn finds(row: &Row, typed: &str) -> bool {
    let Some(query) = Query::words(typed) else { return false };
    let db = Connection::open_in_memory().unwrap();
    search_table(&db);
    index(&db, 1, row);
    let hits: i64 = db
        .query_row("SELECT count(*) FROM search WHERE search MATCH ?", [query.to_fts(None)], |r| {
            r.get(0)
        })
        .unwrap();
    let text = search_text(row);
    assert_eq!(hits == 1, query.matches(&text.columns()), "SQLite and memory differ on {typed:?}");
    hits == 1
}

fn sample() -> Row {
    let mut row = row("Jürgen Müller");
    for (name, value) in [
        ("given_name", "Jürgen"),
        ("family_name", "Müller-Lüdenscheid"),
        ("company", "Ødegård & Sønner A/S"),
        ("job_title", "Einkäufer"),
    ] {
        row.fields.insert(name.to_owned(), Value::from(value));
    }
    row.emails = vec!["j.mueller@example.com".to_owned()];
    row.city = "Århus".to_owned();
    row.postal_code = "01067".to_owned();
    row.tags = vec!["VIP".to_owned(), "Café".to_owned()];
    row.note = "昨日、東京都庁で会いました。Trifft sich gern bei O'Brien's.".to_owned();
    row.external_ids.insert("sap".to_owned(), "K-4711".to_owned());
    row
}

#[test]
fn a_contact_is_found_by_every_part_of_it() {
    let row = sample();
    for typed in [
        "jur",
        "jürgen mull",
        "mueller",
        "MÜLLER",
        "ludenscheid",
        "luedenscheid",
        "muller-lud",
        "odegard",
        "oedegaard",
        "sonner",
        "einkaufer",
        "j.mueller@example.com",
        "example.com",
        "arhus",
        "aarhus",
        "01067",
        "vip",
        "cafe",
        "東京",
        "東京都",
        "京都",
        "会いま",
        "obrien",
        "o'brien",
        "o’brien",
        "gern",
        "4711",
        "K-4711",
        "k4711",
        "müller 東京 vip",
    ] {
        assert!(finds(&row, typed), "{typed:?} must find it");
    }
    for typed in ["meier", "müller meier", "東大", "urgen", "osaka"] {
        assert!(!finds(&row, typed), "{typed:?} must not find it");
    }
}

#[test]
fn a_phone_number_is_found_however_it_is_typed() {
    for stored in [
        "+49 171 2345678",
        "0171/2345678",
        "0049 (171) 234-56-78",
        "+49 (0) 171 2345678",
        "01712345678",
    ] {
        let mut row = row("x");
        row.phones = vec![stored.to_owned()];
        for typed in [
            "01712345678",
            "0171 2345678",
            "+491712345678",
            "+49 (0)171 234 5678",
            "0049 171 2345678",
            "1712345678",
            "171 234",
            "345678",
            "4567",
            "5678",
            "０１７１",
            "0171",
            "0171 2",
            "2345-678",
            "491712345678",
        ] {
            assert!(finds(&row, typed), "{stored:?} by {typed:?}");
        }
        for typed in ["0172", "+43 171 999", "23457"] {
            assert!(!finds(&row, typed), "{stored:?} by {typed:?}");
        }
    }
    let mut russian = row("x");
    russian.phones = vec!["8 (916) 123-45-67".to_owned()];
    assert!(finds(&russian, "+7 916 123 45 67"));
    russian.phones = vec!["+7 916 123-45-67".to_owned()];
    assert!(finds(&russian, "89161234567"));
}

#[test]
fn digits_of_a_number() {
    for (text, digits) in [
        ("+49 (0) 30 / 123-456", "4930123456"),
        ("0049 30 123", "4930123"),
        ("030 123", "030123"),
        ("(0)30 123", "030123"),
        ("call me", ""),
        ("٠٣٠", "030"),
        ("123456789012345678901234567890", "12345678901234567890"),
    ] {
        assert_eq!(phone_digits(text), digits, "{text:?}");
    }
}

#[test]
fn nothing_searchable_is_no_query() {
    for text in ["", "  ", "!?", "\"", "*", "🙂", "()", "- -"] {
        assert_eq!(fts_query(text), None, "{text:?}");
    }
}

#[test]
fn names_weigh_more_than_notes() {
    let db = Connection::open_in_memory().unwrap();
    search_table(&db);
    let mut noted = row("Somebody else");
    noted.note = "Anna Anna Anna".to_owned();
    index(&db, 1, &noted);
    let mut named = row("Anna");
    named.note = "a longer note than that".to_owned();
    index(&db, 2, &named);
    // A word that half of all contacts have weighs nothing.
    for rowid in 3..10 {
        index(&db, rowid, &row("Bert"));
    }
    let weights: Vec<String> = FTS_COLUMNS.iter().map(|(_, weight)| weight.to_string()).collect();
    let first: i64 = db
        .query_row(
            &format!(
                "SELECT rowid FROM search WHERE search MATCH ? ORDER BY bm25(search, {}) LIMIT 1",
                weights.join(", ")
            ),
            [fts_query("anna").unwrap()],
            |r| r.get(0),
        )
        .unwrap();
    assert_eq!(first, 2);
}

#[test]
fn sort_keys_are_those_that_the_root_locale_has_when_it_is_looked_up() {
    let looked_up =
        icu_collator::Collator::try_new(Default::default(), CollatorOptions::default()).unwrap();
    for (one, other, _) in PAIRS {
        for text in [one, other] {
            let mut key = Vec::new();
            let Ok(()) = looked_up.write_sort_key_to(text, &mut key);
            assert_eq!(sort_key(text), key, "{text}");
        }
    }
}

#[test]
fn sort_keys_order_as_people_do() {
    let mut names = [
        "Zander",
        "Östlund",
        "Ostermann",
        "ostara",
        "Álvarez",
        "Alvarez",
        "Яшин",
        "Артём",
        "Muller",
        "Müller",
        "Mullermann",
        "Łukasz",
        "Lukas",
        "山田",
    ];
    names.sort_by_key(|name| sort_key(name));
    assert_eq!(
        names,
        [
            "Alvarez",
            "Álvarez",
            "Lukas",
            "Łukasz",
            "Muller",
            "Müller",
            "Mullermann",
            "ostara",
            "Ostermann",
            "Östlund",
            "Zander",
            "Артём",
            "Яшин",
            "山田"
        ]
    );
    assert!(sort_key(&"ä".repeat(100_000)).len() < 4_000);
}

#[test]
fn people_sort_by_family_name_and_companies_by_their_name() {
    assert_eq!(sort_name(&sample()), "Müller-Lüdenscheid Jürgen Ødegård & Sønner A/S");
    let mut company = row("shown");
    assert_eq!(sort_name(&company), "shown");
    company.fields.insert("company".to_owned(), Value::from(" Acme "));
    assert_eq!(sort_name(&company), "Acme");
}

#[test]
fn index_text_stays_bounded() {
    let mut big = row("x");
    big.phones = vec!["+49 171 2345678".to_owned(); 10_000];
    big.tags = vec!["Ä-Ö".to_owned(); 10_000];
    big.note = "ü ".repeat(32_000);
    let text = search_text(&big);
    assert!(text.reach.len() < 64 * 200);
    assert!(text.tags.len() < 64 * 40);
    assert!(text.note.len() < 70_000);
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zäöüßA-Z0-9 .'@\"*():+/-]{0,40}",
        "[0-9 +()/-]{0,24}",
        "[東京都あかガ\u{3099}ก ุa\" *]{0,12}",
        "(AND|OR|NOT|NEAR|names|:|\\^|\\{|\\}|\"|\\*|-|\\+| ){0,10}",
    ]
}

proptest! {
    #[test]
    fn folding_twice_changes_nothing(text in texts()) {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once.clone());
        prop_assert!(!once.contains("  ") && once.trim() == once);
        prop_assert!(!once.contains(['"', '\0', '*', '-']));
    }

    #[test]
    fn nothing_typed_is_a_syntax_error_and_memory_agrees_with_sqlite(
        typed in texts(), name in texts(), note in texts(), phone in "[0-9 +()/-]{0,20}",
    ) {
        let mut row = row(&name);
        row.note = note;
        row.phones = vec![phone];
        finds(&row, &typed);
    }

    #[test]
    fn what_stands_in_a_contact_finds_it(name in texts(), note in texts()) {
        let mut row = row(&name);
        row.note = note.clone();
        for typed in [name, note] {
            prop_assert!(fts_query(&typed).is_none() || finds(&row, &typed), "{:?}", typed);
        }
    }

    #[test]
    fn every_run_of_four_digits_finds_a_number(digits in "[1-9][0-9]{3,14}", from in 0usize..12, len in 4usize..12) {
        let mut row = row("x");
        row.phones = vec![format!("+{digits}")];
        let from = from.min(digits.len() - 4);
        let run = &digits[from..(from + len).min(digits.len())];
        prop_assert!(finds(&row, run));
    }
}
