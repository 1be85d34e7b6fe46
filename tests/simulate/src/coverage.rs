//! What happened in a run, counted by name. A simulator that never cuts a connection in the middle
//! of an upload proves nothing about it: over many seeds, a count of zero fails the run.

use std::collections::BTreeMap;

/// Every kind of fault.
pub const FAULTS: &[&str] = &[
    "fault.app_closed",
    "fault.clock_jump_device",
    "fault.clock_jump_server",
    "fault.crash_device_killed",
    "fault.crash_device_mid_write",
    "fault.crash_device_power",
    "fault.crash_server_killed",
    "fault.crash_server_mid_write",
    "fault.crash_server_power",
    "fault.cut",
    "fault.cut_with_frames_on_their_way",
    "fault.delay",
    "fault.device_bit_flip",
    "fault.device_disk_full",
    "fault.device_io_error",
    "fault.device_lost",
    "fault.device_revoked",
    "fault.duplicated_frame",
    "fault.forged_actor",
    "fault.half_open",
    "fault.key_lost",
    "fault.partition_both",
    "fault.partition_one_way",
    "fault.reordered_frame",
    "fault.replica_copied",
    "fault.replica_restored",
    "fault.server_bit_flip",
    "fault.server_disk_full",
    "fault.server_disk_slow",
    "fault.server_io_error",
    "fault.server_restart",
    "fault.server_restored",
    "fault.server_restored_with_ledger",
    "fault.stall",
    "fault.torn_write",
    "fault.unsynced_write_dropped",
];

/// Everything that is done with rights.
pub const ACTS: &[&str] = &[
    "act.assign",
    "act.clock_turned_ahead",
    "act.clock_turned_back",
    "act.erase",
    "act.join_team",
    "act.lease_end",
    "act.leave_team",
    "act.proposal_accepted",
    "act.proposal_declined",
    "act.proposal_undone",
    "act.revoke",
    "act.rewrite",
    "act.share",
    "act.unshare",
];

/// Every event that must happen sometimes.
pub const EVENTS: &[&str] = &[
    "event.backup",
    "event.bound_by_minimum_version",
    "event.collaborator_added",
    "event.collaborator_removed",
    "event.conflict",
    "event.contact_created_offline",
    "event.copied_edit_recovered",
    "event.device_enrolled",
    "event.edit_while_locked",
    "event.edit_unchanged",
    "event.erased_bytes_found_before",
    "event.erased_by_the_ledger",
    "event.first_sync",
    "event.generation_adopted",
    "event.generation_given_up",
    "event.forked",
    "event.frame_lost",
    "event.drop_confirmed",
    "event.handed_over",
    "event.proposed",
    "event.idle",
    "event.late_refused_erased",
    "event.lease_extended",
    "event.lease_locked",
    "event.lease_renewed",
    "event.merged",
    "event.need",
    "event.office_edit",
    "event.others_changes_due_back",
    "event.others_changes_offered",
    "event.page",
    "event.purged",
    "event.removed_from_device",
    "event.repair",
    "event.reoffered",
    "event.salvaged_or_reopened_after_damage",
    "event.sealed_edit_recovered",
    "event.second_connection_of_a_device",
    "event.snapshot_sent",
    "event.stored",
    "event.wiped",
];

/// Everything that must be seen.
pub fn all() -> impl Iterator<Item = &'static str> {
    FAULTS.iter().chain(ACTS).chain(EVENTS).copied()
}

/// The counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(pub BTreeMap<&'static str, u64>);

impl Coverage {
    /// One more of a kind.
    pub fn count(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// Some more of a kind.
    pub fn add(&mut self, name: &'static str, n: u64) {
        debug_assert!(
            all().any(|known| known == name),
            "{name} is not in the list of what must be seen"
        );
        *self.0.entry(name).or_default() += n;
    }

    /// Takes the counts of another run in.
    pub fn merge(&mut self, other: &Coverage) {
        for (name, n) in &other.0 {
            *self.0.entry(name).or_default() += n;
        }
    }

    /// What never happened.
    pub fn unseen(&self) -> Vec<&'static str> {
        all().filter(|name| self.0.get(name).copied().unwrap_or_default() == 0).collect()
    }
}
