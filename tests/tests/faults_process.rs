//! Processes that are stopped and go on later (SIGSTOP, SIGCONT: a laptop's lid, an overloaded host),
//! and processes whose clock is wrong by years. The other side notices a connection that has gone
//! dead, nobody loses an edit, and whoever was stopped goes on.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use roadbook_client_core::sync::{Engine as SyncEngine, SyncOptions};
use roadbook_client_core::{Error, Phase, Topic};
use roadbook_server::engine::{Engine, EngineOptions};
use roadbook_server::http::{self, ServeOptions, TlsSource};
use roadbook_tests::devices::{self, full};
use roadbook_tests::process::{Rep, ServerProcess, binary, signal};
use roadbook_tests::proxy::Proxy;
use roadbook_tests::scene::{Scene, visit};
use tokio_util::sync::CancellationToken;

/// A process of a device that ends with its owner.
struct Running(Child);

impl Running {
    fn start(rep: &Rep, args: &[&str]) -> Self {
        let mut command = rep.command();
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }
    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
    /// Waits for its end, which must be a success.
    #[track_caller]
    fn ok(mut self) {
        let mut errors = self.0.stderr.take().unwrap();
        let status = self.0.wait().unwrap();
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(&mut errors, &mut text);
        assert!(status.success(), "{status}: {text}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ada's phone behind a link, and her laptop without one, both with all their contacts.
struct Book {
    scene: Scene,
    link: Proxy,
    phone: Rep,
    laptop: Rep,
    ids: Vec<String>,
}

async fn book(seed: u64) -> Book {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(seed, 60, Some("ada"));
    let link = Proxy::start(scene.listen().parse().unwrap()).await;
    let phone = Rep::new(scene.dir().join("phone"));
    let url = format!("http://{}", link.addr);
    phone.run(&["enroll", &url, &scene.invite("ada")]).ok();
    let laptop = scene.device("laptop", "ada");
    for rep in [&phone, &laptop] {
        rep.sync();
    }
    let ids = phone.ids();
    Book { scene, link, phone, laptop, ids }
}

/// Stops the server, or the device's process, in the middle of an exchange, at several moments.
async fn stopped_in_the_middle(seed: u64, the_server: bool) {
    let book = book(seed).await;
    let Book { scene, link, phone, laptop, ids } = &book;
    let mut visits = 0;
    let rounds: u64 = if full() { 40 } else { 4 };
    for round in 0..rounds {
        // Something for both directions.
        for n in 0..4 {
            visit(phone, &ids[n], &format!("phone {round} {n}"));
            visit(laptop, &ids[n + 2], &format!("laptop {round} {n}"));
        }
        visits += 8;
        laptop.sync();
        let (up, down) = link.bytes();
        let mut syncing = Running::start(phone, &["sync", "--timeout", "60"]);
        if round % 2 == 0 {
            link.wait_for_up(up + 200 + 900 * (round / 2) % 3_000).await;
        } else {
            link.wait_for_down(down + 200 + 900 * (round / 2) % 3_000).await;
        }
        let stopped = if the_server { scene.server().id() } else { syncing.0.id() };
        signal(stopped, "STOP");
        if the_server {
            // Everything but syncing goes on, and says clearly what does not.
            visit(laptop, &ids[10], &format!("laptop {round} while the server stands still"));
            let done = laptop.run(&["sync", "--timeout", "1"]);
            assert_eq!(done.status.code(), Some(5), "{done:?}");
            assert!(done.stderr.contains("your edits are safe on this device"), "{}", done.stderr);
            // It may have had its answers before the server stood still.
            let _ = syncing.runs();
        } else {
            visit(laptop, &ids[10], &format!("laptop {round} while the phone stands still"));
            laptop.sync();
        }
        visits += 1;
        signal(stopped, "CONT");
        syncing.ok();
        laptop.sync();
    }
    for rep in [phone, laptop, phone] {
        rep.sync_until_merged();
    }
    let total: usize = scene
        .export()
        .values()
        .map(|contact| contact["interactions"].as_array().unwrap().len())
        .sum();
    assert_eq!(total, visits, "each edit is there once");
    for rep in [phone, laptop] {
        scene.assert_agrees(rep, "ada");
    }
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_in_the_middle_of_an_exchange_goes_on() {
    stopped_in_the_middle(91, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_stands_still_in_the_middle_of_an_exchange_goes_on() {
    stopped_in_the_middle(92, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_notices_a_server_that_stands_still_and_comes_back_by_itself() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(93, 5, Some("ada"));
    let replica = scene.replica("phone", "ada").await;
    let defaults = SyncOptions::default();
    assert!(defaults.dead_after < Duration::from_secs(60), "what is promised");
    assert!(defaults.ping_every * 2 < defaults.dead_after, "a quiet connection is not a dead one");
    let options = SyncOptions {
        ping_every: Duration::from_millis(200),
        dead_after: Duration::from_millis(1_000),
        ..defaults
    };
    let engine = SyncEngine::new(replica.clone(), options);
    engine.sync_once(devices::SYNC_MAX).await.unwrap();
    let id = replica.ids(None).unwrap()[0];

    let mut observer = replica.observe(Topic::Sync);
    let (online, cancel) = (engine.clone(), CancellationToken::new());
    let stop = cancel.clone();
    let watching = tokio::spawn(async move { online.run(stop).await });
    let phase = || replica.status().unwrap().connection.phase;
    while phase() != Phase::Idle {
        observer.next().await.unwrap();
    }
    // A quiet connection stays: pings keep it alive for longer than it may be silent. (It may
    // still have something to do at its beginning, if the server has news.)
    let connected = || matches!(phase(), Phase::Idle | Phase::Syncing);
    let quiet = tokio::time::timeout(Duration::from_millis(2_500), async {
        while connected() {
            observer.next().await.unwrap();
        }
    });
    assert!(quiet.await.is_err(), "it was given up while it lived");

    scene.server().signal("STOP");
    let began = Instant::now();
    while connected() {
        observer.next().await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(10), "noticed after {:?}", began.elapsed());
    devices::visit(&replica, id, "while the server stands still");
    let alone = replica.status().unwrap();
    assert_eq!((alone.unsent, alone.stored_not_merged), (1, 0));
    scene.server().signal("CONT");
    engine.wake();
    while replica.status().unwrap().unsent > 0 || phase() != Phase::Idle {
        observer.next().await.unwrap();
    }
    cancel.cancel();
    watching.await.unwrap().unwrap();
    devices::sync_until_merged(&replica).await;
    assert_eq!(devices::state_hash(&replica), scene.state_hash("ada"));

    // One exchange says it as an error.
    scene.server().signal("STOP");
    let refused = engine.sync_once(Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(refused, Error::Offline { .. }), "{refused}");
    scene.server().signal("CONT");
    engine.sync_once(devices::SYNC_MAX).await.unwrap();
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_gives_up_a_device_that_stands_still_and_takes_it_back() {
    let mut scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(94, 5, Some("ada"));
    let code = scene.invite("ada");
    scene.stop();
    let engine = Engine::open(&scene.data(), EngineOptions::default()).unwrap();
    let shutdown = CancellationToken::new();
    let mut options = ServeOptions::new("127.0.0.1:0".parse().unwrap(), TlsSource::Plain);
    options.drain_spread = Duration::ZERO;
    assert!(options.sync.dead_after < Duration::from_secs(60), "what is promised");
    options.sync.ping_after = Duration::from_millis(300);
    options.sync.dead_after = Duration::from_millis(1_200);
    let serving = http::serve(engine.clone(), options, shutdown.clone()).await.unwrap();
    let link = Proxy::start(serving.local_addr).await;
    let phone = Rep::new(scene.dir().join("phone"));
    phone.run(&["enroll", &format!("http://{}", link.addr), &code]).ok();
    phone.sync();
    link.wait_for_open(0).await;

    let mut watching = Running::start(&phone, &["sync", "--watch"]);
    let said = BufReader::new(watching.0.stdout.take().unwrap());
    // Kept to the end: a program whose output nobody takes ends.
    let mut said = said.lines().map_while(Result::ok);
    assert!(said.any(|line| line.starts_with("idle")), "it has everything and stays connected");
    signal(watching.0.id(), "STOP");
    // The server closes it from its side; the device's own end of the link is still open.
    let gone = tokio::time::timeout(Duration::from_secs(10), link.wait_for_open(0)).await;
    assert!(gone.is_ok(), "a dead connection is noticed");
    signal(watching.0.id(), "CONT");
    let back = tokio::time::timeout(Duration::from_secs(30), link.wait_for_open(1)).await;
    assert!(back.is_ok(), "it connects again by itself");
    // While it lives it is not given up.
    let gone = tokio::time::timeout(Duration::from_secs(3), link.wait_for_open(0)).await;
    assert!(gone.is_err(), "it answers the pings");
    drop(watching);
    let id = phone.ids().remove(0);
    visit(&phone, &id, "afterwards");
    phone.sync_until_merged();
    shutdown.cancel();
    serving.task.await.unwrap();
    engine.shutdown();
    drop(engine);
    scene.start();
    scene.assert_agrees(&phone, "ada");
    scene.assert_clean();
}

// --- clocks ------------------------------------------------------------------------------------------

/// The program with a clock that is wrong by so many days; the monotonic clock stays right. The library
/// is preloaded by hand, since the program `faketime` would stand between the test and the process.
fn wrong_by(days: i32, program: &'static str) -> Command {
    let found = Command::new("faketime").args(["-f", "+0d", "printenv", "LD_PRELOAD"]).output();
    let found = found.expect("this test needs the program `faketime`; ./tests/run installs it");
    let library = String::from_utf8(found.stdout).unwrap();
    let mut command = Command::new(binary(program));
    command.env("LD_PRELOAD", library.trim()).env("FAKETIME", format!("{days:+}d"));
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").stdin(Stdio::null());
    command
}

fn start_wrong(scene: &Scene, days: i32) -> ServerProcess {
    let mut command = wrong_by(days, "roadbook-server");
    command.arg("serve").arg("--data").arg(scene.data());
    command.args(["--plain", "--listen", scene.listen(), "--drain-seconds", "1"]);
    let server = ServerProcess::spawn_command(command, &scene.data());
    server.ready().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn programs_whose_clocks_are_wrong_by_years_lose_nothing_and_agree() {
    let mut scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(95, 8, Some("ada"));
    scene.stop();
    let run = |rep: &Rep, days: i32, args: &[&str]| {
        let mut command = wrong_by(days, "roadbook");
        command.arg("--home").arg(rep.home()).args(args);
        roadbook_tests::process::run(command).ok()
    };
    let reps: Vec<(Rep, i32)> = [("past", -7_000), ("right", 0), ("future", 7_000)]
        .map(|(name, days)| (Rep::new(scene.dir().join(name)), days))
        .into();
    let mut visits = 0;
    // The server's clock goes forward by decades and back again, over restarts.
    for (round, server_days) in [3_650, -3_650, 9_000, 0].into_iter().enumerate() {
        let server = start_wrong(&scene, server_days);
        for (rep, days) in &reps {
            if round == 0 {
                let code = server.admin(&["invite", "ada"]).last_line();
                run(rep, *days, &["enroll", &scene.url(), &code]);
                run(rep, *days, &["sync"]);
            }
            // Each time its own clock is wrong the other way round.
            let days = if round % 2 == 0 { *days } else { -days };
            for id in rep.ids().iter().take(3) {
                run(rep, days, &["visit", id, "--summary", &format!("round {round}")]);
                visits += 1;
            }
            run(rep, days, &["set", &rep.ids()[4], &format!("job_title=round {round}")]);
            run(rep, days, &["sync"]);
        }
        for (rep, days) in &reps {
            run(rep, *days, &["sync"]);
            let title = &rep.show(&rep.ids()[4])["job_title"];
            assert_eq!(
                title,
                &format!("round {round}"),
                "the last one wins, whatever its clock says"
            );
        }
        assert!(server.stop().success());
    }
    scene.start();
    for (rep, _) in &reps {
        rep.sync_until_merged();
        scene.assert_agrees(rep, "ada");
        assert!(rep.receipts().iter().all(|receipt| receipt == "merged"));
        assert!(rep.conflicts().is_empty(), "each knew the edit before: {:?}", rep.conflicts());
    }
    let exported = scene.export();
    let total: usize =
        exported.values().map(|contact| contact["interactions"].as_array().unwrap().len()).sum();
    assert_eq!(total, visits);
    scene.assert_clean();
}
