//! How large a run is, and how wild.

use serde::{Deserialize, Serialize};

/// The shape of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Its name, for the report.
    pub name: String,
    /// Reps.
    pub users: u32,
    /// Devices at the start, dealt out to the reps.
    pub devices: u32,
    /// Contacts at the start, dealt out to the reps.
    pub contacts: u32,
    /// Edits, about.
    pub edits: u32,
    /// How long it takes, in simulated milliseconds.
    pub span_ms: i64,
    /// Faults, about.
    pub faults: u32,
    /// Replicas that may be open at once.
    pub open_max: u32,
}

impl Shape {
    /// The shape of a seed, with about so many edits.
    pub fn of_seed(seed: u64, edits: u32) -> Shape {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5ba9e);
        let shape = |name: &str, users, devices, contacts, faults| Shape {
            name: name.to_owned(),
            users,
            devices,
            contacts,
            edits,
            span_ms: 20 * 60 * 1000,
            faults,
            open_max: 64,
        };
        let edits_share = |share: u32| (edits / share).clamp(4, 400);
        match rng.u32(..8) {
            // Two phones and one contact: everything is a conflict.
            0 => shape("duel", 1, 2, rng.u32(1..3), edits_share(30)),
            // Reps who share everything.
            1 => shape("shared", rng.u32(2..5), rng.u32(3..8), rng.u32(3..12), edits_share(30)),
            // Almost no faults: speed, and the ordinary.
            2 => shape("calm", rng.u32(2..6), rng.u32(3..10), rng.u32(20..60), edits_share(400)),
            // Faults all the time.
            3 => shape("storm", rng.u32(2..4), rng.u32(3..7), rng.u32(4..20), edits_share(8)),
            _ => shape("team", rng.u32(2..6), rng.u32(4..12), rng.u32(8..40), edits_share(25)),
        }
    }

    /// A thousand devices.
    pub fn crowd(seed: u64, edits: u32) -> Shape {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0xc70bd);
        Shape {
            name: "crowd".to_owned(),
            users: 300,
            devices: 1_000 + rng.u32(..50),
            contacts: 1_200,
            edits: edits.max(2_000),
            span_ms: 30 * 60 * 1000,
            faults: 400,
            open_max: 300,
        }
    }
}
