//! From a seed to the steps of a plan.

use fastrand::Rng;

use crate::plan::{Ending, Op, Step};
use crate::shape::Shape;

const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1000;

/// The steps of a run, by time.
pub fn steps(seed: u64, shape: &Shape) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed);
    let mut steps = Vec::new();
    let mut edits = 0;
    while edits < shape.edits {
        let device = rng.u32(..);
        let salt = rng.u64(..);
        let at = rng.i64(0..shape.span_ms);
        let op = match rng.u32(..100) {
            0..3 => Op::Create { device, salt },
            3..12 => Op::OfficeEdit { contact: rng.u32(..), times: rng.u32(1..4), salt },
            // A rep writes several things in a row, some while the first are on their way up.
            12..60 => {
                let later = at + rng.i64(3..80);
                let more = Op::Edit { device, times: rng.u32(1..4), salt: salt ^ 1 };
                if rng.bool() {
                    edits += 2;
                    steps.push(Step { at: later, op: more });
                }
                Op::Edit { device, times: rng.u32(3..10), salt }
            }
            _ => Op::Edit { device, times: rng.u32(1..3), salt },
        };
        edits += match op {
            Op::Edit { times, .. } | Op::OfficeEdit { times, .. } => times,
            _ => 1,
        };
        steps.push(Step { at, op });
    }
    // Each device comes and goes several times.
    for device in 0..shape.devices {
        let mut at = rng.i64(0..shape.span_ms / 8);
        while at < shape.span_ms {
            let once = rng.u8(..3) == 0;
            steps.push(Step { at, op: Op::Online { device, once } });
            at += rng.i64(5_000..shape.span_ms / 4);
            steps.push(Step { at, op: Op::Offline { device, told: rng.bool() } });
            at += rng.i64(1_000..shape.span_ms / 3);
        }
    }
    for _ in 0..shape.faults {
        let at = rng.i64(0..shape.span_ms);
        steps.push(Step { at, op: fault(&mut rng) });
    }
    steps.extend(rights(seed, shape));
    steps.extend(hostile(seed, shape));
    steps.extend(decisions(seed, shape));
    steps.extend(lost_keys(seed, shape));
    steps.extend(rewrites(seed, shape));
    steps.sort_by_key(|step| step.at);
    steps
}

/// What is done with rights, beside what is among the faults. It has a chance of its own: with it, and
/// without, the rest of a seed is the same.
fn rights(seed: u64, shape: &Shape) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed ^ 0x0c75_0f81);
    let count = (shape.faults / 3).clamp(2, 40);
    (0..count).map(|_| Step { at: rng.i64(0..shape.span_ms), op: right(&mut rng) }).collect()
}

/// What a device does whose owner has altered its app; likewise apart.
fn hostile(seed: u64, shape: &Shape) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed ^ 0x6af1_93c4);
    (0..rng.u32(1..4))
        .map(|_| {
            let op = Op::Forge { device: rng.u32(..), contact: rng.u32(..), salt: rng.u64(..) };
            Step { at: rng.i64(0..shape.span_ms), op }
        })
        .collect()
}

/// What the office decides about late edits; likewise apart.
fn decisions(seed: u64, shape: &Shape) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed ^ 0x19d2_66b8);
    let count = (shape.faults / 2).clamp(4, 60);
    (0..count)
        .map(|_| Step { at: rng.i64(0..shape.span_ms), op: Op::Decide { salt: rng.u64(..) } })
        .collect()
}

/// Keys that are lost. They have a chance of their own too, for the same reason.
fn lost_keys(seed: u64, shape: &Shape) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed ^ 0x5ea1_ed17);
    let count = (shape.faults / 12).clamp(1, 12);
    let mut step =
        || Step { at: rng.i64(0..shape.span_ms), op: Op::LoseKey { device: rng.u32(..) } };
    (0..count).map(|_| step()).collect()
}

/// Documents that are begun anew, with a chance of their own too.
fn rewrites(seed: u64, shape: &Shape) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed ^ 0x6e57_0b5e);
    let count = (shape.faults / 6).clamp(2, 20);
    let op = |rng: &mut Rng| Op::Rewrite { contact: rng.u32(..) };
    (0..count).map(|_| Step { at: rng.i64(0..shape.span_ms), op: op(&mut rng) }).collect()
}

