//! The tabs of a browser share one event stream: a browser opens six connections to a host, and more tabs
//! than that must not keep each other from the server.
#![allow(clippy::unwrap_used)]

use roadbook_tests::browser::Browser;
use roadbook_tests::scene::Scene;
use serde_json::json;

#[test]
fn eight_tabs_are_live_over_one_stream_which_another_takes_over() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(98, 5, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    let code = scene.manager("mona");
    let mut browser = Browser::new(&scene.url());
    browser.sign_in(&code);
    // A page without a stream: so it is one of the others that has it.
    browser.open("/account");
    browser.ask(json!({"do": "tabs", "path": "/", "count": 8}));
    browser.open("/");
    browser.ask(json!({"do": "tabs_see", "selector": "#live", "text": "live"}));
    browser.ask(json!({"do": "tabs_see", "selector": "#live[data-state=live]", "text": "live"}));
    assert_eq!(browser.ask(json!({"do": "streams"})), 1, "nine tabs, one stream");

    phone.run(&["add", "company=Told to every tab"]).ok();
    phone.sync();
    browser.ask(json!({"do": "tabs_see", "selector": "#feed", "text": "Told to every tab"}));

    assert_eq!(browser.ask(json!({"do": "close_streaming"})), 7);
    phone.run(&["add", "company=And after one was closed"]).ok();
    phone.sync();
    browser.ask(json!({"do": "tabs_see", "selector": "#feed", "text": "And after one was closed"}));
    assert_eq!(browser.ask(json!({"do": "streams"})), 1, "another has the stream");
    browser.assert_quiet("many tabs");
}
