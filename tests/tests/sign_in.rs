//! Signing in with the company's own identity provider: who comes in, and everything that must not
//! open the door.
#![allow(clippy::unwrap_used)]

use roadbook_tests::http::{Answer, Http, between, digits};
use roadbook_tests::provider::{Bend, CLIENT, Provider};
use roadbook_tests::scene::Scene;
use serde_json::Value;

const EMAIL: &str = "mona@firm.example";

/// The path of an address on the server it leads to.
fn path<'a>(address: &'a str, server: &str) -> &'a str {
    address.strip_prefix(server).unwrap_or_else(|| panic!("{address} leads to {server}"))
}

/// Leaves for the provider, and is signed in there; the path that the provider leads back to.
#[track_caller]
fn to_the_provider(http: &mut Http, provider: &Provider, scene: &Scene) -> String {
    let left = http.get("/sign-in/oidc?next=/contacts");
    assert_eq!(left.status, 303, "{}", left.body);
    let there = left.header("location").unwrap();
    let led = Http::new(&provider.url()).get(path(there, &provider.url()));
    assert_eq!(led.status, 303, "{}", led.body);
    path(led.header("location").unwrap(), &scene.url()).to_owned()
}

#[track_caller]
fn sign_in(http: &mut Http, provider: &Provider, scene: &Scene) -> Answer {
    let back = to_the_provider(http, provider, scene);
    http.get(&back)
}

#[track_caller]
fn assert_outside(http: &mut Http) {
    let today = http.get("/");
    assert_eq!((today.status, today.header("location")), (303, Some("/sign-in")), "{}", today.body);
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(reason), "`{reason}` is not in {}", answer.body);
    assert!(answer.body.contains("name=\"password\""), "the password is still a way in");
}

fn audit(scene: &Scene, action: &str) -> Vec<Value> {
    let list = scene.admin(&["audit", "list", "--action", action, "--json"]).json();
    list["entries"].as_array().unwrap_or_else(|| panic!("entries: {list}")).clone()
}

#[test]
fn whom_the_provider_knows_and_who_is_here_comes_in() {
    let provider = Provider::new("Mona@Firm.example");
    let scene = provider.office();
    scene.manager(EMAIL);
    let mut http = Http::new(&scene.url());
    let form = http.get("/sign-in?next=/contacts");
    assert!(form.body.contains("Sign in with Firm"), "{}", form.body);
    assert!(form.body.contains("/sign-in/oidc?next=/contacts"), "{}", form.body);
    let came = sign_in(&mut http, &provider, &scene);
    assert_eq!((came.status, came.header("location")), (303, Some("/contacts")), "{}", came.body);
    let today = http.get("/");
    assert!(today.body.contains(&format!("Manager {EMAIL}")), "{}", today.body);
    let entries = audit(&scene, "sign_in");
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(entries[0]["detail"].to_string().contains("provider"), "{entries:?}");
    // Once more in another browser: the description and the keys are known.
    assert_eq!(sign_in(&mut Http::new(&scene.url()), &provider, &scene).status, 303);
    let asked = provider.asked();
    assert_eq!((asked.about, asked.keys, asked.tokens), (1, 1, 2));
    scene.admin(&["audit", "verify"]).ok();
}

#[test]
fn a_token_that_is_not_right_in_every_point_opens_nothing() {
    let provider = Provider::new(EMAIL);
    let scene = provider.office();
    scene.manager(EMAIL);
    for (bend, reason) in [
        (Bend::Nonce, "belongs to another sign-in"),
        (Bend::Audience, "made for another program"),
        (Bend::AlsoForAnother, "made for another program"),
        (Bend::Expired, "has expired"),
        (Bend::Issuer, "comes from another issuer"),
        (Bend::Unsigned, "not signed as it must be"),
        (Bend::SignedWithSecret, "not signed as it must be"),
        (Bend::Signature, "not signed as it must be"),
        (Bend::UnknownKey, "signed with a key that it does not publish"),
        (Bend::UnverifiedEmail, "has not verified your email address"),
        (Bend::NoClaim, "does not say who you are here"),
        (Bend::NoToken, "it sent no ID token"),
    ] {
        provider.bend(bend);
        let mut http = Http::new(&scene.url());
        let answer = sign_in(&mut http, &provider, &scene);
        assert_refused(&answer, 401, reason);
        assert_outside(&mut http);
    }
    assert!(audit(&scene, "sign_in").is_empty());
    // The same way with a good token, so that nothing above was refused for another reason.
    provider.bend(Bend::Nothing);
    assert_eq!(sign_in(&mut Http::new(&scene.url()), &provider, &scene).status, 303);
}

