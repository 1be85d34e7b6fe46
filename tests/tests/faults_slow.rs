//! A link of 64 kbit/s, made by the kernel (`tbf` between two network namespaces): a first sync and an
//! upload get through, receipts come, and slowness is not taken for silence.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::{Duration, Instant};

use roadbook_client_core::sync::SyncOptions;
use roadbook_client_core::{Durability, OpenOptions, Replica};
use roadbook_protocol::document::Command as Edit;
use roadbook_tests::devices::{self, full};
use roadbook_tests::process::{Rep, ServerProcess, binary};
use roadbook_tests::scene::Scene;

const RATE: &str = "64kbit";
/// Bytes a second, as the rate above has them.
const BYTES_PER_SECOND: u64 = 8_000;

/// Runs a program that sets up the network.
fn network(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| {
        panic!("this test needs `{program}` (package iproute2; ./tests/run installs it): {error}")
    });
    assert!(
        output.status.success(),
        "`{program} {}` failed: {}this test makes a network namespace and needs root (CAP_NET_ADMIN, \
         CAP_SYS_ADMIN)",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A network namespace behind a narrow link; both are gone when it is dropped.
struct Narrow {
    name: String,
    server: String,
}

impl Narrow {
    fn new() -> Self {
        // One per process: nextest runs each test in a process of its own, at the same time.
        let id = std::process::id();
        let (name, here, there) = (format!("rb{id}"), format!("rb{id}a"), format!("rb{id}b"));
        let network_of = format!("10.231.{}", (id >> 6) & 255);
        let first = (id & 63) * 4;
        let server = format!("{network_of}.{}", first + 2);
        let made = Self { name: name.clone(), server: server.clone() };
        network("ip", &["netns", "add", &name]);
        network(
            "ip",
            &["link", "add", &here, "type", "veth", "peer", "name", &there, "netns", &name],
        );
        let device = format!("{network_of}.{}/30", first + 1);
        network("ip", &["addr", "add", &device, "dev", &here]);
        network("ip", &["link", "set", &here, "up"]);
        network("ip", &["-n", &name, "addr", "add", &format!("{server}/30"), "dev", &there]);
        network("ip", &["-n", &name, "link", "set", &there, "up"]);
        let tbf = ["root", "tbf", "rate", RATE, "burst", "3200", "limit", "16000"];
        network("tc", &[&["qdisc", "add", "dev", &here][..], &tbf].concat());
        let inside = ["netns", "exec", &name, "tc", "qdisc", "add", "dev", &there];
        network("ip", &[&inside[..], &tbf].concat());
        made
    }
    fn serve(&self, scene: &Scene) -> ServerProcess {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(binary("roadbook-server"));
        command.arg("serve").arg("--data").arg(scene.data());
        command.args(["--listen", &format!("{}:7430", self.server), "--drain-seconds", "1"]);
        let server = ServerProcess::spawn_command(command, &scene.data());
        server.ready().unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        // With the namespace goes its end of the link, and with that the other end.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn slow(seed: u64, contacts: usize) -> (Narrow, Scene, ServerProcess, String) {
    let mut scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(seed, contacts, Some("ada"));
    scene.stop();
    let narrow = Narrow::new();
    let server = narrow.serve(&scene);
    let pin = server.fingerprint().expect("a server with TLS prints it");
    (narrow, scene, server, pin)
}

#[test]
fn at_64_kbit_a_first_sync_and_an_upload_get_through_and_receipts_come() {
    let (contacts, edits) = if full() { (300, 300) } else { (36, 24) };
    let (narrow, scene, server, pin) = slow(121, contacts);
    let phone = Rep::new(scene.dir().join("phone"));
    let url = format!("https://{}:7430", narrow.server);
    let code = server.admin(&["invite", "ada"]).last_line();
    phone.run(&["enroll", &url, &code, "--fingerprint", &pin]).ok();
    let began = Instant::now();
    let report = phone.json(&["sync"]);
    let down = report["bytes_down"].as_u64().unwrap();
    let least = Duration::from_secs(down / BYTES_PER_SECOND).mul_f64(0.7);
    assert!(began.elapsed() >= least, "{down} bytes in {:?}: the link is narrow", began.elapsed());
    let ids = phone.ids();
    assert_eq!(ids.len(), contacts);
    println!("{contacts} contacts, {down} bytes in {:?}", began.elapsed());
    let mut rng = fastrand::Rng::with_seed(121);
    for n in 0..edits {
        // Nothing that compression makes small.
        let summary: String = (0..500).map(|_| rng.alphanumeric()).collect();
        phone.run(&["visit", &ids[n % contacts], "--summary", &summary]).ok();
    }
    // Killed in the middle of the upload, and started again: it gets through all the same.
    let mut cut = phone.command();
    let mut child = cut.arg("sync").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(900));
    let _ = child.kill();
    assert_eq!(child.wait().unwrap().code(), None, "it was not done yet");
    phone.sync_until_merged();
    assert_eq!(phone.receipts(), vec!["merged"; edits]);
    scene.assert_agrees(&phone, "ada");
    scene.assert_clean();
    drop((server, narrow));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_takes_longer_than_a_silence_may_last_is_not_taken_for_one() {
    let (narrow, scene, server, pin) = slow(122, 1);
    let url = format!("https://{}:7430", narrow.server);
    // One contact with text that can't be compressed away, made at the server's own side of the link.
    let mut rng = fastrand::Rng::with_seed(122);
    let text: String = (0..24_000).map(|_| rng.alphanumeric()).collect();
    let options = || OpenOptions { durability: Durability::Full, ..OpenOptions::default() };
    let enrol = |name: &'static str| {
        let (home, code) = (scene.dir().join(name), server.admin(&["invite", "ada"]).last_line());
        let (url, pin) = (url.clone(), pin.clone());
        async move {
            let replica = Replica::open(&home, options()).unwrap();
            roadbook_client_core::sync::enrol(&replica, &url, &code, Some(&pin), name)
                .await
                .unwrap();
            replica
        }
    };
    let writer = enrol("writer").await;
    devices::sync(&writer).await.unwrap();
    let id = writer.ids(None).unwrap()[0];
    for part in text.as_bytes().chunks(1_900) {
        let long =
            format!("{} {}", writer.contact(id).unwrap().note, String::from_utf8_lossy(part));
        let splices = writer.note_splices(id, &long).unwrap();
        devices::edit(&writer, id, &[Edit::EditNote { splices }]);
    }
    devices::sync_until_merged(&writer).await;

    let reader = enrol("reader").await;
    let impatient = SyncOptions {
        ping_every: Duration::from_millis(300),
        dead_after: Duration::from_millis(1_200),
        ..SyncOptions::default()
    };
    let began = Instant::now();
    let report = devices::sync_with(&reader, impatient).await.unwrap();
    assert!(report.bytes_down > 15_000, "it can't be compressed away: {report:?}");
    assert!(began.elapsed() > Duration::from_millis(1_800), "{:?}", began.elapsed());
    assert_eq!(reader.contact(id).unwrap().note, writer.contact(id).unwrap().note);
    assert_eq!(devices::state_hash(&reader), scene.state_hash("ada"));
    scene.assert_clean();
    drop((server, narrow));
}
