//! The main job, end to end, with the shipped programs: import, assign, enrol, edit with no network,
//! sync, and everything is merged everywhere, with each conflict shown and no edit missing.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use roadbook_tests::http::Http;
use roadbook_tests::process::Rep;
use roadbook_tests::scene::Scene;
use serde_json::Value;

/// One edit that was made, and how to recognise it in a contact.
struct Did {
    contact: String,
    what: String,
    holds: Holds,
}

/// Whether a contact has the edit.
type Holds = Box<dyn Fn(&Value) -> bool>;

fn texts<'c>(contact: &'c Value, list: &str, field: &str) -> Vec<&'c str> {
    contact[list]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry[field].as_str())
        .collect()
}

/// Edits a contact in one of the ways that reps have; `mark` occurs nowhere else.
fn edit(rep: &Rep, contact: &str, n: usize, mark: &str) -> Did {
    let mark = mark.to_owned();
    let entry = |list: &'static str, field: &'static str| -> Holds {
        let mark = mark.clone();
        Box::new(move |contact| {
            texts(contact, list, field).iter().filter(|text| text.contains(&mark)).count() == 1
        })
    };
    let phone = format!("+49 30 {:07}", 1_000_000 + n);
    let (args, holds): (Vec<&str>, Holds) = match n % 9 {
        0 => (
            vec!["visit", contact, "--summary", &mark, "--nps", "9"],
            entry("interactions", "summary"),
        ),
        1 => (
            vec!["call", contact, "--summary", &mark, "--outcome", "agreed"],
            entry("interactions", "summary"),
        ),
        2 => (vec!["task", "add", contact, &mark, "--due", "2030-01-31"], entry("tasks", "text")),
        3 => {
            let args = vec![
                "deal",
                "add",
                contact,
                "--title",
                &mark,
                "--amount",
                "1200.50",
                "--currency",
                "EUR",
            ];
            (args, entry("deals", "title"))
        }
        4 => {
            let args = vec![
                "purchase",
                contact,
                "--amount",
                "99.50",
                "--currency",
                "EUR",
                "--product",
                &mark,
            ];
            (args, entry("purchases", "product"))
        }
        5 => {
            let wanted = mark.clone();
            let holds = move |contact: &Value| {
                let tags = contact["tags"].as_array().into_iter().flatten();
                tags.filter(|tag| tag.as_str() == Some(&wanted)).count() == 1
            };
            (vec!["tag", "add", contact, &mark], Box::new(holds))
        }
        6 => {
            let wanted = mark.clone();
            let holds = move |contact: &Value| {
                contact["note"].as_str().is_some_and(|note| note.matches(&wanted).count() == 1)
            };
            (vec!["note", contact, "--append", &mark], Box::new(holds))
        }
        7 => (vec!["phone", "add", contact, &phone, "--label", &mark], entry("phones", "label")),
        _ => {
            let args = vec![
                "consent",
                "give",
                contact,
                "--channel",
                "email",
                "--purpose",
                "offers",
                "--how",
                &mark,
            ];
            (args, entry("consents", "how"))
        }
    };
    rep.run(&args).ok();
    Did { contact: contact.to_owned(), what: format!("{args:?}"), holds }
}

/// Sets a field, and recognises the value.
fn set(rep: &Rep, contact: &str, field: &'static str, value: &str) -> Did {
    rep.run(&["set", contact, &format!("{field}={value}")]).ok();
    let wanted = value.to_owned();
    Did {
        contact: contact.to_owned(),
        what: format!("set {field}={value}"),
        holds: Box::new(move |contact| contact[field] == wanted.as_str()),
    }
}

fn assert_holds(where_: &str, contacts: &BTreeMap<String, Value>, did: &[Did]) {
    let missing: Vec<String> = did
        .iter()
        .filter(|did| !contacts.get(&did.contact).is_some_and(|contact| (did.holds)(contact)))
        .map(|did| format!("{}: {}", did.contact, did.what))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {} edits are missing {where_}: {missing:#?}",
        missing.len(),
        did.len()
    );
}

fn contacts_of(rep: &Rep) -> BTreeMap<String, Value> {
    roadbook_tests::scene::by_id(&rep.json(&["export"]))
}

/// (contact, field) -> values with the names of their authors.
type Sides = BTreeMap<(String, String), BTreeSet<(String, String)>>;

fn sides(conflicts: &[Value]) -> Sides {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all = Sides::new();
    for conflict in conflicts {
        let values = conflict["values"].as_array().unwrap();
        assert!(values.iter().all(|side| side["at"].is_i64()), "each side has a time: {conflict}");
        let values =
            values.iter().map(|side| (text(&side["value"]), text(&side["author"]))).collect();
        let known = all.insert((text(&conflict["contact_id"]), text(&conflict["field"])), values);
        assert!(known.is_none(), "one entry per conflicting field");
    }
    all
}

