//! The server as a process: started, stopped, killed, cut from its power.

use crate::device::loss;
use crate::net::End;
use crate::plan::Ending;
use crate::world::{Happening, World};

impl World {
    /// Starts the server, or tries again later.
    pub fn start_server(&mut self) {
        self.server.starting = false;
        if self.server.is_up() {
            return;
        }
        match self.server.open() {
            Ok(engine) => {
                self.server.merge_due = false;
                self.server.log_due = false;
                self.merge_soon();
                drop(engine);
                self.tell(|| "the server has started".to_owned());
                self.erasures_after_start();
                self.revocations_after_start();
                self.assignments_after_start();
                self.verify_acknowledged();
            }
            Err(error) => {
                self.tell(|| format!("the server does not start: {error}"));
                if self.server.disk.disk.is_crashed() {
                    // It died while it started.
                    self.apply_server_loss();
                } else if !self.server.disk.excuses(self.now) {
                    return self.violated("the server starts", error.to_string());
                }
                self.start_server_in(1_000);
            }
        }
    }

    /// Schedules a start.
    pub fn start_server_in(&mut self, ms: u32) {
        if !std::mem::replace(&mut self.server.starting, true) {
            self.schedule(self.now + i64::from(ms), Happening::StartServer);
        }
    }

    /// Every connection's end at the server is over.
    fn drop_server_ends(&mut self) {
        let ids: Vec<u64> = self.conns.keys().copied().collect();
        for id in ids {
            let dead = self.rng.u8(..4) == 0;
            self.ended(id, End::Server);
            // Some devices hear of it at once, some by the silence.
            self.cut(id, true);
            if dead {
                self.cover.count("fault.half_open");
            }
        }
    }

    /// The server ends in an orderly way.
    pub fn stop_server(&mut self) {
        self.drop_server_ends();
        if let Some(engine) = self.server.engine.take() {
            engine.shutdown();
        }
        self.server.events = None;
        if self.server.disk.disk.is_crashed() {
            self.apply_server_loss();
        }
    }

    /// The server ends without a goodbye.
    pub fn crash_server(&mut self, ending: Ending, ms: u32) {
        self.server.crash = (ending, ms);
        self.server.disk.disk.crash();
        self.server_crashed();
    }

    /// Its disk has stopped: the process is gone too.
    pub fn server_crashed(&mut self) {
        self.drop_server_ends();
        self.server.engine = None;
        self.server.events = None;
        self.apply_server_loss();
        let ms = self.server.crash.1;
        self.start_server_in(ms);
    }

    /// What its disk makes of what was not synced.
    pub fn apply_server_loss(&mut self) {
        let ending = self.server.crash.0;
        match self.server.disk.disk.restart(loss(ending)) {
            Ok(lost) => {
                self.tell(|| format!("the server is gone: {ending:?}, {lost:?}"));
                self.cover.add("fault.unsynced_write_dropped", lost.dropped);
                self.cover.add("fault.torn_write", lost.torn);
            }
            Err(error) => self.violated("the simulated disk restarts", error.to_string()),
        }
        self.cover.count(match ending {
            Ending::Killed => "fault.crash_server_killed",
            _ => "fault.crash_server_power",
        });
    }
}
