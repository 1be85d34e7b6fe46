//! A TCP link between devices and a server that a test can cut, stall, slow down and count: what a
//! cellar, a train and a broken router do to a connection.
//!
//! It does not drop, double or reorder single packets, since TCP hides that from both ends: loss is
//! a stall, a longer loss a cut. A stalled connection stays open on both sides and carries nothing,
//! in one direction or in both, which is what a network that went away without a word looks like.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running link. Dropping it cuts everything.
pub struct Proxy {
    /// Where devices connect to.
    pub addr: SocketAddr,
    state: Arc<State>,
    cut: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

struct State {
    up: AtomicU64,
    down: AtomicU64,
    /// Both counts, for those who wait for them.
    traffic: watch::Sender<(u64, u64)>,
    refuse: AtomicBool,
    /// Cut a connection once so many bytes went down over the link; 0 = never.
    cut_after_down: AtomicU64,
    /// The same, up.
    cut_after_up: AtomicU64,
    /// Each piece of what is carried waits for so long.
    delay_ms: AtomicU64,
    /// What the link carries now.
    carries: watch::Sender<Carries>,
    /// Connections that are open on both sides.
    open: watch::Sender<usize>,
    /// Where new connections lead to.
    server: Mutex<SocketAddr>,
}

/// Which directions a link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carries {
    /// From devices to the server.
    pub up: bool,
    /// From the server to devices.
    pub down: bool,
}

impl Carries {
    /// Everything.
    pub const BOTH: Carries = Carries { up: true, down: true };
    /// Nothing; connections stay open, and new ones get no answer.
    pub const NOTHING: Carries = Carries { up: false, down: false };
    /// Only what devices send.
    pub const UP: Carries = Carries { up: true, down: false };
    /// Only what the server sends.
    pub const DOWN: Carries = Carries { up: false, down: true };
}

impl Proxy {
    /// A link to this server.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State {
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            traffic: watch::channel((0, 0)).0,
            refuse: AtomicBool::new(false),
            cut_after_down: AtomicU64::new(0),
            cut_after_up: AtomicU64::new(0),
            delay_ms: AtomicU64::new(0),
            carries: watch::channel(Carries::BOTH).0,
            open: watch::channel(0).0,
            server: Mutex::new(server),
        });
        let (cut, cuts) = watch::channel(0);
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((device, _)) = listener.accept().await {
                if shared.refuse.load(Ordering::SeqCst) {
                    continue;
                }
                let (shared, cuts) = (Arc::clone(&shared), cuts.clone());
                let server = *shared.server.lock().unwrap();
                tokio::spawn(async move {
                    shared.open.send_modify(|open| *open += 1);
                    let _ = link(device, server, shared.clone(), cuts).await;
                    shared.open.send_modify(|open| *open -= 1);
                });
            }
        });
        Self { addr, state, cut, accepting }
    }
    /// Bytes that went up and down over all connections.
    pub fn bytes(&self) -> (u64, u64) {
        (self.state.up.load(Ordering::SeqCst), self.state.down.load(Ordering::SeqCst))
    }
    /// Waits until so many bytes in all have come up from devices.
    pub async fn wait_for_up(&self, bytes: u64) {
        let mut traffic = self.state.traffic.subscribe();
        // The sender lives as long as `self`.
        let _ = traffic.wait_for(|(up, _)| *up >= bytes).await;
    }
    /// Waits until so many bytes in all have come down from the server.
    pub async fn wait_for_down(&self, bytes: u64) {
        let mut traffic = self.state.traffic.subscribe();
        let _ = traffic.wait_for(|(_, down)| *down >= bytes).await;
    }
    /// Waits until so many connections are open.
    pub async fn wait_for_open(&self, connections: usize) {
        let mut open = self.state.open.subscribe();
        let _ = open.wait_for(|open| *open == connections).await;
    }
    /// Cuts every connection that is open now.
    pub fn cut(&self) {
        self.cut.send_modify(|n| *n += 1);
    }
    /// No network: cuts, and refuses new connections until [`Self::restore`].
    pub fn break_link(&self) {
        self.state.refuse.store(true, Ordering::SeqCst);
        self.cut();
    }
    /// From now on new connections lead to another place: a portal that answers for everyone.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.state.server.lock().unwrap() = server;
    }
    /// The network is back.
    pub fn restore(&self) {
        self.state.refuse.store(false, Ordering::SeqCst);
    }
    /// Cuts the connection that carries the byte `bytes` further down, once.
    pub fn cut_after_down(&self, bytes: u64) {
        let at = self.state.down.load(Ordering::SeqCst) + bytes;
        self.state.cut_after_down.store(at, Ordering::SeqCst);
    }
    /// Cuts the connection that carries the byte `bytes` further up, once, in the middle of whatever
    /// frame that is: what came before it arrives.
    pub fn cut_after_up(&self, bytes: u64) {
        let at = self.state.up.load(Ordering::SeqCst) + bytes;
        self.state.cut_after_up.store(at, Ordering::SeqCst);
    }
    /// Takes the cuts back that were ordered and have not come yet.
    pub fn forget_cuts(&self) {
        self.state.cut_after_down.store(0, Ordering::SeqCst);
        self.state.cut_after_up.store(0, Ordering::SeqCst);
    }
    /// From now on the link carries this; what it holds back is carried later, in order.
    pub fn carry(&self, what: Carries) {
        self.state.carries.send_replace(what);
    }
    /// From now on each piece of what is carried waits for so long.
    pub fn delay(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.state.delay_ms.store(ms, Ordering::SeqCst);
    }
}

