//! The hash of a contact's content, equal on every replica that holds the same changes (rule 26).
//!
//! The content is written as canonical JSON and hashed as it is written; no document is hydrated:
//!
//! - a map is an object with its keys in byte order; each key has the list of *all* its values in
//!   the order of operations (one, unless there is a conflict);
//! - a list is an array of such lists; a text is `{"#text":["..."]}`;
//! - text, integers, `true`, `false` and `null` are themselves; the rest is an object with one key
//!   and a string: `{"#f64":"..."}` (the 16 hexadecimal digits of the IEEE bits), `{"#counter":"5"}`,
//!   `{"#timestamp":"5"}`, `{"#bytes":"hex"}`, `{"#type-9":"hex"}`;
//! - below [`DEPTH_MAX`] levels stands `{"#deep":"..."}` with the object's operation id.
//!
//! Tombstones, unknown fields and empty containers are part of it. Strings are escaped as
//! `serde_json` does: `"`, `\` and control characters only.

use automerge::{Automerge, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use ring::digest::{Context, SHA256, digest};

use super::scan::View;
use super::schema::GENERATION;
use crate::ids::ContactId;
use crate::limits::Limits;

/// Levels of nesting that are looked into; documents of the guard have no more.
const DEPTH_MAX: usize = Limits::DEFAULT.depth_max;

/// SHA-256 of the canonical JSON of the content at `heads`, or now.
pub fn content_hash(doc: &Automerge, heads: Option<&[ChangeHash]>) -> [u8; 32] {
    hash(doc, heads, false)
}

/// The same without the generation: what a rewrite must leave as it is (rule 25).
pub(crate) fn content_hash_of_any_generation(doc: &Automerge) -> [u8; 32] {
    hash(doc, None, true)
}

fn hash(doc: &Automerge, heads: Option<&[ChangeHash]>, any_generation: bool) -> [u8; 32] {
    let sink = Sink::Hash(Context::new(&SHA256));
    let mut writer = Writer { view: View { doc, heads }, sink, any_generation };
    writer.object(&ROOT, ObjType::Map, 0);
    match writer.sink {
        Sink::Hash(context) => bytes(context.finish().as_ref()),
        #[cfg(test)]
        Sink::Text(_) => [0; 32],
    }
}

/// One hash over many contacts, lower-case hexadecimal: SHA-256 over the 16 bytes of each contact's
/// id and the 32 bytes of its content hash, sorted by id.
pub fn state_hash(items: impl Iterator<Item = (ContactId, [u8; 32])>) -> String {
    let mut items: Vec<_> = items.collect();
    items.sort();
    let mut all = Vec::with_capacity(items.len() * 48);
    for (id, hash) in items {
        all.extend_from_slice(id.as_bytes());
        all.extend_from_slice(&hash);
    }
    hex::encode(digest(&SHA256, &all).as_ref())
}

fn bytes(digest: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&digest[..32]);
    bytes
}

enum Sink {
    Hash(Context),
    #[cfg(test)]
    Text(String),
}

struct Writer<'d> {
    view: View<'d>,
    sink: Sink,
    any_generation: bool,
}