fn right(rng: &mut Rng) -> Op {
    let (device, contact, user) = (rng.u32(..), rng.u32(..), rng.u32(..));
    let salt = rng.u64(..);
    match rng.u32(..100) {
        0..25 => Op::Erase { contact, salt },
        25..47 => {
            // A lease has 14 days.
            let (days, turned_ms) = (rng.u32(13..18), clock_jump(rng));
            Op::StayAway { device, days, turned_ms, code: rng.bool(), salt }
        }
        47..60 => Op::Team { user, joins: rng.u8(..3) > 0 },
        60..70 => Op::Assign { contact, count: rng.u32(1..4), user },
        70..77 => Op::Collaborate { contact, user, add: rng.bool() },
        77..84 => Op::Revoke { device },
        84..92 => Op::Restore { salt, by_hand: rng.bool(), keep_ledger: true },
        _ => Op::Backup,
    }
}

fn ending(rng: &mut Rng) -> Ending {
    match rng.u8(..3) {
        0 => Ending::Killed,
        1 => Ending::Power,
        _ => Ending::PowerAll,
    }
}

fn clock_jump(rng: &mut Rng) -> i64 {
    match rng.u8(..3) {
        0 => rng.i64(-10 * YEAR_MS..10 * YEAR_MS),
        1 => rng.i64(-YEAR_MS / 12..YEAR_MS / 12),
        _ => rng.i64(-3_600_000..3_600_000),
    }
}

fn fault(rng: &mut Rng) -> Op {
    let device = rng.u32(..);
    let salt = rng.u64(..);
    let ms = rng.u32(100..60_000);
    match rng.u32(..116) {
        0..12 => Op::Cut { device },
        12..17 => {
            let (up, down) = match rng.u8(..3) {
                0 => (true, false),
                1 => (false, true),
                _ => (true, true),
            };
            Op::Partition { device, up, down }
        }
        17..20 => Op::Stall { device, ms: ms / 4 },
        20..24 => Op::Duplicate { device, ms },
        24..28 => Op::Reorder { device, ms },
        28..30 => Op::CloseApp { device },
        30..35 => Op::CrashDevice { device, ending: ending(rng) },
        35..41 => Op::CrashDeviceIn { device, operations: rng.u32(1..60), ending: ending(rng) },
        41..44 => Op::DeviceDiskFails { device, operations: rng.u32(1..60) },
        44..46 => Op::DeviceDiskFull { device, bytes: rng.u32(..100_000), ms },
        46..47 => Op::DeviceBitFlips { device, salt },
        47..50 => Op::DeviceClock { device, ms: clock_jump(rng) },
        50..51 => Op::Copy { device, same_machine: rng.bool() },
        51..53 => Op::SaveDevice { device },
        53..54 => Op::RestoreDevice { device, in_place: rng.bool() },
        54..55 => Op::Join { user: rng.u32(..) },
        55..56 => Op::Revoke { device },
        56..57 => Op::Lose { device },
        57..58 => Op::AppVersion { device, version: rng.u32(1..4) },
        58..59 => Op::MinimumVersion { version: rng.u32(1..3) },
        59..67 => Op::Assign { contact: rng.u32(..), count: rng.u32(1..4), user: rng.u32(..) },
        67..73 => Op::Collaborate { contact: rng.u32(..), user: rng.u32(..), add: rng.u8(..3) > 0 },
        73..75 => Op::RestartServer { ms: ms / 8 },
        75..80 => Op::CrashServer { ending: ending(rng), ms: ms / 8 },
        80..86 => {
            let operations = rng.u32(1..200);
            Op::CrashServerIn { operations, ending: ending(rng), ms: ms / 8 }
        }
        86..88 => Op::ServerDiskFails { operations: rng.u32(1..100) },
        88..89 => Op::ServerDiskFull { bytes: rng.u32(..200_000), ms },
        89..90 => Op::ServerBitFlips { salt },
        90..92 => Op::ServerDiskSlow { delay_ms: rng.u32(100..5_000), ms },
        92..94 => Op::ServerClock { ms: clock_jump(rng) },
        94..97 => Op::Backup,
        97..98 => Op::Restore { salt, by_hand: rng.bool(), keep_ledger: false },
        98..100 => Op::Checkpoint,
        // What is rare otherwise, and must be seen.
        100..104 => Op::SaveDevice { device },
        104..111 => Op::RestoreDevice { device, in_place: rng.u8(..4) > 0 },
        _ => Op::Collaborate { contact: rng.u32(..), user: rng.u32(..), add: false },
    }
}