/// How many of `n` bytes go through before an ordered cut, and whether it comes now.
fn within(cut_after: &AtomicU64, before: u64, n: usize) -> (usize, bool) {
    let at = cut_after.load(Ordering::SeqCst);
    if at == 0 || before + (n as u64) < at {
        return (n, false);
    }
    cut_after.store(0, Ordering::SeqCst);
    (usize::try_from(at.saturating_sub(before)).unwrap_or(n).min(n), true)
}

impl State {
    /// Waits until the link carries this direction, and as long as it delays everything.
    async fn passage(&self, open: impl Fn(&Carries) -> bool) {
        let delay = self.delay_ms.load(Ordering::SeqCst);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        let mut carries = self.carries.subscribe();
        // The sender lives as long as `self`.
        let _ = carries.wait_for(open).await;
    }
    fn tell(&self) {
        let now = (self.up.load(Ordering::SeqCst), self.down.load(Ordering::SeqCst));
        self.traffic.send_modify(|both| *both = (both.0.max(now.0), both.1.max(now.1)));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

async fn link(
    device: TcpStream,
    server: SocketAddr,
    state: Arc<State>,
    mut cuts: watch::Receiver<u64>,
) -> std::io::Result<()> {
    cuts.mark_unchanged();
    let server = TcpStream::connect(server).await?;
    device.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_device, mut to_device) = device.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from_device.read(&mut buffer).await?;
            if n == 0 {
                return std::io::Result::Ok(());
            }
            state.passage(|carries| carries.up).await;
            let before = state.up.fetch_add(n as u64, Ordering::SeqCst);
            state.tell();
            let (n, last) = within(&state.cut_after_up, before, n);
            to_server.write_all(&buffer[..n]).await?;
            if last {
                return Ok(());
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let n = from_server.read(&mut buffer).await?;
            if n == 0 {
                return std::io::Result::Ok(());
            }
            state.passage(|carries| carries.down).await;
            let before = state.down.fetch_add(n as u64, Ordering::SeqCst);
            state.tell();
            let (n, last) = within(&state.cut_after_down, before, n);
            to_device.write_all(&buffer[..n]).await?;
            if last {
                return Ok(());
            }
        }
    };
    tokio::select! {
        done = up => done,
        done = down => done,
        _ = cuts.changed() => Ok(()),
    }
}
