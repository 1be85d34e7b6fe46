//! What one contact costs: `cargo run --release -p roadbook-protocol --example document_bench`.
//!
//! The contact is the one of the performance targets: 10 interactions, 2 phones, 2 emails, a deal, a
//! task and a note, about 3 kB of JSON, made by a few people in some twenty edits.

use std::time::{Duration, Instant};

use automerge::{Automerge, ReadDoc};
use roadbook_protocol::document::{
    Applied, Author, Collection, Command, EditOptions, Value, apply, authorship, conflicts,
    content_hash, history, new_document, note_splices, read,
};
use roadbook_protocol::ids::{Actor, ContactId, EntryId, UserId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::projection::project;

fn put(collection: Collection, n: u8, fields: &[(&str, Value)]) -> Command {
    let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), Some(v.clone()))).collect();
    Command::Put { collection, id: EntryId::from_time(u64::from(n), [n; 10]), fields }
}

fn set(field: &str, value: &str) -> Command {
    Command::Set { field: field.to_owned(), value: Some(value.into()) }
}

fn edit(doc: &mut Automerge, n: u8, commands: &[Command]) -> usize {
    let author = Author { by: UserId::from_random([n; 16]), at: 1_700_000_000_000 + i64::from(n) };
    let actor = Actor::from_random([n; 16]);
    match apply(doc, actor, commands, &author, &EditOptions::default(), &Limits::DEFAULT) {
        Ok(Applied::Change { bytes, .. }) => bytes.len(),
        other => panic!("{other:?}"),
    }
}

fn contact() -> Automerge {
    let mut doc = new_document();
    let first = [
        set("given_name", "Maria"),
        set("family_name", "Anders"),
        set("company", "Alfreds Futterkiste"),
        set("job_title", "Sales Representative"),
        set("industry", "Food"),
        set("status", "customer"),
        set("category", "key account"),
        set("source", "trade fair"),
        set("website", "https://alfreds.example"),
        set("language", "de"),
        set("birthday", "1971-03-04"),
        put(Collection::Phones, 1, &[("number", "030-0074321".into()), ("label", "work".into())]),
        put(Collection::Phones, 2, &[("number", "0171-123456".into()), ("label", "mobile".into())]),
        put(Collection::Emails, 3, &[("address", "maria@alfreds.example".into())]),
        put(Collection::Emails, 4, &[("address", "anders@home.example".into())]),
        put(
            Collection::Addresses,
            5,
            &[
                ("street", "Obere Str. 57".into()),
                ("city", "Berlin".into()),
                ("postal_code", "12209".into()),
                ("country", "Germany".into()),
            ],
        ),
        Command::Tag { tag: "vip".to_owned(), at: 1 },
        Command::Tag { tag: "food".to_owned(), at: 1 },
    ];
    edit(&mut doc, 1, &first);
    for n in 0..10 {
        let fields = [
            ("kind", "visit".into()),
            ("at", (1_690_000_000_000 + i64::from(n) * 1_000_000).into()),
            ("summary", format!("Visit {n}: showed the new season, tasted the tea").into()),
            ("outcome", "wants an offer".into()),
        ];
        edit(&mut doc, n % 3 + 1, &[put(Collection::Interactions, 10 + n, &fields)]);
    }
    let deal = [
        ("title", "Spring order".into()),
        ("amount", 120_000.into()),
        ("currency", "EUR".into()),
        ("stage", "offer".into()),
    ];
    edit(&mut doc, 2, &[put(Collection::Deals, 30, &deal)]);
    let task = [("text", "Send the price list".into()), ("due", "2024-05-01".into())];
    edit(&mut doc, 3, &[put(Collection::Tasks, 31, &task)]);
    let note = "Likes tea, has two dogs. Closed on Mondays. Ask about the new shop in Potsdam.";
    let splices = note_splices(&doc, note);
    edit(&mut doc, 1, &[Command::EditNote { splices }]);
    for n in 0..5 {
        edit(&mut doc, n % 3 + 1, &[set("job_title", &format!("Buyer {n}"))]);
    }
    doc
}

fn time(what: &str, rounds: u32, mut work: impl FnMut()) {
    work();
    let mut samples: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    samples.sort();
    let at = |share: f64| samples[(samples.len() as f64 * share) as usize];
    println!("{what:<34} median {:>9.1?}  p99 {:>9.1?}", at(0.5), at(0.99));
}

fn main() {
    let id = ContactId::from_bytes([0; 16]);
    let doc = contact();
    let stats = doc.stats();
    let saved = doc.save_nocompress();
    println!(
        "{} operations, {} changes, {} bytes saved ({} compressed), {} bytes of JSON",
        stats.num_ops,
        stats.num_changes,
        saved.len(),
        doc.save().len(),
        serde_json::to_string(&read(id, &doc)).map(|json| json.len()).unwrap_or(0),
    );
    time("load", 500, || drop(Automerge::load(&saved)));
    time("clone", 500, || drop(doc.clone()));
    time("save_nocompress", 500, || drop(doc.save_nocompress()));
    time("project", 1000, || drop(project(id, &doc)));
    time("conflicts (none)", 1000, || drop(conflicts(id, &doc)));
    time("read", 1000, || drop(read(id, &doc)));
    time("content_hash", 500, || {
        content_hash(&doc, None);
    });
    time("authorship", 500, || drop(authorship(&doc)));
    time("history (10)", 200, || drop(history(id, &doc, 10)));
    time("note_splices", 500, || drop(note_splices(&doc, "Likes green tea, has two dogs.")));
    let mut n = 0;
    let mut warm = doc.clone();
    time("apply one field, warm", 100, || {
        n += 1;
        edit(&mut warm, 1, &[set("job_title", &format!("Head {n}"))]);
    });
    time("load + apply + project, cold", 200, || {
        n += 1;
        if let Ok(mut cold) = Automerge::load(&saved) {
            edit(&mut cold, 1, &[set("job_title", &format!("Head {n}"))]);
            project(id, &cold);
        }
    });
    let mut other = doc.fork();
    let mut both = doc.clone();
    for field in ["company", "industry", "source", "category", "website"] {
        edit(&mut other, 8, &[set(field, "x")]);
        edit(&mut both, 9, &[set(field, "y")]);
    }
    if both.merge(&mut other).is_ok() {
        time("conflicts (5)", 500, || drop(conflicts(id, &both)));
        time("project (5 conflicts)", 500, || drop(project(id, &both)));
    }
    let mut busy = doc.clone();
    for n in 0..3000 {
        edit(&mut busy, (n % 3) as u8 + 1, &[set("job_title", &format!("Head {n}"))]);
    }
    println!("after 3,000 more edits:");
    time("project", 200, || drop(project(id, &busy)));
    time("history (10)", 50, || drop(history(id, &busy, 10)));
    time("authorship", 50, || drop(authorship(&busy)));
    time("apply one field", 50, || {
        n += 1;
        edit(&mut busy, 1, &[set("job_title", &format!("Boss {n}"))]);
    });
}
