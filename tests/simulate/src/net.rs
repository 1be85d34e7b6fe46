//! The simulated network: connections between a device and the server, each a pair of ordered
//! streams, as TCP gives them; and what a bad network does to them.

use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{self, Frame};

use crate::device::ClientEnd;
use crate::server::ServerEnd;
use crate::world::{Happening, World};

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct Link {
    /// Nothing passes, and nobody is told.
    pub dark: bool,
    /// Nothing passes before.
    pub stalled_until: i64,
    /// When the last frame on its way arrives.
    last_at: i64,
    /// Frames on their way.
    pub under_way: usize,
}

/// A connection.
pub struct Conn {
    /// The device.
    pub device: usize,
    /// The device's end, while it is open.
    pub client: Option<ClientEnd>,
    /// The server's end, while it is open.
    pub server: Option<ServerEnd>,
    /// From the device.
    pub up: Link,
    /// To the device.
    pub down: Link,
}

/// Who learns of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The device.
    Client,
    /// The server.
    Server,
}

/// Without a byte for so long an end gives the connection up.
const SILENCE_MS: i64 = 50_000;

impl World {
    /// Puts a frame on its way.
    pub fn send(&mut self, id: u64, up: bool, frame: &Frame) {
        let bytes = wire::encode(frame);
        let now = self.now;
        let latency = self.rng.i64(1..40);
        let (duplicate, reorder) = {
            let Some(conn) = self.conns.get(&id) else { return };
            let device = &self.devices[conn.device];
            let changes = up && matches!(frame, Frame::Changes(_));
            (changes && now < device.duplicate_until, changes && now < device.reorder_until)
        };
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let link = if up { &mut conn.up } else { &mut conn.down };
        if link.dark {
            self.cover.count("event.frame_lost");
            return;
        }
        if latency > 30 {
            self.cover.count("fault.delay");
        }
        let mut at = (now + latency + bytes.len() as i64 / 4_096).max(link.stalled_until);
        if reorder {
            // It may arrive before what left earlier, and after what leaves later.
            at += self.rng.i64(0..400);
            if link.under_way > 0 {
                self.cover.count("fault.reordered_frame");
            }
        } else {
            at = at.max(link.last_at);
            link.last_at = at;
        }
        link.under_way += 1;
        if duplicate {
            link.under_way += 1;
            self.cover.count("fault.duplicated_frame");
            let again = at + self.rng.i64(0..2_000);
            self.schedule(again, Happening::Deliver { conn: id, up, bytes: bytes.clone() });
        }
        self.schedule(at, Happening::Deliver { conn: id, up, bytes });
    }

    /// A frame arrives.
    pub fn deliver(&mut self, id: u64, up: bool, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let link = if up { &mut conn.up } else { &mut conn.down };
        link.under_way = link.under_way.saturating_sub(1);
        if link.dark {
            self.cover.count("event.frame_lost");
            return;
        }
        self.trace.note(self.now, id, up, bytes);
        let frame = match wire::decode(bytes, &Limits::DEFAULT) {
            Ok(frame) => frame,
            Err(error) => {
                return self
                    .violated("frames decode", format!("a sent frame can't be read: {error}"));
            }
        };
        self.tell(|| {
            let device = self.conns.get(&id).map_or(usize::MAX, |conn| conn.device);
            format!("device {device} {} conn {id}: {}", if up { "->" } else { "<-" }, told(&frame))
        });
        if up {
            self.server_receives(id, frame);
        } else {
            self.client_receives(id, frame);
        }
    }

