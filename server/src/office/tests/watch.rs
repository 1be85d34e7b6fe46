//! Alerts: who is told of what, what is held back on the pages, and planted contacts.

use super::*;
use crate::engine::{Limit, Reader, Reading};
use crate::store::{alerts, canaries, teams};

fn limit(house: &House, reading: Reading, contacts: u64) {
    let limit = Limit { contacts, hours: 24 };
    house.engine.set_volume_limit(house.workspace, None, reading, limit).unwrap();
}

fn person(house: &House, login: &'static str, role: Role, team: Option<&'static str>) -> UserId {
    let id = house.user(house.workspace, login, role);
    let workspace = house.workspace;
    house.engine.write(move |tx| people::update_user(tx, workspace, id, None, None, team)).unwrap();
    id
}

fn teams_of(house: &House) {
    let workspace = house.workspace;
    house
        .engine
        .write(move |tx| {
            teams::set(tx, workspace, "North", None)?;
            teams::set(tx, workspace, "South", None)
        })
        .unwrap();
}

#[tokio::test]
async fn opening_too_many_contacts_is_held_back_until_an_administrator_lifts_it() {
    let house = House::new();
    let admin = house.user(house.workspace, "boss", Role::Admin);
    let boss = house.browser(house.workspace, admin).await;
    let (manager, browser) = house.manager().await;
    let contacts: Vec<ContactId> = (0..3)
        .map(|n| house.contact(house.workspace, admin, None, &[("company", &format!("Marker{n}"))]))
        .collect();
    limit(&house, Reading::Page, 2);
    let path = |n: usize| format!("/contacts/{}", contacts[n]);
    for n in [0, 1, 0, 1, 0] {
        assert_eq!(
            browser.get(&path(n)).await.status,
            StatusCode::OK,
            "one that was open is no new one"
        );
    }
    let held = browser.get(&path(2)).await;
    assert_eq!(held.status, StatusCode::TOO_MANY_REQUESTS);
    held.assert_lacks("Marker2").assert_has("volume lift manager").assert_has("waits until");
    assert!(held.headers.contains_key("retry-after"));
    assert_eq!(browser.get(&path(0)).await.status, StatusCode::OK);

    // Who did it is not told; the administrator is, and lifts it from the page.
    browser.get("/alerts").await.assert_has("Nothing unusual");
    let page = boss.get("/alerts").await;
    page.assert_has("3 contacts opened, 2 are usual")
        .assert_has("Let go on")
        .assert_has("1<span class=\"vh\"> new");
    let lifted = boss.post(&format!("/people/{manager}/lift"), &[]).await;
    assert_eq!(lifted.status, StatusCode::SEE_OTHER, "{}", lifted.body);
    assert_eq!(browser.get(&path(2)).await.status, StatusCode::OK);
    let own = browser.post(&format!("/people/{manager}/lift"), &[]).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "nobody lifts their own");

    let seen = boss.post("/alerts/1/seen", &[]).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
    boss.get("/alerts").await.assert_has("Nothing unusual").assert_lacks("class=\"vh\"> new");
    boss.get("/alerts?all=1").await.assert_has("3 contacts opened");
}

#[tokio::test]
async fn lines_of_lists_are_counted_apart_and_the_same_lines_once() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    for n in 0..3 {
        house.contact(house.workspace, by, None, &[("company", &format!("Marker{n}"))]);
    }
    limit(&house, Reading::List, 3);
    for _ in 0..3 {
        browser.get("/contacts").await.assert_has("Marker2");
    }
    house.contact(house.workspace, by, None, &[("company", "Marker3")]);
    let held = browser.get("/contacts").await;
    assert_eq!(held.status, StatusCode::TOO_MANY_REQUESTS);
    held.assert_lacks("Marker");
}

