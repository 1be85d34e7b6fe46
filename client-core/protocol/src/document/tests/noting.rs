use proptest::prelude::*;

use super::*;

fn texts(splices: &[Splice]) -> Vec<(String, String)> {
    splices.iter().map(|splice| (splice.deleted.clone(), splice.insert.clone())).collect()
}

#[test]
fn two_separate_edits_are_two_splices_with_words_and_cursors() {
    let mut rep = Replica::new(1);
    rep.note("likes tea, has two dogs");
    let splices = note_splices(&rep.doc, "likes green tea, has three dogs!");
    assert_eq!(
        texts(&splices),
        [
            (String::new(), "green ".to_owned()),
            ("wo".to_owned(), "hree".to_owned()),
            (String::new(), "!".to_owned())
        ]
    );
    assert!(splices.iter().all(|splice| splice.cursor.is_some()));
    assert_eq!(
        (splices[0].before.as_str(), splices[0].after.as_str()),
        ("likes ", "tea, has two dogs")
    );
    rep.edit(&[Command::EditNote { splices }]);
    assert_eq!(rep.read().note, "likes green tea, has three dogs!");
    assert!(note_splices(&rep.doc, &rep.read().note).is_empty());
}

#[test]
fn concurrent_edits_of_the_note_are_merged_and_no_conflict() {
    let mut a = Replica::new(1);
    a.note("likes tea and dogs");
    let mut b = a.fork(2);
    a.note("likes green tea and dogs");
    b.note("likes tea and two dogs");
    a.sync(&mut b);
    assert_eq!(a.read().note, "likes green tea and two dogs");
    assert!(a.conflicts().is_empty());
}

#[test]
fn a_long_text_is_cut_into_changes_that_fit() {
    let mut rep = Replica::new(1);
    rep.note("Ende");
    let long: String = (0..900).map(|n| format!("Wort{n} ")).collect();
    let text = format!("{long}Ende");
    let commands = vec![
        set("company", "A"),
        Command::EditNote { splices: note_splices(&rep.doc, &text) },
        set("website", "a"),
    ];
    let parts = in_parts(commands, &Limits::DEFAULT);
    assert!(parts.len() > 3);
    for part in &parts {
        rep.edit(part);
    }
    assert_eq!(rep.read().note, text);
    assert_eq!(rep.read().text("website"), "a");
    // And away again.
    let away = vec![Command::EditNote { splices: note_splices(&rep.doc, "neu") }];
    for part in in_parts(away, &Limits::DEFAULT) {
        rep.edit(&part);
    }
    assert_eq!(rep.read().note, "neu");
    assert_eq!(in_parts(vec![set("company", "A")], &Limits::DEFAULT).len(), 1);
    assert!(in_parts(Vec::new(), &Limits::DEFAULT).is_empty());
}

#[test]
fn a_splice_made_on_another_text_is_refused() {
    let mut rep = Replica::new(1);
    rep.note("one two");
    let splices = note_splices(&rep.doc, "one three");
    rep.note("zero one two");
    let error = rep.try_edit(&[Command::EditNote { splices }]).unwrap_err().to_string();
    assert!(error.contains("read the note again"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn splices_always_lead_to_the_wanted_text(
        first in "[ab ,\n日🙂]{0,40}", second in "[ab ,\n日🙂]{0,40}",
    ) {
        let mut rep = Replica::new(1);
        for text in [&first, &second] {
            let splices = note_splices(&rep.doc, text);
            rep.try_edit(&[Command::EditNote { splices }]).unwrap();
            prop_assert_eq!(&rep.read().note, text);
        }
    }
}
