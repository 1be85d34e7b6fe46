//! The administrator's commands, as a shell or another program drives them: each works whether the
//! server runs or not, prints what other tools rely on, and ends with an exit code that says how.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use roadbook_tests::http::Http;
use roadbook_tests::process::{Finished, Rep, ServerProcess, admin, binary, run};
use roadbook_tests::raw::{Identity, Raw};
use roadbook_tests::scene::{Scene, by_id};
use serde_json::Value;

fn field<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` is a text in {value}"))
}

fn list<'v>(value: &'v Value, name: &str) -> &'v Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("`{name}` is a list in {value}"))
}

/// Runs every command once; `turn` keeps names apart between the two rounds.
fn every_command(scene: &Scene, turn: &str, devices: usize) {
    let json = |args: &[&str]| scene.admin(&[args, &["--json"]].concat()).json();
    let path = |name: &str| scene.dir().join(format!("{turn}-{name}")).to_str().unwrap().to_owned();

    let rep = format!("rep-{turn}");
    let added =
        json(&["user", "add", &rep, "--role", "rep", "--name", "Rosa Rep", "--team", "north"]);
    assert_eq!(
        (field(&added, "login"), field(&added, "role"), field(&added, "name")),
        (&*rep, "rep", "Rosa Rep")
    );
    let users = json(&["user", "list"]);
    let of_login =
        |login: &str| list(&users, "users").iter().find(|user| user["login"] == login).cloned();
    assert_eq!(of_login(&rep).unwrap()["role"], "rep");
    assert!(of_login("admin").is_some(), "the first admin is there: {users}");
    let twice = scene.admin(&["user", "add", &rep, "--role", "rep"]);
    assert_eq!(twice.status.code(), Some(1), "a login is given once");
    assert!(twice.stderr.contains(&rep), "{}", twice.stderr);

    let invited = scene.admin(&["invite", &rep]).ok();
    assert_eq!(invited.stdout.lines().count(), 1, "the code alone on stdout: {}", invited.stdout);
    assert!(!invited.stderr.is_empty(), "everything else goes to stderr");
    let code = json(&["invite", &rep]);
    assert!(
        field(&code, "code").len() >= 26 && code["expires_at"].is_i64(),
        "128 bits and an end: {code}"
    );

    let file = path("contacts.csv");
    std::fs::write(
        &file,
        format!(
            "nr;name;city;email\n{turn}1;Åse Ærlig;Århus;aase@{turn}.example\n{turn}2;Bo Bo;Ulm;\n"
        ),
    )
    .unwrap();
    let report = json(&["import", &file, "--owner", &rep, "--key", "nr"]);
    assert_eq!(
        (report["created"].as_u64(), field(&report, "delimiter")),
        (Some(2), ";"),
        "{report}"
    );
    let report = json(&["import", &file, "--owner", &rep, "--key", "nr"]);
    assert_eq!(
        (report["created"].as_u64(), report["unchanged"].as_u64()),
        (Some(0), Some(2)),
        "{report}"
    );
    let filter = format!("owner:{rep}");
    let exported = json(&["export", "--format", "json", "--filter", &filter]);
    let contacts = by_id(&exported);
    assert_eq!(contacts.len(), 2, "{exported}");
    assert!(contacts.values().any(|contact| contact["family_name"] == "Ærlig"));
    let csv = scene.admin(&["export", "--format", "csv", "--filter", &filter]).ok().stdout;
    assert!(csv.contains("Ærlig") && csv.lines().count() == 3, "{csv}");

    let other = format!("other-{turn}");
    json(&["user", "add", &other, "--role", "rep"]);
    let id = contacts.keys().next().unwrap();
    let dry = json(&["assign", "--to", &other, "--ids", id, "--dry-run"]);
    assert_eq!(by_id(&json(&["export", "--filter", &format!("owner:{other}")])).len(), 0, "{dry}");
    json(&["assign", "--to", &other, "--ids", id]);
    assert_eq!(by_id(&json(&["export", "--filter", &format!("owner:{other}")])).len(), 1);
    json(&["assign", "--to", &rep, "--filter", &format!("owner:{other}")]);
    assert_eq!(by_id(&json(&["export", "--filter", &filter])).len(), 2);

    let hash = scene.admin(&["state-hash", "--owner", &rep]).last_line();
    assert!(
        hash.len() == 64 && hash.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
        "{hash}"
    );
    let ids: Vec<&str> = contacts.keys().map(String::as_str).collect();
    assert_eq!(scene.admin(&["state-hash", "--ids", &ids.join(",")]).last_line(), hash);
    let each = json(&["state-hash", "--owner", &rep, "--each"]);
    assert_eq!((field(&each, "hash"), list(&each, "each").len()), (&*hash, 2));

    assert_eq!(list(&json(&["device", "list"]), "devices").len(), devices);
    assert_eq!(list(&json(&["workspace", "list"]), "workspaces").len(), 1);
    assert_eq!(list(&json(&["conflicts"]), "conflicts").len(), 0);
    assert_eq!(list(&json(&["quarantine", "list"]), "quarantine").len(), 0);
    scene.admin(&["quarantine", "export"]).ok();
    let audit = json(&["audit", "list"]);
    assert!(list(&audit, "entries").iter().any(|entry| entry["action"] == "user.add"), "{audit}");
    let backup = path("backup.db");
    assert!(json(&["backup", &backup])["bytes"].as_u64().unwrap() > 0);
    assert!(Path::new(&backup).exists());
    assert_eq!(json(&["check"])["clean"], true);

    for (args, code) in [
        (vec!["invite", "nobody-of-that-login"], 1),
        (vec!["device", "revoke", "ffffffff"], 1),
        (vec!["assign", "--to", &*rep, "--ids", "ffffffff"], 1),
        (vec!["assign", "--to", &*rep], 2),
        (vec!["assign", "--to", &*rep, "--filter", "nosuchfield:1"], 2),
        (vec!["import", "/no/such/file.csv"], 4),
        (vec!["backup", &*backup], 4),
        (vec!["user", "add", "x", "--role", "emperor"], 2),
        (vec!["frobnicate"], 2),
    ] {
        let done = scene.admin(&args);
        assert_eq!(done.status.code(), Some(code), "{args:?}: {}", done.stderr);
        assert!(!done.stderr.trim().is_empty(), "{args:?} says why");
        assert!(done.stdout.is_empty(), "{args:?}: data only on stdout");
    }
}

#[test]
fn every_command_works_whether_the_server_runs_or_not() {
    let mut scene = Scene::new();
    scene.reps(&["ada"]);
    let phone = scene.device("phone", "ada");
    phone.sync();
    every_command(&scene, "running", 1);
    scene.stop();
    every_command(&scene, "stopped", 1);
    // What was done without the server is there when it runs, and the other way round.
    scene.start();
    let users = scene.admin(&["user", "list", "--json"]).json();
    for login in ["rep-running", "rep-stopped"] {
        assert!(list(&users, "users").iter().any(|user| user["login"] == login), "{login}");
    }
    let devices = scene.admin(&["device", "list", "--json"]).json();
    let device = &list(&devices, "devices")[0];
    assert_eq!(field(device, "user"), "ada");
    scene.admin(&["device", "revoke", &field(device, "id")[..8]]).ok();
    assert_eq!(phone.run(&["sync"]).status.code(), Some(6), "revoked while the server runs");
}

#[test]
fn a_second_workspace_has_to_be_named_and_shares_nothing() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(71, 3, Some("ada"));
    scene.admin(&["workspace", "add", "Second & Co"]).ok();
    let unclear = scene.admin(&["user", "list"]);
    assert_eq!(unclear.status.code(), Some(1));
    assert!(unclear.stderr.contains("--workspace"), "it says how: {}", unclear.stderr);
    let second = |args: &[&str]| scene.admin(&[args, &["--workspace", "Second & Co"]].concat());
    second(&["user", "add", "ada", "--role", "rep", "--name", "The other Ada"]).ok();
    assert_eq!(by_id(&second(&["export", "--json"]).json()).len(), 0);
    let code = second(&["invite", "ada"]).last_line();
    let phone = Rep::new(scene.dir().join("phone"));
    phone.run(&["enroll", &scene.url(), &code]).ok();
    phone.sync();
    assert_eq!(phone.ids().len(), 0, "nothing of the first workspace's Ada");
    phone.run(&["add", "name=Second First"]).ok();
    phone.sync();
    assert_eq!(by_id(&second(&["export", "--json"]).json()).len(), 1);
    let first = scene.admin(&["export", "--json", "--workspace", "Roadbook"]).json();
    assert_eq!(by_id(&first).len(), 3);
    scene.assert_clean();
}

#[test]
fn one_process_owns_the_data_and_a_second_one_says_who() {
    let scene = Scene::new();
    let args = ["--plain", "--listen", "127.0.0.1:0"];
    let refused = match ServerProcess::try_start(&scene.data(), &args, &[]) {
        Ok(_) => panic!("two servers on one directory"),
        Err(said) => said,
    };
    assert!(refused.contains(&scene.server().id().to_string()), "it names the process: {refused}");
    assert!(refused.contains(scene.data().to_str().unwrap()), "it names the directory: {refused}");
    let mut command = Command::new(binary("roadbook-server"));
    command.args(["serve", "--data"]).arg(scene.data()).args(args);
    assert_eq!(run(command).status.code(), Some(3));
}

#[test]
fn two_programs_on_one_replica_are_told_apart_too() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let phone = scene.device("phone", "ada");
    let held = roadbook_client_core::Replica::open(phone.home(), Default::default()).unwrap();
    let refused = phone.run(&["list"]);
    assert_eq!(refused.status.code(), Some(7), "{}", refused.stderr);
    assert!(
        refused.stderr.contains(&std::process::id().to_string()),
        "it names the process: {}",
        refused.stderr
    );
    drop(held);
    phone.run(&["list"]).ok();
}

#[test]
fn serving_without_tls_is_for_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary("roadbook-server"));
    command
        .args(["serve", "--plain", "--listen", "0.0.0.0:0", "--data"])
        .arg(dir.path().join("data"));
    let refused = run(command);
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("readable") && refused.stderr.contains("127.0.0.1"),
        "it says why and the way out: {}",
        refused.stderr
    );
    assert!(!refused.stdout.contains("listening"));
}

#[test]
fn a_self_signed_server_is_pinned_by_its_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server =
        ServerProcess::start_with(&data, &["--tls-self-signed", "--listen", "127.0.0.1:0"], &[]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    server.admin(&["user", "add", "ada", "--role", "rep"]).ok();
    let invited = server.admin(&["invite", "ada"]).ok();
    let code = invited.stdout.trim().to_owned();
    let fingerprint = invited
        .stderr
        .split(|c: char| !c.is_ascii_hexdigit() && c != ':')
        .find(|word| word.replace(':', "").len() == 64)
        .unwrap_or_else(|| panic!("the fingerprint is said with the code: {}", invited.stderr))
        .to_owned();
    let phone = Rep::new(dir.path().join("phone"));
    let unknown = phone.run(&["enroll", &server.url, &code]);
    assert_eq!(
        unknown.status.code(),
        Some(5),
        "an unknown certificate is not trusted: {}",
        unknown.stderr
    );
    let wrong = phone.run(&["enroll", &server.url, &code, "--fingerprint", &"ab".repeat(32)]);
    assert_eq!(wrong.status.code(), Some(5), "nor is another key: {}", wrong.stderr);
    phone.run(&["enroll", &server.url, &code, "--fingerprint", &fingerprint]).ok();
    phone.run(&["add", "name=Tessa Tls"]).ok();
    phone.sync();
    assert_eq!(phone.receipts(), ["merged"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_good_once_for_its_own_purpose_and_not_for_long() {
    let mut scene = Scene::with(&["--code-minutes", "1"]);
    scene.reps(&["ada"]);
    let refused = |name: &str, code: &str| {
        let rep = Rep::new(scene.dir().join(name));
        let done = rep.run(&["enroll", &scene.url(), code]);
        assert_eq!(done.status.code(), Some(6), "{name}: {}", done.stderr);
        done.stderr
    };
    refused("wrong", "0000-0000-0000-0000-0000-0000-00");
    refused("empty", "-");
    let code = scene.invite("ada");
    // Case and dashes don't matter; the second use is refused, the device of the first stays.
    let first = Rep::new(scene.dir().join("first"));
    first.run(&["enroll", &scene.url(), &code.to_lowercase().replace('-', " ")]).ok();
    refused("used", &code);
    first.sync();
    // A manager's sign-in code enrols no device.
    refused("signin", &scene.manager("mona"));
    // And a rep's enrolment code opens no page of the office.
    let mut http = Http::new(&scene.url());
    let code = scene.invite("ada");
    let form = [
        ("code", &*code),
        ("password", "a long walk by the sea"),
        ("again", "a long walk by the sea"),
    ];
    assert!(http.post("/welcome", &form).status >= 400);
    assert!(http.get("/contacts").status != 200);
    let unknown = scene.admin(&["invite", "who"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("who"), "{}", unknown.stderr);
    let expires = scene.admin(&["invite", "ada", "--json"]).json()["expires_at"].as_i64().unwrap();
    let left = expires - chrono::Utc::now().timestamp_millis();
    assert!((0..=60_000).contains(&left), "a minute, as configured: {left} ms");

    // A device that nobody enrolled, and one that signs with another's key, stay outside.
    let one = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let other = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let (_open, _) = one.open(&scene.url(), &[]).await;
    let mut thief = Raw::connect(&scene.url()).await;
    thief.send(one.hello()).await;
    let nonce = thief
        .until(|frame| match frame {
            roadbook_protocol::wire::Frame::Challenge(challenge) => Some(challenge.nonce),
            _ => None,
        })
        .await;
    thief.send(other.proof(&nonce, None, 0, &[])).await;
    while let Some(frame) = thief.next().await {
        assert!(
            !matches!(frame, roadbook_protocol::wire::Frame::Welcome(_)),
            "another's key opens nothing"
        );
    }
    scene.stop();
}

#[test]
fn an_import_reports_each_refused_line_and_a_repeat_changes_nothing() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let file = scene.dir().join("mixed.csv");
    // Line 3 has no name, line 5 an impossible birthday, lines 2 and 6 are one customer.
    let csv = "Kundennr,Vorname,Nachname,E-Mail,birthday,Ort\n\
               1,Jörg,Müller,joerg@example.com,1970-01-31,Köln\n\
               2,,,,,\n\
               3,Łukasz,Żak,lukasz@example.com,,Łódź\n\
               4,Eva,Falsch,eva@example.com,1970-02-31,Bonn\n\
               1,Jörg,Müller,joerg@example.com,1970-01-31,Köln\n";
    std::fs::write(&file, csv).unwrap();
    let args = ["import", file.to_str().unwrap(), "--owner", "ada", "--key", "Kundennr", "--json"];
    let dry = scene.admin(&[&args[..], &["--dry-run"]].concat()).json();
    assert_eq!(
        (dry["dry_run"].as_bool(), scene.export().len()),
        (Some(true), 0),
        "a dry run writes nothing"
    );
    let report = scene.admin(&args).json();
    for part in ["created", "updated", "unchanged"] {
        assert_eq!(dry[part], report[part], "the dry run said so: {dry} {report}");
    }
    assert_eq!(report["rows"], 5, "{report}");
    let lines = |part: &str| -> Vec<u64> {
        list(&report[part], "rows").iter().map(|row| row["line"].as_u64().unwrap()).collect()
    };
    assert!(lines("refused").contains(&3), "the empty row: {report}");
    assert!(
        lines("refused").contains(&5) || lines("warnings").contains(&5),
        "the impossible date: {report}"
    );
    assert!(lines("duplicate").contains(&6), "the second of the two: {report}");
    for row in list(&report["refused"], "rows") {
        assert!(!field(row, "reason").is_empty());
    }
    let before = scene.admin(&["state-hash"]).last_line();
    let again = scene.admin(&args).json();
    assert_eq!(
        (again["created"].as_u64(), again["updated"].as_u64()),
        (Some(0), Some(0)),
        "{again}"
    );
    assert_eq!(scene.admin(&["state-hash"]).last_line(), before, "nothing changed");
    let exported = scene.export();
    let of = |name: &str| exported.values().find(|contact| contact["given_name"] == name).unwrap();
    assert_eq!(
        of("Jörg")["addresses"][0]["city"].as_str().or(of("Jörg")["city"].as_str()),
        Some("Köln")
    );

    // Without a key: by a hash of name and first reach, and it says so.
    let file = scene.dir().join("nokey.csv");
    std::fs::write(&file, "name,email\nHans Hash,hans@example.com\n").unwrap();
    let args = ["import", file.to_str().unwrap(), "--json"];
    let report = scene.admin(&args).json();
    assert_eq!(
        (report["created"].as_u64(), field(&report["key"], "kind")),
        (Some(1), "hash"),
        "{report}"
    );
    assert_eq!(scene.admin(&args).json()["created"], 0);
    scene.assert_clean();
}

#[test]
fn health_readiness_and_metrics_are_there_for_the_operator() {
    let scene = Scene::new();
    let mut http = Http::new(&scene.url());
    assert_eq!(http.get("/healthz").status, 200);
    assert_eq!(http.get("/readyz").status, 200);
    let metrics = http.get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("roadbook_"), "{}", metrics.body);
    let without = http.get("/contacts");
    assert_eq!(without.status, 303, "pages ask for a sign-in");
    assert!(
        without.header("location").is_some_and(|to| to.starts_with("/sign-in")),
        "{:?}",
        without.headers
    );
}

#[test]
fn a_command_on_a_directory_with_nothing_in_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let done: Finished = admin(&dir.path().join("nothing"), &["user", "list"]);
    assert_eq!(done.status.code(), Some(3));
    assert!(done.stderr.contains("--data"), "{}", done.stderr);
    let rep = Rep::new(dir.path().join("home"));
    let done = rep.run(&["sync"]);
    assert_eq!(
        done.status.code(),
        Some(3),
        "not enrolled has an exit code of its own: {}",
        done.stderr
    );
    assert!(done.stderr.contains("invite"), "{}", done.stderr);
}

#[test]
fn a_minimum_version_holds_data_back_and_takes_edits_and_stands_with_the_devices() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(7, 3, Some("ada"));
    let rep = scene.device("laptop", "ada");
    let bad = scene.admin(&["minimum-app", "set", "0.2.0"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(bad.stderr.contains("roadbook/0.2.0"), "{}", bad.stderr);

    let set = scene.admin(&["minimum-app", "set", "phone/3.1", "--json"]).json();
    assert_eq!(set["outdated"], Value::Array(Vec::new()), "another app is not judged");
    rep.sync();
    let ids = rep.ids();
    assert_eq!(ids.len(), 3);
    let set = scene.admin(&["minimum-app", "set", "roadbook/99.0", "--json"]).json();
    assert_eq!(set["minimum_apps"], serde_json::json!(["phone/3.1", "roadbook/99.0"]));
    assert_eq!(list(&set, "outdated").len(), 1, "{set}");
    let device = scene.admin(&["device", "list", "--json"]).json()["devices"][0].clone();
    assert_eq!(
        (&device["outdated"], field(&device, "minimum_app")),
        (&true.into(), "roadbook/99.0")
    );

    // What is newer stays at the server; what was made here goes up, and is told as stored.
    scene.import(8, 2, Some("ada"));
    rep.run(&["note", &ids[0], "--append", "from an old app"]).ok();
    let told = rep.run(&["sync"]);
    assert!(format!("{}{}", told.stdout, told.stderr).contains("update"), "{told:?}");
    assert_eq!(rep.ids().len(), 3, "no customer data comes down");
    assert_eq!(
        scene.export()[&ids[0]]["note"].as_str().map(|note| note.contains("old app")),
        Some(true)
    );

    scene.admin(&["minimum-app", "clear", "roadbook"]).ok();
    rep.sync();
    assert_eq!(rep.ids().len(), 5, "everything comes after it");
    let audited = scene.admin(&["audit", "list", "--action", "minimum_app", "--json"]).json();
    assert_eq!(list(&audited, "entries").len(), 3, "{audited}");
    let shown = scene.admin(&["minimum-app", "show"]).ok().stdout;
    assert_eq!(shown.trim(), "phone/3.1");
}