impl Writer<'_> {
    fn raw(&mut self, text: &str) {
        match &mut self.sink {
            Sink::Hash(context) => context.update(text.as_bytes()),
            #[cfg(test)]
            Sink::Text(all) => all.push_str(text),
        }
    }

    fn string(&mut self, text: &str) {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        self.raw(&quoted);
    }

    fn tagged(&mut self, tag: &str, text: &str) {
        self.raw("{\"#");
        self.raw(tag);
        self.raw("\":\"");
        self.raw(text);
        self.raw("\"}");
    }

    fn object(&mut self, obj: &ObjId, kind: ObjType, depth: usize) {
        if depth > DEPTH_MAX {
            let id = match obj {
                ObjId::Root => String::new(),
                ObjId::Id(counter, actor, _) => format!("{counter}@{}", actor.to_hex_string()),
            };
            return self.tagged("deep", &id);
        }
        match kind {
            ObjType::Map | ObjType::Table => self.map(obj, depth),
            ObjType::List => self.list(obj, depth),
            ObjType::Text => {
                self.raw("{\"#text\":[");
                let text = self.view.text(obj);
                self.string(&text);
                self.raw("]}");
            }
        }
    }

    fn map(&mut self, obj: &ObjId, depth: usize) {
        self.raw("{");
        let mut first = true;
        for item in self.view.map(obj) {
            if self.any_generation && depth == 0 && item.key == GENERATION {
                continue;
            }
            if !first {
                self.raw(",");
            }
            first = false;
            self.string(&item.key);
            self.raw(":");
            let values = match (item.conflict, &item.value) {
                // Counters carry their increments only in `get_all`.
                (false, value) => vec![(value.clone().into_value(), item.id())],
                (true, _) => self.view.all(obj, &item.key),
            };
            self.values(values, depth);
        }
        self.raw("}");
    }

    fn list(&mut self, obj: &ObjId, depth: usize) {
        self.raw("[");
        let length = match self.view.heads {
            None => self.view.doc.length(obj),
            Some(heads) => self.view.doc.length_at(obj, heads),
        };
        for index in 0..length {
            if index > 0 {
                self.raw(",");
            }
            let values = match self.view.heads {
                None => self.view.doc.get_all(obj, index),
                Some(heads) => self.view.doc.get_all_at(obj, index, heads),
            };
            self.values(values.unwrap_or_default(), depth);
        }
        self.raw("]");
    }

    fn values(&mut self, values: Vec<(Value<'_>, ObjId)>, depth: usize) {
        self.raw("[");
        for (index, (value, id)) in values.into_iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            match value {
                Value::Object(kind) => self.object(&id, kind, depth + 1),
                Value::Scalar(value) => self.scalar(&value),
            }
        }
        self.raw("]");
    }

    fn scalar(&mut self, value: &ScalarValue) {
        match value {
            ScalarValue::Null => self.raw("null"),
            ScalarValue::Boolean(true) => self.raw("true"),
            ScalarValue::Boolean(false) => self.raw("false"),
            ScalarValue::Str(text) => self.string(text),
            ScalarValue::Int(n) => self.raw(&n.to_string()),
            ScalarValue::Uint(n) => self.raw(&n.to_string()),
            ScalarValue::F64(n) => self.tagged("f64", &format!("{:016x}", n.to_bits())),
            ScalarValue::Counter(n) => self.tagged("counter", &i64::from(n).to_string()),
            ScalarValue::Timestamp(n) => self.tagged("timestamp", &n.to_string()),
            ScalarValue::Bytes(bytes) => self.tagged("bytes", &hex::encode(bytes)),
            ScalarValue::Unknown { type_code, bytes } => {
                self.tagged(&format!("type-{type_code}"), &hex::encode(bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use automerge::transaction::Transactable;
    use automerge::{ActorId, Automerge};

    use super::*;

    fn canonical(doc: &Automerge) -> String {
        let mut writer =
            Writer { view: View::now(doc), sink: Sink::Text(String::new()), any_generation: false };
        writer.object(&ROOT, ObjType::Map, 0);
        let Sink::Text(text) = writer.sink else { panic!() };
        assert_eq!(content_hash(doc, None), bytes(digest(&SHA256, text.as_bytes()).as_ref()));
        text
    }

    #[test]
    fn the_canonical_form_is_the_documented_one() {
        let mut doc = Automerge::new().with_actor(ActorId::from([1; 16]));
        let mut tx = doc.transaction();
        tx.put(ROOT, "b", "é\"\n").unwrap();
        tx.put(ROOT, "a", -5).unwrap();
        tx.put(ROOT, "c", 1.5).unwrap();
        tx.put(ROOT, "d", ScalarValue::counter(3)).unwrap();
        tx.increment(ROOT, "d", 2).unwrap();
        tx.put(ROOT, "e", ScalarValue::Bytes(vec![1, 255])).unwrap();
        tx.put(ROOT, "f", ScalarValue::Null).unwrap();
        tx.put(ROOT, "g", ScalarValue::Timestamp(7)).unwrap();
        let list = tx.put_object(ROOT, "l", ObjType::List).unwrap();
        tx.insert(&list, 0, true).unwrap();
        let text = tx.put_object(ROOT, "t", ObjType::Text).unwrap();
        tx.splice_text(&text, 0, 0, "hi").unwrap();
        tx.put_object(ROOT, "z", ObjType::Map).unwrap();
        tx.commit();
        let mut other = doc.fork().with_actor(ActorId::from([2; 16]));
        for (doc, value) in [(&mut doc, 1), (&mut other, 2)] {
            let mut tx = doc.transaction();
            tx.put(ROOT, "a", value).unwrap();
            tx.commit();
        }
        doc.merge(&mut other).unwrap();
        assert_eq!(
            canonical(&doc),
            concat!(
                r##"{"a":[1,2],"b":["é\"\n"],"c":[{"#f64":"3ff8000000000000"}],"##,
                r##""d":[{"#counter":"5"}],"e":[{"#bytes":"01ff"}],"f":[null],"##,
                r##""g":[{"#timestamp":"7"}],"l":[[[true]]],"t":[{"#text":["hi"]}],"z":[{}]}"##
            )
        );
    }

    #[test]
    fn a_new_document_has_the_golden_hash() {
        let doc = super::super::new_document();
        assert_eq!(
            canonical(&doc),
            concat!(
                r##"{"addresses":[{}],"consents":[{}],"custom":[{}],"deals":[{}],"emails":[{}],"##,
                r##""external_ids":[{}],"interactions":[{}],"messengers":[{}],"note":[{"#text":[""]}],"##,
                r##""phones":[{}],"purchases":[{}],"tags":[{}],"tasks":[{}]}"##
            )
        );
    }

    #[test]
    fn the_state_hash_does_not_depend_on_the_order_and_is_golden() {
        let items = [[1; 16], [2; 16]].map(|id| (ContactId::from_bytes(id), [id[0]; 32]));
        let forward = state_hash(items.into_iter());
        assert_eq!(forward, state_hash(items.into_iter().rev()));
        assert_ne!(forward, state_hash(items[..1].iter().copied()));
        assert_eq!(
            state_hash(std::iter::empty()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
