//! Edits and decisions.

use super::*;

#[tokio::test]
async fn every_edit_of_a_page_is_a_change_in_the_managers_name() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Ernst Handel")]);
    let path = |verb: &str| format!("/contacts/{id}/{verb}");
    for (verb, fields) in [
        ("set", vec![("field", "job_title"), ("value", "Owner"), ("was", "")]),
        ("put", vec![("collection", "phones"), ("number", "+43 7675 3425"), ("label", "office")]),
        (
            "put",
            vec![
                ("collection", "deals"),
                ("title", "Autumn order"),
                ("amount", "12.400,50"),
                ("currency", "eur"),
                ("stage", "offer"),
            ],
        ),
        ("tag", vec![("tag", "fair")]),
        (
            "log",
            vec![
                ("kind", "call"),
                ("at", "2026-05-31T14:30"),
                ("utc_offset_min", "120"),
                ("summary", "Wants a sample"),
            ],
        ),
    ] {
        let answer = browser.post(&path(verb), &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{verb}: {}", answer.body);
    }
    let base = super::super::contact::heads_text(&house.document(id).get_heads());
    browser.post(&path("note"), &[("note", "First line\r\nSecond line"), ("base", &base)]).await;
    let doc = house.document(id);
    let contact = document::read(id, &doc);
    assert_eq!(contact.text("job_title"), "Owner");
    assert_eq!(contact.phones[0].text("number"), "+43 7675 3425");
    assert_eq!(contact.deals[0].int("amount"), Some(1_240_050));
    assert_eq!(contact.deals[0].text("currency"), "EUR");
    assert_eq!(contact.tags, ["fair"]);
    assert_eq!(contact.interactions[0].int("at"), Some(1_780_230_600_000), "12:30 UTC");
    assert_eq!(contact.note, "First line\nSecond line");
    assert!(document::history(id, &doc, 50).iter().all(|item| item.author == by));
    let page = browser.get(&format!("/contacts/{id}?authors=1")).await;
    page.assert_has("Ernst Handel")
        .assert_has("+43 7675 3425")
        .assert_has("12,400.50 EUR")
        .assert_has("Wants a sample")
        .assert_has("First line");

    let phone = contact.phones[0].id.to_string();
    browser.post(&path("put"), &[("collection", "phones"), ("id", &phone), ("remove", "1")]).await;
    browser.post(&path("untag"), &[("tag", "fair")]).await;
    let contact = document::read(id, &house.document(id));
    assert!(contact.phones.is_empty() && contact.tags.is_empty());
}

#[tokio::test]
async fn a_contact_is_assigned_to_a_person_of_this_workspace_only() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let id = house.contact(house.workspace, by, None, &[("company", "Ernst Handel")]);
    let path = format!("/contacts/{id}/assign");
    assert_eq!(
        browser.post(&path, &[("owner", &rep.to_string())]).await.status,
        StatusCode::SEE_OTHER
    );
    browser.get("/contacts?filter=owner%3Arep").await.assert_has("Ernst Handel");
    let theirs = house.engine.create_workspace("Theirs").unwrap();
    let stranger = house.user(theirs, "stranger", Role::Rep);
    assert_eq!(
        browser.post(&path, &[("owner", &stranger.to_string())]).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(browser.post(&path, &[("owner", "")]).await.status, StatusCode::SEE_OTHER);
    browser.get("/contacts?filter=owner%3Anone").await.assert_has("Ernst Handel");
}

#[tokio::test]
async fn a_value_that_somebody_else_wrote_is_not_overwritten_unseen() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Before")]);
    house
        .engine
        .author(house.workspace, by, vec![Authored::edit(id, vec![set("company", "Theirs")])])
        .unwrap();
    let path = format!("/contacts/{id}/set");
    let refused =
        browser.post(&path, &[("field", "company"), ("value", "Mine"), ("was", "Before")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.assert_has("Theirs");
    assert_eq!(document::read(id, &house.document(id)).text("company"), "Theirs");
    let knowing =
        browser.post(&path, &[("field", "company"), ("value", "Mine"), ("was", "Theirs")]).await;
    assert_eq!(knowing.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn two_people_writing_in_a_note_both_keep_their_words() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Ernst Handel")]);
    let path = format!("/contacts/{id}/note");
    let base = super::super::contact::heads_text(&house.document(id).get_heads());
    browser.post(&path, &[("note", "The first line is long enough."), ("base", &base)]).await;
    let base = super::super::contact::heads_text(&house.document(id).get_heads());
    browser
        .post(&path, &[("note", "Before it. The first line is long enough."), ("base", &base)])
        .await;
    let second = browser
        .post(&path, &[("note", "The first line is long enough. After it."), ("base", &base)])
        .await;
    assert_eq!(second.status, StatusCode::SEE_OTHER, "{}", second.body);
    let note = document::read(id, &house.document(id)).note;
    assert_eq!(note, "Before it. The first line is long enough. After it.");
    let stale = browser.post(&path, &[("note", "x"), ("base", "nonsense")]).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_conflict_is_shown_with_both_sides_and_decided() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let device = house.device(rep);
    let id = house.contact(
        house.workspace,
        by,
        Some(rep),
        &[("company", "Alfreds Futterkiste"), ("job_title", "Buyer")],
    );
    let base = house.document(id);
    house.sent(&device, id, &base, &[set("job_title", "Head of purchasing")]).await;
    // A second device of the same rep, which has not seen the first.
    let second = house.device(rep);
    house.sent(&second, id, &base, &[set("job_title", "Chief buyer")]).await;

    for path in [format!("/contacts/{id}"), "/decide".into()] {
        browser
            .get(&path)
            .await
            .assert_has("Head of purchasing")
            .assert_has("Chief buyer")
            .assert_has("Job title")
            .assert_has("rep");
    }
    browser.get("/contacts").await.assert_has("1 conflict");
    let conflict = document::conflicts(id, &house.document(id)).remove(0);
    let loser = conflict.values.iter().find(|side| !side.shown).unwrap();
    let wanted = loser.value.clone().unwrap().to_string();
    let path = format!("/contacts/{id}/resolve");
    let fields = [("field", "job_title"), ("change", loser.change.as_str())];
    assert_eq!(browser.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    let doc = house.document(id);
    assert!(document::conflicts(id, &doc).is_empty());
    assert_eq!(document::read(id, &doc).text("job_title"), wanted);
    browser.get("/decide").await.assert_has("Nothing to decide");
    let again = browser.post(&path, &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_has("decided this already");
}
