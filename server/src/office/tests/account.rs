//! Passwords, second factors, sessions.

use super::*;
use crate::store::{audit, sessions};

/// What an authenticator app shows for a secret in base 32, some half minutes from now.
fn digits(secret: &str, now: i64, steps: i64) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        secret.chars().map(|c| format!("{:05b}", ALPHABET.find(c).unwrap())).collect();
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let tag = ring::hmac::sign(&key, &(now.div_euclid(30_000) + steps).to_be_bytes());
    let tag = tag.as_ref();
    let at = (tag[19] & 15) as usize;
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("`{before}` is not in\n{text}")).1;
    rest.split_once(after).unwrap().0
}

async fn sign_in(house: &House, login: &str, password: &str) -> Answer {
    ask(&house.router, form("/sign-in", &[("login", login), ("password", password)])).await
}

/// Turns the second factor on; returns the secret and the recovery codes.
async fn turn_on(house: &House, browser: &Browser) -> (String, Vec<String>) {
    let begun = browser.post("/account/second-factor", &[("current", PASSWORD)]).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
    let secret = between(&begun.body, "app: <span class=\"mono\">", "<").to_owned();
    begun.assert_has("<svg").assert_lacks("style=");
    let wrong = browser.post("/account/second-factor/confirm", &[("code", "000000x")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.assert_has(&secret);
    // The step before now: the one of now is left for the sign-in.
    let code = digits(&secret, house.engine.now_ms(), -1);
    let on = browser.post("/account/second-factor/confirm", &[("code", &code)]).await;
    assert_eq!(on.status, StatusCode::OK, "{}", on.body);
    let list = between(&on.body, "id=\"codes\">", "</ul>");
    let codes: Vec<String> = list
        .split("<li class=\"mono\">")
        .skip(1)
        .map(|code| code.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10);
    (secret, codes)
}

fn actions(house: &House) -> Vec<String> {
    let workspace = house.workspace;
    let ask = audit::Ask::default();
    let entries = house.engine.read(|conn| audit::list(conn, workspace, &ask, 1_000, 0)).unwrap();
    entries.into_iter().rev().map(|entry| entry.action).collect()
}

#[tokio::test]
async fn with_a_second_factor_the_password_alone_opens_nothing() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let (secret, codes) = turn_on(&house, &browser).await;
    let first = sign_in(&house, "manager", PASSWORD).await;
    assert_eq!(first.status, StatusCode::OK);
    assert!(!first.headers.contains_key(header::SET_COOKIE), "no session yet");
    let ticket = between(&first.body, "name=\"ticket\" value=\"", "\"").to_owned();
    let second = |code: String| {
        let ticket = ticket.clone();
        let router = house.router.clone();
        async move { ask(&router, form("/sign-in/code", &[("ticket", &ticket), ("code", &code)])).await }
    };
    assert_eq!(second("123".into()).await.status, StatusCode::UNAUTHORIZED);
    let code = digits(&secret, house.engine.now_ms(), 0);
    let opened = second(code.clone()).await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER, "{}", opened.body);
    Browser::of(&house.router, &opened).await;
    assert_eq!(
        second(code.clone()).await.status,
        StatusCode::UNAUTHORIZED,
        "the ticket is used up"
    );

    // The same digits once more, with a new ticket: used up.
    let again = sign_in(&house, "manager", PASSWORD).await;
    let ticket = between(&again.body, "name=\"ticket\" value=\"", "\"").to_owned();
    let give = |code: &str| form("/sign-in/code", &[("ticket", ticket.as_str()), ("code", code)]);
    assert_eq!(ask(&house.router, give(&code)).await.status, StatusCode::UNAUTHORIZED);
    // A recovery code opens once, however it is typed.
    let recovery = codes[3].to_lowercase().replace('-', " ");
    assert_eq!(ask(&house.router, give(&recovery)).await.status, StatusCode::SEE_OTHER);
    let third = sign_in(&house, "manager", PASSWORD).await;
    let ticket = between(&third.body, "name=\"ticket\" value=\"", "\"");
    let used = form("/sign-in/code", &[("ticket", ticket), ("code", &codes[3])]);
    assert_eq!(ask(&house.router, used).await.status, StatusCode::UNAUTHORIZED);
    let told = actions(&house);
    for action in ["user.factor_on", "sign_in.refused", "user.recovery_code_used", "sign_in"] {
        assert!(told.iter().any(|told| told == action), "{action}: {told:?}");
    }
    // Nothing of the secret, of the codes or of the password is in the database.
    house.engine.shutdown();
    let file = std::fs::read(house.dir.path().join("roadbook.db")).unwrap();
    for text in [secret.as_str(), &codes[0], &codes[0].replace('-', ""), PASSWORD] {
        assert!(!file.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
}

#[tokio::test]
async fn a_one_time_code_resets_the_password_and_not_the_second_factor() {
    let house = House::new();
    let (id, browser) = house.manager().await;
    turn_on(&house, &browser).await;
    let code = house.code(house.workspace, id);
    let new = "four other words here";
    let answer =
        ask(&house.router, form("/welcome", &[("code", &code), ("password", new), ("again", new)]))
            .await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.assert_has("name=\"ticket\"");
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER, "all sessions have ended");
}

#[tokio::test]
async fn guessing_digits_ends_with_the_ticket() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let (secret, _) = turn_on(&house, &browser).await;
    let first = sign_in(&house, "manager", PASSWORD).await;
    let ticket = between(&first.body, "name=\"ticket\" value=\"", "\"");
    for _ in 0..5 {
        let guess = form("/sign-in/code", &[("ticket", ticket), ("code", "111")]);
        assert_eq!(ask(&house.router, guess).await.status, StatusCode::UNAUTHORIZED);
    }
    let code = digits(&secret, house.engine.now_ms(), 0);
    let right = form("/sign-in/code", &[("ticket", ticket), ("code", &code)]);
    let answer = ask(&house.router, right).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    answer.assert_has("Start again");
}

