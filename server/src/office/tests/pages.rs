//! What the pages show, and that they are live.

use super::*;

#[tokio::test]
async fn the_list_searches_filters_and_tells_a_wrong_filter_where_it_is_wrong() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    house.contact(
        house.workspace,
        by,
        None,
        &[("company", "Østergård Handel"), ("status", "customer")],
    );
    house.contact(house.workspace, by, None, &[("company", "Müller & Söhne"), ("status", "lead")]);
    browser
        .get("/contacts")
        .await
        .assert_has("Østergård Handel")
        .assert_has("Müller &amp; Söhne")
        .assert_has("2 contacts");
    browser
        .get("/contacts?q=ostergard")
        .await
        .assert_has("Østergård Handel")
        .assert_lacks("Söhne")
        .assert_has("1 contact of 2");
    browser
        .get("/contacts?filter=status%3Alead")
        .await
        .assert_has("Söhne")
        .assert_lacks("Østergård Handel");
    let owned = house.user(house.workspace, "rep", Role::Rep);
    house.contact(house.workspace, by, Some(owned), &[("company", "Third")]);
    browser
        .get("/contacts?filter=owner%3Anone")
        .await
        .assert_has("2 contacts of 3")
        .assert_lacks("Third");
    browser.get("/contacts?filter=archived%3Aany").await.assert_has("3 contacts of 3");
    browser.get("/contacts?q=%22%27%28NOT").await.assert_has("Nothing fits");
    let wrong = browser.get("/contacts?filter=staatus%3Alead").await;
    assert_eq!(wrong.status, StatusCode::OK);
    wrong.assert_has("filter, character 1").assert_lacks("Østergård Handel");
    for sort in ["touched", "contacted", "silent", "visit", "due", "nonsense"] {
        let page = browser.get(&format!("/contacts?sort={sort}&after=7&q=a&filter=city%3AA")).await;
        assert_eq!(page.status, StatusCode::OK, "{sort}: {}", page.body);
        assert_eq!(browser.get(&format!("/contacts?sort={sort}")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn windows_of_the_list_follow_one_another_without_a_gap() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    for n in 0..103 {
        // Many of one name: what is behind the last of a window is told by more than its name.
        let name = if n < 60 { "Same".to_owned() } else { format!("Firm {n:03}") };
        let id = house.contact(house.workspace, by, None, &[("company", &name)]);
        let visit = [("next_visit", if n % 3 == 0 { "2026-05-01" } else { "2026-06-01" })];
        let set = visit.map(|(field, day)| set(field, day)).to_vec();
        if n % 2 == 0 {
            house.engine.author(house.workspace, by, vec![Authored::edit(id, set)]).unwrap();
        }
    }
    for (sort, all) in [
        ("name", 103),
        ("touched", 103),
        ("silent", 103),
        ("contacted", 0),
        ("visit", 52),
        ("company", 103),
        ("city", 103),
        ("status", 103),
        ("owner", 103),
    ] {
        let mut seen = Vec::new();
        let mut at = format!("/contacts?sort={sort}");
        loop {
            let page = browser.get(&at).await;
            seen.extend(
                page.body
                    .match_indices("<tr id=\"c-")
                    .map(|(at, _)| page.body[at + 10..at + 46].to_owned()),
            );
            let Some((_, next)) = page.body.split_once("id=\"more\" href=\"") else { break };
            at = next.split('"').next().unwrap().replace("&amp;", "&");
            // Somebody new at the beginning moves nothing.
            if seen.len() == 50 && sort == "name" {
                house.contact(house.workspace, by, None, &[("company", "Aaa")]);
            }
        }
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        assert_eq!(
            (seen.len(), once.len()),
            (
                all + usize::from(sort != "name" && sort != "visit" && sort != "contacted"),
                seen.len()
            ),
            "{sort}"
        );
    }
    // A page with several windows is read again as a whole; single rows too.
    let page = browser.get("/contacts?rows=101").await;
    assert_eq!(page.body.matches("<tr id=\"c-").count(), 104);
    let found = browser.get("/contacts?q=firm").await;
    found.assert_has("43 contacts");
    let nowhere = browser.get("/contacts?after=i9.x").await;
    assert_eq!(nowhere.body.matches("<tr id=\"c-").count(), 50);
}

#[tokio::test]
async fn what_people_type_is_text_and_never_markup() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let id = house.contact(
        house.workspace,
        by,
        None,
        &[("company", evil), ("job_title", evil), ("personal_note", evil)],
    );
    browser.post(&format!("/contacts/{id}/tag"), &[("tag", evil)]).await;
    browser.post(&format!("/contacts/{id}/log"), &[("kind", "visit"), ("summary", evil)]).await;
    for path in [
        format!("/contacts/{id}?authors=1"),
        "/contacts".into(),
        "/".into(),
        format!("/contacts?q={}", super::super::url::encode(evil)),
        "/contacts?filter=%3Cscript%3Ealert(1)".into(),
    ] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        page.assert_lacks("<script>alert").assert_lacks("<img").assert_has("&lt;script&gt;");
    }
}

