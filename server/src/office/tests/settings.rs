//! The settings: who comes in, what is made there, and what is never shown or served.

use axum::http::{Request, header};

use super::*;
use crate::store::webhooks::{self, Dead};
use roadbook_protocol::document::Value;

const PAGES: [&str; 8] = [
    "/settings/people",
    "/settings/look",
    "/settings/sorting",
    "/settings/stages",
    "/settings/fields",
    "/settings/tags",
    "/settings/keys",
    "/settings/webhooks",
];

async fn admin() -> (House, UserId, Browser) {
    let house = House::new();
    let id = house.user(house.workspace, "root", Role::Admin);
    let browser = house.browser(house.workspace, id).await;
    (house, id, browser)
}

/// What stands in the element of an id.
fn inside<'a>(answer: &'a Answer, id: &str) -> &'a str {
    let (_, rest) = answer.body.split_once(&format!("id=\"{id}\">")).expect("the element is there");
    rest.split('<').next().unwrap()
}

#[tokio::test]
async fn settings_of_the_whole_house_are_for_administrators() {
    let house = House::new();
    let (_, manager) = house.manager().await;
    manager.get("/settings").await.assert_has("/account").assert_lacks("/settings/keys");
    for path in PAGES {
        assert_eq!(manager.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        let sent = manager.post(path, &[("name", "x"), ("scope", "contacts:read")]).await;
        assert_eq!(sent.status, StatusCode::FORBIDDEN, "POST {path}");
    }
    let admin = house.user(house.workspace, "root", Role::Admin);
    let admin = house.browser(house.workspace, admin).await;
    let home = admin.get("/settings").await;
    for path in PAGES {
        home.assert_has(path);
        assert_eq!(admin.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_opens_nothing_after_it_was_revoked() {
    let (house, _, browser) = admin().await;
    let asked = [("name", "erp"), ("user", "root"), ("rate", "60"), ("scope", "contacts:read")];
    let made = browser.post("/settings/keys", &asked).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let key = inside(&made, "key").to_owned();
    let page = browser.get("/settings/keys").await;
    page.assert_has("erp").assert_has("contacts:read").assert_lacks(&key);
    let workspace = house.workspace;
    let list = |house: &House| {
        house.engine.read(|conn| crate::store::api_keys::list(conn, workspace)).unwrap()
    };
    let id = list(&house)[0].id.clone();
    assert_eq!(list(&house)[0].revoked_at, None);
    browser.post(&format!("/settings/keys/{id}/revoke"), &[]).await;
    assert!(list(&house)[0].revoked_at.is_some());
    browser.get("/audit").await.assert_has("<b>API key revoked</b>").assert_lacks(&key);
    let none = browser.post("/settings/keys", &[("name", "x"), ("rate", "60")]).await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY, "a key for nothing");
}

#[tokio::test]
async fn what_a_webhook_gave_up_is_listed_and_sent_again() {
    let (house, _, browser) = admin().await;
    let url = "https://erp.example.com/hook";
    let asked = [("url", url), ("user", "root"), ("event", "contact.erased")];
    let made = browser.post("/settings/webhooks", &asked).await;
    assert!(inside(&made, "secret").starts_with("whsec_"), "{}", made.body);
    let workspace = house.workspace;
    let hook = house.engine.read(|conn| webhooks::list(conn, Some(workspace))).unwrap().remove(0);
    assert_eq!(hook.events, ["contact.erased"]);
    let id = hook.id.clone();
    let contact = ContactId::from_time(1, random());
    let dead = Dead {
        n: 0,
        webhook: hook.id,
        contact,
        cursor: 4,
        event: "contact.erased".into(),
        at: 5,
        attempts: 12,
        error: "the address answered 500".into(),
    };
    house.engine.write(move |tx| webhooks::bury(tx, workspace, &dead)).unwrap();
    browser.get("/settings/webhooks").await.assert_has("1 event given up");
    let path = format!("/settings/webhooks/{id}");
    browser.get(&path).await.assert_has("answered 500").assert_has("12 attempts failed");
    let again = browser.post(&format!("{path}/retry"), &[]).await;
    assert_eq!((again.status, again.location()), (StatusCode::SEE_OTHER, path.as_str()));
    let next = house.engine.read(|conn| webhooks::next_again(conn, &id)).unwrap();
    assert_eq!(next.map(|dead| dead.contact), Some(contact));
    // Of another house it is not there.
    let other = house.engine.create_workspace("Theirs").unwrap();
    let foreign = house.user(other, "foreign", Role::Admin);
    let foreign = house.browser(other, foreign).await;
    assert_eq!(foreign.get(&path).await.status, StatusCode::NOT_FOUND);
    browser.post(&format!("{path}/remove"), &[]).await;
    assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn people_are_added_moved_and_kept_out_and_the_last_administrator_stays() {
    let (house, _, browser) = admin().await;
    browser.post("/settings/teams", &[("name", "North")]).await;
    let asked = [("login", "ada"), ("name", "Ada"), ("role", "rep"), ("team", "North")];
    let added = browser.post("/settings/people", &asked).await;
    added.assert_has("connects one device of ada").assert_has("id=\"code\"");
    let change = [("login", "ada"), ("name", "Ada B"), ("role", "manager"), ("team", "")];
    browser.post("/settings/people/change", &change).await;
    let workspace = house.workspace;
    let find = |login: &'static str| {
        house.engine.read(|conn| people::find_user(conn, workspace, login)).unwrap()
    };
    let ada = find("ada");
    assert_eq!((ada.name.as_str(), ada.role, ada.team), ("Ada B", Role::Manager, None));
    browser.post("/settings/people/change", &[("login", "ada"), ("disabled", "yes")]).await;
    let ada = find("ada");
    assert!(ada.disabled_at.is_some());
    assert_eq!((ada.name.as_str(), ada.role), ("Ada B", Role::Manager), "nothing else changed");
    let last = [("login", "root"), ("name", "root"), ("role", "rep")];
    let refused = browser.post("/settings/people/change", &last).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(find("root").role, Role::Admin);
}

#[tokio::test]
async fn a_logo_is_served_as_the_picture_that_it_is_and_nothing_else_is_taken() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let (_house, _, browser) = admin().await;
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(64_u32.to_be_bytes());
    png.extend(64_u32.to_be_bytes());
    let logo = STANDARD.encode(&png);
    let fields = [("name", "Cheese & Co"), ("colour", "#ffee00"), ("logo", logo.as_str())];
    let set = browser.post("/settings/look", &fields).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.body);
    let page = browser.get("/account").await;
    page.assert_has("Cheese &amp; Co").assert_has("/look/colour-ffee00.css");
    let (_, rest) = page.body.split_once("src=\"/look/logo-").expect("the logo is in the frame");
    let address = format!("/look/logo-{}", rest.split('"').next().unwrap());
    let request = Request::get(&address).header(header::COOKIE, &browser.cookie);
    let response =
        browser.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "image/png");
    assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(to_bytes(response.into_body(), 1 << 20).await.unwrap(), png);
    browser.get("/look/colour-ffee00.css").await.assert_has("--brand:");
    assert_eq!(browser.get("/look/colour-000000.css").await.status, StatusCode::NOT_FOUND);

    for bad in ["<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "GIF89a", ""] {
        let bad = STANDARD.encode(format!("{bad} "));
        let refused = browser.post("/settings/look", &[("logo", &bad)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let colour = browser.post("/settings/look", &[("colour", "red;}body{display:none")]).await;
    assert_eq!(colour.status, StatusCode::UNPROCESSABLE_ENTITY);
    browser.post("/settings/look", &[("usual", "1")]).await;
    browser.get("/account").await.assert_lacks("/look/");
    assert_eq!(browser.get(&address).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn pages_speak_the_language_of_the_browser_until_another_is_chosen() {
    let (house, _, browser) = admin().await;
    let german = |path: &str| {
        let request = Request::get(path)
            .header(header::COOKIE, &browser.cookie)
            .header(header::ACCEPT_LANGUAGE, "de-AT,de;q=0.9,en;q=0.5");
        request.body(Body::empty()).unwrap()
    };
    let page = ask(&house.router, german("/settings")).await;
    page.assert_has("<html lang=\"de\">").assert_has("Einstellungen");
    // What is refused is told in it too.
    let missing = ask(&house.router, german("/no-such-page")).await;
    missing.assert_has("keine solche Seite");
    browser.post("/account/language", &[("language", "da")]).await;
    ask(&house.router, german("/settings")).await.assert_has("Indstillinger");
    browser.post("/account/language", &[("language", "xx")]).await;
    ask(&house.router, german("/settings")).await.assert_has("Einstellungen");
}

#[tokio::test]
async fn fields_of_ones_own_are_defined_and_filled_in_by_what_they_take() {
    let (house, by, browser) = admin().await;
    browser.get("/settings/fields").await.assert_has("No custom fields are defined yet");
    let put = async |name: &str, kind: &str, choices: &str| {
        let fields = [("what", "put"), ("name", name), ("kind", kind), ("choices", choices)];
        browser.post("/settings/fields", &fields).await
    };
    for (name, kind, choices) in [
        ("Tier", "choice", " gold \r\nsilver\r\n\r\n"),
        ("Since", "date", ""),
        ("Vegan", "yes_no", ""),
    ] {
        assert_eq!(put(name, kind, choices).await.status, StatusCode::SEE_OTHER, "{name}");
    }
    browser.get("/settings/fields").await.assert_has("gold, silver").assert_has("↑ Earlier");
    let refused = put("Grade", "choice", "").await;
    assert!(refused.body.contains("needs values"), "{}", refused.body);

    // On a contact's page, also where it has no value yet; one from before keeps standing there.
    let id = house.contact(house.workspace, by, None, &[("company", "Alpha")]);
    let custom = |name: &str, value: Value| {
        let command = Command::Custom { name: name.into(), value: Some(value) };
        house.engine.author(house.workspace, by, vec![Authored::edit(id, vec![command])]).unwrap();
    };
    custom("Since", Value::from("long ago"));
    custom("Colour", Value::from("red"));
    let page = browser.get(&format!("/contacts/{id}")).await;
    page.assert_has("<select id=\"i-custom.Tier\" name=\"value\"><option value=\"\" selected>—</option><option value=\"gold\">gold</option>");
    page.assert_has("<input id=\"i-custom.Since\" name=\"value\" value=\"long ago\"");
    page.assert_has("<input id=\"i-custom.Colour\" name=\"value\" value=\"red\"");

    let set = async |name: &str, was: &str, value: &str| {
        let field = format!("custom.{name}");
        let fields = [("field", field.as_str()), ("was", was), ("value", value)];
        browser.post(&format!("/contacts/{id}/set"), &fields).await
    };
    for (name, was, value) in [
        ("Tier", "", "GOLD"),
        ("Vegan", "", "yes"),
        ("Since", "long ago", "long ago"),
        ("Colour", "red", "blue"),
    ] {
        let done = set(name, was, value).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{name}: {}", done.body);
    }
    for (name, was, value, reason) in [
        ("Tier", "gold", "bronze", "give one of gold, silver"),
        ("Since", "long ago", "soon", "YYYY-MM-DD"),
        ("Tier", "silver", "silver", "gold"),
    ] {
        let refused = set(name, was, value).await;
        assert!(refused.body.contains(reason), "{name}: {}", refused.body);
    }
    let now = document::read(id, &house.document(id)).custom;
    let mut wanted = std::collections::BTreeMap::new();
    wanted.insert("Tier".to_owned(), Value::from("gold"));
    wanted.insert("Vegan".to_owned(), Value::from(true));
    wanted.insert("Since".to_owned(), Value::from("long ago"));
    wanted.insert("Colour".to_owned(), Value::from("blue"));
    assert_eq!(now, wanted);
    browser.get(&format!("/contacts/{id}")).await.assert_has("<span>yes</span>");

    // What is taken away leaves the values where they are.
    browser.post("/settings/fields", &[("what", "earlier"), ("name", "Since")]).await;
    browser.post("/settings/fields", &[("what", "remove"), ("name", "Tier")]).await;
    let left = house.engine.custom_fields(house.workspace).unwrap();
    assert_eq!(left.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Since", "Vegan"]);
    browser.get(&format!("/contacts/{id}")).await.assert_has("value=\"gold\"");
}

#[tokio::test]
async fn lists_are_sorted_by_the_language_that_is_chosen() {
    let (house, by, browser) = admin().await;
    for company in ["Zander", "Åberg", "Яшин", "Ærø"] {
        house.contact(house.workspace, by, None, &[("company", company)]);
    }
    let order = async |path: &str| {
        let page = browser.get(path).await;
        let mut names: Vec<(usize, &str)> = ["Zander", "Åberg", "Яшин", "Ærø"]
            .map(|name| (page.body.find(&format!(">{name}<")).expect("it is on the page"), name))
            .to_vec();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    for path in ["/contacts", "/contacts?sort=company"] {
        assert_eq!(order(path).await, ["Åberg", "Ærø", "Zander", "Яшин"], "{path}");
    }
    for (tag, wanted) in
        [("da", ["Zander", "Ærø", "Åberg", "Яшин"]), ("ru", ["Яшин", "Åberg", "Ærø", "Zander"])]
    {
        let set = browser.post("/settings/sorting", &[("language", tag)]).await;
        assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.body);
        // What the page began ends here at the latest.
        house.engine.sort_anew(|| false).unwrap();
        for path in ["/contacts", "/contacts?sort=company"] {
            assert_eq!(order(path).await, wanted, "{path} {tag}");
        }
        let page = browser.get("/settings/sorting").await;
        page.assert_has(&format!("<option value=\"{tag}\" selected lang=\"{tag}\">"));
        page.assert_lacks("sorted anew");
    }
    let unknown = browser.post("/settings/sorting", &[("language", "xx")]).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    unknown.assert_has("Choose one of the languages");
}