    /// An end closes the connection: the other hears of it after what is on its way.
    pub fn close(&mut self, id: u64, by: End) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let (other, link) = match by {
            End::Client => (End::Server, &conn.up),
            End::Server => (End::Client, &conn.down),
        };
        let at = if link.dark { self.now + SILENCE_MS } else { link.last_at.max(self.now) + 1 };
        self.ended(id, by);
        self.schedule(at, Happening::Closed { conn: id, end: other });
    }

    /// The connection breaks. Each end hears of it on its own, at once or only by the silence.
    pub fn cut(&mut self, id: u64, server_is_told: bool) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let lost = conn.up.under_way + conn.down.under_way;
        conn.up.dark = true;
        conn.down.dark = true;
        if lost > 0 {
            self.cover.count("fault.cut_with_frames_on_their_way");
        }
        let now = self.now;
        let client_at = now + self.rng.i64(0..500);
        let server_at = match server_is_told {
            true => now + self.rng.i64(0..500),
            false => {
                self.cover.count("fault.half_open");
                now + SILENCE_MS
            }
        };
        self.schedule(client_at, Happening::Closed { conn: id, end: End::Client });
        self.schedule(server_at, Happening::Closed { conn: id, end: End::Server });
    }

    /// Nothing passes any more in these directions; both ends hear of it by the silence.
    pub fn darken(&mut self, id: u64, up: bool, down: bool) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.up.dark |= up;
        conn.down.dark |= down;
        let at = self.now + SILENCE_MS;
        self.schedule(at, Happening::Closed { conn: id, end: End::Client });
        self.schedule(at, Happening::Closed { conn: id, end: End::Server });
    }

    /// An end of a connection is over.
    pub fn ended(&mut self, id: u64, end: End) {
        match end {
            End::Client => self.client_ended(id),
            End::Server => self.server_ended(id),
        }
        if self.conns.get(&id).is_some_and(|conn| conn.client.is_none() && conn.server.is_none()) {
            self.conns.remove(&id);
        }
    }
}

/// A frame in a line, for people.
fn told(frame: &Frame) -> String {
    let short = |text: String| text[text.len().saturating_sub(6)..].to_owned();
    let items = |items: &[wire::PageItem]| {
        let each = items.iter().map(|item| {
            format!(
                "{} {:?} {} changes, snapshot {}",
                short(item.contact.to_string()),
                item.access,
                item.changes.len(),
                item.snapshot.len()
            )
        });
        each.collect::<Vec<_>>().join("; ")
    };
    let fates = |fates: &[wire::ChangeFate]| {
        let each = fates.iter().map(|fate| {
            let (contact, hash) = (short(fate.contact.to_string()), fate.hash.to_string());
            format!("{contact} {} {:?} {}", &hash[..6], fate.fate, fate.code)
        });
        each.collect::<Vec<_>>().join("; ")
    };
    match frame {
        Frame::Changes(up) => {
            let each = up.changes.iter().map(|change| {
                let hash = automerge::Change::from_bytes(change.bytes.clone())
                    .map_or("?".to_owned(), |change| {
                        format!("{}/{}", &change.hash().to_string()[..6], change.seq())
                    });
                format!("{} {hash}", short(change.contact.to_string()))
            });
            format!("Changes {}: {}", up.batch, each.collect::<Vec<_>>().join(", "))
        }
        Frame::Page(page) => format!("Page to {}: {}", page.cursor, items(&page.items)),
        Frame::Fetched(fetched) => {
            format!("Fetched {}: {}", fetched.request, items(&fetched.items))
        }
        Frame::Fates(told) => format!("Fates {:?} {}", told.merged, fates(&told.fates)),
        Frame::Directory(_) => "Directory".to_owned(),
        Frame::Challenge(_) => "Challenge".to_owned(),
        Frame::Hello(hello) => format!("Hello {} of {}", hello.device, hello.workspace),
        Frame::Proof(proof) => {
            format!("Proof {:?} {} {:?}", proof.timeline, proof.cursor, proof.pending)
        }
        Frame::Welcome(welcome) => {
            format!("Welcome {} {} repair {}", welcome.timeline, welcome.cursor, welcome.repair)
        }
        other => format!("{other:?}").chars().take(300).collect(),
    }
}
