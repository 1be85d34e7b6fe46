//! From text to tree: how conditions are put together. What one condition means is in `compare.rs`.
//! Every error says where, what, and what would be right.

use super::amount::is_known_currency;
use super::compare::Comparison;
use super::names::{Subject, closest, names, subject};
use super::{FilterError, Node, Op, Term};
use crate::fold::Query;

const CHARS_MAX: usize = 4_000;
const CONDITIONS_MAX: usize = 128;
const DEPTH_MAX: usize = 32;

pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let chars: Vec<char> = text.chars().take(CHARS_MAX + 1).collect();
    if chars.len() > CHARS_MAX {
        return Err(error(CHARS_MAX, format!("a filter has at most {CHARS_MAX} characters")));
    }
    let mut parser = Parser { chars, at: 0, depth: 0, conditions: 0 };
    parser.skip_spaces();
    if parser.peek().is_none() {
        return Ok(Node::All(Vec::new()));
    }
    let node = parser.any()?;
    match parser.peek() {
        // Words of punctuation only say nothing, and nothing is left out.
        None => Ok(node.unwrap_or(Node::All(Vec::new()))),
        Some(_) => Err(error(parser.at, "there is no `(` that this `)` closes")),
    }
}

/// `at` counts from 0, the error from 1.
pub(super) fn error(at: usize, message: impl Into<String>) -> FilterError {
    FilterError { position: at + 1, message: message.into() }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
    conditions: usize,
}

/// One value behind a name.
pub(super) struct Value {
    pub(super) text: String,
    /// In quotes everything is taken literally.
    pub(super) quoted: bool,
    pub(super) at: usize,
}

