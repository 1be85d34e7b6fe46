//! The list of contacts in a real browser: many changed at once and taken back, views, columns, windows that
//! follow as one scrolls, and a server that dies in the middle of it.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use roadbook_tests::browser::Browser;
use roadbook_tests::scene::Scene;
use serde_json::json;

/// So many contacts of Ada, a manager's browser.
fn office(seed: u64, count: usize) -> (Scene, Browser) {
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    scene.import(seed, count, Some("ada"));
    let code = scene.manager("mona");
    let mut browser = Browser::new(&scene.url());
    browser.sign_in(&code);
    (scene, browser)
}

/// Chooses all that the list finds.
fn choose_all(browser: &mut Browser) {
    browser.click("#bulk-box summary");
    browser.click("#bulk [name=all]");
}

/// Asks to tag what is chosen, and gets to the preview. Returns its address.
fn ask_to_tag(browser: &mut Browser, tag: &str) -> String {
    browser.ask(json!({"do": "choose", "selector": "#bulk-what", "value": "tag"}));
    browser.fill("#bulk-tag", tag);
    browser.follow("#bulk button.go")
}

/// Takes back what the page tells of.
fn take_back(browser: &mut Browser, told: &str) {
    browser.follow("form[action$='/undo'] button");
    browser.see(".notice.ok", told);
}

#[test]
fn contacts_are_chosen_previewed_tagged_and_taken_back_and_the_rep_sees_it() {
    let (scene, mut browser) = office(121, 30);
    let phone = scene.device("phone", "ada");
    phone.sync();
    browser.open("/contacts");
    browser.click("tbody tr:nth-child(1) .pick input");
    browser.click("tbody tr:nth-child(2) .pick input");
    browser.see("[data-picked]", "Chosen: 2");
    // What comes in meanwhile leaves the choice alone.
    browser.ask(json!({"do": "watch", "selector": "tbody", "text": "Aaa Just Added"}));
    phone.run(&["add", "company=Aaa Just Added"]).ok();
    phone.sync();
    browser.ask(json!({"do": "watched"}));
    browser.see("[data-picked]", "Chosen: 2");
    ask_to_tag(&mut browser, "fair");
    browser.see("h1", "Add the tag “fair”");
    browser.see(".fig.card", "would change");
    browser.see("form button.go", "Change 2 contacts");
    browser.follow("form button.go");
    browser.see(".notice.ok", "2 contacts were changed");
    phone.sync();
    assert_eq!(
        phone.run(&["list", "tag:fair"]).stdout.lines().filter(|line| !line.is_empty()).count(),
        2
    );
    browser.open("/contacts?filter=tag:fair");
    assert_eq!(browser.count("tbody tr"), 2);
    browser.open("/contacts/bulk");
    browser.follow("tbody a.name");
    take_back(&mut browser, "2 contacts are as before");
    browser.open("/contacts?filter=tag:fair");
    browser.see(".empty", "Nothing fits");
    browser.assert_quiet("a bulk action");
    phone.sync();
    scene.assert_clean();
}

#[test]
fn all_that_a_filter_finds_are_handed_over_and_leave_the_devices_of_who_had_them() {
    let (scene, mut browser) = office(122, 12);
    let phone = scene.device("phone", "ada");
    phone.sync();
    browser.open("/contacts?filter=owner:ada");
    choose_all(&mut browser);
    let ben = browser.ask(json!({"do": "text", "selector": "#bulk-to option:has-text('ben')"}));
    assert!(ben.as_str().is_some_and(|text| text.contains("ben")), "{ben}");
    browser.ask(json!({"do": "choose", "selector": "#bulk-to", "value": {"label": ben.as_str().unwrap().trim()}}));
    browser.follow("#bulk button.go");
    browser.see("#means", "What it means");
    browser.follow("form button.go");
    browser.see(".notice.ok", "12 contacts were changed");
    phone.sync();
    assert!(phone.ids().is_empty(), "they left the device of who had them");
    take_back(&mut browser, "12 contacts are as before");
    phone.sync();
    assert_eq!(phone.ids().len(), 12);
    browser.assert_quiet("a hand-over of many");
    scene.assert_clean();
}

