//! Who comes in, and what they may.

use super::*;
use crate::store::sessions;

#[tokio::test]
async fn a_stranger_is_led_to_the_sign_in_and_back() {
    let house = House::new();
    let answer =
        ask(&house.router, Request::get("/contacts?q=a").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.location(), "/sign-in?next=/contacts%3Fq%3Da");
    let page = ask(&house.router, Request::get("/sign-in").body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers[header::CACHE_CONTROL], "private, no-store");
}

#[tokio::test]
async fn a_code_sets_a_password_once_and_the_password_signs_in() {
    let house = House::new();
    let id = house.user(house.workspace, "manager", Role::Manager);
    let code = house.code(house.workspace, id);
    let weak =
        ask(&house.router, form("/welcome", &[("code", &code), ("password", "short")])).await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    let looked =
        ask(&house.router, Request::get(format!("/welcome/{code}")).body(Body::empty()).unwrap())
            .await;
    looked.assert_has(&code);
    let first = ask(
        &house.router,
        form("/welcome", &[("code", &code), ("login", "manager"), ("password", PASSWORD)]),
    )
    .await;
    assert_eq!(
        first.status,
        StatusCode::SEE_OTHER,
        "looking and a weak password use nothing up: {}",
        first.body
    );
    let cookie = first.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let second =
        ask(&house.router, form("/welcome", &[("code", &code), ("password", PASSWORD)])).await;
    second.assert_has("used already");

    let signed = ask(
        &house.router,
        form("/sign-in", &[("login", "MANAGER"), ("password", PASSWORD), ("next", "/contacts")]),
    )
    .await;
    assert_eq!(signed.status, StatusCode::SEE_OTHER);
    assert_eq!(signed.location(), "/contacts");
    let browser = Browser::of(&house.router, &signed).await;
    assert_eq!(browser.get("/contacts").await.status, StatusCode::OK);
    let out = browser.post("/sign-out", &[]).await;
    assert_eq!(out.location(), "/sign-in");
    assert_eq!(browser.get("/contacts").await.status, StatusCode::SEE_OTHER, "the session is over");
}

#[tokio::test]
async fn an_unknown_login_and_a_wrong_password_get_the_same_answer() {
    let house = House::new();
    house.manager().await;
    let wrong = ask(
        &house.router,
        form("/sign-in", &[("login", "manager"), ("password", "not the password")]),
    )
    .await;
    let unknown = ask(
        &house.router,
        form("/sign-in", &[("login", "manages"), ("password", "not the password")]),
    )
    .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(unknown.status, wrong.status);
    assert_eq!(unknown.body, wrong.body.replace("value=\"manager\"", "value=\"manages\""));
}

