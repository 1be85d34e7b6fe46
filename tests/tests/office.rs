//! The managers' pages in a real browser: sign-in, list, search, a contact with its conflict, live
//! updates, and that they are usable on a phone and from the keyboard.
#![allow(clippy::unwrap_used)]

use roadbook_tests::browser::{Browser, PASSWORD};
use roadbook_tests::devices;
use roadbook_tests::local::Device;
use roadbook_tests::provider::Provider;
use roadbook_tests::scene::Scene;
use serde_json::json;

/// Contacts of Ada, some with a conflict between her two devices.
fn office(seed: u64) -> (Scene, String) {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(seed, 80, Some("ada"));
    let (phone, laptop) = (scene.device("phone", "ada"), scene.device("laptop", "ada"));
    phone.sync();
    laptop.sync();
    let id = phone.run(&[
        "add",
        "given_name=Zoë",
        "family_name=Ærø-Quistgård",
        "company=Blåbær A/S",
        "city=Århus",
    ]);
    let id = id.last_line();
    phone.sync();
    laptop.sync();
    phone.run(&["set", &id, "job_title=Head of purchasing"]).ok();
    laptop.run(&["set", &id, "job_title=Managing director"]).ok();
    laptop
        .run(&["visit", &id, "--summary", "Tasted three cheeses", "--outcome", "Wants samples"])
        .ok();
    phone.sync();
    laptop.sync();
    (scene, id)
}

#[test]
fn a_manager_signs_in_finds_a_contact_and_decides_its_conflict() {
    let (scene, id) = office(81);
    let code = scene.manager("mona");
    let mut browser = Browser::new(&scene.url());
    assert_eq!(
        browser.open("/contacts")["path"],
        "/sign-in",
        "nothing is shown before the sign-in"
    );
    browser.ask(json!({"do": "complaints"}));

    browser.sign_in(&code);
    browser.assert_quiet("signing in");
    assert!(
        browser.text("main").contains("81"),
        "the number of contacts: {}",
        browser.text("main")
    );
    browser.open("/contacts");
    assert_eq!(browser.count("tbody tr"), 50, "a page of the list");
    assert!(browser.text("#count").contains("81"));
    browser.ask(json!({"do": "press", "key": "End"}));
    browser.see("tbody tr:nth-child(81)", "");
    assert_eq!(browser.count("tbody tr"), 81, "the rest, as one scrolls");

    browser.fill("#q", "aero quistgard");
    browser.see("#count", "1 contact of 81");
    assert_eq!(browser.count("tbody tr"), 1, "found by its folded name, as one types");
    browser.see("tbody tr", "1 conflict");
    assert_eq!(browser.follow("tbody a.name"), format!("/contacts/{id}"));
    browser.see("h1", "Zoë Ærø-Quistgård");
    browser.see("#conflicts", "Head of purchasing");
    browser.see("#conflicts", "Managing director");
    browser.see("#conflicts", "Rep ada");
    browser.see("main", "Tasted three cheeses");
    browser.assert_quiet("the contact's page");

    // Decided here, it is decided on the devices.
    assert_eq!(browser.count("#conflicts .side button"), 2);
    browser.click("#conflicts .side:last-child button");
    browser.miss("main", "To decide");
    browser.assert_quiet("deciding");
    let fresh = scene.device("fresh", "ada");
    fresh.sync();
    assert!(fresh.conflicts().is_empty());
    let decided = fresh.show(&id)["job_title"].as_str().unwrap().to_owned();
    browser.open(&format!("/contacts/{id}"));
    browser.see("main", &decided);

    // The password that was set opens the door from then on, and signing out closes it.
    browser.follow(".side-nav form[action='/sign-out'] button");
    assert_eq!(browser.open("/contacts")["path"], "/sign-in");
    browser.fill("#login", "mona");
    browser.fill("#password", PASSWORD);
    browser.follow("form button.go");
    assert_eq!(browser.open("/contacts")["path"], "/contacts");
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_a_device_that_is_online_is_on_the_page_within_a_second() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(82, 20, Some("ada"));
    let mut phone =
        Device::open(&scene.dir().join("phone"), roadbook_client_core::Durability::Full);
    phone.enrol(&scene.url(), &scene.invite("ada"), None, "phone").await;
    phone.sync().await;
    let id = phone.replica.ids(None).unwrap()[3];
    let code = scene.manager("mona");
    let mut browser = Browser::new(&scene.url());
    browser.sign_in(&code);
    phone.go_online();
    devices::set(&phone.replica, id, "job_title", "Online now");
    browser.open(&format!("/contacts/{id}"));
    browser.see("main", "Online now");

    let mut took = Vec::new();
    for n in 0..5 {
        let title = format!("Title number {n}");
        browser.ask(json!({"do": "watch", "selector": "main", "text": title}));
        let before = chrono::Utc::now().timestamp_millis();
        devices::set(&phone.replica, id, "job_title", &title);
        took.push(browser.ask(json!({"do": "watched"})).as_i64().unwrap() - before);
    }
    // In the list and in the feed from the field too.
    browser.open("/contacts");
    let name = "Live Updated";
    browser.ask(json!({"do": "watch", "selector": "tbody", "text": name}));
    let commands = [("given_name", "Live"), ("family_name", "Updated")].map(|(field, value)| {
        roadbook_protocol::document::Command::Set { field: field.into(), value: Some(value.into()) }
    });
    devices::edit(&phone.replica, id, &commands);
    browser.ask(json!({"do": "watched"}));
    browser.open("/");
    browser.ask(json!({"do": "watch", "selector": "main", "text": "Met at the fair"}));
    devices::visit(&phone.replica, id, "Met at the fair");
    browser.ask(json!({"do": "watched"}));
    browser.assert_quiet("live pages");

    phone.go_offline().await;
    println!("from the edit to the page: {took:?} ms");
    took.sort_unstable();
    assert!(took[2] < 1_000, "half of the edits are there within a second: {took:?} ms");
}

