//! A TCP link between devices and a server that a test can cut, stall and count: what a cellar, a
//! train and a broken router do to a connection. It delays by stalling and loses by cutting; it
//! does not drop single packets, since TCP would hide that from both ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
        });
        let (cut, cuts) = watch::channel(0);
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((device, _)) = listener.accept().await {
                if shared.refuse.load(Ordering::SeqCst) {
                    continue;
                }
                let (shared, cuts) = (Arc::clone(&shared), cuts.clone());
                tokio::spawn(async move {
                    let _ = link(device, server, shared, cuts).await;
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
    /// Cuts every connection that is open now.
    pub fn cut(&self) {
        self.cut.send_modify(|n| *n += 1);
    }
    /// No network: cuts, and refuses new connections until [`Self::restore`].
    pub fn break_link(&self) {
        self.state.refuse.store(true, Ordering::SeqCst);
        self.cut();
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
}

impl State {
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
            state.up.fetch_add(n as u64, Ordering::SeqCst);
            state.tell();
            to_server.write_all(&buffer[..n]).await?;
        }
    };
    let down = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let n = from_server.read(&mut buffer).await?;
            if n == 0 {
                return std::io::Result::Ok(());
            }
            let total = state.down.fetch_add(n as u64, Ordering::SeqCst) + n as u64;
            state.tell();
            let limit = state.cut_after_down.load(Ordering::SeqCst);
            if limit > 0 && total >= limit {
                state.cut_after_down.store(0, Ordering::SeqCst);
                return Ok(());
            }
            to_device.write_all(&buffer[..n]).await?;
        }
    };
    tokio::select! {
        done = up => done,
        done = down => done,
        _ = cuts.changed() => Ok(()),
    }
}