/// What the manager's pages say about the conflicts of these contacts.
fn shown_at_the_office(office: &mut Http, expected: &Sides) {
    let decide = office.get("/decide").body;
    for ((contact, field), values) in expected {
        let page = office.get(&format!("/contacts/{contact}"));
        assert_eq!(page.status, 200);
        assert!(page.body.contains("id=\"conflicts-title\""), "{contact} shows that {field} waits");
        assert!(decide.contains(contact), "{contact} is on the list of decisions");
        let waiting = page.body.split("id=\"conflicts-title\"").nth(1).unwrap();
        for (value, author) in values {
            assert!(waiting.contains(value), "{contact} shows `{value}`");
            assert!(waiting.contains(author), "{contact} shows the author {author}");
        }
    }
}

/// Two devices edit 30 contacts each with no network, 10 of them the same; 5 of these in the same
/// field. `authors` are the names of the two devices' users.
fn play(scene: &Scene, a: &Rep, b: &Rep, owner: &str, authors: [&str; 2], office: &mut Http) {
    a.sync();
    b.sync();
    let ids = a.ids();
    assert_eq!(ids, b.ids(), "both devices hold the same contacts");
    assert_eq!(a.state_hash(), scene.state_hash(owner), "a first sync brings everything");

    // Offline: nothing below talks to the server before the next sync.
    let (mut did, mut expected) = (Vec::new(), Sides::new());
    for (n, id) in ids.iter().take(20).enumerate() {
        did.push(edit(a, id, n, &format!("only A {n}")));
    }
    for (n, id) in ids.iter().skip(30).take(20).enumerate() {
        did.push(edit(b, id, n, &format!("only B {n}")));
    }
    let fields =
        [("job_title", "Buyer"), ("website", "https://example.com/"), ("industry", "Trade")];
    for (n, id) in ids.iter().skip(20).take(5).enumerate() {
        let field = fields[n % 3].0;
        let values = ["A", "B"].map(|side| format!("{}{side}{n}", fields[n % 3].1));
        set(a, id, field, &values[0]);
        set(b, id, field, &values[1]);
        let [of_a, of_b] = values;
        let both = BTreeSet::from([(of_a, authors[0].to_owned()), (of_b, authors[1].to_owned())]);
        expected.insert((id.clone(), field.to_owned()), both);
        // Beside the conflict each side writes something else.
        did.push(edit(a, id, n, &format!("beside A {n}")));
        did.push(edit(b, id, n + 1, &format!("beside B {n}")));
    }
    for (n, id) in ids.iter().skip(25).take(5).enumerate() {
        did.push(set(a, id, "best_time_to_call", &format!("at {n}")));
        did.push(set(b, id, "source", &format!("fair {n}")));
        did.push(edit(b, id, n, &format!("shared B {n}")));
    }
    assert!(a.receipts().iter().all(|receipt| receipt == "saved"), "nothing was sent yet");
    assert!(a.conflicts().is_empty(), "the other side is not known yet");

    // A first, then B, then A fetches what B sent.
    a.sync();
    b.sync();
    a.sync();
    b.sync();

    let server = scene.state_hash(owner);
    assert_eq!(a.state_hash(), server, "device A agrees with the server");
    assert_eq!(b.state_hash(), server, "device B agrees with the server");
    assert_holds("on device A", &contacts_of(a), &did);
    assert_holds("on device B", &contacts_of(b), &did);
    assert_holds("at the server", &scene.export(), &did);
    assert_eq!(sides(&a.conflicts()), expected, "the conflicts on device A");
    assert_eq!(sides(&b.conflicts()), expected, "the conflicts on device B");
    let listed = scene.admin(&["conflicts", "--json"]).json();
    assert_eq!(
        sides(listed["conflicts"].as_array().unwrap()),
        expected,
        "the conflicts at the server"
    );
    shown_at_the_office(office, &expected);
    for rep in [a, b] {
        let receipts = rep.receipts();
        assert!(receipts.len() >= 30, "{} edits are listed", receipts.len());
        assert!(receipts.iter().all(|receipt| receipt == "merged"), "{receipts:?}");
        assert_eq!(rep.json(&["outbox"])["outbox"], serde_json::json!([]), "nothing is unsent");
    }
    scene.assert_clean();

    // One conflict is decided on a device, and gone everywhere.
    let ((contact, field), values) = expected.pop_first().unwrap();
    a.run(&["conflicts", "resolve", &contact, &field, "--pick", "2"]).ok();
    let decided = a.show(&contact)[&field].as_str().unwrap().to_owned();
    assert!(values.iter().any(|(value, _)| *value == decided), "one of the two: {decided}");
    a.sync();
    b.sync();
    for rep in [a, b] {
        assert_eq!(sides(&rep.conflicts()), expected, "four are left");
        assert_eq!(rep.show(&contact)[&field], decided.as_str());
        assert_eq!(rep.state_hash(), scene.state_hash(owner));
    }
    let page = office.get(&format!("/contacts/{contact}")).body;
    assert!(!page.contains("id=\"conflicts-title\""), "decided at the office too");
    shown_at_the_office(office, &expected);
    scene.assert_clean();
}

