//! Any interleaving, duplication and reordering of changes gives the same contact everywhere (P3).

use automerge::Change;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// A replica makes an edit.
    Edit(usize, Vec<Act>),
    /// A replica gets some of the changes that exist, in any order, some of them twice.
    Deliver(usize, Vec<usize>),
}

#[derive(Debug, Clone)]
enum Act {
    Set(u8, Option<u8>),
    Put(u8, u8, Option<u8>),
    Remove(u8),
    Restore(u8),
    Tag(u8),
    Untag(u8),
    Custom(u8, Option<u8>),
    Note(String),
    ResolveFirst,
    UndoLast,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..3u8, proptest::option::of(0..3u8)).prop_map(|(f, v)| Act::Set(f, v)),
        3 => (0..3u8, 0..2u8, proptest::option::of(0..3u8)).prop_map(|(e, f, v)| Act::Put(e, f, v)),
        2 => (0..3u8).prop_map(Act::Remove),
        1 => (0..3u8).prop_map(Act::Restore),
        1 => (0..2u8).prop_map(Act::Tag),
        1 => (0..2u8).prop_map(Act::Untag),
        1 => (0..2u8, proptest::option::of(0..3u8)).prop_map(|(n, v)| Act::Custom(n, v)),
        2 => "[ab ]{0,12}".prop_map(Act::Note),
        1 => Just(Act::ResolveFirst),
        1 => Just(Act::UndoLast),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..5usize, proptest::collection::vec(act(), 1..4)).prop_map(|(r, a)| Step::Edit(r, a)),
        1 => (0..5usize, proptest::collection::vec(0..64usize, 0..24))
            .prop_map(|(r, c)| Step::Deliver(r, c)),
    ]
}

fn commands(rep: &Replica, acts: &[Act]) -> Vec<Command> {
    let text = |value: &Option<u8>| value.map(|value| Value::Text(format!("v{value}")));
    let fields = ["company", "job_title", "website"];
    let collection = Collection::Phones;
    let mut commands = Vec::new();
    for act in acts {
        commands.push(match act {
            Act::Set(field, value) => {
                Command::Set { field: fields[usize::from(*field)].into(), value: text(value) }
            }
            Act::Put(id, field, value) => Command::Put {
                collection,
                id: entry_id(*id),
                fields: match field {
                    0 => [("number".into(), Some(format!("1{value:?}").into()))].into(),
                    _ => {
                        [("number".into(), Some("1".into())), ("label".into(), text(value))].into()
                    }
                },
            },
            Act::Remove(id) => Command::Remove { collection, id: entry_id(*id) },
            Act::Restore(id) => Command::Restore { collection, id: entry_id(*id) },
            Act::Tag(tag) => Command::Tag { tag: format!("t{tag}"), at: rep.clock },
            Act::Untag(tag) => Command::Untag { tag: format!("t{tag}") },
            Act::Custom(name, value) => {
                Command::Custom { name: format!("c{name}"), value: text(value) }
            }
            Act::Note(text) => Command::EditNote { splices: note_splices(&rep.doc, text) },
            Act::ResolveFirst => match conflicts(ID, &rep.doc).pop() {
                Some(conflict) => Command::Resolve {
                    field: conflict.field,
                    value: conflict.values[0].value.clone(),
                },
                None => continue,
            },
            Act::UndoLast => {
                match rep.doc.get_heads().last().map(|hash| inverse(&rep.doc, *hash)) {
                    Some(Ok(undo)) => {
                        commands.extend(undo);
                        continue;
                    }
                    _ => continue,
                }
            }
        });
    }
    commands
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn every_replica_ends_with_the_same_contact(
        count in 2..=5usize,
        steps in proptest::collection::vec(step(), 1..40),
        order in any::<u64>(),
    ) {
        let mut replicas: Vec<Replica> = (0..count).map(|n| Replica::new(n as u8 + 1)).collect();
        let mut all: Vec<Change> = Vec::new();
        for step in &steps {
            match step {
                Step::Edit(replica, acts) => {
                    let rep = &mut replicas[replica % count];
                    // One command may make another of the group impossible; then they go alone.
                    let commands = commands(rep, acts);
                    let before = rep.doc.get_heads();
                    if rep.try_edit(&commands).is_err() {
                        prop_assert_eq!(&before, &rep.doc.get_heads());
                        for command in &commands {
                            let _ = rep.try_edit(std::slice::from_ref(command));
                        }
                    }
                    for change in rep.doc.get_changes(&before) {
                        if change.actor_id() == &automerge::ActorId::from(rep.actor) {
                            all.push(change);
                        }
                    }
                }
                Step::Deliver(replica, picks) => {
                    if all.is_empty() {
                        continue;
                    }
                    let rep = &mut replicas[replica % count];
                    let picked: Vec<Change> =
                        picks.iter().map(|pick| all[pick % all.len()].clone()).collect();
                    rep.doc.apply_changes(picked).unwrap();
                }
            }
        }
        // All changes reach all replicas, each in another order and one of them twice.
        let mut seed = order | 1;
        replicas.push(Replica::new(99));
        for rep in &mut replicas {
            let mut changes = all.clone();
            for index in (1..changes.len()).rev() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                changes.swap(index, (seed >> 33) as usize % (index + 1));
            }
            changes.extend(changes.first().cloned());
            for chunk in changes.chunks(3) {
                rep.doc.apply_changes(chunk.to_vec()).unwrap();
            }
        }
        let first = &replicas[0].doc;
        prop_assert_eq!(first.stats().num_changes as usize, all.len() + 1);
        for rep in &replicas[1..] {
            assert_same(first, &rep.doc);
            prop_assert_eq!(history(ID, first, 100), history(ID, &rep.doc, 100));
            prop_assert_eq!(rep.conflicts().len(), conflicts(ID, first).len());
        }
        // And a reload of it is the same contact; so is the past by its heads.
        let loaded = Automerge::load(&first.save()).unwrap();
        assert_same(first, &loaded);
        let heads = first.get_heads();
        prop_assert_eq!(content_hash(first, Some(&heads)), content_hash(first, None));
        prop_assert_eq!(read_at(ID, first, &heads), read(ID, first));
        if let Some(change) = all.get(order as usize % all.len().max(1)) {
            let heads = [change.hash()];
            let past = first.fork_at(&heads).unwrap();
            prop_assert_eq!(content_hash(first, Some(&heads)), content_hash(&past, None));
            prop_assert_eq!(read_at(ID, first, &heads), read(ID, &past));
        }
    }
}