/// A part of a conjunction. `None` is a word that says nothing, such as `&`.
enum Piece {
    Word(String),
    Node(Option<Node>),
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_behind(&self, distance: usize) -> Option<char> {
        self.chars.get(self.at + distance).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Whether the next word is this one, whatever its case.
    fn at_word(&self, word: &str) -> bool {
        let end = self.at + word.len();
        let next = self.chars.get(self.at..end);
        next.is_some_and(|next| next.iter().map(char::to_ascii_lowercase).eq(word.chars()))
            && self.chars.get(end).is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')'))
    }

    fn any(&mut self) -> Result<Option<Node>, FilterError> {
        let mut nodes = Vec::new();
        loop {
            nodes.extend(self.all()?);
            if !self.at_word("or") {
                break;
            }
            self.at += "or".len();
        }
        Ok(match nodes.len() {
            0 | 1 => nodes.pop(),
            _ => Some(Node::Any(nodes)),
        })
    }

    fn all(&mut self) -> Result<Option<Node>, FilterError> {
        let mut nodes = Vec::new();
        let mut words = String::new();
        let mut started = false;
        loop {
            self.skip_spaces();
            if started && self.at_word("and") {
                self.at += "and".len();
                self.skip_spaces();
                started = false;
            }
            let ends = matches!(self.peek(), None | Some(')')) || self.at_word("or");
            if ends && started {
                break;
            }
            if ends || self.at_word("and") {
                return Err(self.missing());
            }
            started = true;
            match self.piece()? {
                Piece::Word(word) => {
                    words.push_str(&word);
                    words.push(' ');
                }
                Piece::Node(node) => nodes.extend(node),
            }
        }
        // Words side by side are one question, so that `0171 234 567` is one phone number.
        if let Some(query) = Query::words(&words) {
            nodes.push(Node::Term(Term::FullText { column: None, query }));
        }
        Ok(match nodes.len() {
            0 | 1 => nodes.pop(),
            _ => Some(Node::All(nodes)),
        })
    }

    fn missing(&self) -> FilterError {
        let found = match self.peek() {
            None => "the filter ends here".to_owned(),
            Some(')') => "found `)`".to_owned(),
            Some(_) if self.at_word("or") => "found `or`".to_owned(),
            Some(_) => "found `and`".to_owned(),
        };
        error(
            self.at,
            format!(
                "a condition is missing: {found}; write one such as `status:customer`, or a word to search for"
            ),
        )
    }

    fn piece(&mut self) -> Result<Piece, FilterError> {
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            return Err(error(
                self.at,
                format!("a filter has at most {CONDITIONS_MAX} conditions"),
            ));
        }
        let start = self.at;
        let not = match self.peek() {
            Some('-') if self.peek_behind(1).is_some_and(|c| !c.is_whitespace()) => 1,
            Some(_) if self.at_word("not") => "not".len(),
            _ => 0,
        };
        if not > 0 || self.peek() == Some('(') {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(error(
                    start,
                    format!("at most {DEPTH_MAX} levels of brackets and `not`"),
                ));
            }
            let node = if not > 0 { self.negated(not)? } else { self.bracket(start)? };
            self.depth -= 1;
            return Ok(Piece::Node(node));
        }
        if self.peek() == Some('"') {
            let phrase = Query::phrase(&self.quoted()?);
            return Ok(Piece::Node(
                phrase.map(|query| Node::Term(Term::FullText { column: None, query })),
            ));
        }
        match self.name() {
            Some(name) => self.condition(&name, start).map(|node| Piece::Node(Some(node))),
            None => Ok(Piece::Word(self.bare(false))),
        }
    }

    fn negated(&mut self, skip: usize) -> Result<Option<Node>, FilterError> {
        self.at += skip;
        self.skip_spaces();
        if matches!(self.peek(), None | Some(')')) || self.at_word("or") || self.at_word("and") {
            return Err(self.missing());
        }
        Ok(match self.piece()? {
            Piece::Word(word) => {
                Query::words(&word).map(|query| Node::Term(Term::FullText { column: None, query }))
            }
            Piece::Node(node) => node,
        }
        .map(Node::not))
    }

    fn bracket(&mut self, start: usize) -> Result<Option<Node>, FilterError> {
        self.at += 1;
        let node = self.any()?;
        if self.peek() != Some(')') {
            return Err(error(start, "this `(` is not closed; add `)`"));
        }
        self.at += 1;
        Ok(node)
    }

    fn quoted(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let from = start + 1;
        match self.chars[from..].iter().position(|c| *c == '"') {
            Some(length) => {
                self.at = from + length + 1;
                Ok(self.chars[from..from + length].iter().collect())
            }
            None => Err(error(start, "this quote is not closed; add `\"`")),
        }
    }

    /// A name with its colon, if that is what stands here.
    fn name(&mut self) -> Option<String> {
        let start = self.at;
        if !self.peek()?.is_alphabetic() {
            return None;
        }
        let is_name = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        let length = self.chars[start..].iter().take_while(|c| is_name(c)).count();
        let mut name: String = self.chars[start..start + length].iter().collect();
        self.at = start + length;
        if name.eq_ignore_ascii_case("custom.") && self.peek() == Some('"') {
            name.push_str(&self.quoted().unwrap_or_default());
        }
        // `https://...` is a text to search for.
        let is_url = self.peek_behind(1) == Some('/') && self.peek_behind(2) == Some('/');
        if self.peek() == Some(':') && !is_url {
            self.at += 1;
            return Some(name);
        }
        self.at = start;
        None
    }

    /// Up to a space or a bracket that was not opened inside; as a value also up to a comma.
    fn bare(&mut self, comma_ends: bool) -> String {
        let start = self.at;
        let mut open = 0_usize;
        while let Some(c) = self.peek() {
            match c {
                ')' if open == 0 => break,
                ')' => open -= 1,
                '(' => open += 1,
                ',' if comma_ends => break,
                _ if c.is_whitespace() => break,
                _ => {}
            }
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn condition(&mut self, name: &str, start: usize) -> Result<Node, FilterError> {
        let Some(subject) = subject(name) else { return Err(unknown_name(name, start)) };
        let op = self.op();
        if op != Op::Is {
            self.skip_spaces();
        }
        let is_amount = matches!(subject, Subject::Amount(_));
        let mut values = vec![self.value(name, !is_amount)?];
        while self.peek() == Some(',') && !is_amount {
            self.at += 1;
            values.push(self.value(name, true)?);
        }
        if is_amount {
            self.currency_behind_space(&mut values[0]);
        }
        if values.len() > 1 && !matches!(op, Op::Is | Op::IsNot) {
            let message = "a list of values goes with `:` only, not with a comparison";
            return Err(error(values[1].at, message));
        }
        self.conditions += values.len() - 1;
        let mut nodes = Vec::with_capacity(values.len());
        for value in &values {
            nodes.push(Comparison { name, subject: &subject, op, value }.node()?);
        }
        let node = match (nodes.pop(), nodes.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                nodes.extend(last);
                Node::Any(nodes)
            }
        };
        Ok(if op == Op::IsNot { node.not() } else { node })
    }

    fn op(&mut self) -> Op {
        let (op, length) = match (self.peek(), self.peek_behind(1)) {
            (Some('<'), Some('=')) => (Op::AtMost, 2),
            (Some('>'), Some('=')) => (Op::AtLeast, 2),
            (Some('!'), Some('=')) => (Op::IsNot, 2),
            (Some('<'), _) => (Op::Less, 1),
            (Some('>'), _) => (Op::More, 1),
            (Some('='), _) => (Op::Is, 1),
            _ => (Op::Is, 0),
        };
        self.at += length;
        op
    }

    fn value(&mut self, name: &str, comma_ends: bool) -> Result<Value, FilterError> {
        let at = self.at;
        if self.peek() == Some('"') {
            let text = self.quoted()?;
            if text.trim().is_empty() {
                let message = format!("`{name}:` needs a value; for none write `no:{name}`");
                return Err(error(at, message));
            }
            return Ok(Value { text, quoted: true, at });
        }
        let text = self.bare(comma_ends);
        if text.is_empty() {
            let message = format!(
                "`{name}:` needs a value right behind the colon; one with spaces stands in quotes"
            );
            return Err(error(at, message));
        }
        Ok(Value { text, quoted: false, at })
    }

    /// `deal:>10000 EUR`: three capital letters that are a currency belong to the amount.
    fn currency_behind_space(&mut self, value: &mut Value) {
        if value.text.ends_with(|c: char| c.is_ascii_alphabetic()) {
            return;
        }
        let before = self.at;
        self.skip_spaces();
        let word: String = self.chars[self.at..].iter().take(3).collect();
        let ends = self.peek_behind(3).is_none_or(|c| c.is_whitespace() || c == ')');
        if ends && is_known_currency(&word) {
            value.text.push_str(&word);
            self.at += word.len();
        } else {
            self.at = before;
        }
    }
}

fn unknown_name(name: &str, at: usize) -> FilterError {
    let all = names();
    let guess = match closest(name, all.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => ".".to_owned(),
    };
    let name: String = name.chars().take(40).collect();
    error(
        at,
        format!(
            "there is no field `{name}`{guess} To search for the text itself put it in quotes. \
             Names are: {}, and custom.NAME",
            all.join(", ")
        ),
    )
}
