//! Views of the list, its columns, and the tags that it is filtered by.

use roadbook_protocol::document::Value;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_view_keeps_its_address_whatever_it_is_called_and_is_its_owners() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    for (name, status) in [("Alpha", "lead"), ("Beta", "customer")] {
        house.contact(house.workspace, by, None, &[("company", name), ("status", status)]);
    }
    let leads = [
        ("name", "Leads"),
        ("filter", "status:lead"),
        ("sort", "touched"),
        ("columns", "owner,tags"),
    ];
    let saved = browser.post("/contacts/views", &leads).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let address = saved.location().to_owned();
    let open = browser.get(&address).await;
    open.assert_has("<h1>Leads</h1>").assert_has("Alpha").assert_lacks("Beta").assert_has(">Tags<");
    // What is asked beyond it stands behind its address, also where that is nothing.
    let more = browser.get(&format!("{address}&filter=")).await;
    more.assert_has("Beta").assert_has("changed").assert_has("Save the changes to Leads");
    // One name, one view.
    let twice = browser.post("/contacts/views", &leads).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    twice.assert_has("another view of that name");
    for wrong in [[("name", " "), ("filter", "")], [("name", "x"), ("filter", "statsu:x")]] {
        let refused = browser.post("/contacts/views", &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    let second = house.user(house.workspace, "second", Role::Manager);
    let other = house.browser(house.workspace, second).await;
    other.get("/contacts").await.assert_lacks("Leads");
    other.get(&address).await.assert_has("Beta").assert_lacks("Leads");
    let path = address.replace("/contacts?view=", "/contacts/views/");
    let renamed =
        [("name", "New ones"), ("filter", "status:lead"), ("columns", "owner"), ("shared", "1")];
    assert_eq!(other.post(&path, &renamed).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.post(&path, &renamed).await.location(), address, "the link stays");
    other.get(&address).await.assert_has("<h1>New ones</h1>").assert_lacks("Beta");
    assert_eq!(other.post(&path, &renamed).await.status, StatusCode::NOT_FOUND, "seen, not theirs");
    assert_eq!(other.post(&format!("{path}/remove"), &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.post(&format!("{path}/remove"), &[]).await.location(), "/contacts");
    browser.get("/contacts").await.assert_lacks("New ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_remembered_for_who_chose_them_and_in_their_view() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let id = house.contact(
        house.workspace,
        by,
        None,
        &[("company", "Alpha"), ("birthday", "1980-03-07"), ("job_title", "Miller")],
    );
    let custom =
        Command::Custom { name: "Shoe size".to_owned(), value: Some(Value::from("forty-two")) };
    house.engine.author(house.workspace, by, vec![Authored::edit(id, vec![custom])]).unwrap();
    browser.get("/contacts").await.assert_lacks("Miller").assert_has(">City<");

    let chosen = [
        ("column", "job_title"),
        ("column", "birthday"),
        ("column", "phones"),
        ("custom", "Shoe size"),
        ("back", "/contacts?filter=company%3Aalpha"),
    ];
    let set = browser.post("/contacts/columns", &chosen).await;
    assert_eq!(set.location(), "/contacts?filter=company%3Aalpha");
    let page = browser.get("/contacts").await;
    page.assert_has("Miller").assert_has("7 Mar 1980").assert_has("forty-two");
    page.assert_has("Shoe size</th>").assert_lacks("<th class=\"mid\"");
    // Nobody else's are changed by it.
    let second = house.user(house.workspace, "second", Role::Manager);
    let other = house.browser(house.workspace, second).await;
    other.get("/contacts").await.assert_lacks("Miller");
    // In one's own view they are the view's.
    let view = [("name", "Plain"), ("columns", "owner")];
    let address = browser.post("/contacts/views", &view).await.location().to_owned();
    browser.get(&address).await.assert_lacks("Miller");
    let of = address.replace("/contacts?view=", "");
    let into = [("column", "birthday"), ("view", of.as_str()), ("back", &address)];
    browser.post("/contacts/columns", &into).await;
    browser.get(&address).await.assert_has("7 Mar 1980").assert_lacks("Miller");
    assert_eq!(other.post("/contacts/columns", &into).await.status, StatusCode::NOT_FOUND);
    browser.post("/contacts/columns", &[("usual", "1"), ("back", "//evil.example")]).await;
    browser.get("/contacts").await.assert_lacks("Miller").assert_has(">City<");
    browser.get(&address).await.assert_has("7 Mar 1980");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_found_by_an_index_that_follows_every_merge_and_is_made_anew() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let new = |name: &str| house.contact(house.workspace, by, None, &[("company", name)]);
    let (alpha, beta) = (new("Alpha"), new("Beta"));
    let edit = |id, command| {
        let edits = vec![Authored::edit(id, vec![command])];
        house.engine.author(house.workspace, by, edits).unwrap();
    };
    let tag = |text: &str| Command::Tag { tag: text.to_owned(), at: 1 };
    edit(alpha, tag("Großkunde"));
    edit(alpha, tag("⭐"));
    edit(beta, tag("vip"));
    let finds = async |filter: &str, alpha: bool, beta: bool| {
        let page =
            browser.get(&format!("/contacts?filter={}", crate::office::url::encode(filter))).await;
        assert_eq!(
            (page.body.contains(">Alpha<"), page.body.contains(">Beta<")),
            (alpha, beta),
            "{filter}"
        );
    };
    finds("tag:grosskunde", true, false).await;
    finds("tag:gross*", true, false).await;
    finds("tag:*kund*", true, false).await;
    finds("tag:\"⭐\"", true, false).await;
    finds("-tag:VIP", true, false).await;
    finds("has:tag", true, true).await;
    finds("no:tag", false, false).await;
    edit(beta, Command::Untag { tag: "vip".to_owned() });
    finds("tag:vip", false, false).await;
    assert!(house.engine.check().unwrap().is_clean());
    house
        .engine
        .write(|tx| -> crate::store::Result<()> {
            tx.execute("DELETE FROM contact_tag", [])?;
            Ok(())
        })
        .unwrap();
    let report = house.engine.check().unwrap();
    assert!(report.findings.iter().any(|finding| finding.what.contains("tags")), "{report:?}");
    house.engine.write(crate::store::facts::forget).unwrap();
    house.engine.shutdown();
    let engine = Engine::open(house.dir.path(), EngineOptions::default()).unwrap();
    assert!(engine.check().unwrap().is_clean(), "a start makes it anew");
}
