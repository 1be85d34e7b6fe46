//! What stands between a device and its server pretends to be it, or is gone: captive portals, proxies
//! that answer with a page, names that no longer resolve, certificates that expired or were replaced.
//! Each is told clearly, nothing is lost, and it goes on by itself when the way is free.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};
use roadbook_tests::process::{Finished, Rep, ServerProcess, binary, run};
use roadbook_tests::proxy::Proxy;
use roadbook_tests::scene::{Scene, visit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[track_caller]
fn assert_offline(done: &Finished, says: &[&str]) {
    assert_eq!(done.status.code(), Some(5), "{done:?}");
    for text in says {
        assert!(done.stderr.contains(text), "`{text}` is missing: {}", done.stderr);
    }
}

/// Answers every connection with the same bytes, whatever comes.
async fn portal(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = tcp.read(&mut [0; 4096]).await;
                let _ = tcp.write_all(answer.as_bytes()).await;
                // Everything that comes is taken and forgotten, as portals do.
                while tcp.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {}
            });
        }
    });
    addr
}

fn page(status: &str, more: &str) -> String {
    let page = "<!doctype html><title>Welcome to the Grand Hotel</title>";
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n{more}Content-Length: {}\r\n\r\n{page}",
        page.len()
    )
}

/// A device that stays connected, as its process says it.
struct Watching {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Watching {
    fn start(mut command: Command) -> Self {
        command.args(["sync", "--watch"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let errors = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).for_each(|line| heard.lock().unwrap().push(line));
        });
        Self { child, said, lines: Box::new(lines) }
    }
    /// Waits until it has said a line that begins so.
    #[track_caller]
    fn wait_for(&mut self, beginning: &str) -> String {
        let found = self.lines.find(|line| line.starts_with(beginning));
        found.unwrap_or_else(|| panic!("it never said `{beginning}`: {:?}", self.said.lock()))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_captive_portal_is_named_nothing_is_lost_and_the_device_comes_back_by_itself() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(111, 4, Some("ada"));
    let server: SocketAddr = scene.listen().parse().unwrap();
    let link = Proxy::start(server).await;
    let phone = Rep::new(scene.dir().join("phone"));
    phone.run(&["enroll", &format!("http://{}", link.addr), &scene.invite("ada")]).ok();
    phone.sync();
    let id = phone.ids().remove(0);
    let away = "Location: http://portal.hotel/login\r\n";
    let kinds = [
        (page("200 OK", ""), "web page"),
        (page("302 Found", away), "http://portal.hotel/login"),
        (page("307 Temporary Redirect", away), "http://portal.hotel/login"),
        (page("511 Network Authentication Required", ""), "sign in to the network"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned(), "403"),
        ("<html>not even HTTP</html>".to_owned(), "check the address"),
    ];
    for (n, (answer, says)) in kinds.iter().enumerate() {
        link.lead_to(portal(answer.clone()).await);
        visit(&phone, &id, &format!("in the hotel {n}"));
        assert_offline(&phone.run(&["sync"]), &[says, "your edits are safe on this device"]);
        // A new device learns nothing wrong from it either, and its code is not used up.
        let other = Rep::new(scene.dir().join(format!("other-{n}")));
        let code = scene.invite("ada");
        let url = format!("http://{}", link.addr);
        assert_offline(&other.run(&["enroll", &url, &code]), &[says]);
        link.lead_to(server);
        other.run(&["enroll", &url, &code]).ok();
    }
    // One that stays connected, from inside the hotel until after the sign-in.
    link.lead_to(portal(page("200 OK", "")).await);
    let mut watching = Watching::start(phone.command());
    watching.wait_for("waiting");
    link.lead_to(server);
    let line = watching.wait_for("idle");
    assert!(line.contains("0 unsent"), "{line}");
    assert!(watching.said.lock().unwrap().iter().any(|line| line.contains("web page")));
    drop(watching);
    phone.sync_until_merged();
    assert_eq!(phone.receipts(), vec!["merged"; kinds.len()]);
    scene.assert_agrees(&phone, "ada");
    scene.assert_clean();
}

// --- a server with TLS -------------------------------------------------------------------------------

/// An authority of our own, the certificates it signs, and a server that uses them.
struct Office {
    scene: Scene,
    authority: Issuer<'static, KeyPair>,
    key: KeyPair,
    server: ServerProcess,
    listen: String,
}

const NAME: &str = "book.test";

impl Office {
    fn open(seed: u64) -> Self {
        let mut scene = Scene::new();
        scene.reps(&["ada"]);
        scene.import(seed, 4, Some("ada"));
        let listen = scene.listen().to_owned();
        scene.stop();
        let authority_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "An authority for tests");
        let certificate = params.self_signed(&authority_key).unwrap();
        let roots = scene.dir().join("roots.pem");
        std::fs::write(roots, certificate.pem()).unwrap();
        let authority = Issuer::new(params, authority_key);
        let key = KeyPair::generate().unwrap();
        let [cert, key_file] = ["cert.pem", "key.pem"].map(|name| scene.dir().join(name));
        write_certificate(&cert, &authority, &key, (2020, 2090));
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let server = ServerProcess::start_with(
            &scene.data(),
            &[
                "--listen",
                &listen,
                "--tls-cert",
                cert.to_str().unwrap(),
                "--tls-key",
                key_file.to_str().unwrap(),
                "--drain-seconds",
                "1",
            ],
            &[],
        );
        Self { scene, authority, key, server, listen }
    }
    fn port(&self) -> &str {
        self.listen.rsplit_once(':').unwrap().1
    }
    fn file(&self, name: &str) -> PathBuf {
        self.scene.dir().join(name)
    }
    /// Puts another certificate, of this key, in the place of the one in use, and waits until the
    /// running server has it.
    fn renew(&self, key: &KeyPair, years: (i32, i32)) {
        write_certificate(&self.file("cert.pem"), &self.authority, key, years);
        std::fs::write(self.file("key.pem"), key.serialize_pem()).unwrap();
        self.server.wait_for_error("certificate reloaded");
    }
    /// A command of a device that trusts the authority.
    fn command(&self, rep: &Rep) -> Command {
        let mut command = rep.command();
        command.env("SSL_CERT_FILE", self.file("roots.pem"));
        command
    }
    fn run(&self, rep: &Rep, args: &[&str]) -> Finished {
        let mut command = self.command(rep);
        command.args(args);
        run(command)
    }
    fn code(&self) -> String {
        self.server.admin(&["invite", "ada"]).last_line()
    }
    fn merged(&self) -> usize {
        let exported = self.scene.export();
        let visits = exported.values().map(|c| c["interactions"].as_array().unwrap().len());
        visits.sum()
    }
}

