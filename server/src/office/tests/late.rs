//! Late edits on the page.

use roadbook_protocol::document::{Collection, Value};
use roadbook_protocol::ids::EntryId;

use super::*;
use crate::engine::Assign;

#[tokio::test]
async fn a_late_edit_is_shown_field_by_field_and_decided_by_who_steers_the_contact() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let anna = house.user(house.workspace, "anna", Role::Rep);
    let ben = house.user(house.workspace, "ben", Role::Rep);
    let id = house.contact(
        house.workspace,
        by,
        Some(anna),
        &[("company", "Ernst Handel"), ("job_title", "Owner")],
    );
    let phone = house.device(anna);
    let assign = Assign { contacts: vec![id], owner: Some(Some(ben)), ..Assign::default() };
    house.engine.assign(house.workspace, Some(by), assign).unwrap();
    let visit = Command::Put {
        collection: Collection::Interactions,
        id: EntryId::from_random(random()),
        fields: [
            ("kind".to_owned(), Some(Value::from("visit"))),
            ("at".to_owned(), Some(Value::Int(1_780_000_000_000))),
            ("summary".to_owned(), Some(Value::from("Was there all the same"))),
        ]
        .into(),
    };
    let base = house.document(id);
    let edits = [set("job_title", "<b>Partner</b>"), set("website", "https://a.example"), visit];
    house.sent(&phone, id, &base, &edits).await;
    let page = browser.get("/decide").await;
    page.assert_has("Late edits")
        .assert_has("&lt;b&gt;Partner&lt;/b&gt;")
        .assert_has("Owner")
        .assert_has("Was there all the same")
        .assert_has("taken at once");
    let read = || document::read(id, &house.document(id));
    assert_eq!(read().interactions.len(), 1, "the visit is in");
    assert_eq!(read().text("job_title"), "Owner", "the field is not");
    let set = &house.engine.proposals(house.workspace, all()).unwrap()[0];
    let title = set.items.iter().find(|item| item.path == "job_title").unwrap().i.to_string();
    let path = |verdict: &str| format!("/decide/proposals/{}/{verdict}", set.n);
    // A form of another session decides nothing.
    let mut other = browser.clone();
    other.csrf = "wrong".to_owned();
    assert_eq!(other.post(&path("accept"), &[]).await.status, StatusCode::FORBIDDEN);
    // In part, the rest declined, and taken back.
    let answer = browser.post(&path("accept"), &[("item", &title)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(read().text("job_title"), "<b>Partner</b>");
    assert_eq!(read().text("website"), "");
    assert_eq!(browser.post(&path("decline"), &[]).await.status, StatusCode::SEE_OTHER);
    browser.get("/decide").await.assert_lacks("Late edits");
    let answer = browser.post(&path("undo"), &[("item", &title)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(read().text("job_title"), "Owner");
    browser.get("/decide").await.assert_has("Late edits");
    assert_eq!(
        browser.post("/decide/proposals/99/accept", &[]).await.status,
        StatusCode::NOT_FOUND
    );
}

fn all() -> crate::store::proposals::Wanted {
    crate::store::proposals::Wanted { decided: true, limit: 10, ..Default::default() }
}
