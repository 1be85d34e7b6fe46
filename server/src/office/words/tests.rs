//! What holds of the messages: every language has every one, with the same variables, and none that
//! nobody asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::*;

/// Messages whose ids are put together, from the part of it that stands first.
const FAMILIES: [&str; 21] = [
    "did-",
    "col-",
    "bulk-why-",
    "what-",
    "field-",
    "choice-",
    "noun-",
    "wipe-",
    "group-",
    "seg-",
    "by-",
    "op-",
    "contact-add-",
    "contact-identity",
    "contact-reach",
    "contact-standing",
    "contact-plan",
    "contact-business",
    "contact-personal",
    "contact-rights",
    "fate-",
];

fn variables(pattern: &Pattern<&str>, into: &mut BTreeSet<String>) {
    fn inline(expression: &InlineExpression<&str>, into: &mut BTreeSet<String>) {
        match expression {
            InlineExpression::VariableReference { id } => {
                into.insert(id.name.to_owned());
            }
            InlineExpression::Placeable { expression } => of(expression, into),
            other => assert!(
                matches!(other, InlineExpression::StringLiteral { .. }),
                "messages have variables and texts only: {other:?}"
            ),
        }
    }
    fn of(expression: &Expression<&str>, into: &mut BTreeSet<String>) {
        match expression {
            Expression::Inline(expression) => inline(expression, into),
            Expression::Select { selector, variants } => {
                inline(selector, into);
                for variant in variants {
                    variables(&variant.value, into);
                }
            }
        }
    }
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            of(expression, into);
        }
    }
}

/// The messages of a language, each with its variables.
fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for source in language.sources() {
        let resource = fluent_syntax::parser::parse(*source)
            .unwrap_or_else(|(_, errors)| panic!("{}: {errors:?}", language.tag()));
        for entry in &resource.body {
            match entry {
                Entry::Message(message) => {
                    let id = message.id.name.to_owned();
                    let pattern =
                        message.value.as_ref().unwrap_or_else(|| panic!("`{id}` is empty"));
                    let mut of = BTreeSet::new();
                    variables(pattern, &mut of);
                    assert!(
                        found.insert(id.clone(), of).is_none(),
                        "{}: `{id}` twice",
                        language.tag()
                    );
                }
                Entry::Term(term) => panic!("`{}` is a term; there are none here", term.id.name),
                Entry::Junk { content } => panic!("{}: not a message: {content}", language.tag()),
                _ => {}
            }
        }
    }
    found
}