fn write_certificate(
    file: &Path,
    authority: &Issuer<'static, KeyPair>,
    key: &KeyPair,
    (from, to): (i32, i32),
) {
    let names = vec![NAME.to_owned(), "localhost".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    let certificate = params.signed_by(key, authority).unwrap();
    std::fs::write(file, certificate.pem()).unwrap();
}

/// The fingerprint of the key that a server would print, from its own lines.
fn fingerprint(server: &ServerProcess) -> String {
    server.fingerprint().expect("a server with TLS prints it")
}

#[test]
fn an_expired_certificate_is_told_with_its_date_and_a_renewed_one_is_taken_without_a_restart() {
    let office = Office::open(112);
    let pin = fingerprint(&office.server);
    let url = format!("https://localhost:{}", office.port());
    let trusting = Rep::new(office.file("trusting"));
    let pinned = Rep::new(office.file("pinned"));
    office.run(&trusting, &["enroll", &url, &office.code()]).ok();
    office.run(&pinned, &["enroll", &url, &office.code(), "--fingerprint", &pin]).ok();
    for rep in [&trusting, &pinned] {
        office.run(rep, &["sync"]).ok();
        visit(rep, &rep.ids()[0], "before");
    }
    // It expires. Who pinned the key does not depend on dates.
    office.renew(&office.key, (2019, 2021));
    let refused = office.run(&trusting, &["sync"]);
    assert_offline(&refused, &["expired on 2021-01-01", "device knows it is", "renew"]);
    office.run(&pinned, &["sync"]).ok();
    // A device that was never told the time, and whose clock is wrong by years, takes a good
    // certificate for a bad one: it says so. One that was told it goes by that.
    office.renew(&office.key, (2020, 2090));
    let library = Command::new("faketime").args(["-f", "+0d", "printenv", "LD_PRELOAD"]).output();
    let library = library.expect("this test needs the program `faketime`; ./tests/run installs it");
    let library = String::from_utf8(library.stdout).unwrap();
    let in_2010 = |rep: &Rep, args: &[&str]| {
        let mut early = office.command(rep);
        early.env("LD_PRELOAD", library.trim()).env("FAKETIME", "@2010-05-05 00:00:00").args(args);
        run(early)
    };
    let new = Rep::new(office.file("new"));
    let refused = in_2010(&new, &["enroll", &url, &office.code()]);
    assert_offline(&refused, &["valid from 2020-01-01", "2010-05-05", "clock right"]);
    in_2010(&trusting, &["sync"]).ok();
    office.run(&trusting, &["sync"]).ok();
    // Another key, signed by the same authority: fine for who trusts that, refused by who pinned.
    let other = KeyPair::generate().unwrap();
    office.renew(&other, (2020, 2090));
    visit(&pinned, &pinned.ids()[1], "meanwhile");
    office.run(&trusting, &["sync"]).ok();
    let refused = office.run(&pinned, &["sync"]);
    assert_offline(&refused, &[&pin, "enrol again", "your edits are kept"]);
    let new_pin = fingerprint_of(&refused.stderr, &pin);
    office.run(&pinned, &["enroll", &url, &office.code(), "--fingerprint", &new_pin]).ok();
    // An authority that nobody trusts.
    let stranger = Rep::new(office.file("stranger"));
    let refused = stranger.run(&["enroll", &url, &office.code()]);
    assert_offline(&refused, &["not trusted", "--fingerprint"]);
    for rep in [&pinned, &trusting] {
        office.run(rep, &["sync"]).ok();
    }
    assert_eq!(office.merged(), 3);
    office.scene.assert_clean();
}

/// The other fingerprint in a message.
fn fingerprint_of(text: &str, not: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    words.filter(|word| word.len() == 64).find(|word| *word != not).unwrap().to_owned()
}

/// A proxy that devices reach the office through, by `CONNECT`; its answer can be another.
struct Tunnel {
    addr: SocketAddr,
    answer: Arc<Mutex<Option<String>>>,
}

impl Tunnel {
    async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let answer: Arc<Mutex<Option<String>>> = Arc::default();
        let now = answer.clone();
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let answer = now.lock().unwrap().clone();
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(tcp.read_u8().await?);
                    }
                    assert!(head.starts_with(format!("CONNECT {NAME}:").as_bytes()));
                    match answer {
                        Some(answer) => tcp.write_all(answer.as_bytes()).await?,
                        None => {
                            let mut server = TcpStream::connect(server).await?;
                            tcp.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                            tokio::io::copy_bidirectional(&mut tcp, &mut server).await?;
                        }
                    }
                    std::io::Result::Ok(())
                });
            }
        });
        Self { addr, answer }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_answers_with_a_page_is_named_and_the_way_through_it_works_again_by_itself() {
    let office = Office::open(113);
    let pin = fingerprint(&office.server);
    let tunnel = Tunnel::start(office.listen.parse().unwrap()).await;
    let phone = Rep::new(office.file("phone"));
    // A name that only the proxy can resolve.
    let url = format!("https://{NAME}:{}", office.port());
    let command = |args: &[&str]| {
        let mut command = phone.command();
        command.env("HTTPS_PROXY", format!("http://{}", tunnel.addr)).args(args);
        command
    };
    let through = |args: &[&str]| run(command(args));
    through(&["enroll", &url, &office.code(), "--fingerprint", &pin]).ok();
    through(&["sync"]).ok();
    let id = phone.ids().remove(0);
    let kinds = [
        (page("200 OK", ""), "web page"),
        (page("302 Found", "Location: http://portal.hotel/\r\n"), "sign in to the network"),
        (page("511 Network Authentication Required", ""), "511"),
        (page("407 Proxy Authentication Required", ""), "a user and a password"),
        (page("502 Bad Gateway", ""), "502"),
        (String::new(), "the proxy"),
    ];
    for (n, (answer, says)) in kinds.iter().enumerate() {
        *tunnel.answer.lock().unwrap() = Some(answer.clone());
        visit(&phone, &id, &format!("behind the proxy {n}"));
        assert_offline(&through(&["sync"]), &["the proxy", says, "your edits are safe"]);
    }
    // A portal that speaks TLS with a certificate of its own answers in the server's place.
    let impostor = Office::open(114);
    let elsewhere = Tunnel::start(impostor.listen.parse().unwrap()).await;
    let mut fooled = phone.command();
    fooled.env("HTTPS_PROXY", format!("http://{}", elsewhere.addr)).args(["sync"]);
    assert_offline(&run(fooled), &["not trusted", &pin, "sign in to the network first"]);

    let mut watching = Watching::start(command(&[]));
    watching.wait_for("waiting");
    *tunnel.answer.lock().unwrap() = None;
    let line = watching.wait_for("idle");
    assert!(line.contains("0 unsent"), "{line}");
    drop(watching);
    through(&["sync"]).ok();
    assert_eq!(office.merged(), kinds.len());
    office.scene.assert_clean();
}