#[tokio::test]
async fn another_password_needs_the_old_one_and_ends_other_sessions() {
    let house = House::new();
    let (_, mut here) = house.manager().await;
    let there = Browser::of(&house.router, &sign_in(&house, "manager", PASSWORD).await).await;
    let new = "four other words here";
    let change = |current: &'static str, again: &'static str| {
        [("current", current), ("password", "four other words here"), ("again", again)]
    };
    for (current, again) in [("wrong password", new), (PASSWORD, "something else here")] {
        let refused = here.post("/account/password", &change(current, again)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let done = here.post("/account/password", &change(PASSWORD, new)).await;
    assert_eq!(done.location(), "/account");
    let old = here.cookie.clone();
    here = Browser::of(&house.router, &done).await;
    assert_ne!(here.cookie, old, "a fresh session");
    assert_eq!(here.get("/account").await.status, StatusCode::OK);
    assert_eq!(there.get("/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(sign_in(&house, "manager", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&house, "manager", new).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn signing_in_gives_a_fresh_session_and_ends_the_one_before() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let mut again = form("/sign-in", &[("login", "manager"), ("password", PASSWORD)]);
    again.headers_mut().insert(header::COOKIE, browser.cookie.parse().unwrap());
    let signed = ask(&house.router, again).await;
    assert_eq!(signed.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER, "the old cookie is dead");
    let fresh = Browser::of(&house.router, &signed).await;
    let other = Browser::of(&house.router, &sign_in(&house, "manager", PASSWORD).await).await;
    assert_eq!(fresh.post("/account/others", &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(other.get("/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(fresh.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_for_good_after_a_day_of_work() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let token = browser.cookie.split_once('=').unwrap().1.to_owned();
    let now = house.engine.now_ms();
    let at = |ms: i64| {
        house.engine.read(|conn| sessions::find(conn, &token, now + ms)).unwrap().is_some()
    };
    let hour = 3_600_000;
    assert!(at(hour) && !at(3 * hour), "two hours without use");
    // Used all day long.
    for n in 1..=20 {
        let key = token.clone();
        house.engine.write(move |tx| sessions::extend(tx, &key, now + (n + 2) * hour)).unwrap();
    }
    assert!(at(11 * hour) && !at(13 * hour), "twelve hours at most");
}

#[tokio::test]
async fn with_tls_the_cookie_is_bound_to_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), EngineOptions::default()).unwrap();
    let workspace = engine.create_workspace("Ours").unwrap();
    let options = OfficeOptions { secure: true, oidc: None, shutdown: CancellationToken::new() };
    let house =
        House { router: router(OfficeState::new(engine.clone(), options)), engine, workspace, dir };
    let id = house.user(workspace, "manager", Role::Manager);
    let code = house.code(workspace, id);
    let answer =
        ask(&house.router, form("/welcome", &[("code", &code), ("password", PASSWORD)])).await;
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-roadbook="), "{cookie}");
    for part in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn no_page_has_inline_script_or_style() {
    let house = House::new();
    let admin = house.user(house.workspace, "admin", Role::Admin);
    let browser = house.browser(house.workspace, admin).await;
    let id = house.contact(house.workspace, admin, Some(admin), &[("company", "Ernst Handel")]);
    let contact = format!("/contacts/{id}");
    for path in ["/", "/contacts", &contact, "/decide", "/devices", "/audit?verify=1", "/account"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for forbidden in [" style=", "<style", " onclick", " onload", "javascript:"] {
            page.assert_lacks(forbidden);
        }
        let scripts = page.body.matches("<script").count();
        assert_eq!(scripts, page.body.matches("<script type=\"module\" src=\"/assets/").count());
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
}