#[tokio::test]
async fn guessing_is_slowed_down_and_other_logins_are_not() {
    let house = House::new();
    house.manager().await;
    let guess = |login: &'static str| {
        ask(&house.router, form("/sign-in", &[("login", login), ("password", "guess")]))
    };
    for _ in 0..10 {
        assert_eq!(guess("manager").await.status, StatusCode::UNAUTHORIZED);
    }
    let limited = guess("manager").await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(guess("other").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_rep_is_told_to_use_the_app() {
    let house = House::new();
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let code = house.code(house.workspace, rep);
    let answer =
        ask(&house.router, form("/welcome", &[("code", &code), ("password", PASSWORD)])).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    answer.assert_has("Roadbook app");
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn a_form_without_the_token_or_from_another_site_changes_nothing() {
    let house = House::new();
    let (by, mut browser) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Toms Spezialitäten")]);
    let path = format!("/contacts/{id}/set");
    let fields = [("field", "company"), ("value", "Changed")];
    let token = std::mem::take(&mut browser.csrf);
    assert_eq!(browser.post(&path, &fields).await.status, StatusCode::FORBIDDEN);
    browser.csrf = "0".repeat(64);
    assert_eq!(browser.post(&path, &fields).await.status, StatusCode::FORBIDDEN);
    browser.csrf = token.clone();
    let mut foreign = form(&path, &[("csrf", token.as_str()), fields[0], fields[1]]);
    foreign.headers_mut().insert(header::COOKIE, browser.cookie.parse().unwrap());
    foreign.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
    assert_eq!(ask(&house.router, foreign).await.status, StatusCode::FORBIDDEN);
    assert_eq!(document::read(id, &house.document(id)).text("company"), "Toms Spezialitäten");
    assert_eq!(browser.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(document::read(id, &house.document(id)).text("company"), "Changed");
}

#[tokio::test]
async fn an_open_page_alone_does_not_keep_a_session_alive() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let token = browser.cookie.split_once('=').unwrap().1.to_owned();
    let now = house.engine.now_ms();
    // A session that was used last an hour ago.
    let hour = 3_600_000;
    let key = token.clone();
    house
        .engine
        .write(move |tx| -> crate::store::Result<()> {
            let session = sessions::find(tx, &key, now)?.unwrap();
            sessions::delete(tx, &key)?;
            sessions::create(
                tx,
                session.user.workspace,
                session.user.id,
                &key,
                &session.csrf,
                now - hour,
                2 * hour,
            )
        })
        .unwrap();
    let ends = || {
        let session = house.engine.read(|conn| sessions::find(conn, &token, now)).unwrap();
        session.unwrap().expires_at
    };
    let before = ends();
    let request = |name: &'static str, value: &'static str| {
        Request::get("/contacts")
            .header(header::COOKIE, &browser.cookie)
            .header(name, value)
            .body(Body::empty())
            .unwrap()
    };
    ask(&house.router, request("x-office", "units")).await;
    assert_eq!(ends(), before);
    ask(&house.router, request("accept", "text/html")).await;
    assert!(ends() > before);
    let stream = Request::get("/events")
        .header(header::ACCEPT, "text/event-stream")
        .body(Body::empty())
        .unwrap();
    assert_eq!(ask(&house.router, stream).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn another_workspace_and_an_unknown_id_look_the_same() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let theirs = house.engine.create_workspace("Theirs").unwrap();
    let stranger = house.user(theirs, "stranger", Role::Admin);
    let id = house.contact(theirs, stranger, None, &[("company", "Secret customer")]);
    for path in ["/contacts", "/", "/contacts?q=secret", "/decide", "/devices"] {
        browser.get(path).await.assert_lacks("Secret customer").assert_lacks("stranger");
    }
    let foreign = browser.get(&format!("/contacts/{id}")).await;
    let unknown = browser.get(&format!("/contacts/{}", ContactId::from_random(random()))).await;
    let nonsense = browser.get("/contacts/nonsense").await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(foreign.body, unknown.body);
    assert_eq!(nonsense.status, StatusCode::NOT_FOUND);
    for verb in ["set", "put", "tag", "untag", "note", "log", "resolve"] {
        let answer = browser
            .post(
                &format!("/contacts/{id}/{verb}"),
                &[("field", "company"), ("value", "x"), ("tag", "x")],
            )
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{verb}");
    }
    assert_eq!(browser.get("/nowhere").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_may_only_read_changes_nothing_and_sees_no_form() {
    let house = House::new();
    let (by, _) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Ernst Handel")]);
    let reader = house.user(house.workspace, "auditor", Role::ReadOnly);
    let browser = house.browser(house.workspace, reader).await;
    let page = browser.get(&format!("/contacts/{id}")).await;
    assert_eq!(page.status, StatusCode::OK);
    page.assert_has("Ernst Handel").assert_lacks("/set\"").assert_lacks("/log\"");
    let refused =
        browser.post(&format!("/contacts/{id}/set"), &[("field", "company"), ("value", "x")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn assets_are_kept_for_good_under_the_hash_of_their_content() {
    let house = House::new();
    for address in [
        super::super::assets::style(),
        super::super::assets::script(),
        super::super::assets::icon(),
    ] {
        let answer = ask(&house.router, Request::get(address).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }
    let missing =
        ask(&house.router, Request::get("/assets/style.css").body(Body::empty()).unwrap()).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}
