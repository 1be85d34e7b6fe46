//! Segments, funnel, activity and value in a real browser: from a segment to its export, a deal dragged
//! to another stage, and that the pages fit a phone and a desk, light and dark.
#![allow(clippy::unwrap_used)]

use roadbook_tests::browser::Browser;
use roadbook_tests::scene::Scene;
use serde_json::json;

/// Contacts of Ada, one with a deal, and her phone.
fn office(seed: u64) -> (Scene, roadbook_tests::process::Rep, String) {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(seed, 30, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    let id = phone.run(&["add", "company=Blåbær A/S", "status=customer", "city=Århus"]).last_line();
    phone
        .run(&[
            "deal",
            "add",
            &id,
            "--title",
            "Printing press",
            "--amount",
            "1200",
            "--currency",
            "EUR",
        ])
        .ok();
    phone.run(&["visit", &id, "--summary", "Tasted three cheeses"]).ok();
    phone.sync();
    (scene, phone, id)
}

#[test]
fn a_segment_is_built_saved_and_exported() {
    let (scene, _phone, _id) = office(91);
    let code = scene.manager("mona");
    let mut browser = Browser::new(&scene.url());
    browser.sign_in(&code);
    browser.open("/segments");
    browser.see("#acts-title", "31 contacts");
    browser.ask(json!({"do": "choose", "selector": "#field", "value": "city"}));
    browser.fill("#value", "Århus");
    browser.follow(".builder button");
    browser.see(".chip.brand", "city:");
    browser.see("tbody", "Blåbær A/S");
    browser.ask(json!({"do": "choose", "selector": "#field", "value": "contacted"}));
    browser.ask(json!({"do": "choose", "selector": "#op", "value": "within"}));
    browser.fill("#value", "2");
    browser.follow(".builder button");
    browser.see("#acts-title", "1 contact");
    browser.click("details.act:first-of-type summary");
    browser.fill("#name", "Seen in Århus");
    browser.follow("details.act form button");
    browser.see(".seg b", "Seen in Århus");
    browser.click(".act summary:text('Export')");
    let csv = browser.download(".act button:text('Export as CSV')");
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains("Blåbær A/S"), "{csv}");
    let audit = scene.admin(&["audit", "list", "--json"]).json().to_string();
    assert!(audit.contains("contacts.export"), "{audit}");
    browser.assert_quiet("from a segment to its export");
}

#[test]
fn a_deal_is_dragged_to_another_stage_and_comes_to_the_reps_device() {
    let (scene, phone, id) = office(92);
    let code = scene.manager("mona");
    let mut browser = Browser::new(&scene.url());
    browser.sign_in(&code);
    browser.open("/funnel");
    browser.see("#stage-lead", "Printing press");
    browser.see("#stage-lead", "1,200.00 EUR");
    browser.drag("#stage-lead .deal", "#stage-offer .col");
    browser.see("#stage-offer", "Printing press");
    browser.miss("#stage-lead", "Printing press");
    // From the keyboard the form on the card does the same.
    browser.click("#stage-offer .move summary");
    browser.ask(json!({"do": "choose", "selector": "#stage-offer .move select", "value": "won"}));
    browser.click("#stage-offer .move button");
    browser.see("#stage-won", "Printing press");
    browser.assert_quiet("moving a deal");
    phone.sync();
    assert_eq!(phone.show(&id)["deals"][0]["stage"], "won");
    // A move on the device comes to the board by itself.
    browser.ask(json!({"do": "watch", "selector": "#stage-negotiation", "text": "Printing press"}));
    phone.run(&["deal", "move", &id, "Printing press", "negotiation"]).ok();
    phone.sync();
    browser.ask(json!({"do": "watched"}));
    scene.assert_clean();
}

#[test]
fn every_page_fits_a_phone_and_a_desk_in_light_and_dark() {
    let (scene, _phone, _id) = office(93);
    let code = scene.manager("mona");
    let mut browser = Browser::new(&scene.url());
    browser.sign_in(&code);
    for (width, height) in [(360, 740), (1440, 900)] {
        browser.ask(json!({"do": "resize", "width": width, "height": height}));
        for dark in [false, true] {
            browser.ask(json!({"do": "scheme", "dark": dark}));
            for path in [
                "/segments",
                "/segments?filter=city:x*",
                "/segments?filter=statsu:x",
                "/funnel",
                "/activity",
                "/value",
                "/value?by=limits",
            ] {
                assert_eq!(browser.open(path)["status"], 200, "{path}");
                browser.assert_fits(&format!("{path} at {width} px, dark: {dark}"));
            }
        }
    }
    browser.assert_quiet("the pages with figures");
}