#[tokio::test]
async fn only_managers_of_who_did_it_and_administrators_are_told() {
    let house = House::new();
    teams_of(&house);
    let rep = person(&house, "rep", Role::Rep, Some("North"));
    let people = [
        ("admin", Role::Admin, None, true),
        ("head", Role::Manager, None, true),
        ("north", Role::Manager, Some("North"), true),
        ("south", Role::Manager, Some("South"), false),
        ("auditor", Role::ReadOnly, None, false),
    ];
    limit(&house, Reading::Device, 1);
    let reader = Reader { workspace: house.workspace, user: rep, device: None };
    assert!(house.engine.take_volume(reader, Reading::Device, 2).unwrap().is_some());
    for (login, role, team, told) in people {
        let user = person(&house, login, role, team);
        let browser = house.browser(house.workspace, user).await;
        let page = browser.get("/alerts?all=1").await;
        assert_eq!(
            page.body.contains("2 contacts sent to devices"),
            told,
            "{login}: {}",
            page.body
        );
        let answer = browser.post("/alerts/1/seen", &[]).await;
        if !told {
            assert_ne!(answer.status, StatusCode::SEE_OTHER, "{login}");
            assert_eq!(page.status == StatusCode::OK, role == Role::Manager, "{login}");
        }
    }
}

#[tokio::test]
async fn opening_and_editing_a_planted_contact_at_the_office_is_told_and_figures_are_without_it() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let admin = house.user(house.workspace, "boss", Role::Admin);
    let (workspace, now) = (house.workspace, house.engine.now_ms());
    house.contact(workspace, by, Some(by), &[("company", "Real")]);
    let bird = house.contact(workspace, by, Some(by), &[("family_name", "Bird")]);
    house.engine.write(move |tx| canaries::mark(tx, workspace, bird, now, None)).unwrap();
    let raised = || house.engine.read(|conn| alerts::list(conn, workspace, true, 10)).unwrap();

    browser.get("/contacts").await.assert_has("Bird").assert_lacks("anary");
    assert!(raised().is_empty(), "a list is no touch");
    browser.get("/").await.assert_has("<b>1</b>");
    browser.get(&format!("/contacts/{bird}")).await.assert_has("Bird").assert_lacks("anary");
    let opened = raised();
    assert_eq!((opened.len(), opened[0].how.as_str(), opened[0].user), (1, "open", Some(by)));
    browser.get(&format!("/contacts/{bird}")).await;
    assert_eq!((raised().len(), raised()[0].times), (1, 2), "counted, not doubled");
    let edit = [("field", "company"), ("value", "Nest"), ("was", "")];
    browser.post(&format!("/contacts/{bird}/set"), &edit).await;
    assert_eq!(raised()[0].how, "edit");
    let boss = house.browser(workspace, admin).await;
    boss.get("/alerts")
        .await
        .assert_has("A planted contact was opened.")
        .assert_has(&bird.to_string())
        .assert_has("Sign out everywhere");
    boss.post(&format!("/people/{by}/sign-out"), &[]).await;
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER, "signed out");
}

#[tokio::test]
async fn what_was_read_is_counted_on_after_a_restart() {
    let house = House::new();
    let (rep, other) = (
        house.user(house.workspace, "rep", Role::Rep),
        house.user(house.workspace, "other", Role::Rep),
    );
    limit(&house, Reading::Export, 10);
    let reader = |user| Reader { workspace: house.workspace, user, device: None };
    assert_eq!(house.engine.take_volume(reader(rep), Reading::Export, 8).unwrap(), None);
    house.engine.shutdown();
    let engine = Engine::open(house.dir.path(), EngineOptions::default()).unwrap();
    let held = engine.take_volume(reader(rep), Reading::Export, 3).unwrap().unwrap();
    assert_eq!((held.read, held.asked, held.most), (8, 3, 10));
    assert!(held.until.is_some());
    let held = engine.take_volume(reader(rep), Reading::Export, 11).unwrap().unwrap();
    assert_eq!(held.until, None, "too much for any window");
    assert_eq!(engine.take_volume(reader(rep), Reading::Export, 2).unwrap(), None);
    assert_eq!(engine.take_volume(reader(other), Reading::Export, 10).unwrap(), None);
}