#[test]
fn a_name_that_no_longer_resolves_is_told_and_works_again_by_itself() {
    let office = Office::open(115);
    let pin = fingerprint(&office.server);
    // Names as this device resolves them: in a mount namespace of its own, with a nameserver that
    // is not there.
    let [hosts, resolver] = ["hosts", "resolv.conf"].map(|name| office.file(name));
    let known = format!("127.0.0.1 localhost {NAME}\n");
    std::fs::write(&hosts, &known).unwrap();
    std::fs::write(&resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").unwrap();
    let phone = Rep::new(office.file("phone"));
    let command = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c"]);
        command.arg(r#"mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@""#);
        command.args([&hosts, &resolver]).arg(binary("roadbook")).arg("--home").arg(phone.home());
        command.stdin(Stdio::null());
        command
    };
    let inside = |args: &[&str]| {
        let mut command = command();
        command.args(args);
        run(command)
    };
    let url = format!("https://{NAME}:{}", office.port());
    let enrolled = inside(&["enroll", &url, &office.code(), "--fingerprint", &pin]);
    assert!(
        enrolled.status.success(),
        "this test binds its own /etc/hosts in a mount namespace and needs root (CAP_SYS_ADMIN): {enrolled:?}"
    );
    inside(&["sync"]).ok();
    let id = phone.ids().remove(0);
    // Written in place: the bind mount shows this very file.
    std::fs::write(&hosts, "127.0.0.1 localhost\n").unwrap();
    visit(&phone, &id, "while no name was known");
    assert_offline(&inside(&["sync"]), &[NAME, "your edits are safe on this device"]);
    let mut watching = Watching::start(command());
    watching.wait_for("waiting");
    std::fs::write(&hosts, &known).unwrap();
    let line = watching.wait_for("idle");
    assert!(line.contains("0 unsent"), "{line}");
    drop(watching);
    inside(&["sync"]).ok();
    assert_eq!(office.merged(), 1);
    office.scene.assert_clean();
}