#[test]
fn a_server_that_dies_in_the_middle_goes_on_and_does_nothing_twice() {
    let (mut scene, mut browser) = office(123, 400);
    scene.stop();
    scene.start_with(&[("ROADBOOK_FAILPOINT", "merge_after_commit:3")]);
    browser.open("/contacts");
    choose_all(&mut browser);
    let path = ask_to_tag(&mut browser, "twice");
    // The server may be gone before it answers.
    let _ = browser.try_ask(&json!({"do": "click", "selector": "form button.go"}));
    assert!(scene.take_server().wait_for_end(Duration::from_secs(60)), "it was to die");
    scene.start();
    browser.ask(json!({"do": "complaints"}));
    browser.open(&path);
    browser.see(".notice.wait", "It was cut off after");
    browser.follow("form button.go");
    browser.see(".notice.ok", "400 contacts were changed");
    take_back(&mut browser, "400 contacts are as before");
    browser.open("/contacts?filter=tag:twice");
    browser.see(".empty", "Nothing fits");
    scene.assert_clean();
}

#[test]
fn the_list_goes_on_as_one_scrolls_and_keeps_its_rows_when_something_comes_in() {
    let (scene, mut browser) = office(124, 180);
    let phone = scene.device("phone", "ada");
    phone.sync();
    browser.open("/contacts");
    assert_eq!(browser.count("tbody tr"), 50, "a window");
    let deadline = Instant::now() + Duration::from_secs(60);
    while browser.count("tbody tr") < 180 {
        // To the end of what is laid out by then: rows that have come since need another press.
        browser.ask(json!({"do": "press", "key": "End"}));
        assert!(Instant::now() < deadline, "{} rows", browser.count("tbody tr"));
    }
    assert_eq!((browser.count("tbody tr"), browser.count("#more")), (180, 0));
    browser.ask(json!({"do": "watch", "selector": "tbody", "text": "Aaa Just Added"}));
    phone.run(&["add", "company=Aaa Just Added"]).ok();
    phone.sync();
    browser.ask(json!({"do": "watched"}));
    browser.see("tbody tr:nth-child(181)", "");
    // Without a script it is a link.
    browser.open("/contacts");
    let next = browser.ask(json!({"do": "attribute", "selector": "#more", "name": "href"}));
    browser.open(next.as_str().unwrap());
    browser.see("a[rel=first]", "From the beginning");
    browser.assert_quiet("an endless list");
}

#[test]
fn a_view_is_saved_with_its_columns_opened_renamed_and_removed() {
    let (_scene, mut browser) = office(125, 20);
    browser.open("/contacts?filter=owner:ada&sort=touched");
    browser.click("#columns summary");
    browser.click("#columns input[value=tags]");
    browser.click("#columns input[value=job_title]");
    browser.follow("#columns button.go");
    browser.see("thead", "Job title");
    browser.open("/contacts");
    browser.see("thead", "Tags");
    browser.open("/contacts?filter=owner:ada&sort=touched");
    browser.click("#views summary");
    browser.fill("#view-name", "Ada's, newest first");
    browser.follow("form[action='/contacts/views'] button.go");
    browser.see("h1", "Ada's, newest first");
    // One's own columns change; those of the view stay.
    browser.open("/contacts");
    browser.click("#columns summary");
    browser.follow("#columns button[name=usual]");
    browser.miss("thead", "Job title");
    browser.click("#views summary");
    browser.follow("#views .seg-row a.seg");
    browser.see("thead", "Job title");
    let filter = browser.ask(json!({"do": "count", "selector": "#filter[value='owner:ada']"}));
    assert_eq!(filter, 1);
    browser.click("#views summary");
    browser.click("#views .another:first-of-type summary");
    browser.fill("#view-rename", "Ada's");
    browser.follow("#views .another:first-of-type button");
    browser.see("h1", "Ada's");
    browser.click("#views summary");
    assert_eq!(browser.count("#views .seg-row"), 1);
    browser.assert_quiet("views and columns");
}
