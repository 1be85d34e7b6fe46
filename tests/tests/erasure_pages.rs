//! Erasures and retention as an administrator has them on the pages: who has confirmed, what names an
//! erased person still, which rule reaches whom, and that exactly those are erased who were listed.
#![allow(clippy::unwrap_used)]

use roadbook_tests::http::{Http, between};
use roadbook_tests::late::{import, marker};
use roadbook_tests::marker::in_files;
use roadbook_tests::process::Rep;
use roadbook_tests::scene::{Scene, visit};
use serde_json::{Value, json};

const PASSWORD: &str = "a long enough passphrase 7";

/// An administrator at the pages, and a manager.
fn people(scene: &Scene) -> (Http, Http) {
    let added = ["user", "add", "alma", "--role", "admin", "--name", "Alma", "--json"];
    let code = scene.admin(&added).json()["code"].as_str().unwrap().to_owned();
    let alma = Http::signed_in(&scene.url(), &code, PASSWORD);
    (alma, Http::signed_in(&scene.url(), &scene.manager("mona"), PASSWORD))
}

/// Two contacts of Ada, the second of which names the first; both on her phone.
fn two() -> (Scene, Rep, String, String) {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    import(&scene, 2, "ada");
    let all = scene.export();
    let of = |n: usize| {
        let company = format!("Company{}", marker(n));
        all.iter().find(|(_, contact)| contact["company"] == company.as_str()).unwrap().0.clone()
    };
    let (person, other) = (of(0), of(1));
    let phone = scene.device("phone", "ada");
    phone.sync();
    visit(&phone, &other, &format!("with Name{m} Family{m}", m = marker(0)));
    phone.sync_until_merged();
    (scene, phone, person, other)
}

fn mentions(scene: &Scene, id: &str) -> Value {
    scene.admin(&["erase", "report", id, "--json"]).json()["erasures"][0]["mentions"].clone()
}

fn settled(scene: &Scene) -> Vec<String> {
    let list = scene.admin(&["audit", "list", "--action", "mention.settle", "--json"]).json();
    let entries = list["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["detail"].to_string()).collect()
}

#[test]
fn the_page_tells_which_devices_have_confirmed_and_a_mention_is_settled_there() {
    let (scene, phone, id, other) = two();
    let (mut alma, mut mona) = people(&scene);
    alma.get("/erasures");
    assert!(alma.get("/erasures").body.contains("Nobody was erased yet"));
    scene.admin(&["erase", &id, "--reason", "request-7"]).ok();
    for path in ["/erasures", "/retention"] {
        let refused = mona.get(path);
        assert_eq!(refused.status, 403, "a manager at {path}: {}", refused.body);
    }
    let page = alma.get("/erasures").body;
    for text in ["request-7", &id, "1 device to confirm", "not yet", "Named in other contacts"] {
        assert!(page.contains(text), "`{text}` is not in {page}");
    }
    let name = format!("Name{m} Family{m}", m = marker(1));
    assert!(page.contains(&name), "the other contact by its name: {page}");
    assert!(!page.contains(&marker(0)), "nothing of who was erased: {page}");
    // Both words there are, and no other; by whom it must be, and once.
    let settle = format!("/erasures/{id}/{other}");
    let unclear = alma.submit("/erasures", &settle, &[("how", "forgotten")]);
    assert_eq!(unclear.status, 422, "{}", unclear.body);
    let forbidden = mona.submit("/contacts", &settle, &[("how", "left")]);
    assert_eq!(forbidden.status, 403, "{}", forbidden.body);
    let without = alma.post(&settle, &[("how", "left")]);
    assert_eq!(without.status, 403, "without the token of the page: {}", without.body);
    assert_eq!(mentions(&scene, &id), json!([other]), "nothing of this changed anything");
    let done = alma.submit("/erasures", &settle, &[("how", "left")]);
    assert_eq!((done.status, done.header("location")), (303, Some("/erasures")), "{}", done.body);
    assert_eq!(mentions(&scene, &id), json!([]));
    let again = alma.submit("/erasures", &settle, &[("how", "left")]);
    assert_eq!(again.status, 422, "{}", again.body);
    assert_eq!(settled(&scene).len(), 1);
    // The phone comes back and purges.
    phone.sync();
    let page = alma.get("/erasures").body;
    assert!(page.contains("confirmed by all"), "{page}");
    assert!(!page.contains("Named in other contacts"), "{page}");
    assert_eq!(in_files(&scene.dir().join("phone"), &format!("Company{}", marker(0))), 0);
}

#[test]
fn a_mention_is_settled_by_command_once_and_only_where_it_is_listed() {
    let (scene, _phone, id, other) = two();
    scene.admin(&["erase", &id, "--reason", "request-8"]).ok();
    assert_eq!(mentions(&scene, &id), json!([other]));
    let none = scene.admin(&["erase", "settle", &other, &other, "edited"]);
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    let word = scene.admin(&["erase", "settle", &id, &other, "forgotten"]);
    assert_eq!(word.status.code(), Some(2), "{word:?}");
    assert_eq!(mentions(&scene, &id), json!([other]));
    let done = scene.admin(&["erase", "settle", &id, &other, "edited", "--json"]).json();
    assert_eq!((&done["other"], &done["how"]), (&json!(other), &json!("edited")));
    assert_eq!(mentions(&scene, &id), json!([]));
    let again = scene.admin(&["erase", "settle", &id, &other, "edited"]);
    assert!(again.stderr.contains("is not listed as naming"), "{again:?}");
    let told = settled(&scene);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("edited") && told[0].contains(&other), "{told:?}");
    scene.admin(&["audit", "verify"]).ok();
}

