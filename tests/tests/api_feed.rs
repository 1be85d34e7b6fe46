//! The change feed and webhooks over real servers: complete under load and over `kill -9`, hand-over and
//! erasure as events of their own, nothing of what is not within reach.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use ring::hmac;
use roadbook_tests::api::{ALL_SCOPES, Api, json, kind, problem};
use roadbook_tests::scene::{Scene, free_port};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` in {value}"))
}

/// The lines of a part of the feed.
fn lines(body: &str) -> Vec<Value> {
    body.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Events behind a place, and the place that they reach.
fn events(api: &Api, since: &str) -> (Vec<Value>, String) {
    let answer = api.ask("GET", &format!("/changes?since={since}"), &[], "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut all = lines(&answer.body);
    let last = all.pop().unwrap();
    assert_eq!((text(&last, "type"), &last["more"]), ("feed.position", &json!(false)));
    (all, text(&last, "cursor").to_owned())
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| text(event, "type")).collect()
}

fn person(scene: &Scene, login: &str) -> String {
    let list = scene.admin(&["user", "list", "--json"]).json();
    let users = list["users"].as_array().unwrap();
    text(users.iter().find(|user| user["login"] == login).unwrap(), "id").to_owned()
}

#[test]
fn who_follows_the_feed_misses_nothing_under_load_and_over_kill_9() {
    const WRITERS: usize = 4;
    let mut scene = Scene::new();
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &["--rate", "60000"]);
    let ids: Vec<String> = (0..WRITERS)
        .map(|n| {
            text(&api.send("POST", "/contacts", &json!({ "company": format!("C{n}") })), "id")
                .to_owned()
        })
        .collect();
    let (over, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let acknowledged: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
    let tried: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
    let all = std::thread::scope(|scope| {
        let mut writers = Vec::new();
        for (n, id) in ids.iter().enumerate() {
            let (api, over, acknowledged, tried) = (&api, &over, &acknowledged, &tried);
            writers.push(scope.spawn(move || {
                for round in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let body = json!({ "category": format!("{n}-{round}") }).to_string();
                    tried[n].fetch_add(1, Ordering::SeqCst);
                    let answer = api.try_ask("PATCH", &format!("/contacts/{id}"), &body);
                    if answer.is_some_and(|answer| answer.status == 200) {
                        acknowledged[n].fetch_add(1, Ordering::SeqCst);
                    }
                }
            }));
        }
        let (api, done) = (&api, &done);
        let reader = scope.spawn(move || {
            let (mut since, mut all) = ("start".to_owned(), Vec::new());
            let begun = Instant::now();
            loop {
                let ended = done.load(Ordering::SeqCst);
                assert!(begun.elapsed() < 3 * PATIENCE, "the feed came to no end");
                let Some(answer) =
                    api.try_ask("GET", &format!("/changes?since={since}&wait=1"), "")
                else {
                    continue;
                };
                if answer.status != 200 {
                    continue;
                }
                // The last line may be cut where the server was killed.
                let mut position = false;
                for line in answer.body.lines().filter(|line| !line.is_empty()) {
                    let Ok(event) = serde_json::from_str::<Value>(line) else { break };
                    since = text(&event, "cursor").to_owned();
                    position = event["type"] == "feed.position";
                    if !position {
                        all.push(event);
                    }
                }
                if ended && position {
                    return all;
                }
            }
        });
        let made = |least: u64| {
            let begun = Instant::now();
            while acknowledged.iter().map(|n| n.load(Ordering::SeqCst)).sum::<u64>() < least {
                assert!(begun.elapsed() < PATIENCE, "the writers don't get on");
                std::thread::yield_now();
            }
        };
        for round in 1..=3 {
            made(round * 40);
            scene.kill();
            scene.start();
        }
        made(160);
        over.store(true, Ordering::SeqCst);
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap()
    });
    let mut cursors = HashSet::new();
    let (mut last, mut changed) = (0, BTreeMap::<String, u64>::new());
    for event in &all {
        let number: u64 = text(event, "cursor").rsplit('.').next().unwrap().parse().unwrap();
        assert!(number > last && cursors.insert(number), "in order, and once: {event}");
        last = number;
        *changed.entry(text(event, "contact").to_owned()).or_default() += 1;
    }
    for (n, id) in ids.iter().enumerate() {
        let (least, most) =
            (acknowledged[n].load(Ordering::SeqCst) + 1, tried[n].load(Ordering::SeqCst) + 1);
        let told = changed[id];
        assert!(told >= least && told <= most, "{id}: {told} events, {least} to {most} edits");
    }
    scene.assert_clean();
}

#[test]
fn making_handing_over_and_erasing_are_events_of_their_own() {
    let scene = Scene::new();
    scene.admin(&["team", "set", "north"]).ok();
    scene.reps(&["nora", "olaf"]);
    scene.admin(&["user", "change", "nora", "--team", "north"]).ok();
    scene.manager("mona");
    scene.admin(&["user", "change", "mona", "--team", "north"]).ok();
    let (nora, olaf) = (person(&scene, "nora"), person(&scene, "olaf"));
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    let north = Api::with_key(&scene, "north", ALL_SCOPES, &["--user", "mona"]);
    let (_, begun) = events(&api, "now");
    let made = api.send("POST", "/contacts", &json!({ "name": "Anna Berg", "owner": nora }));
    let id = text(&made, "id").to_owned();
    let rep = scene.device("nora", "nora");
    rep.sync();
    rep.run(&["set", &id, "status=prospect"]).ok();
    rep.sync_until_merged();
    api.send("POST", &format!("/contacts/{id}/assign"), &json!({ "owner": olaf }));
    let (told, here) = events(&api, &begun);
    assert_eq!(kinds(&told), ["contact.created", "contact.changed", "contact.assigned"]);
    assert_eq!(told[1]["by"], json!([nora]));
    assert_eq!(told[1]["data"]["status"], "prospect");
    let handed = &told[2]["assignment"];
    assert_eq!(
        (&handed["from"], &handed["to"], &handed["epoch"]),
        (&json!(nora), &json!(olaf), &json!(2))
    );
    // For the team it is gone: no content of it, and no more of it.
    let (told, _) = events(&north, &begun);
    assert_eq!(kinds(&told), ["contact.removed"]);
    assert_eq!((&told[0]["contact"], &told[0]["data"]), (&json!(id), &Value::Null));
    scene.admin(&["erase", &id, "--reason", "request-1"]).ok();
    let (told, _) = events(&api, &here);
    assert_eq!(kinds(&told), ["contact.erased"]);
    assert_eq!(told[0]["data"], Value::Null);
    // Who comes later hears of the erasure alone.
    let (told, _) = events(&api, &begun);
    assert_eq!(kinds(&told), ["contact.erased"]);
    let body = json!(told).to_string();
    assert!(!body.contains("Berg"), "{body}");
}

#[test]
fn a_place_in_a_lost_past_is_answered_with_where_to_go_on() {
    let mut scene = Scene::new();
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    api.send("POST", "/contacts", &json!({ "name": "Anna" }));
    let (_, here) = events(&api, "start");
    scene.stop();
    scene.start();
    // A restart loses nothing.
    assert_eq!(events(&api, &here).0, Vec::<Value>::new());
    api.send("POST", "/contacts", &json!({ "name": "Ben" }));
    let (told, _) = events(&api, &here);
    assert_eq!(told.len(), 1);
    let (timeline, cursor) = here.split_once('.').unwrap();
    let beyond = format!("{timeline}.{}", cursor.parse::<u64>().unwrap() + 500);
    let gone = api.ask("GET", &format!("/changes?since={beyond}"), &[], "");
    let gone = problem(&gone);
    assert_eq!((kind(&gone), &gone["reset"]), ("gone", &json!(false)));
    assert_eq!(events(&api, text(&gone, "resume")).0.len(), 1);
    let foreign = format!("01900000-0000-4000-8000-000000000000.{cursor}");
    let gone = api.refused("GET", &format!("/changes?since={foreign}"), &[], "");
    assert_eq!(
        (kind(&gone), &gone["reset"], &gone["resume"]),
        ("gone", &json!(true), &json!("start"))
    );
    assert_eq!(events(&api, "start").0.len(), 2);
    assert_eq!(kind(&api.refused("GET", "/changes?since=5", &[], "")), "bad-request");
}

#[test]
fn server_sent_events_go_on_where_the_browser_was() {
    let scene = Scene::new();
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    let accept = ("Accept", "text/event-stream");
    let mut stream = api.stream("/changes?since=now", &[accept]);
    api.send("POST", "/contacts", &json!({ "name": "Anna" }));
    let id = next_id(&mut stream, "contact.created");
    drop(stream);
    api.send("POST", "/contacts", &json!({ "name": "Ben" }));
    let mut stream = api.stream("/changes?since=start", &[accept, ("Last-Event-ID", &id)]);
    assert_ne!(next_id(&mut stream, "contact.created"), id);
    // A key that is revoked reads no further.
    scene.admin(&["api-key", "revoke", "all"]).ok();
    let other = Api::with_key(&scene, "other", ALL_SCOPES, &[]);
    other.send("POST", "/contacts", &json!({ "name": "Cleo" }));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("Cleo"), "{rest}");
}

/// Reads up to the next event, which is of this kind; its id.
fn next_id(stream: &mut impl BufRead, wanted: &str) -> String {
    let mut id = String::new();
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended");
        if let Some(found) = line.strip_prefix("id: ") {
            id = found.trim().to_owned();
        }
        if let Some(found) = line.strip_prefix("event: ") {
            assert_eq!(found.trim(), wanted);
            return id;
        }
    }
}

/// A program to which webhooks are sent.
struct Hooked {
    port: u16,
    got: Receiver<(BTreeMap<String, String>, String)>,
}

impl Hooked {
    /// Answers with these status codes in turn, then with 200.
    fn new(statuses: Vec<u16>) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (tell, got) = channel();
        std::thread::spawn(move || {
            let mut statuses = statuses.into_iter();
            for stream in listener.incoming() {
                serve(stream.unwrap(), statuses.next().unwrap_or(200), &tell);
            }
        });
        Self { port, got }
    }
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }
    /// The next delivery, with its headers.
    fn next(&self) -> (BTreeMap<String, String>, Value) {
        let (headers, body) = self.got.recv_timeout(PATIENCE).expect("a delivery");
        let body = serde_json::from_str(&body).unwrap();
        (headers, body)
    }
}

fn serve(
    mut stream: std::net::TcpStream,
    status: u16,
    tell: &Sender<(BTreeMap<String, String>, String)>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut headers, mut line) = (BTreeMap::new(), String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some((name, value)) = line.split_once(": ") {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        line.clear();
    }
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n"
    );
    let _ = tell.send((headers, String::from_utf8(body).unwrap()));
}

fn bytes_of(base64: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = base64
        .bytes()
        .filter(|byte| *byte != b'=')
        .map(|byte| format!("{:06b}", ALPHABET.iter().position(|b| *b == byte).unwrap()))
        .collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|bits| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap())
        .collect()
}

#[test]
fn a_webhook_is_signed_tried_again_and_loses_nothing_over_kill_9() {
    let mut scene = Scene::with(&["--webhook-private-hosts", "127.0.0.1"]);
    let hooked = Hooked::new(vec![500, 302]);
    let added =
        scene.admin(&["webhook", "add", &hooked.url(), "--backoff-ms", "50", "--json"]).json();
    let key = hmac::Key::new(
        hmac::HMAC_SHA256,
        &bytes_of(text(&added, "secret").strip_prefix("whsec_").unwrap()),
    );
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    let id = text(&api.send("POST", "/contacts", &json!({ "name": "Anna" })), "id").to_owned();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (headers, body) = hooked.next();
        assert_eq!(
            (text(&body, "type"), &body["data"]["contact"]),
            ("contact.created", &json!(id))
        );
        let signed = format!("{}.{}.{body}", headers["webhook-id"], headers["webhook-timestamp"]);
        let tag = bytes_of(headers["webhook-signature"].strip_prefix("v1,").unwrap());
        hmac::verify(&key, signed.as_bytes(), &tag).expect("the signature fits");
        seen.push(headers["webhook-id"].clone());
    }
    assert!(seen.iter().all(|id| *id == seen[0]), "one message, three attempts: {seen:?}");
    scene.kill();
    scene.start();
    api.send("PATCH", &format!("/contacts/{id}"), &json!({ "status": "lead" }));
    // What was delivered at the moment of the kill may come once more.
    loop {
        let (headers, body) = hooked.next();
        if headers["webhook-id"] != seen[0] {
            assert_eq!(
                (text(&body, "type"), &body["data"]["data"]["status"]),
                ("contact.changed", &json!("lead"))
            );
            return;
        }
    }
}

#[test]
fn what_a_webhook_gives_up_waits_on_a_list_until_it_is_sent_again() {
    let scene = Scene::with(&["--webhook-private-hosts", "127.0.0.1"]);
    let hooked = Hooked::new(vec![500, 500]);
    let args = [
        "webhook",
        "add",
        &hooked.url(),
        "--event",
        "contact.created",
        "--attempts",
        "2",
        "--backoff-ms",
        "20",
        "--json",
    ];
    let hook = text(&scene.admin(&args).json(), "id").to_owned();
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    api.send("POST", "/contacts", &json!({ "name": "Anna" }));
    let (first, _) = hooked.next();
    hooked.next();
    api.send("POST", "/contacts", &json!({ "name": "Ben" }));
    // The next event has its turn.
    let (second, _) = hooked.next();
    assert_ne!(first["webhook-id"], second["webhook-id"]);
    let dead = scene.admin(&["webhook", "dead", &hook, "--json"]).json();
    assert_eq!(dead["dead"].as_array().unwrap().len(), 1, "{dead}");
    assert!(text(&dead["dead"][0], "error").contains("500"), "{dead}");
    assert_eq!(api.get(&format!("/webhooks/{hook}/dead"))["items"], dead["dead"]);
    assert_eq!(api.send("POST", &format!("/webhooks/{hook}/retry"), &Value::Null)["retried"], 1);
    let (again, _) = hooked.next();
    assert_eq!(again["webhook-id"], first["webhook-id"]);
    let begun = Instant::now();
    while api.get(&format!("/webhooks/{hook}/dead"))["items"] != json!([]) {
        assert!(begun.elapsed() < PATIENCE, "it stays on the list");
    }
}

#[test]
fn nothing_inside_the_network_is_sent_to_unless_the_operator_says_so() {
    let scene = Scene::new();
    let hooked = Hooked::new(Vec::new());
    let api = Api::with_key(&scene, "all", ALL_SCOPES, &[]);
    for url in [
        hooked.url().as_str(),
        "https://127.0.0.1/",
        "https://[::1]/x",
        "http://example.com/",
        "file:///etc/passwd",
    ] {
        let refused = api.ask("POST", "/webhooks", &[], &json!({ "url": url }).to_string());
        assert_eq!((refused.status, &json(&refused)["field"]), (422, &json!("url")), "{url}");
    }
    // A name is judged by what it stands for when it is sent to.
    let named = format!("https://localhost:{}/", hooked.port);
    let hook = text(&api.send("POST", "/webhooks", &json!({ "url": named })), "id").to_owned();
    api.send("POST", "/contacts", &json!({ "name": "Anna" }));
    let begun = Instant::now();
    loop {
        let now = api.get(&format!("/webhooks/{hook}"));
        if let Some(error) = now["last_error"].as_str() {
            assert!(error.contains("inside the network"), "{error}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{now}");
    }
    assert!(hooked.got.try_recv().is_err(), "nobody was connected to");
}
