//! What somebody typed into a search box, as a full-text question.

use super::search::spellings;
use super::{fold, is_spaceless, phone, phone_needles};

/// So many words of a question count; the rest is ignored.
const WORDS_MAX: usize = 16;
/// So many characters of a question are read.
const CHARS_MAX: usize = 512;
/// A word is cut to this many bytes; it is looked for as a prefix anyway.
const WORD_BYTES_MAX: usize = 64;

/// The FTS5 `MATCH` expression of what somebody typed: every word must be there, as the start of a
/// word in any column; `None` when nothing in the text can be searched for.
///
/// Nothing typed can be a syntax error: only folded words in double quotes reach the expression.
/// Words in scripts without spaces are looked for as phrases of characters; digits that look like a
/// phone number are looked for as one number, in any formatting, too.
pub fn fts_query(text: &str) -> Option<String> {
    Query::words(text).map(|query| query.to_fts(None))
}

/// A full-text question: all of its terms must be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    terms: Vec<Term>,
}

/// One of these must be met.
type Term = Vec<Spelling>;
/// All of these must be met.
type Spelling = Vec<Phrase>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Phrase {
    /// Consecutive words of one column.
    words: Vec<String>,
    /// Whether the last word may go on.
    prefix: bool,
}

impl Query {
    /// Every word of the text, as [`fts_query`].
    pub(crate) fn words(text: &str) -> Option<Query> {
        let end = text.char_indices().nth(CHARS_MAX).map_or(text.len(), |(at, _)| at);
        let chunks: Vec<&str> = text[..end].split_whitespace().collect();
        let mut terms = Vec::new();
        let mut at = 0;
        while at < chunks.len() && terms.len() < WORDS_MAX {
            let run = chunks[at..].iter().take_while(|chunk| phone::is_phone_like(chunk)).count();
            let (term, used) =
                if run > 0 { (number(&chunks[at..at + run]), run) } else { (word(chunks[at]), 1) };
            terms.extend(term);
            at += used;
        }
        (!terms.is_empty()).then_some(Query { terms })
    }

    /// The words of the text behind one another.
    pub(crate) fn phrase(text: &str) -> Option<Query> {
        let end = text.char_indices().nth(CHARS_MAX).map_or(text.len(), |(at, _)| at);
        let words: Vec<String> = fold(&text[..end]).split(' ').map(str::to_owned).collect();
        let phrase = Phrase { words, prefix: false };
        (!phrase.words[0].is_empty()).then(|| Query { terms: vec![vec![vec![phrase]]] })
    }

    /// The `MATCH` expression, in all columns or in one.
    pub(crate) fn to_fts(&self, column: Option<&str>) -> String {
        let all = join(&self.terms, " AND ", |term| {
            join(term, " OR ", |spelling| join(spelling, " AND ", Phrase::to_fts))
        });
        match column {
            Some(column) => format!("{column} : ({all})"),
            None => all,
        }
    }

    /// The same question over folded columns in memory; agrees with SQLite's answer.
    pub(crate) fn matches(&self, columns: &[&str]) -> bool {
        let columns: Vec<Vec<&str>> =
            columns.iter().map(|column| column.split_ascii_whitespace().collect()).collect();
        self.terms.iter().all(|term| {
            term.iter().any(|spelling| {
                spelling.iter().all(|phrase| columns.iter().any(|words| phrase.is_in(words)))
            })
        })
    }
}

impl Phrase {
    fn to_fts(&self) -> String {
        // Folded words hold letters and digits only, so nothing in them ends the quotes.
        format!("\"{}\"{}", self.words.join(" "), if self.prefix { "*" } else { "" })
    }

    fn is_in(&self, words: &[&str]) -> bool {
        let Some((last, first)) = self.words.split_last() else {
            return false;
        };
        words.windows(self.words.len()).any(|window| {
            let tail = window[first.len()];
            window.iter().zip(first).all(|(have, want)| have == want)
                && if self.prefix { tail.starts_with(last.as_str()) } else { tail == last }
        })
    }
}

fn join<T>(items: &[T], between: &str, one: impl Fn(&T) -> String) -> String {
    match items {
        [only] => one(only),
        _ => format!("({})", items.iter().map(one).collect::<Vec<_>>().join(between)),
    }
}

/// A word as typed, in each of its spellings.
fn word(chunk: &str) -> Option<Term> {
    let plain = phrases(&fold(chunk));
    if plain.is_empty() {
        return None;
    }
    let mut term = vec![plain];
    for spelling in spellings(chunk) {
        term.push(vec![prefix(&spelling)]);
    }
    Some(term)
}

/// Digits: as the words they are, and as one number.
fn number(chunks: &[&str]) -> Option<Term> {
    let text = chunks.join(" ");
    let folded = fold(&text);
    let mut term = vec![folded.split(' ').take(WORDS_MAX).map(prefix).collect()];
    for needle in phone_needles(&text) {
        if needle.len() >= phone::NEEDLE_MIN && needle != folded {
            term.push(vec![prefix(&needle)]);
        }
    }
    Some(term)
}

/// Folded text as prefixes, and its runs of characters of scripts without spaces as phrases.
fn phrases(folded: &str) -> Spelling {
    let mut found: Spelling = Vec::new();
    let mut in_run = false;
    for word in folded.split(' ').filter(|word| !word.is_empty()) {
        let single = word.chars().next().is_some_and(is_spaceless);
        if single
            && in_run
            && let Some(run) = found.last_mut()
        {
            run.words.push(word.to_owned());
            continue;
        }
        if found.len() >= WORDS_MAX {
            break;
        }
        in_run = single;
        found.push(if single {
            Phrase { words: vec![word.to_owned()], prefix: false }
        } else {
            prefix(word)
        });
    }
    found
}

fn prefix(word: &str) -> Phrase {
    let mut end = word.len().min(WORD_BYTES_MAX);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    Phrase { words: vec![word[..end].to_owned()], prefix: true }
}