/// Contacts and their purchases come in, and go to the rep.
fn prepared(seed: u64) -> (Scene, Http) {
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    let office = Http::signed_in(&scene.url(), &scene.manager("mona"), "a long walk by the sea");
    let imported = scene.import(seed, 60, None);
    assert_eq!(imported.report["refused"]["count"], 0, "{}", imported.report);

    let mut orders = String::from("customer_no,date,amount,currency,product,order_no\n");
    for n in 1..=60 {
        let (day, amount) = (n % 28 + 1, n * 100 + 7);
        orders.push_str(&format!("C{n:06},2026-04-{day:02},{amount}.25,EUR,Box of {n},O-{n}\n"));
    }
    let file = scene.dir().join("orders.csv");
    std::fs::write(&file, orders).unwrap();
    let report = scene
        .admin(&[
            "import",
            file.to_str().unwrap(),
            "--kind",
            "purchases",
            "--key",
            "customer_no",
            "--system",
            &format!("crm{seed}"),
            "--json",
        ])
        .json();
    assert_eq!(report["created"], 60, "{report}");
    assert_eq!(
        report["money"]["totals"]["EUR"],
        (1..=60).map(|n| n * 10_000 + 725).sum::<i64>(),
        "{report}"
    );
    (scene, office)
}

#[test]
fn two_devices_of_one_rep_edit_offline_and_nothing_is_lost() {
    let (scene, mut office) = prepared(1);
    scene.admin(&["assign", "--to", "ada", "--filter", "*"]).ok();
    let (phone, laptop) = (scene.device("phone", "ada"), scene.device("laptop", "ada"));
    play(&scene, &phone, &laptop, "ada", ["Rep ada", "Rep ada"], &mut office);
}

#[test]
fn owner_and_collaborator_edit_offline_and_each_conflict_names_both() {
    let (scene, mut office) = prepared(2);
    scene.admin(&["assign", "--to", "ada", "--filter", "*"]).ok();
    scene.admin(&["assign", "--to", "ben", "--collaborator", "--filter", "*"]).ok();
    let (phone, colleague) = (scene.device("phone", "ada"), scene.device("colleague", "ben"));
    play(&scene, &phone, &colleague, "ada", ["Rep ada", "Rep ben"], &mut office);
    assert_eq!(scene.state_hash("ben"), scene.state_hash("ada"));
}

#[test]
fn everything_but_enrolment_and_sync_works_with_no_network() {
    let mut scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(3, 20, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    scene.kill();

    let ids = phone.ids();
    assert_eq!(ids.len(), 20);
    let id = &ids[7];
    let added = phone.json(&[
        "add",
        "given_name=Zoë",
        "family_name=Østergård",
        "company=Blåbær",
        "city=Århus",
    ]);
    let new = added["contact_id"].as_str().unwrap();
    for n in 0..9 {
        let did = edit(&phone, id, n, &format!("offline {n}"));
        assert!((did.holds)(&phone.show(id)), "{}", did.what);
    }
    let found = |text: &str| roadbook_tests::scene::by_id(&phone.json(&["find", text]));
    assert!(found("ostergard").contains_key(new), "found by folded name at once");
    assert!(found("offline 6").contains_key(id.as_str()), "found by a word of the note at once");
    assert!(!phone.json(&["history", id])["history"].as_array().unwrap().is_empty());
    phone.run(&["undo"]).ok();
    phone.run(&["archive", new]).ok();
    assert_eq!(phone.json(&["status"])["unsent"], 12);

    let failed = phone.run(&["sync", "--timeout", "5"]);
    assert_eq!(
        failed.status.code(),
        Some(5),
        "no network has an exit code of its own: {}",
        failed.stderr
    );
    assert!(
        failed.stderr.contains("safe on this device"),
        "it says that nothing is lost: {}",
        failed.stderr
    );
    assert_eq!(phone.json(&["status"])["unsent"], 12, "the failed sync lost nothing");

    scene.start();
    phone.sync();
    assert_eq!(phone.state_hash(), scene.state_hash("ada"));
    assert!(
        scene.export().contains_key(new),
        "a rep's new contact is the rep's, and at the server"
    );
    assert_eq!(phone.json(&["status"])["unsent"], 0);
    scene.assert_clean();
}