/// What the pages ask for: ids, and the names of what they put in.
fn asked() -> BTreeMap<String, BTreeSet<String>> {
    fn walk(dir: &Path, into: &mut BTreeMap<String, BTreeSet<String>>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("words/mod.rs")
                && !path.ends_with("words/tests.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                for start in ["t!(", "rich!("] {
                    for (at, _) in text.match_indices(start) {
                        // `assert!(` and the like end in the same letters.
                        if text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                            continue;
                        }
                        let rest = text[at + start.len()..].trim_start();
                        let Some(rest) = rest.strip_prefix('"') else { continue };
                        let (id, call) = rest.split_once('"').unwrap();
                        into.entry(id.to_owned()).or_default().extend(names(call));
                    }
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/office"), &mut found);
    found
}

/// The names of what a call puts in: `, n = 3; link = ..)` up to the bracket that closes it.
fn names(call: &str) -> Vec<String> {
    let (mut depth, mut word, mut found) = (0_i32, String::new(), Vec::new());
    let (mut quoted, mut expects, mut before) = (false, false, ' ');
    for c in call.chars() {
        match c {
            '"' if before != '\\' => quoted = !quoted,
            _ if quoted => {}
            '(' | '{' | '[' => depth += 1,
            ')' if depth == 0 => break,
            ')' | '}' | ']' => depth -= 1,
            ',' | ';' if depth == 0 => {
                expects = true;
                word.clear();
            }
            '=' if expects && depth == 0 => {
                found.push(word.trim().to_owned());
                expects = false;
            }
            _ if expects => word.push(c),
            _ => {}
        }
        before = c;
    }
    found
}

#[test]
fn every_language_has_every_message_with_the_same_variables() {
    let english = messages(Language::English);
    assert!(english.len() > 100, "the messages are not found");
    for language in Language::ALL {
        let others = messages(language);
        for (id, variables) in &english {
            let there = others.get(id).unwrap_or_else(|| panic!("{} lacks `{id}`", language.tag()));
            assert_eq!(there, variables, "variables of `{id}` in {}", language.tag());
        }
        assert_eq!(
            others.len(),
            english.len(),
            "{} has a message that English lacks",
            language.tag()
        );
    }
}

#[test]
fn what_pages_ask_for_is_there_and_nothing_else() {
    let (english, asked) = (messages(Language::English), asked());
    for (id, given) in &asked {
        let wanted = english.get(id).unwrap_or_else(|| panic!("`{id}` is asked for and not there"));
        assert_eq!(given, wanted, "what is put into `{id}`, and what it takes");
    }
    let unused: Vec<&String> = english
        .keys()
        .filter(|id| !asked.contains_key(*id))
        .filter(|id| !FAMILIES.iter().any(|family| id.starts_with(family)))
        .collect();
    assert!(unused.is_empty(), "nobody asks for {unused:?}");
}

#[test]
fn counts_follow_the_rules_of_each_language() {
    let say = |language, n: u64| within(language, || t!("n-contacts", n = n));
    assert_eq!(say(Language::English, 1), "1 contact");
    assert_eq!(say(Language::English, 12_345), "12,345 contacts");
    assert_eq!(say(Language::German, 12_345), "12.345 Kontakte");
    assert_eq!(say(Language::Italian, 1_234), "1234 contatti");
    for (n, text) in [
        (1, "1 контакт"),
        (3, "3 контакта"),
        (5, "5 контактов"),
        (11, "11 контактов"),
        (21, "21 контакт"),
        (1_002, "1\u{a0}002 контакта"),
    ] {
        assert_eq!(say(Language::Russian, n), text);
    }
}

#[test]
fn markup_stands_where_its_variable_stands_and_all_else_is_escaped() {
    let link = html! { a href="/x" { "<in>" } };
    let shown = within(
        Language::German,
        || rich!("account-factor-since", n = 3_u64; chip = link, time = html! { b { "now" } }),
    );
    assert_eq!(
        shown.0,
        "<a href=\"/x\">&lt;in&gt;</a> seit <b>now</b>, noch 3 Wiederherstellungscodes"
    );
    let shown =
        within(Language::English, || rich_with("error-no-such", &[("what", "<b>".into())], &[]));
    assert!(shown.0.contains("no such &lt;b&gt; in"), "{}", shown.0);
}

#[test]
fn days_are_written_as_the_language_writes_them() {
    let day = chrono::NaiveDate::from_ymd_opt(2026, 5, 3).unwrap();
    let say = |language| within(language, || date(day, true));
    assert_eq!(say(Language::English), "3 May 2026");
    assert_eq!(say(Language::German), "3. Mai 2026");
    assert_eq!(say(Language::Russian), "3 мая 2026 г.");
}

/// What the document has is called something in every language.
#[test]
fn fields_choices_and_collections_have_their_words() {
    use roadbook_protocol::document::Collection;
    use roadbook_protocol::document::schema::{FIELDS, FieldSpec, Kind};

    let english = messages(Language::English);
    let must = |family: &str, name: &str| {
        let id = format!("{family}-{}", name.replace('_', "-"));
        assert!(english.contains_key(&id), "`{id}` is missing");
    };
    let of = |specs: &[FieldSpec]| {
        for spec in specs {
            must("field", spec.name);
            if let Kind::Choice(choices) = spec.kind {
                choices.iter().for_each(|choice| must("choice", choice));
            }
        }
    };
    of(FIELDS);
    for collection in Collection::ALL {
        must("noun", collection.name());
        of(collection.fields());
    }
}
