//! A frame as a tree of numbered fields, whatever version wrote it: what a test needs that speaks
//! for another version than the code it is built with.
//!
//! A [`Tree`] is the CBOR of one message. A [`Shape`] is what the code of one version reads of a
//! frame: its fields, which of them it can't do without, which words of a list it knows.

use std::collections::BTreeMap;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire;
use serde_json::{Map, Value, json};

/// Words of a list (a fate, a kind of problem) are numbered below this.
const WORDS_MAX: i64 = 64;
/// No list of words is as long: a field that takes this number is a number.
const NO_WORD: i64 = 4_000;

/// One CBOR value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// Nothing: the same as a field that is absent.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// Numbered fields.
    Map(BTreeMap<u64, Tree>),
}

impl Tree {
    /// The tree of a message, packed or plain: a list of the frame's number and its body.
    pub fn of_message(message: &[u8]) -> Tree {
        let plain = wire::plain(message, &limits()).unwrap();
        let mut decoder = Decoder::new(&plain);
        let tree = Tree::read(&mut decoder);
        assert_eq!(decoder.position(), plain.len(), "one value and nothing behind it");
        tree
    }

    /// The message of this tree, plain.
    pub fn message(&self) -> Vec<u8> {
        let mut message = vec![0];
        self.write(&mut Encoder::new(&mut message));
        message
    }

    /// The number of the frame.
    pub fn kind(&self) -> u16 {
        match self {
            Tree::List(parts) => match parts[..] {
                [Tree::Int(kind), _] => u16::try_from(kind).unwrap(),
                _ => panic!("not a frame: {self:?}"),
            },
            _ => panic!("not a frame: {self:?}"),
        }
    }

    /// The body of the frame.
    pub fn body(&self) -> &Tree {
        match self {
            Tree::List(parts) => &parts[1],
            _ => panic!("not a frame: {self:?}"),
        }
    }

    /// The frame's body, to change it.
    pub fn body_mut(&mut self) -> &mut BTreeMap<u64, Tree> {
        match self {
            Tree::List(parts) => match &mut parts[1] {
                Tree::Map(fields) => fields,
                other => panic!("not a body: {other:?}"),
            },
            _ => panic!("not a frame: {self:?}"),
        }
    }

    fn read(d: &mut Decoder<'_>) -> Tree {
        match d.datatype().unwrap() {
            Type::Null | Type::Undefined => {
                d.skip().unwrap();
                Tree::Null
            }
            Type::Bool => Tree::Bool(d.bool().unwrap()),
            Type::Bytes => Tree::Bytes(d.bytes().unwrap().to_vec()),
            Type::String => Tree::Text(d.str().unwrap().to_owned()),
            Type::Array => {
                let count = d.array().unwrap().unwrap();
                Tree::List((0..count).map(|_| Tree::read(d)).collect())
            }
            Type::Map => {
                let count = d.map().unwrap().unwrap();
                Tree::Map((0..count).map(|_| (d.u64().unwrap(), Tree::read(d))).collect())
            }
            _ => Tree::Int(d.i64().unwrap()),
        }
    }

    fn write(&self, e: &mut Encoder<&mut Vec<u8>>) {
        match self {
            Tree::Null => drop(e.null().unwrap()),
            Tree::Bool(yes) => drop(e.bool(*yes).unwrap()),
            Tree::Int(n) => drop(e.i64(*n).unwrap()),
            Tree::Bytes(bytes) => drop(e.bytes(bytes).unwrap()),
            Tree::Text(text) => drop(e.str(text).unwrap()),
            Tree::List(items) => {
                e.array(items.len() as u64).unwrap();
                items.iter().for_each(|item| item.write(e));
            }
            Tree::Map(fields) => {
                e.map(fields.len() as u64).unwrap();
                for (number, field) in fields {
                    e.u64(*number).unwrap();
                    field.write(e);
                }
            }
        }
    }