#[test]
fn a_way_back_is_good_once_and_for_the_browser_that_left() {
    let provider = Provider::new(EMAIL);
    let scene = provider.office();
    scene.manager(EMAIL);
    let mut http = Http::new(&scene.url());
    let back = to_the_provider(&mut http, &provider, &scene);

    // Somebody else is sent the link: it is theirs to use no more than anybody's afterwards.
    let mut other = Http::new(&scene.url());
    assert_refused(&other.get(&back), 401, "began in another browser");
    assert_outside(&mut other);
    assert_refused(&http.get(&back), 401, "was used already");
    assert_outside(&mut http);

    let back = to_the_provider(&mut http, &provider, &scene);
    assert_eq!(http.get(&back).status, 303);
    let tokens = provider.asked().tokens;
    assert_refused(&http.get(&back), 401, "was used already");
    assert_eq!(provider.asked().tokens, tokens, "a used state asks nothing of the provider");

    // A code that was used, under a state of its own; and one that was made for another browser.
    let code =
        |back: &str| back.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
    let stolen = code(&to_the_provider(&mut http, &provider, &scene));
    for used in [code(&back), stolen] {
        let mut http = Http::new(&scene.url());
        let fresh = to_the_provider(&mut http, &provider, &scene);
        let swapped = fresh.replace(&code(&fresh), &used);
        assert_refused(&http.get(&swapped), 401, "did not let you in: invalid grant");
        assert_outside(&mut http);
    }

    let state = |back: &str| back.split_once("state=").unwrap().1.to_owned();
    let mut http = Http::new(&scene.url());
    for (query, reason) in [
        ("error=access_denied", "did not let you in: access denied"),
        ("error=%3Cscript%3Ealert(1)%3C/script%3E", "did not let you in: scriptalert1script"),
        ("", "its answer can't be read"),
        ("code=x&iss=http://other.example", "comes from another issuer"),
    ] {
        let state = state(&to_the_provider(&mut http, &provider, &scene));
        let answer = http.get(&format!("/sign-in/oidc/back?state={state}&{query}"));
        assert_refused(&answer, 401, reason);
    }
    assert_refused(&http.get("/sign-in/oidc/back?code=x&state=guessed"), 401, "Start again");
}

#[test]
fn a_provider_brings_in_only_people_who_are_here_and_gives_nobody_a_role() {
    let provider = Provider::new("stranger@firm.example");
    let scene = provider.office();
    scene.manager(EMAIL);
    scene.reps(&["rosa@firm.example"]);
    let users = || scene.admin(&["user", "list", "--json"]).json()["users"].clone();
    let before = users();
    let mut http = Http::new(&scene.url());
    let unknown = sign_in(&mut http, &provider, &scene);
    assert_refused(&unknown, 403, "nobody of that login may come in here");
    assert_outside(&mut http);
    assert_eq!(users(), before, "nobody was created");

    provider.knows(EMAIL);
    scene.admin(&["user", "change", EMAIL, "--disable"]).ok();
    let disabled = sign_in(&mut http, &provider, &scene);
    assert_refused(&disabled, 403, "nobody of that login may come in here");
    assert_outside(&mut http);
    let refused = audit(&scene, "sign_in.refused");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].to_string().contains("provider, disabled"), "{refused:?}");

    provider.knows("rosa@firm.example");
    let rep = sign_in(&mut http, &provider, &scene);
    assert_eq!(rep.status, 403);
    assert!(rep.body.contains("Roadbook app"), "{}", rep.body);
    assert_outside(&mut http);
}

#[test]
fn keys_may_change_at_any_time_and_an_unknown_one_is_looked_for_once() {
    let provider = Provider::new(EMAIL);
    let scene = provider.office();
    scene.manager(EMAIL);
    let mut http = Http::new(&scene.url());
    assert_eq!(sign_in(&mut http, &provider, &scene).status, 303);
    provider.rotate();
    assert_eq!(sign_in(&mut http, &provider, &scene).status, 303);
    assert_eq!(provider.asked().keys, 2);
    provider.bend(Bend::UnknownKey);
    for _ in 0..5 {
        let mut http = Http::new(&scene.url());
        assert_refused(&sign_in(&mut http, &provider, &scene), 401, "does not publish");
    }
    assert_eq!(provider.asked().keys, 2, "read a moment ago");
}

#[test]
fn without_the_provider_the_password_is_the_way_in() {
    let provider = Provider::new(EMAIL);
    let scene = provider.office();
    let code = scene.manager(EMAIL);
    let password = "four words in a row";
    Http::signed_in(&scene.url(), &code, password);
    drop(provider);
    let mut http = Http::new(&scene.url());
    let away = http.get("/sign-in/oidc");
    assert_refused(&away, 503, "Firm can't be reached just now. Sign in with your password");
    let came = http.post("/sign-in", &[("login", EMAIL), ("password", password)]);
    assert_eq!(came.status, 303, "{}", came.body);
    assert_eq!(http.get("/").status, 200);
}

