//! The HTTP API over real servers: keys and what they may, errors, lists, writes as changes like any
//! other, and requests that are repeated.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use roadbook_tests::api::{ALL_SCOPES, Api, json, kind, problem};
use roadbook_tests::http::encode;
use roadbook_tests::scene::Scene;
use serde_json::{Value, json};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` in {value}"))
}

/// The id of a person.
fn person(scene: &Scene, login: &str) -> String {
    let list = scene.admin(&["user", "list", "--json"]).json();
    let users = list["users"].as_array().unwrap();
    let found = users.iter().find(|user| user["login"] == login).unwrap();
    text(found, "id").to_owned()
}

/// The entries of the audit log about keys.
fn audited(scene: &Scene) -> Vec<String> {
    let list = scene.admin(&["audit", "list", "--action", "api_key", "--json"]).json();
    let entries = list["entries"].as_array().or(list["audit"].as_array()).unwrap().clone();
    entries.iter().map(|entry| text(entry, "action").to_owned()).collect()
}

#[test]
fn a_key_opens_what_its_scopes_name_until_it_is_revoked() {
    let scene = Scene::new();
    let api = Api::with_key(&scene, "reader", "contacts:read", &[]);
    assert_eq!(api.get("/contacts")["items"], json!([]));
    assert_eq!(kind(&api.refused("GET", "/people", &[], "")), "scope");
    assert_eq!(kind(&api.refused("POST", "/contacts", &[], r#"{"name":"A"}"#)), "scope");
    let listed = scene.admin(&["api-key", "list", "--json"]).json();
    assert!(!listed.to_string().contains(api.key().rsplit('_').next().unwrap()), "{listed}");
    // Whatever is wrong with a key, the answer is the same.
    let wrong_secret = format!("{}{}", &api.key()[..api.key().len() - 4], "0000");
    let unknown = format!("rbk_{}_{}", "0".repeat(16), "0".repeat(64));
    let mut answers = BTreeSet::new();
    for key in ["", "x", &wrong_secret, &unknown] {
        let answer = Api::new(&scene, key).ask("GET", "/contacts", &[], "");
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
        answers.insert(problem(&answer).to_string());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    scene.admin(&["api-key", "revoke", "reader"]).ok();
    assert_eq!(api.ask("GET", "/contacts", &[], "").status, 401);
    assert_eq!(audited(&scene), ["api_key.revoke", "api_key.add"]);
    assert!(!scene.admin(&["api-key", "add", "x", "--scope", "all"]).status.success());
}

#[test]
fn a_key_reaches_what_its_person_reaches_and_the_rest_does_not_exist() {
    let scene = Scene::new();
    scene.admin(&["team", "set", "north"]).ok();
    scene.reps(&["nora", "olaf"]);
    scene.admin(&["user", "change", "nora", "--team", "north"]).ok();
    scene.manager("mona");
    scene.admin(&["user", "change", "mona", "--team", "north"]).ok();
    scene.import(1, 3, Some("nora"));
    scene.import(2, 3, Some("olaf"));
    let all = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    let north = Api::with_key(&scene, "north", ALL_SCOPES, &["--user", "mona"]);
    assert_eq!(all.get("/contacts")["items"].as_array().unwrap().len(), 6);
    let seen = north.get("/contacts");
    assert_eq!(seen["items"].as_array().unwrap().len(), 3);
    let olafs = all.get("/contacts?filter=owner:olaf");
    let foreign = text(&olafs["items"][0], "id").to_owned();
    let nobody = "01900000-0000-7000-8000-000000000000";
    for path in ["", "/deals", "/deals/01900000-0000-7000-8000-000000000000"] {
        let hidden = north.refused("GET", &format!("/contacts/{foreign}{path}"), &[], "");
        let none = north.refused("GET", &format!("/contacts/{nobody}{path}"), &[], "");
        assert_eq!(hidden, none);
    }
    for (method, path, body) in [
        ("PATCH", "", r#"{"status":"lost"}"#),
        ("DELETE", "", ""),
        ("POST", "/assign", r#"{"owner":null}"#),
        ("POST", "/tasks", r#"{"text":"call"}"#),
    ] {
        let hidden = north.refused(method, &format!("/contacts/{foreign}{path}"), &[], body);
        let none = north.refused(method, &format!("/contacts/{nobody}{path}"), &[], body);
        assert_eq!(hidden, none, "{method} {path}");
    }
    let people = north.get("/people");
    let logins: Vec<&str> =
        people["items"].as_array().unwrap().iter().map(|p| text(p, "login")).collect();
    assert_eq!(logins, ["mona", "nora"]);
    let olaf = person(&scene, "olaf");
    let mine = text(&seen["items"][0], "id");
    let to_olaf = json!({ "owner": olaf }).to_string();
    let refused = north.refused("POST", &format!("/contacts/{mine}/assign"), &[], &to_olaf);
    assert_eq!((kind(&refused), &refused["field"]), ("refused", &json!("owner")));
    // A rep has no business at the office, and a disabled person's key opens nothing.
    assert!(
        !scene
            .admin(&["api-key", "add", "x", "--scope", "contacts:read", "--user", "nora"])
            .status
            .success()
    );
    scene.admin(&["user", "change", "mona", "--disable"]).ok();
    assert_eq!(north.ask("GET", "/contacts", &[], "").status, 401);
}

/// Method, path, headers, body, and the status that is expected.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16);

#[test]
fn every_error_is_a_problem_that_says_the_way_out() {
    let scene = Scene::new();
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    let id = text(&api.send("POST", "/contacts", &json!({ "name": "Anna Berg" })), "id").to_owned();
    let one = format!("/contacts/{id}");
    let large = format!(r#"{{"note":"{}"}}"#, "x".repeat(300_000));
    let long = format!(r#"{{"note":"{}"}}"#, "x".repeat(70_000));
    let cases: &[Case<'_>] = &[
        ("GET", "/nothing", &[], "", 404),
        ("GET", "", &[], "", 404),
        ("GET", "/contacts/not-an-id", &[], "", 404),
        ("GET", "/contacts/%ff", &[], "", 400),
        ("PUT", "/contacts", &[], "{}", 405),
        ("DELETE", "/contacts", &[], "", 405),
        ("GET", "/contacts?limit=0", &[], "", 400),
        ("GET", "/contacts?limit=501", &[], "", 400),
        ("GET", "/contacts?unknown=1", &[], "", 400),
        ("GET", "/contacts?limit=1&limit=2", &[], "", 400),
        ("GET", "/contacts?sort=random", &[], "", 400),
        ("GET", "/contacts?cursor=7b7d", &[], "", 400),
        ("GET", "/contacts?filter=statsu:lead", &[], "", 400),
        ("GET", "/contacts?fields=,", &[], "", 400),
        ("POST", "/contacts", &[], "{", 400),
        ("POST", "/contacts", &[], "[]", 400),
        ("POST", "/contacts", &[], "{}", 422),
        ("POST", "/contacts", &[("Content-Type", "text/plain")], "{}", 415),
        ("POST", "/contacts", &[("Idempotency-Key", "a b")], r#"{"name":"A"}"#, 400),
        ("POST", "/contacts", &[], r#"{"naem":"A"}"#, 422),
        ("POST", "/contacts", &[], r#"{"status":"friend"}"#, 422),
        ("POST", "/contacts", &[], r#"{"archived":"yes"}"#, 422),
        ("POST", "/contacts", &[], r#"{"owner":"somebody"}"#, 422),
        ("POST", "/contacts", &[], &large, 413),
        ("PATCH", &one, &[], &long, 422),
        ("PATCH", &one, &[], r#"{"phones":[]}"#, 422),
        ("PATCH", &one, &[("If-Match", "\"0\"")], r#"{"status":"lead"}"#, 412),
    ];
    for (method, path, headers, body, status) in cases {
        let answer = api.ask(method, path, headers, body);
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.status, *status, "{method} {path} {shown}: {}", answer.body);
        problem(&answer);
    }
    let refused = api.ask("PUT", "/contacts", &[], "{}");
    assert_eq!(refused.header("allow"), Some("GET, POST, HEAD"), "{:?}", refused.headers);
    let filter = api.refused("GET", "/contacts?filter=vip%20statsu:lead", &[], "");
    assert_eq!((kind(&filter), &filter["at"]), ("bad-filter", &json!(5)));
    assert!(text(&filter, "detail").contains("status"), "{filter}");
    let amount = json!({ "title": "T", "amount": 5 });
    let refused = api.refused("POST", &format!("{one}/deals"), &[], &amount.to_string());
    assert!(text(&refused, "detail").contains("currency"), "{refused}");
}

#[test]
fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let scene = Scene::new();
    let api = Api::with_key(&scene, "fast", "contacts:read", &["--rate", "3"]);
    let mut statuses = Vec::new();
    // The count may begin anew once in between, at the turn of a minute.
    for _ in 0..8 {
        let answer = api.ask("GET", "/contacts", &[], "");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"key\";q=3;w=60"));
        if answer.status == 429 {
            assert_eq!(kind(&problem(&answer)), "rate");
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds));
            assert!(answer.header("ratelimit").unwrap().starts_with("\"key\";r=0;"));
        }
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&429) && statuses.iter().filter(|s| **s == 200).count() >= 3);
}

#[test]
fn an_edit_over_the_api_is_a_change_that_reaches_the_device_in_its_authors_name() {
    let scene = Scene::new();
    scene.reps(&["nora"]);
    scene.manager("mona");
    let api = Api::with_key(&scene, "erp", ALL_SCOPES, &["--user", "mona"]);
    let nora = person(&scene, "nora");
    let new = json!({
        "name": "Anna Berg", "owner": nora, "phone": "+45 12 34 56 78", "city": "Aarhus",
        "tags": ["vip"], "custom": { "shoe": 42 }, "external_ids": { "erp": "17" },
        "emails": [{ "address": "anna@example.com" }], "note": "likes dogs",
    });
    let made = api.send("POST", "/contacts", &new);
    let id = text(&made, "id").to_owned();
    assert_eq!(made["given_name"], "Anna");
    assert_eq!(made["custom"]["shoe"], 42);
    let rep = scene.device("nora", "nora");
    rep.sync();
    assert_eq!(rep.show(&id)["family_name"], "Berg");
    rep.run(&["set", &id, "status=prospect"]).ok();
    rep.sync_until_merged();
    let one = format!("/contacts/{id}");
    let patched = api.send(
        "PATCH",
        &one,
        &json!({ "status": "customer", "city": null, "tags": ["vip", "dk"] }),
    );
    assert_eq!((&patched["status"], &patched["tags"]), (&json!("customer"), &json!(["dk", "vip"])));
    let deal = api.send(
        "POST",
        &format!("{one}/deals"),
        &json!({ "title": "Shoes", "amount": 120_050, "currency": "EUR", "stage": "offer" }),
    );
    let deal_path = format!("{one}/deals/{}", text(&deal, "id"));
    assert_eq!(api.send("PATCH", &deal_path, &json!({ "stage": "won" }))["stage"], "won");
    let visit = api.send(
        "POST",
        &format!("{one}/interactions"),
        &json!({ "kind": "visit", "summary": "tea" }),
    );
    api.send(
        "POST",
        &format!("{one}/purchases"),
        &json!({ "date": "2026-03-01", "amount": 100, "currency": "EUR" }),
    );
    rep.sync();
    let shown = rep.show(&id);
    assert_eq!(
        (&shown["status"], &shown["deals"][0]["stage"]),
        (&json!("customer"), &json!("won"))
    );
    let history = rep.run(&["history", &id]).ok().stdout;
    assert!(history.contains("Manager mona"), "{history}");
    api.send("DELETE", &format!("{one}/interactions/{}", text(&visit, "id")), &Value::Null);
    assert_eq!(api.get(&format!("{one}/interactions"))["items"], json!([]));
    let line = &api.get("/contacts?filter=tag:dk")["items"][0];
    assert_eq!((&line["revenue"], &line["purchase_count"]), (&json!({ "EUR": 100 }), &json!(1)));
    api.send("DELETE", &one, &Value::Null);
    assert_eq!(api.get("/contacts")["items"], json!([]));
    assert_eq!(api.get("/contacts?filter=archived:yes")["items"].as_array().unwrap().len(), 1);
    let taken = api.send("POST", &format!("{one}/assign"), &json!({ "owner": null }));
    assert_eq!((&taken["owner"], &taken["epoch"]), (&Value::Null, &json!(2)));
    scene.assert_clean();
}

#[test]
fn who_read_an_older_state_writes_over_nobody() {
    let scene = Scene::new();
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    let made =
        api.send("POST", "/contacts", &json!({ "company": "Acme", "note": "one two three" }));
    let path = format!("/contacts/{}", text(&made, "id"));
    let read = api.ask("GET", &path, &[], "");
    let etag = read.header("etag").unwrap().to_owned();
    assert_eq!(json(&read)["etag"], json!(etag));
    let same = api.ask("GET", &path, &[("If-None-Match", &etag)], "");
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    let first = api.ask("PATCH", &path, &[("If-Match", &etag)], r#"{"status":"lead"}"#);
    assert_eq!(first.status, 200, "{}", first.body);
    assert_ne!(first.header("etag"), Some(etag.as_str()));
    let second = api.ask("PATCH", &path, &[("If-Match", &etag)], r#"{"status":"lost"}"#);
    assert_eq!((second.status, kind(&problem(&second))), (412, "changed"));
    assert_eq!(api.get(&path)["status"], "lead");
    assert_eq!(api.ask("GET", &path, &[("If-None-Match", &etag)], "").status, 200);
    let sparse = api.get(&format!("{path}?fields=status,company"));
    assert_eq!(sparse, json!({ "id": made["id"], "status": "lead", "company": "Acme" }));
}

#[test]
fn many_writers_with_if_match_lose_no_edit() {
    let scene = Scene::new();
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &["--rate", "60000"]);
    let made = api.send("POST", "/contacts", &json!({ "company": "Acme", "cadence_days": 1 }));
    let path = format!("/contacts/{}", text(&made, "id"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut done = 0;
                while done < 10 {
                    let now = api.get(&path);
                    let next = json!({ "cadence_days": now["cadence_days"].as_i64().unwrap() + 1 });
                    let etag = [("If-Match", text(&now, "etag"))];
                    let answer = api.ask("PATCH", &path, &etag, &next.to_string());
                    assert!(matches!(answer.status, 200 | 412), "{}", answer.body);
                    done += u32::from(answer.status == 200);
                }
            });
        }
    });
    assert_eq!(api.get(&path)["cadence_days"], 41);
}

#[test]
fn a_repeated_request_is_done_once_also_over_a_restart() {
    let mut scene = Scene::new();
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    let key = [("Idempotency-Key", "order-17")];
    let body = json!({ "company": "Acme", "phone": "0171 234" }).to_string();
    let first = api.ask("POST", "/contacts", &key, &body);
    assert_eq!(first.status, 201, "{}", first.body);
    let again = api.ask("POST", "/contacts", &key, &body);
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    scene.kill();
    scene.start();
    let later = api.ask("POST", "/contacts", &key, &body);
    assert_eq!((later.status, &later.body), (201, &first.body));
    assert_eq!(api.get("/contacts")["items"].as_array().unwrap().len(), 1);
    let other = api.ask("POST", "/contacts", &key, r#"{"company":"Other"}"#);
    assert_eq!((other.status, kind(&problem(&other))), (422, "key-reused"));
    // Another key's names are its own; and what was refused may be tried again.
    let second = Api::with_key(&scene, "second", ALL_SCOPES, &[]);
    assert_eq!(second.ask("POST", "/contacts", &key, r#"{"company":"Other"}"#).status, 201);
    let retry = [("Idempotency-Key", "retry")];
    assert_eq!(api.ask("POST", "/contacts", &retry, r#"{"status":"friend"}"#).status, 422);
    assert_eq!(api.ask("POST", "/contacts", &retry, r#"{"status":"lead"}"#).status, 201);
}

#[test]
fn pages_skip_nothing_and_repeat_nothing_while_others_write() {
    let scene = Scene::new();
    scene.import(3, 60, None);
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &["--rate", "60000"]);
    for sort in ["created", "-created", "name", "-name", "touched", "-touched"] {
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let at = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let page =
                api.get(&format!("/contacts?limit=7&sort={sort}&fields=id,display_name{at}"));
            for line in page["items"].as_array().unwrap() {
                seen.push(text(line, "id").to_owned());
            }
            if sort == "created" {
                // New ones come behind; edits move nothing.
                let edited = format!("/contacts/{}", seen[0]);
                api.send("PATCH", &edited, &json!({ "category": seen.len().to_string() }));
            }
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), once.len()), (60, 60), "{sort}");
    }
    let filter = encode("-has:visit touched:<1d");
    assert!(
        !api.get(&format!("/contacts?filter={filter}&limit=5"))["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn the_description_and_its_page_are_read_without_a_key_and_load_nothing_from_elsewhere() {
    let scene = Scene::new();
    let nobody = Api::new(&scene, "");
    let answer = nobody.ask("GET", "/openapi.json", &[], "");
    let document = json(&answer);
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/contacts/{id}/deals"]["post"].is_object());
    let etag = answer.header("etag").unwrap();
    assert_eq!(nobody.ask("GET", "/openapi.json", &[("If-None-Match", etag)], "").status, 304);
    let page = nobody.ask("GET", "/docs", &[], "");
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    for loading in ["<script", "src=", "href=\"http", "href=\"//", "@import", "url("] {
        assert!(!page.body.contains(loading), "nothing from elsewhere: {loading}");
    }
    assert!(page.body.contains("/contacts/{id}/purchases"));
    assert_eq!(
        nobody.ask("GET", "/docs.css", &[], "").header("content-type"),
        Some("text/css; charset=utf-8")
    );
    assert_eq!(nobody.ask("POST", "/docs", &[], "{}").status, 405);
}

#[test]
fn an_erased_contact_leaves_no_kept_answer() {
    let scene = Scene::new();
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    let key = [("Idempotency-Key", "one")];
    let body = r#"{"name":"Zacharias Quellenberg"}"#;
    let made = json(&api.ask("POST", "/contacts", &key, body));
    let id = text(&made, "id").to_owned();
    scene.admin(&["erase", &id, "--reason", "request-1"]).ok();
    assert_eq!(kind(&api.refused("GET", &format!("/contacts/{id}"), &[], "")), "not-found");
    let database = std::fs::read(scene.data().join("roadbook.db")).unwrap();
    let name = b"Quellenberg";
    assert!(!database.windows(name.len()).any(|window| window == name), "in the file");
}