#[tokio::test]
async fn devices_are_listed_with_their_freshness_and_revoked() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let (device, _) = house.device(rep);
    browser
        .get("/devices")
        .await
        .assert_has("Phone")
        .assert_has("never seen")
        .assert_has("nothing unsent");
    let answer = browser.post(&format!("/devices/{}/revoke", device.id), &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    browser.get("/devices").await.assert_has(">revoked<");
}

#[tokio::test]
async fn an_edit_from_the_field_reaches_an_open_page_as_an_event() {
    use futures_util::StreamExt;
    let house = House::new();
    let (by, browser) = house.manager().await;
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let device = house.device(rep);
    let id = house.contact(house.workspace, by, Some(rep), &[("company", "Ernst Handel")]);
    let cursor = house.engine.public_cursor(house.workspace).unwrap();
    let request = Request::get(format!("/events?since={cursor}"))
        .header(header::COOKIE, &browser.cookie)
        .body(Body::empty())
        .unwrap();
    let response = house.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    house
        .sent(&device, id, &house.document(id), &[set("job_title", "Owner & <b>founder</b>")])
        .await;
    let mut seen = String::new();
    // The hint of the contact's creation may still come first.
    while !seen.contains("Owner &amp; &lt;b&gt;founder") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(
        seen.contains("event: merged")
            && seen.contains(&id.to_string())
            && seen.contains("Ernst Handel"),
        "{seen}"
    );
    assert!(!seen.contains("event: refresh"), "nothing was missed before: {seen}");

    // A page that knows less is told to read itself again, at once.
    let request = Request::get("/events")
        .header(header::COOKIE, &browser.cookie)
        .header("last-event-id", cursor.to_string())
        .body(Body::empty())
        .unwrap();
    let mut stream =
        house.router.clone().oneshot(request).await.unwrap().into_body().into_data_stream();
    let mut seen = String::new();
    while !seen.contains("event: refresh") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    drop(house.dir);
}

#[tokio::test]
async fn what_is_sent_again_because_no_answer_came_is_not_done_twice() {
    let house = House::new();
    let (manager, browser) = house.manager().await;
    let id = house.contact(house.workspace, manager, None, &[("company", "Alpha")]);
    let path = |verb: &str| format!("/contacts/{id}/{verb}");
    let read = || document::read(id, &house.document(id));
    let (phone, visit) =
        ("01a20836-99f1-7f83-a1d5-82578a63a692", "01a20836-99f1-7f83-a1d5-82578a63a693");
    let heads = house.document(id).get_heads().iter().map(ToString::to_string).collect::<Vec<_>>();
    let base = heads.join(" ");
    for (verb, fields) in [
        ("put", vec![("collection", "phones"), ("new_id", phone), ("number", "+45 12 34 56 78")]),
        ("log", vec![("new_id", visit), ("kind", "visit"), ("summary", "Was there")]),
        ("note", vec![("base", base.as_str()), ("note", "Said once.")]),
        ("tag", vec![("tag", "fair")]),
    ] {
        for attempt in 0..2 {
            let done = browser.post(&path(verb), &fields).await;
            assert_eq!(done.status, StatusCode::SEE_OTHER, "{verb} {attempt}: {}", done.body);
        }
    }
    let now = read();
    assert_eq!((now.phones.len(), now.interactions.len()), (1, 1));
    assert_eq!(now.phones[0].id.to_string(), phone);
    assert_eq!((now.note.as_str(), now.tags.len()), ("Said once.", 1));
    // Without a script there is no such id, and each form is a new entry.
    for _ in 0..2 {
        browser.post(&path("log"), &[("kind", "call"), ("summary", "Rang")]).await;
    }
    assert_eq!(read().interactions.len(), 3);
}
