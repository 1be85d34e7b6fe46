//! Every page, on a phone and a desk, in light and dark: nothing that axe-core calls serious, nothing cut
//! off, no complaint of the browser, no request that leaves the host. Long German labels among them.
//!
//! `ROADBOOK_SCREENSHOTS=DIR` keeps a picture of each; without it none is taken.
#![allow(clippy::unwrap_used)]

use roadbook_tests::browser::Browser;
use roadbook_tests::scene::Scene;
use serde_json::json;

/// An office with contacts, a conflict, a deal, a key, a webhook and a team; and an administrator's code.
fn office(seed: u64) -> (Scene, String, String) {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(seed, 12, Some("ada"));
    let (phone, laptop) = (scene.device("phone", "ada"), scene.device("laptop", "ada"));
    phone.sync();
    laptop.sync();
    let id = phone.run(&["add", "company=Blåbær A/S", "status=customer", "city=Århus"]).last_line();
    phone.run(&["visit", &id, "--summary", "Tasted three cheeses"]).ok();
    let deal = ["--title", "Printing press", "--amount", "1200", "--currency", "EUR"];
    phone.run(&[&["deal", "add", &id][..], &deal].concat()).ok();
    phone.sync();
    laptop.sync();
    phone.run(&["set", &id, "job_title=Head of purchasing"]).ok();
    laptop.run(&["set", &id, "job_title=Managing director"]).ok();
    phone.sync();
    laptop.sync();
    scene.admin(&["team", "set", "Süd-Süd-West einschließlich Vorarlberg und Liechtenstein"]);
    scene.admin(&["api-key", "add", "erp", "--scope", "contacts:read"]);
    scene.admin(&["webhook", "add", "https://erp.example.com/a/rather/long/address/for/events"]);
    let added = ["user", "add", "mona", "--role", "admin", "--name", "Mona", "--json"];
    let code = scene.admin(&added).json()["code"].as_str().unwrap().to_owned();
    (scene, code, id)
}

/// Every page that there is for somebody who is signed in.
fn pages(id: &str) -> Vec<String> {
    let contact = format!("/contacts/{id}");
    let authors = format!("{contact}?authors=1");
    [
        "/",
        "/contacts",
        "/contacts?q=nobody-like-this",
        "/contacts?filter=statsu:x",
        "/contacts?sort=city&after=t7a.1",
        "/contacts/bulk",
        &contact,
        &authors,
        "/decide",
        "/segments",
        "/segments?filter=city:x*",
        "/funnel",
        "/activity",
        "/value",
        "/value?by=limits",
        "/devices",
        "/alerts",
        "/alerts?all=1",
        "/settings",
        "/settings/people",
        "/settings/look",
        "/settings/sorting",
        "/settings/stages",
        "/settings/fields",
        "/settings/tags",
        "/settings/keys",
        "/settings/webhooks",
        "/retention",
        "/erasures",
        "/audit",
        "/audit?verify=1",
        "/review",
        "/account",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn look(browser: &mut Browser, path: &str, name: &str) {
    browser.assert_fits(name);
    browser.assert_accessible(name);
    if let Some(dir) = std::env::var_os("ROADBOOK_SCREENSHOTS") {
        let plain: String = format!("{name}{path}")
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '_' })
            .collect();
        let file = std::path::Path::new(&dir).join(format!("{plain}.png"));
        browser.ask(json!({"do": "screenshot", "file": file}));
    }
}

/// The pages of three bulk actions, with long labels: one that waits, one that is done, one taken back.
/// And a view with many columns.
fn changed_in_bulk(browser: &mut Browser) -> Vec<String> {
    let mut pages = Vec::new();
    for ends in 0..3 {
        browser.open("/contacts");
        browser.click("#bulk-box summary");
        browser.click("#bulk [name=all]");
        let what = if ends == 0 { "status" } else { "tag" };
        browser.ask(json!({"do": "choose", "selector": "#bulk-what", "value": what}));
        if ends > 0 {
            browser
                .fill("#bulk-tag", &format!("Donaudampfschifffahrtsgesellschaftskapitän {ends}"));
        }
        let path = browser.follow("#bulk button.go");
        if ends > 0 {
            browser.follow("form[action$='/do'] button");
            browser.see(".notice.ok", "");
        }
        if ends > 1 {
            browser.follow("form[action$='/undo'] button");
            browser.see(".notice.ok", "");
        }
        pages.push(path);
    }
    browser.open("/contacts");
    browser.click("#columns summary");
    for column in ["phones", "emails", "tags", "revenue", "birthday", "company", "note"] {
        browser.click(&format!("#columns input[value={column}]"));
    }
    browser.follow("#columns button.go");
    browser.click("#views summary");
    browser.fill("#view-name", "Kundinnen und Kunden der Regionalniederlassung Süd-Südwest");
    browser.follow("form[action='/contacts/views'] button.go");
    let view = browser
        .ask(json!({"do": "attribute", "selector": "#views a.seg[aria-current]", "name": "href"}));
    pages.push(view.as_str().unwrap().to_owned());
    browser.open("/contacts");
    browser.click("#columns summary");
    browser.follow("#columns button[name=usual]");
    pages
}

fn every_page(language: &str, seed: u64) {
    let (scene, code, id) = office(seed);
    let mut browser = Browser::speaking(&scene.url(), language);
    browser.open("/sign-in");
    browser.assert_accessible("the sign-in");
    browser.open("/welcome");
    browser.assert_accessible("the welcome");
    browser.sign_in(&code);
    let mut every = pages(&id);
    every.extend(changed_in_bulk(&mut browser));
    for (width, height) in [(360, 740), (1440, 900)] {
        browser.ask(json!({"do": "resize", "width": width, "height": height}));
        for dark in [false, true] {
            browser.ask(json!({"do": "scheme", "dark": dark}));
            for path in every.clone() {
                let name = format!("{language}-{width}-{}", if dark { "dark" } else { "light" });
                assert_eq!(browser.open(&path)["status"], 200, "{path}");
                look(&mut browser, &path, &format!("{name} {path}"));
            }
        }
    }
    browser.assert_quiet("every page");
}

#[test]
fn every_page_is_accessible_and_fits_in_english() {
    every_page("en-GB", 95);
}

#[test]
fn every_page_is_accessible_and_fits_in_german() {
    every_page("de-DE", 96);
}

#[test]
fn pages_are_in_the_language_of_the_browser_or_the_one_that_was_chosen() {
    let (scene, code, _id) = office(97);
    let mut browser = Browser::speaking(&scene.url(), "ru-RU");
    browser.open("/sign-in");
    browser.see("h1", "Войти");
    browser.sign_in(&code);
    browser.open("/devices");
    browser.see("h1", "Люди и устройства");
    browser.open("/account");
    browser.ask(json!({"do": "choose", "selector": "select[name=language]", "value": "it"}));
    browser.follow("form[action='/account/language'] button");
    browser.see("h1", "Il Suo account");
    assert_eq!(browser.count("html[lang=it]"), 1);
    // What the script says follows, and so do the stream's lines.
    browser.open("/contacts");
    browser.see("#live", "in diretta");
    browser.assert_quiet("two languages");
}