    /// As JSON: bytes are `{"bytes": "hex"}`, fields are keyed by their number.
    pub fn to_json(&self) -> Value {
        match self {
            Tree::Null => Value::Null,
            Tree::Bool(yes) => json!(yes),
            Tree::Int(n) => json!(n),
            Tree::Bytes(bytes) => json!({"bytes": hex::encode(bytes)}),
            Tree::Text(text) => json!(text),
            Tree::List(items) => items.iter().map(Tree::to_json).collect(),
            Tree::Map(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(number, field)| (number.to_string(), field.to_json()))
                    .collect(),
            ),
        }
    }

    /// From JSON.
    pub fn from_json(json: &Value) -> Tree {
        match json {
            Value::Null => Tree::Null,
            Value::Bool(yes) => Tree::Bool(*yes),
            Value::Number(n) => Tree::Int(n.as_i64().unwrap()),
            Value::String(text) => Tree::Text(text.clone()),
            Value::Array(items) => Tree::List(items.iter().map(Tree::from_json).collect()),
            Value::Object(fields) => match fields.get("bytes") {
                Some(text) => Tree::Bytes(hex::decode(text.as_str().unwrap()).unwrap()),
                None => Tree::Map(
                    fields
                        .iter()
                        .map(|(number, field)| (number.parse().unwrap(), Tree::from_json(field)))
                        .collect(),
                ),
            },
        }
    }

    /// Whether this holds all that `older` says; further fields don't matter.
    ///
    /// # Errors
    /// The path of the first field that is gone or says something else.
    pub fn holds(&self, older: &Tree) -> Result<(), String> {
        self.holds_at(older, "")
    }

    fn holds_at(&self, older: &Tree, path: &str) -> Result<(), String> {
        match (self, older) {
            (Tree::Map(new), Tree::Map(old)) => {
                for (number, field) in old {
                    let path = format!("{path}/{number}");
                    match new.get(number) {
                        Some(found) => found.holds_at(field, &path)?,
                        None if *field == Tree::Null => {}
                        None => return Err(format!("{path} is gone; it was {field:?}")),
                    }
                }
                Ok(())
            }
            (Tree::List(new), Tree::List(old)) if new.len() == old.len() => new
                .iter()
                .zip(old)
                .enumerate()
                .try_for_each(|(at, (new, old))| new.holds_at(old, &format!("{path}/{at}"))),
            _ if self == older => Ok(()),
            _ => Err(format!("{path} is {self:?}; it was {older:?}")),
        }
    }

    /// The same with a field in every map that no version knows.
    pub fn with_unknown_fields(&self) -> Tree {
        match self {
            Tree::List(items) => Tree::List(items.iter().map(Tree::with_unknown_fields).collect()),
            Tree::Map(fields) => {
                let mut fields: BTreeMap<_, _> = fields
                    .iter()
                    .map(|(number, field)| (*number, field.with_unknown_fields()))
                    .collect();
                let news = Tree::Map([(0, Tree::List(vec![Tree::Text("new".into())]))].into());
                fields.insert(7_001, news);
                fields.insert(7_002, Tree::Bytes(vec![1, 2, 3]));
                Tree::Map(fields)
            }
            other => other.clone(),
        }
    }
}

/// What the code of one version reads of one type of frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Yes or no.
    Bool,
    /// A number.
    Int,
    /// The number of a word, and the words that are known.
    Word(Vec<i64>),
    /// Bytes.
    Bytes,
    /// Text.
    Text,
    /// A list of such.
    List(Box<Shape>),
    /// Fields, and whether each is required.
    Map(BTreeMap<u64, (bool, Shape)>),
}

impl Shape {
    /// Finds out what this code reads of a frame: it takes a message that has every field, and
    /// leaves one out at a time.
    pub fn probe(full: &Tree) -> Shape {
        let Tree::List(parts) = full else { panic!("not a frame") };
        let kind = parts[0].clone();
        let reads = |body: &Tree| {
            let message = Tree::List(vec![kind.clone(), body.clone()]).message();
            wire::decode(&message, &limits()).is_ok()
        };
        assert!(reads(&parts[1]), "the full message is read");
        Shape::probe_at(&parts[1], &reads)
    }

    fn probe_at(at: &Tree, reads: &dyn Fn(&Tree) -> bool) -> Shape {
        match at {
            Tree::Null => panic!("a full message has no empty field"),
            Tree::Bool(_) => Shape::Bool,
            Tree::Bytes(_) => Shape::Bytes,
            Tree::Text(_) => Shape::Text,
            Tree::Int(_) if reads(&Tree::Int(NO_WORD)) => Shape::Int,
            Tree::Int(_) => {
                Shape::Word((0..WORDS_MAX).filter(|&word| reads(&Tree::Int(word))).collect())
            }
            Tree::List(items) => {
                let first = items.first().expect("a full message has no empty list");
                let inside = |item: &Tree| reads(&Tree::List(vec![item.clone()]));
                Shape::List(Box::new(Shape::probe_at(first, &inside)))
            }
            Tree::Map(fields) => {
                let field = |number: &u64| {
                    let with = |value: &Tree| {
                        let mut all = fields.clone();
                        all.insert(*number, value.clone());
                        reads(&Tree::Map(all))
                    };
                    let mut without = fields.clone();
                    without.remove(number);
                    let required = !reads(&Tree::Map(without));
                    (*number, (required, Shape::probe_at(&fields[number], &with)))
                };
                Shape::Map(fields.keys().map(field).collect())
            }
        }
    }