#[test]
fn a_retention_rule_is_made_looked_at_and_applied_on_the_page() {
    let (scene, phone, id, other) = two();
    let (mut alma, mut mona) = people(&scene);
    assert!(alma.get("/retention").body.contains("No rule yet"));
    let rule = [("name", "lost-leads"), ("filter", "status:lost"), ("months", "24")];
    let wrong = [("name", "lost-leads"), ("filter", "status:lost"), ("months", "soon")];
    assert_eq!(alma.submit("/retention", "/retention", &wrong).status, 422);
    let wrong = [("name", "lost-leads"), ("filter", "status:("), ("months", "24")];
    let refused = alma.submit("/retention", "/retention", &wrong);
    assert_eq!(refused.status, 422, "a filter that can't be read: {}", refused.body);
    assert_eq!(mona.submit("/contacts", "/retention", &rule).status, 403);
    assert!(alma.get("/retention").body.contains("No rule yet"), "none of these made one");
    assert_eq!(alma.submit("/retention", "/retention", &rule).status, 303);
    let page = alma.get("/retention").body;
    assert!(page.contains("lost-leads") && page.contains("status:lost"), "{page}");

    phone.run(&["set", &id, "status=lost"]).ok();
    phone.sync_until_merged();
    let preview = "/retention?preview=lost-leads";
    assert!(alma.get(preview).body.contains("Nobody is due"), "it was edited today");
    // Three years ago, as far as the row says.
    let conn = rusqlite::Connection::open(scene.data().join("roadbook.db")).unwrap();
    let old = "UPDATE projection SET row = json_set(row, '$.touched_at', 1000000000000)
               WHERE n = (SELECT n FROM contact WHERE id = ?)";
    let bytes: uuid::Uuid = id.parse().unwrap();
    assert_eq!(conn.execute(old, [bytes.as_bytes()]).unwrap(), 1);
    drop(conn);
    let page = alma.get(preview).body;
    assert!(
        page.contains("1 contact is due") && page.contains(&format!("/contacts/{id}")),
        "{page}"
    );
    assert!(!page.contains(&format!("/contacts/{other}")), "who is not lost is not listed: {page}");
    let code = between(&page, "name=\"confirm\" value=\"", "\"").to_owned();

    let apply = |http: &mut Http, from: &str, code: &str| {
        http.submit(from, "/retention/apply", &[("name", "lost-leads"), ("confirm", code)])
    };
    assert_eq!(apply(&mut mona, "/contacts", &code).status, 403);
    let unseen = apply(&mut alma, preview, "000000000000");
    assert_eq!(unseen.status, 422, "{}", unseen.body);
    assert!(scene.export().contains_key(&id), "nothing is erased unless the list was confirmed");
    let done = apply(&mut alma, preview, &code);
    assert_eq!((done.status, done.header("location")), (303, Some("/erasures")), "{}", done.body);
    let left = scene.export();
    assert!(!left.contains_key(&id) && left.contains_key(&other));
    assert!(alma.get("/erasures").body.contains("retention/lost-leads"));
    assert!(alma.get(preview).body.contains("Nobody is due"));

    let remove = [("name", "lost-leads")];
    assert_eq!(mona.submit("/contacts", "/retention/remove", &remove).status, 403);
    assert_eq!(alma.submit("/retention", "/retention/remove", &remove).status, 303);
    assert!(alma.get("/retention").body.contains("No rule yet"));
}
