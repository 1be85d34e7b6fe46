//! Of which generation a change is, and who may begin one (rule 25).

use roadbook_protocol::document::generation_count;
use roadbook_protocol::guard::Admitted;
use roadbook_protocol::ids::{ContactId, WorkspaceId};
use roadbook_protocol::message::GenerationMark;
use roadbook_protocol::wire::Fate;
use rusqlite::Transaction;

use super::{Known, Sender, Stage, Verdict};
use crate::engine::turn;
use crate::store::{Result, generations};

impl Stage {
    /// A document of a later generation comes: nothing is merged into the one here before it is looked at.
    pub(super) fn note_begun(
        &mut self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        contact: ContactId,
        number: u64,
    ) -> Result<()> {
        generations::set_adopting(tx, (workspace, contact), number)?;
        if let Some(Known::Present { adopting, .. }) = self.contacts.get_mut(&(workspace, contact))
        {
            *adopting = number.max(*adopting);
        }
        Ok(())
    }

    /// Of which generation a change is: that of what it stands on.
    pub(super) fn generation_of(
        &self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        contact: ContactId,
        admitted: &Admitted,
    ) -> Result<u64> {
        if let Some(mark) = mark(admitted) {
            return Ok(mark.number);
        }
        let Some(Known::Present { heads, generation, adopting, .. }) =
            self.contacts.get(&(workspace, contact))
        else {
            return Ok(1);
        };
        if *generation == 1 && *adopting == 0 {
            return Ok(1);
        }
        let mut found = None;
        for dep in &admitted.deps {
            let of_dep = match heads.contains(dep) {
                true => Some(*generation),
                false => generations::of_change(tx, (workspace, contact), dep)?,
            };
            found = found.max(of_dep);
        }
        Ok(found.unwrap_or(*generation))
    }
}

/// What a change says that begins a document anew.
pub(super) fn mark(admitted: &Admitted) -> Option<&GenerationMark> {
    admitted.message.as_ref()?.generation.as_ref()
}

/// Why a change that begins a document anew is not taken; `None` if it may be. Only a server makes one,
/// so only evidence brings one, and only one later than what is here.
pub(super) fn judge_mark(
    sender: Sender,
    contact: ContactId,
    known: &Known,
    number: u64,
) -> Option<Verdict> {
    let later = match known {
        Known::Present { generation, .. } => {
            generation_count(number) > generation_count(*generation)
        }
        _ => true,
    };
    let reason = match (sender.vouched, later) {
        // Whether it may take the place of what is here is seen when all of it is.
        (true, true) => return None,
        (false, _) => "only the server begins a contact's document anew".to_owned(),
        (true, false) => format!(
            "contact {contact} has another document of generation {number} or later here; ask your administrator"
        ),
    };
    Some(Verdict::Aside { fate: Fate::Quarantined, code: turn::CODE, reason })
}
