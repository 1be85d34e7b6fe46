//! Rule 12: the commands of a fork, a copy or a refused change are replayed on the server's document.

use super::*;

fn replayed(server: &mut Replica, commands: &[Command]) -> (Applied, Vec<NotReplayed>) {
    let author = server.author();
    let options = EditOptions::default();
    let limits = Limits::DEFAULT;
    replay(&mut server.doc, Actor::from_random([77; 16]), commands, &author, &options, &limits)
        .unwrap()
}

fn note_command(rep: &Replica, text: &str) -> Command {
    Command::EditNote { splices: note_splices(&rep.doc, text) }
}

#[test]
fn entries_and_fields_are_replayed_once_however_often_it_is_tried() {
    let mut device = Replica::new(1);
    let mut server = device.fork(9);
    let commands = vec![
        set("company", "A"),
        phone(1, "12"),
        put(Collection::Interactions, entry_id(2), &[("kind", "visit".into()), ("at", 5.into())]),
        Command::Tag { tag: "vip".into(), at: 5 },
        Command::Remove { collection: Collection::Phones, id: entry_id(1) },
    ];
    device.edit(&commands);
    let (applied, listed) = replayed(&mut server, &commands);
    assert!(matches!(applied, Applied::Change { .. }) && listed.is_empty());
    assert_eq!(server.read(), device.read());
    let (again, listed) = replayed(&mut server, &commands);
    assert_eq!((again, listed), (Applied::Unchanged, vec![]));
    // Where the original arrives after all, there is one interaction and not two.
    server.merge(&mut device);
    assert_eq!(server.read().interactions.len(), 1);
}

#[test]
fn a_splice_follows_its_cursor_through_other_peoples_edits() {
    let mut device = Replica::new(1);
    device.note("tea. tea. tea.");
    let mut server = device.fork(9);
    let command = note_command(&device, "tea. green tea. tea.");
    server.note("First of all: tea. tea. tea.");
    let (_, listed) = replayed(&mut server, &[command]);
    assert!(listed.is_empty());
    assert_eq!(server.read().note, "First of all: tea. green tea. tea.");
}

#[test]
fn a_splice_without_its_cursor_is_found_by_its_words() {
    let mut device = Replica::new(1);
    device.note("likes tea and has two dogs");
    let commands = [
        note_command(&device, "likes tea and has three dogs"),
        note_command(&device, "likes green tea and has two dogs"),
    ];
    // Another document with the same words: none of the cursors is known there.
    let mut server = Replica::new(9);
    server.note("Met at the fair. likes tea and has two dogs, a boat");
    let (_, listed) = replayed(&mut server, &commands);
    assert!(listed.is_empty(), "{listed:?}");
    let note = server.read().note;
    assert_eq!(note, "Met at the fair. likes green tea and has three dogs, a boat");
}

#[test]
fn where_neither_is_found_the_text_is_appended_and_listed() {
    let mut device = Replica::new(1);
    device.note("likes tea and has two dogs");
    let command = note_command(&device, "likes tea and has two lovely dogs");
    let mut server = Replica::new(9);
    server.note("Completely rewritten.");
    let (applied, listed) = replayed(&mut server, std::slice::from_ref(&command));
    assert!(matches!(applied, Applied::Change { .. }));
    assert_eq!(server.read().note, "Completely rewritten.\nlovely ");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].command, command);
    assert!(listed[0].reason.contains("appended"), "{}", listed[0].reason);
}

#[test]
fn text_to_delete_that_was_changed_is_kept_and_listed() {
    let mut device = Replica::new(1);
    device.note("The boat is green. He sails on Sundays.");
    let mut server = device.fork(9);
    let command = note_command(&device, "The boat is green. He walks on Sundays.");
    server.note("The boat is green. She swims on Mondays.");
    let (_, listed) = replayed(&mut server, &[command]);
    assert_eq!(listed.len(), 1);
    assert!(listed[0].reason.contains("changed by someone else"), "{}", listed[0].reason);
    let note = server.read().note;
    assert!(note.contains("swims") && note.contains("walk"), "{note}");
}

#[test]
fn a_note_that_was_empty_takes_its_text_without_ado() {
    let device = Replica::new(1);
    let command = note_command(&device, "likes tea");
    let mut server = Replica::new(9);
    assert_eq!(replayed(&mut server, &[command]).1, []);
    assert_eq!(server.read().note, "likes tea");
}

#[test]
fn what_cannot_be_replayed_is_listed_and_the_rest_goes_on() {
    let mut server = Replica::new(9);
    let commands = [
        set("no_such_field", "x"),
        Command::Remove { collection: Collection::Tasks, id: entry_id(1) },
        put(Collection::Tasks, entry_id(1), &[("done", true.into())]),
        set("company", "A"),
    ];
    let (applied, listed) = replayed(&mut server, &commands);
    assert!(matches!(applied, Applied::Change { .. }));
    assert_eq!(server.read().text("company"), "A");
    let refused: Vec<_> = listed.iter().map(|item| item.command.clone()).collect();
    assert_eq!(refused, commands[..3]);
    assert!(server.read().tasks.is_empty());
}

#[test]
fn hostile_cursors_are_not_found_and_nothing_panics() {
    let mut server = Replica::new(9);
    server.note("text");
    for cursor in [
        "",
        "-",
        "é",
        "-é",
        "@",
        "9@",
        "99999999999@00",
        "1@zz",
        "s",
        "e",
        "4294967296@aa",
        "1@0",
        "-1@00",
    ] {
        let splice = Splice {
            at: usize::MAX,
            delete: 0,
            insert: "x".into(),
            before: "unknown".into(),
            after: String::new(),
            deleted: String::new(),
            cursor: Some(cursor.into()),
        };
        let (_, listed) = replayed(&mut server, &[Command::EditNote { splices: vec![splice] }]);
        assert_eq!(listed.len(), 1, "{cursor}");
    }
}

#[test]
fn the_replaced_changes_are_named_in_the_message() {
    let mut device = Replica::new(1);
    let hash = device.set("company", "A");
    let mut server = Replica::new(9);
    let author = server.author();
    let options = EditOptions { label: Some("replay".into()), replaces: vec![hash] };
    let commands = [set("company", "A")];
    replay(&mut server.doc, server.actor, &commands, &author, &options, &Limits::DEFAULT).unwrap();
    let message = change_message(&server.doc.get_last_local_change().unwrap()).unwrap();
    assert_eq!((message.command.as_str(), message.replaces), ("replay", vec![hash]));
}