#[test]
fn the_pages_are_usable_on_a_phone_in_the_dark_and_from_the_keyboard() {
    let (scene, id) = office(83);
    // Names and logins as they are, and somebody who sees everything there is to press.
    scene.manager("bartholomaeus.wolkenstein-trostburg@firm.example");
    let added = ["user", "add", "mona", "--role", "admin", "--name", "Mona", "--json"];
    let code = scene.admin(&added).json()["code"].as_str().unwrap().to_owned();
    let mut browser = Browser::new(&scene.url());
    browser.sign_in(&code);
    let contact = format!("/contacts/{id}");
    let pages = ["/", "/contacts", &contact, "/decide", "/devices", "/erasures", "/retention"];
    for (width, height) in [(360, 740), (768, 1024), (1440, 900)] {
        browser.ask(json!({"do": "resize", "width": width, "height": height}));
        for path in pages {
            assert_eq!(browser.open(path)["status"], 200, "{path}");
            let overflow = browser.ask(json!({"do": "overflow"}));
            assert!(
                overflow["by"].as_i64().unwrap() <= 0,
                "{path} is wider than {width} px: {overflow}"
            );
            assert_eq!(overflow["cut"], json!([]), "cut off on {path} at {width} px");
            let nameless = browser.ask(json!({"do": "nameless"}));
            assert_eq!(nameless, json!([]), "controls of {path} that a screen reader can't name");
            assert_eq!(browser.count("h1"), 1, "{path} has one heading of the first level");
        }
    }
    browser.open("/contacts");
    let light = browser.ask(json!({"do": "scheme", "dark": false}));
    let dark = browser.ask(json!({"do": "scheme", "dark": true}));
    assert_ne!(light, dark, "light and dark are two looks");

    // The first stop of the tab key skips the navigation; `/` leads to the search.
    let first = browser.ask(json!({"do": "press", "key": "Tab"}));
    assert_eq!(first["href"], "#main", "{first}");
    let search = browser.ask(json!({"do": "press", "key": "/"}));
    assert_eq!(search["id"], "q", "{search}");
    browser.assert_quiet("all pages");
}

#[test]
fn what_reps_wrote_is_text_and_never_markup() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let phone = scene.device("phone", "ada");
    let evil =
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    let id = phone.run(&[
        "add",
        &format!("given_name={evil}"),
        &format!("company={evil}"),
        &format!("note={evil}"),
    ]);
    let id = id.last_line();
    phone.run(&["visit", &id, "--summary", evil]).ok();
    phone.run(&["tag", "add", &id, evil]).ok();
    phone.sync();
    let code = scene.manager("mona");
    let mut browser = Browser::new(&scene.url());
    browser.sign_in(&code);
    for path in ["/", "/contacts", &format!("/contacts/{id}"), &format!("/contacts/{id}?authors=1")]
    {
        assert_eq!(browser.open(path)["status"], 200);
        browser.see("main", "onerror");
        assert_eq!(browser.count("main img[src=x]"), 0, "{path}");
        assert!(!browser.text("main").contains("owned</"), "{path}");
    }
    browser.assert_quiet("markup in every field");
}

/// Through a real browser, which holds the pages' policy, cookies and redirects against each other.
#[test]
fn a_manager_comes_in_by_the_company_account() {
    let provider = Provider::new("mona@firm.example");
    let scene = provider.office();
    scene.manager("mona@firm.example");
    let mut browser = Browser::new(&scene.url());
    assert_eq!(browser.open("/contacts")["path"], "/sign-in");
    assert_eq!(browser.follow("[data-provider]"), "/contacts");
    browser.see(".me", "Manager mona@firm.example");
    // Back to the way that was used up, and away again.
    assert_eq!(browser.open("/sign-in/oidc/back?state=used&code=used")["status"], 401);
    browser.see("[data-problem]", "Start again");
    assert_eq!(browser.follow("[data-provider]"), "/");
}
