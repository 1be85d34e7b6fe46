//! Hostile connections (P11): slow, silent, endless, deaf or very many. Each is given up in time, and
//! meanwhile an honest device gets through.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use roadbook_client_core::Durability;
use roadbook_protocol::document::Command;
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::wire::{self, Applied, Fetch, Frame, ProblemCode};
use roadbook_tests::hostile::{
    Others, RESIDENT_BYTES_MAX, fast, metric, resident_bytes_peak, until, until_alone,
};
use roadbook_tests::local::Device;
use roadbook_tests::process::ServerProcess;
use roadbook_tests::raw::{
    Identity, Raw, connect_from, manifest, upgrade, upgrade_request, websocket_frame,
};
use roadbook_tests::scene::Scene;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

const BINARY: u8 = 2;
const CONTINUED: u8 = 0;
const PONG: u8 = 10;

/// Writes the bytes one at a time until the server has enough of it, and reads what it says; gives
/// how long that took.
async fn drip(mut stream: TcpStream, bytes: Vec<u8>, every: Duration) -> Duration {
    let begun = Instant::now();
    let mut scrap = [0; 256];
    for byte in bytes.iter().cycle() {
        tokio::select! {
            read = stream.read(&mut scrap) => match read {
                Ok(1..) => continue,
                _ => break,
            },
            () = tokio::time::sleep(every) => {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        }
    }
    begun.elapsed()
}

/// Reads until the server ends the connection; gives how long that took.
async fn end_of(mut stream: TcpStream) -> Duration {
    let begun = Instant::now();
    let mut scrap = [0; 4096];
    while let Ok(1..) = stream.read(&mut scrap).await {}
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_come_a_byte_at_a_time_or_never_are_given_up_in_time() {
    let scene = Scene::with(&["--header-seconds", "3"]);
    let mut others = Others::join(&scene).await;
    let mut slow = JoinSet::new();
    for number in 0..400 {
        let stream = TcpStream::connect(scene.listen()).await.unwrap();
        match number % 4 {
            // Nothing at all.
            0 => slow.spawn(end_of(stream)),
            // A request line that never ends, headers that never end, and an upgrade in slow motion.
            1 => slow.spawn(drip(stream, vec![b'a'], Duration::from_millis(200))),
            2 => {
                let mut stream = stream;
                stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
                slow.spawn(drip(stream, b"a: b\r\n".to_vec(), Duration::from_millis(200)))
            }
            _ => {
                let request = upgrade_request(scene.listen());
                slow.spawn(drip(stream, request, Duration::from_millis(200)))
            }
        };
    }
    others.work("slow headers").await;
    others.work("slow headers, still").await;
    let mut slowest = Duration::ZERO;
    while let Some(took) = slow.join_next().await {
        slowest = slowest.max(took.unwrap());
    }
    println!("the last of 400 was given up after {slowest:?}");
    assert!(slowest < Duration::from_secs(20), "{slowest:?}, with 3 s for the headers");
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_finish_the_handshake_is_told_so_in_time() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let mut others = Others::join(&scene).await;
    let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let begun = Instant::now();
    let mut silent = Raw::connect(&scene.url()).await;
    // Says who it is, and never answers the challenge.
    let (mut unproved, _) = identity.knock(&scene.url()).await;
    // Keeps itself alive with frames that nobody knows, and with pings.
    let mut chatty = Raw::connect(&scene.url()).await;
    let unknown = vec![0, 0x82, 0x19, 0x03, 0xe7, 0xa0];
    for _ in 0..20 {
        chatty.send_bytes(unknown.clone()).await;
        chatty.send_message(Message::Ping(vec![1].into())).await;
    }
    // Says its first frame one byte at a time, and in fragments of one byte.
    let hello = wire::encode(&Frame::Hello(identity.hello()));
    let tcp = Raw::connect(&scene.url()).await.into_tcp();
    let every = Duration::from_millis(500);
    let byte_by_byte = tokio::spawn(drip(tcp, websocket_frame(BINARY, true, &hello), every));
    let mut tcp = Raw::connect(&scene.url()).await.into_tcp();
    tcp.write_all(&websocket_frame(BINARY, false, &[0])).await.unwrap();
    let fragments = tokio::spawn(drip(tcp, websocket_frame(CONTINUED, false, &[0]), every));
    others.work("handshakes that go nowhere").await;
    for raw in [&mut silent, &mut unproved, &mut chatty] {
        let problem = raw.ending().await.expect("it is told why");
        assert_eq!(problem.code, ProblemCode::Protocol, "{problem:?}");
        assert!(problem.message.contains("10 s"), "{problem:?}");
    }
    for task in [byte_by_byte, fragments] {
        task.await.unwrap();
    }
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(9), "nobody was hurried: {took:?}");
    assert!(took < Duration::from_secs(30), "{took:?}, with 10 s for the handshake");
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

/// An open session of an identity, below its websocket.
async fn open(scene: &Scene, login: &str) -> TcpStream {
    let identity = Identity::enrol(&scene.url(), &scene.invite(login)).await;
    let (mut raw, _) = identity.open(&scene.url(), &[]).await;
    manifest(&mut raw).await;
    raw.into_tcp()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_never_ends_is_given_up_within_a_minute() {
    let scene = Scene::new();
    scene.reps(&["ada", "bo", "cy"]);
    let mut others = Others::join(&scene).await;
    let every = Duration::from_millis(500);
    let begun = Instant::now();
    // A frame of 200 kB, byte by byte; fragments of a byte; nothing at all, not even a pong.
    let frame = websocket_frame(BINARY, true, &vec![0; 200 << 10]);
    let mut frames = open(&scene, "ada").await;
    frames.write_all(&frame[..20]).await.unwrap();
    let frames = tokio::spawn(drip(frames, vec![0], every));
    let mut fragments = open(&scene, "bo").await;
    fragments.write_all(&websocket_frame(BINARY, false, &[0])).await.unwrap();
    let one = websocket_frame(CONTINUED, false, &[0]);
    let fragments = tokio::spawn(drip(fragments, one, every));
    let silent = tokio::spawn(end_of(open(&scene, "cy").await));
    others.work("messages that never end").await;
    for task in [frames, fragments, silent] {
        task.await.unwrap();
    }
    let took = begun.elapsed();
    println!("the last was given up after {took:?}");
    assert!(took < Duration::from_secs(75), "{took:?}: a dead connection is noticed in 60 s");
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

/// Writes the same bytes over and over, until the server ends the connection or the time is over;
/// gives how many bytes it took.
async fn flood(stream: TcpStream, bytes: Vec<u8>, most: Duration) -> u64 {
    let (mut read, mut write) = stream.into_split();
    let drain = tokio::spawn(async move {
        let mut scrap = [0; 4096];
        while let Ok(1..) = read.read(&mut scrap).await {}
    });
    let burst = bytes.repeat(1 + 16_384 / bytes.len());
    let mut taken = 0;
    let _ = tokio::time::timeout(most, async {
        while let Ok(written) = write.write(&burst).await {
            taken += written as u64;
        }
    })
    .await;
    drain.abort();
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_tiny_frames_are_slowed_down_to_what_a_device_may_send() {
    // Far less than the buffers on the way hold, so that it shows what the server took.
    let scene = Scene::with(&["--device-bytes-per-second", "65536"]);
    scene.reps(&["ada", "bo", "cy", "di"]);
    let mut others = Others::join(&scene).await;
    let most = Duration::from_secs(6);
    let empty = websocket_frame(CONTINUED, false, &[]);
    let one = websocket_frame(CONTINUED, false, &[0]);
    let pong = websocket_frame(PONG, true, &[]);
    let frame = websocket_frame(BINARY, true, &[0, 0x82, 0x19, 0x03, 0xe7, 0xa0]);
    let mut floods = JoinSet::new();
    for (what, login, bytes) in [
        ("fragments of nothing", "ada", empty),
        ("fragments of a byte", "bo", one),
        ("pongs", "cy", pong),
        ("unknown frames", "di", frame),
    ] {
        let mut stream = open(&scene, login).await;
        if what.starts_with("fragments") {
            stream.write_all(&websocket_frame(BINARY, false, &[0])).await.unwrap();
        }
        floods.spawn(async move { (what, flood(stream, bytes, most).await) });
    }
    others.work("floods of tiny frames").await;
    others.work("floods of tiny frames, still").await;
    while let Some(flooded) = floods.join_next().await {
        let (what, taken) = flooded.unwrap();
        println!("{what}: {taken} bytes were taken in {most:?}");
        // What may be sent in that time, twice that as a burst, and what the system's buffers hold
        // on the way: some 4 MiB.
        assert!(taken < 7 << 20, "{what}: {taken} bytes were taken");
    }
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_ends_with_a_reason_and_a_time_to_come_back() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let mut others = Others::join(&scene).await;
    let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let (mut open, _) = identity.open(&scene.url(), &[]).await;
    let mut stranger = Raw::connect(&scene.url()).await;
    for raw in [&mut open, &mut stranger] {
        for _ in 0..5_000 {
            raw.send_message(Message::Ping(vec![7; 100].into())).await;
        }
        others.work("a flood of pings").await;
        let problem = raw.ending().await.expect("it is told why");
        assert_eq!(problem.code, ProblemCode::RateLimited, "{problem:?}");
        assert!(problem.retry_after_ms.is_some_and(|wait| wait > 0), "{problem:?}");
    }
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_ask_for_everything_and_never_read_cost_little_and_are_given_up() {
    const DEAF: usize = 40;
    let scene = fast();
    scene.reps(&["ada"]);
    // Notes that no compression makes small: more than all buffers on the way can hold.
    let file = scene.dir().join("long.csv");
    let mut csv = "customer_no,name,longtext\n".to_owned();
    for number in 0..250 {
        let note: String = (0..12_000).map(|_| fastrand::alphanumeric()).collect();
        csv.push_str(&format!("L{number},Long {number},{note}\n"));
    }
    std::fs::write(&file, csv).unwrap();
    let owner = ["--key", "customer_no", "--owner", "ada", "--map", "longtext=custom.long"];
    let report = scene.admin(&[&["import", file.to_str().unwrap()][..], &owner].concat()).ok();
    println!("{}", report.stdout);
    let mut others = Others::join(&scene).await;
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
        let (mut raw, _) = identity.open(&scene.url(), &[]).await;
        let contacts: Vec<ContactId> = manifest(&mut raw).await;
        assert_eq!(contacts.len(), 250);
        // Asks again and again, confirms what it never read, and reads nothing.
        for request in 1..=20 {
            raw.send(Fetch { request, contacts: contacts.clone() }).await;
            raw.send(Applied { cursor: u64::MAX >> 1, unsent: 0, missing: 250 }).await;
        }
        deaf.push(raw);
    }
    others.work("many who never read").await;
    assert!(
        metric(&scene, "roadbook_sync_devices") >= DEAF as f64,
        "they are held up, not answered: else nothing was tested"
    );
    // A peer that takes no byte for 30 s is given up.
    until("those who never read are given up", Duration::from_secs(60), || {
        metric(&scene, "roadbook_sync_devices") == 0.0
    })
    .await;
    others.work("their end").await;
    drop(deaf);
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

/// Half-open connections of this test, and how many of them each source address has.
const HALF_OPEN: usize = 10_000;
const PER_ADDRESS: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_open_connections_leave_room_for_an_honest_one() {
    let scene = Scene::with(&["--header-seconds", "60"]);
    let mut others = Others::join(&scene).await;
    let before = resident_bytes_peak(scene.server().id());
    let (mut held, mut sockets) = (Vec::with_capacity(HALF_OPEN), 0);
    for number in 0..HALF_OPEN {
        let from = Ipv4Addr::new(127, 0, 1, 1 + (number / PER_ADDRESS) as u8);
        let mut stream = connect_from(from, scene.listen()).await.unwrap();
        match number % 3 {
            // No byte; half a head; a websocket that never says who it is.
            0 => {}
            1 => stream.write_all(b"GET /sync HTTP/1.1\r\nhost: x\r\nx").await.unwrap(),
            _ => {
                let status = upgrade(&mut stream, scene.listen()).await.unwrap();
                assert_eq!(status, 101, "connection {number}");
                sockets += 1;
            }
        }
        held.push(stream);
        if number % 2_500 == 2_499 {
            others.work(&format!("{} half-open connections", number + 1)).await;
        }
    }
    let open = metric(&scene, "roadbook_connections") + metric(&scene, "roadbook_sync_sockets");
    let peak = resident_bytes_peak(scene.server().id());
    println!(
        "{HALF_OPEN} connections were opened, {sockets} of them websockets; {open} are open at \
         once; memory went from {} to {} MiB at most",
        before >> 20,
        peak >> 20
    );
    assert!(open >= HALF_OPEN as f64, "{open}");
    drop(held);
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

/// The first message of a TLS handshake, as an honest client sends it.
fn client_hello() -> Vec<u8> {
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(config.into(), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_of_tls_that_never_end_keep_nobody_waiting() {
    const STALLED: usize = 900;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let args = ["--listen", "127.0.0.1:0", "--header-seconds", "8", "--drain-seconds", "1"];
    let server = ServerProcess::start_with(&data, &args, &[]);
    let fingerprint = server.fingerprint().unwrap();
    server.admin(&["user", "add", "ada", "--role", "rep", "--name", "Ada"]).ok();
    let phone = Device::open(&dir.path().join("phone"), Durability::Full);
    let code = server.admin(&["invite", "ada"]).last_line();
    phone.enrol(&server.url, &code, Some(&fingerprint), "phone").await;
    let listen = server.url.strip_prefix("https://").unwrap().to_owned();
    let hello = client_hello();
    let begun = Instant::now();
    let mut stalled = JoinSet::new();
    for number in 0..STALLED {
        let mut stream = TcpStream::connect(&listen).await.unwrap();
        // One byte of a hello; a hello one byte at a time; a hello, and no answer to the answer.
        match number % 3 {
            0 => stream.write_all(&hello[..1]).await.unwrap(),
            1 => {
                stalled.spawn(drip(stream, hello.clone(), Duration::from_millis(500)));
                continue;
            }
            _ => stream.write_all(&hello).await.unwrap(),
        }
        stalled.spawn(end_of(stream));
    }
    for round in 0..3 {
        let name = format!("Made while {STALLED} handshakes hang, {round}");
        let set = Command::Set { field: "family_name".into(), value: Some(name.as_str().into()) };
        phone.replica.create(&[set]).unwrap();
        let attempt = Instant::now();
        phone.sync().await;
        assert_eq!(phone.replica.status().unwrap().unsent, 0);
        println!("an honest handshake and exchange took {:?}", attempt.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(8), "the handshakes hang no more");
    }
    let mut slowest = Duration::ZERO;
    while let Some(took) = stalled.join_next().await {
        slowest = slowest.max(took.unwrap());
    }
    assert!(slowest < Duration::from_secs(25), "{slowest:?}, with 8 s for the handshake");
    let peak = resident_bytes_peak(server.id());
    println!("the last was given up after {slowest:?}; memory peaked at {} MiB", peak >> 20);
    assert!(peak < RESIDENT_BYTES_MAX, "{peak} bytes of memory");
    assert!(server.stop().success());
    roadbook_tests::process::admin(&data, &["check"]).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_few_files_may_be_open_connections_leave_enough_for_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    // As on a system that was never configured for a server.
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg("ulimit -n 400 && exec \"$@\"").arg("sh");
    command.arg(roadbook_tests::process::binary("roadbook-server")).arg("serve");
    command.args(["--plain", "--listen", "127.0.0.1:0", "--header-seconds", "4"]);
    command.args(["--drain-seconds", "1", "--data"]).arg(&data);
    let server = ServerProcess::spawn_command(command, &data).ready().unwrap();
    server.admin(&["user", "add", "ada", "--role", "rep", "--name", "Ada"]).ok();
    let phone = Device::open(&dir.path().join("phone"), Durability::Full);
    let code = server.admin(&["invite", "ada"]).last_line();
    phone.enrol(&server.url, &code, None, "phone").await;
    let listen = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut half_open = JoinSet::new();
    let mut turned_away = 0;
    for _ in 0..600 {
        let mut stream = TcpStream::connect(&listen).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        half_open.spawn(async move {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            answer.starts_with(b"HTTP/1.1 503")
        });
    }
    // Commands go over a socket of their own, and the store has its files.
    server.admin(&["check"]).ok();
    while let Some(answer) = half_open.join_next().await {
        turned_away += usize::from(answer.unwrap());
    }
    println!("{turned_away} of 600 were told to come back");
    assert!((300..590).contains(&turned_away), "{turned_away} of 600");
    let set = Command::Set { field: "family_name".into(), value: Some("Later".into()) };
    phone.replica.create(&[set]).unwrap();
    phone.sync().await;
    assert_eq!(phone.replica.status().unwrap().unsent, 0);
    assert!(server.stop().success());
    roadbook_tests::process::admin(&data, &["check"]).ok();
}