    /// As JSON: a field that may be absent has a `?` behind its number.
    pub fn to_json(&self) -> Value {
        match self {
            Shape::Bool => json!("bool"),
            Shape::Int => json!("int"),
            Shape::Bytes => json!("bytes"),
            Shape::Text => json!("text"),
            Shape::Word(words) => json!({"words": words}),
            Shape::List(item) => json!([item.to_json()]),
            Shape::Map(fields) => {
                let mut map = Map::new();
                for (number, (required, shape)) in fields {
                    let mark = if *required { "" } else { "?" };
                    map.insert(format!("{number}{mark}"), shape.to_json());
                }
                Value::Object(map)
            }
        }
    }

    /// From JSON.
    pub fn from_json(json: &Value) -> Shape {
        match json {
            Value::String(name) => match name.as_str() {
                "bool" => Shape::Bool,
                "int" => Shape::Int,
                "bytes" => Shape::Bytes,
                "text" => Shape::Text,
                other => panic!("not a shape: {other}"),
            },
            Value::Array(items) => Shape::List(Box::new(Shape::from_json(&items[0]))),
            Value::Object(fields) => match fields.get("words") {
                Some(words) => Shape::Word(serde_json::from_value(words.clone()).unwrap()),
                None => Shape::Map(
                    fields
                        .iter()
                        .map(|(key, shape)| {
                            let number = key.trim_end_matches('?').parse().unwrap();
                            (number, (!key.ends_with('?'), Shape::from_json(shape)))
                        })
                        .collect(),
                ),
            },
            other => panic!("not a shape: {other}"),
        }
    }

    /// Whether code of this shape can read that body. Fields that it doesn't know are skipped.
    ///
    /// # Errors
    /// The path of the first field that it can't do with.
    pub fn reads(&self, body: &Tree) -> Result<(), String> {
        self.reads_at(body, "")
    }

    fn reads_at(&self, at: &Tree, path: &str) -> Result<(), String> {
        match (self, at) {
            (Shape::Bool, Tree::Bool(_))
            | (Shape::Int, Tree::Int(_))
            | (Shape::Bytes, Tree::Bytes(_))
            | (Shape::Text, Tree::Text(_)) => Ok(()),
            (Shape::Word(known), Tree::Int(word)) if known.contains(word) => Ok(()),
            (Shape::List(item), Tree::List(items)) => items
                .iter()
                .enumerate()
                .try_for_each(|(n, found)| item.reads_at(found, &format!("{path}/{n}"))),
            (Shape::Map(fields), Tree::Map(found)) => {
                for (number, (required, shape)) in fields {
                    let path = format!("{path}/{number}");
                    match found.get(number) {
                        None | Some(Tree::Null) if *required => {
                            return Err(format!("{path} is absent, and it is needed"));
                        }
                        None | Some(Tree::Null) => {}
                        Some(field) => shape.reads_at(field, &path)?,
                    }
                }
                Ok(())
            }
            _ => Err(format!("{path} is {at:?}, and {self:?} is read there")),
        }
    }

    /// What code of this shape would have written: only the fields that it knows.
    pub fn strip(&self, at: &Tree) -> Tree {
        match (self, at) {
            (Shape::List(item), Tree::List(items)) => {
                Tree::List(items.iter().map(|found| item.strip(found)).collect())
            }
            (Shape::Map(fields), Tree::Map(found)) => Tree::Map(
                found
                    .iter()
                    .filter_map(|(number, field)| {
                        let (_, shape) = fields.get(number)?;
                        Some((*number, shape.strip(field)))
                    })
                    .collect(),
            ),
            _ => at.clone(),
        }
    }
}

/// Wide enough for what either end sends.
fn limits() -> Limits {
    Limits { message_bytes_max: 64 << 20, message_inflated_bytes_max: 64 << 20, ..Limits::DEFAULT }
}
