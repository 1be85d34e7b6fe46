use crate::projection::{VERSION, display_name, latest_touched, project};

use super::*;

#[test]
fn the_row_holds_what_lists_need() {
    use Collection::{Deals, Purchases};

    let mut rep = Replica::new(1);
    let interaction = |n, kind: &str, at: i64| {
        put(Collection::Interactions, entry_id(n), &[("kind", kind.into()), ("at", at.into())])
    };
    let money = |collection, n, amount: i64, currency: &str, more: (&str, Value)| {
        let mut fields = vec![("amount", amount.into()), ("currency", currency.into()), more];
        if collection == Deals {
            fields.push(("title", "deal".into()));
        }
        put(collection, entry_id(n), &fields)
    };
    let task = |n, due: Option<&str>, done: bool| {
        let mut fields = vec![("text", "call".into()), ("done", done.into())];
        fields.extend(due.map(|due| ("due", due.into())));
        put(Collection::Tasks, entry_id(n), &fields)
    };
    let city = |n, city: &str| put(Collection::Addresses, entry_id(n), &[("city", city.into())]);
    rep.edit(&[
        set("given_name", "Maria"),
        set("status", "customer"),
        Command::Custom { name: "c".into(), value: Some(1.into()) },
        Command::ExternalId { system: "erp".into(), id: Some("ALFKI".into()) },
        Command::Tag { tag: "b".into(), at: 1 },
        Command::Tag { tag: "a".into(), at: 1 },
        Command::EditNote { splices: note_splices(&rep.doc, "likes tea") },
        phone(1, "12"),
        phone(2, "34"),
        city(3, "Berlin"),
        city(4, "Bonn"),
        interaction(10, "visit", 100),
        interaction(11, "visit", 300),
        interaction(12, "note", 900),
        interaction(13, "call", 200),
        interaction(14, "call", 800),
        money(Deals, 20, 500, "EUR", ("stage", "offer".into())),
        money(Deals, 21, 700, "EUR", ("stage", "lead".into())),
        money(Deals, 22, 900, "EUR", ("stage", "won".into())),
        money(Deals, 23, 100, "USD", ("stage", "offer".into())),
        money(Purchases, 30, 40, "USD", ("date", "2024-05-01".into())),
        money(Purchases, 31, 60, "USD", ("date", "2023-05-01".into())),
        task(40, Some("2024-03-01"), true),
        task(41, Some("2024-05-01"), false),
        task(42, Some("2024-04-01"), false),
        task(43, None, false),
    ]);
    for (collection, n) in [(Collection::Interactions, 14), (Collection::Phones, 2)] {
        rep.edit(&[Command::Remove { collection, id: entry_id(n) }]);
    }
    let row = project(ID, &rep.doc);
    assert_eq!((row.id, row.version), (ID, VERSION));
    assert_eq!(row.display_name, "Maria");
    assert_eq!(row.fields["status"], "customer".into());
    assert_eq!((&row.custom["c"], row.external_ids["erp"].as_str()), (&1.into(), "ALFKI"));
    assert_eq!(
        (row.tags.as_slice(), row.note.as_str()),
        (["a".to_owned(), "b".to_owned()].as_slice(), "likes tea")
    );
    assert_eq!(
        (row.phones.as_slice(), row.city.as_str()),
        (["12".to_owned()].as_slice(), "Berlin")
    );
    assert_eq!(row.last_contact_at, Some(300));
    assert_eq!(
        row.interactions,
        [("call".into(), 1), ("note".into(), 1), ("visit".into(), 2)].into()
    );
    assert_eq!((row.open_tasks, row.next_due.as_deref()), (3, Some("2024-04-01")));
    assert_eq!(row.stages, ["lead", "offer", "won"]);
    assert_eq!(row.open_amount, [("EUR".into(), 1200), ("USD".into(), 100)].into());
    assert_eq!((row.purchases, row.last_purchase.as_deref()), (2, Some("2024-05-01")));
    assert_eq!(row.revenue, [("USD".into(), 100)].into());
    assert_eq!((row.conflicts, row.touched_at), (0, rep.clock));
    assert_eq!(row.display_name, rep.read().display_name);
}

#[test]
fn touched_is_the_latest_claim_among_the_heads() {
    let mut a = Replica::new(1);
    assert_eq!(latest_touched(&a.doc), 0);
    a.set("company", "A");
    let mut b = a.fork(2);
    b.clock += 50_000;
    b.set("website", "b");
    a.set("company", "B");
    a.sync(&mut b);
    assert_eq!(latest_touched(&a.doc), b.clock);
}

#[test]
fn a_contact_is_called_by_what_is_known_of_it() {
    let call = |fields: &[(&str, &str)], reach: &[&str]| {
        let fields = fields.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        display_name(&fields, reach.iter())
    };
    let both = [("given_name", "Maria"), ("family_name", "Anders"), ("company", "Alfreds")];
    assert_eq!(call(&both, &["12"]), "Maria Anders");
    assert_eq!(call(&[both.as_slice(), &[("kind", "company")]].concat(), &[]), "Alfreds");
    assert_eq!(call(&both[2..], &[]), "Alfreds");
    assert_eq!(call(&both[1..2], &[]), "Anders");
    assert_eq!(call(&[], &["", "12"]), "12");
    assert_eq!(call(&[], &[]), "(no name)");
}