#[test]
fn somebody_who_leaves_for_the_provider_again_and_again_is_slowed_down() {
    let provider = Provider::new(EMAIL);
    let scene = provider.office();
    let mut http = Http::new(&scene.url());
    let first = (0..100).find(|_| http.get("/sign-in/oidc").status == 429);
    assert_eq!(first, Some(40));
    assert_eq!(http.get("/sign-in").status, 200);
    let first = (0..100).find(|_| http.get("/sign-in/oidc/back?state=x&code=y").status == 429);
    assert_eq!(first, Some(40));
    assert_eq!(provider.asked().about, 1, "the provider is spared");
}

#[test]
fn settings_that_can_not_work_stop_the_start_with_the_reason() {
    for (args, reason) in [
        (vec!["--oidc-issuer", "https://id.firm.example"], "oidc_client_id"),
        (vec!["--oidc-client-id", CLIENT], "oidc_issuer"),
        (
            vec!["--oidc-issuer", "http://id.firm.example", "--oidc-client-id", CLIENT],
            "must be an https address",
        ),
        (
            vec![
                "--oidc-issuer",
                "https://id.firm.example",
                "--oidc-client-id",
                CLIENT,
                "--oidc-client-secret-file",
                "/nowhere/secret",
            ],
            "/nowhere/secret",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut all = vec!["--plain", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let said = roadbook_tests::process::ServerProcess::spawn(dir.path(), &all, &[]).ready();
        let said = said.err().expect("refused");
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn a_provider_that_signs_with_rsa_brings_people_in_and_no_bent_token_of_it_does() {
    let provider = Provider::new(EMAIL);
    provider.sign_with_rsa();
    let scene = provider.office();
    scene.manager(EMAIL);
    for (bend, reason) in [
        (Bend::Signature, "not signed as it must be"),
        (Bend::SignedWithSecret, "not signed as it must be"),
        (Bend::Unsigned, "not signed as it must be"),
        (Bend::UnknownKey, "signed with a key that it does not publish"),
    ] {
        provider.bend(bend);
        let mut http = Http::new(&scene.url());
        let answer = sign_in(&mut http, &provider, &scene);
        assert_refused(&answer, 401, reason);
        assert_outside(&mut http);
    }
    provider.bend(Bend::Nothing);
    let mut http = Http::new(&scene.url());
    let came = sign_in(&mut http, &provider, &scene);
    assert_eq!(came.status, 303, "{}", came.body);
    assert!(http.get("/").body.contains(&format!("Manager {EMAIL}")));
}

/// Somebody with a password and a second factor; the secret of it.
#[track_caller]
fn with_second_factor(scene: &Scene, login: &str) -> String {
    const PASSWORD: &str = "a long enough passphrase 7";
    let code = scene.manager(login);
    let mut http = Http::signed_in(&scene.url(), &code, PASSWORD);
    let begun = http.submit("/account", "/account/second-factor", &[("current", PASSWORD)]);
    let secret = between(&begun.body, "app: <span class=\"mono\">", "<").to_owned();
    // The step before now: the one of now is left for the sign-in.
    let on = [("code", digits(&secret, -1))];
    let on: Vec<(&str, &str)> = on.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let confirmed = http.submit("/account", "/account/second-factor/confirm", &on);
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    secret
}

#[test]
fn who_set_up_a_second_factor_gives_it_also_after_the_provider_where_that_is_asked_for() {
    for (setting, asked) in [("roadbook", true), ("provider", false)] {
        let provider = Provider::new(EMAIL);
        let scene = provider.office_with(&["--oidc-second-factor", setting]);
        let secret = with_second_factor(&scene, EMAIL);
        scene.manager("nora@firm.example");
        let mut http = Http::new(&scene.url());
        let came = sign_in(&mut http, &provider, &scene);
        if !asked {
            assert_eq!(came.status, 303, "the provider has asked: {}", came.body);
            assert_eq!(http.get("/").status, 200);
            continue;
        }
        assert_eq!(came.status, 200, "{}", came.body);
        assert_outside(&mut http);
        let ticket = between(&came.body, "name=\"ticket\" value=\"", "\"").to_owned();
        let wrong = http.post("/sign-in/code", &[("ticket", &ticket), ("code", "12345")]);
        assert_eq!(wrong.status, 401, "{}", wrong.body);
        assert_outside(&mut http);
        let code = digits(&secret, 0);
        let opened = http.post("/sign-in/code", &[("ticket", &ticket), ("code", &code)]);
        assert_eq!(opened.status, 303, "{}", opened.body);
        assert_eq!(http.get("/").status, 200);
        let entries = audit(&scene, "sign_in");
        let by_provider =
            entries.iter().filter(|entry| entry["detail"].to_string().contains("provider"));
        assert_eq!(by_provider.count(), 1, "the way is kept to the end: {entries:?}");
        // Who has none comes in as before.
        provider.knows("nora@firm.example");
        assert_eq!(sign_in(&mut Http::new(&scene.url()), &provider, &scene).status, 303);
    }
}
