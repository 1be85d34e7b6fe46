//! Documents with a history, and honest changes of them to be altered.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ROOT, ReadDoc, ScalarValue};
use fastrand::Rng;
use roadbook_protocol::document::{Collection, Command, Splice, Value, read};
use roadbook_protocol::ids::{Actor, ContactId, EntryId, UserId};
use roadbook_protocol::message::ChangeMessage;

use crate::generate::{Generator, put};
use crate::hostile::{title, try_honest};

/// One honest edit: of any field, entry, tag, text, counter, or of something that only a later
/// version knows. `None` where it happens to change nothing.
pub fn edit(
    doc: &mut Automerge,
    actor: Actor,
    by: UserId,
    rng: &mut Rng,
    generator: &mut Generator,
) -> Option<Vec<u8>> {
    let id = EntryId::from_bytes([rng.u8(0..5); 16]);
    let commands = match rng.u8(0..12) {
        0 => vec![title(format!("title {}", rng.u64(..)))],
        1 => vec![generator.interaction()],
        2 => generator.contact().commands.into_iter().take(rng.usize(2..14)).collect(),
        3 => {
            let number = format!("+45 {}", rng.u32(..));
            let fields = [("number", number.as_str().into()), ("label", "work".into())];
            vec![put(Collection::Phones, id, fields)]
        }
        4 => vec![Command::Remove { collection: Collection::Phones, id }],
        5 => vec![Command::Restore { collection: Collection::Phones, id }],
        6 => vec![Command::Tag { tag: format!("tag {}", rng.u8(0..4)), at: rng.i64(0..1 << 40) }],
        7 => vec![Command::Untag { tag: format!("tag {}", rng.u8(0..4)) }],
        8 => vec![Command::Custom { name: "colour".into(), value: Some(Value::Number(rng.f64())) }],
        9 | 10 => vec![note(doc, rng)],
        _ => return tomorrow(doc, actor, by, rng),
    };
    try_honest(doc, actor, by, &commands)
}

fn note(doc: &Automerge, rng: &mut Rng) -> Command {
    let note = read(ContactId::from_bytes([1; 16]), doc).note;
    let length = note.chars().count();
    let at = rng.usize(0..=length);
    let delete = rng.usize(0..4).min(length - at);
    let splice = Splice {
        at,
        delete,
        insert: format!("漢字 {} ", rng.u16(..)),
        before: String::new(),
        after: String::new(),
        deleted: note.chars().skip(at).take(delete).collect(),
        cursor: None,
    };
    Command::EditNote { splices: vec![splice] }
}

/// What an app of a later version writes: fields that nobody knows here, a counter among them.
fn tomorrow(doc: &mut Automerge, actor: Actor, by: UserId, rng: &mut Rng) -> Option<Vec<u8>> {
    let message = ChangeMessage {
        by,
        at: 1_780_000_000_000,
        command: "set".to_owned(),
        replaces: Vec::new(),
        decision: None,
        generation: None,
    };
    doc.set_actor(ActorId::from(actor));
    let mut tx = doc.transaction();
    let counts = tx.get(ROOT, "visits_of_tomorrow").ok()?.is_some();
    if counts {
        tx.increment(ROOT, "visits_of_tomorrow", rng.i64(1..4)).ok()?;
    } else {
        tx.put(ROOT, "visits_of_tomorrow", ScalarValue::counter(3)).ok()?;
    }
    tx.put(ROOT, "field_of_tomorrow", rng.f64()).ok()?;
    let options = CommitOptions::default().with_message(message.to_text()).with_time(0);
    let hash = tx.commit_with(options).0?;
    Some(doc.get_change_by_hash(&hash)?.raw_bytes().to_vec())
}

/// Gives a document a history: two branches that know nothing of each other, joined. The changes, in
/// causal order.
pub fn age(
    doc: &mut Automerge,
    actors: [Actor; 2],
    by: UserId,
    rng: &mut Rng,
    generator: &mut Generator,
) -> Vec<Vec<u8>> {
    let mut branch = doc.fork();
    let mut changes = Vec::new();
    for _ in 0..rng.usize(3..10) {
        changes.extend(edit(doc, actors[0], by, rng, generator));
    }
    for _ in 0..rng.usize(3..10) {
        changes.extend(edit(&mut branch, actors[1], by, rng, generator));
    }
    doc.merge(&mut branch).expect("branches of one document");
    let joined = title(format!("joined {}", rng.u64(..)));
    changes.extend(try_honest(doc, actors[0], by, &[joined]));
    changes
}
