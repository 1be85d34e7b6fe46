//! A contact's document is begun anew (rule 25): what it would come to, doing it, and giving up a later
//! one that nobody brings back after a restore.

use roadbook_protocol::ids::{ContactId, WorkspaceId};
use serde_json::json;

use super::Job;
use crate::admin::request::{Answer, Failure, Rewrite};
use crate::engine::RewriteOrder;

impl Job<'_> {
    pub(super) fn rewrite(&self, wanted: &Rewrite) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let [contact] = self.contact_ids(workspace, std::slice::from_ref(&wanted.id))?[..] else {
            return Err(Failure::refused(format!("`{}` is not one contact", wanted.id)));
        };
        let by = self.by(workspace).ok();
        if wanted.give_up {
            self.engine.give_up_generation(workspace, by, contact)?;
            let text = format!("contact {contact} goes on with the document that is here\n");
            return Ok(Answer::new(json!({ "contact": contact, "gave_up": true }), text));
        }
        if wanted.dry_run {
            return self.rewrite_preview(workspace, contact, wanted.purge);
        }
        let reason = wanted.reason.clone().ok_or_else(|| {
            Failure::refused("it needs a reason: --reason CODE, such as request-2026/17")
        })?;
        let purge = wanted.purge;
        let order = RewriteOrder { reason, purge, quarantined_too: wanted.quarantined_too };
        let (generation, scrubbed) = self.engine.rewrite(workspace, by, contact, order)?;
        let text = format!(
            "contact {contact} has a fresh document, its generation {generation}; devices get it with their next \
             sync, and make what they had not sent anew on it\n"
        );
        let data = json!({
            "contact": contact,
            "generation": generation,
            "purged": purge,
            "scrubbed": scrubbed,
        });
        let mut answer = Answer::new(data, text);
        if !scrubbed {
            answer.notes.push(
                "a long read kept the database's log from being emptied; the next erasure or start does it"
                    .to_owned(),
            );
        }
        if purge {
            answer.notes.push(
                "backups that were made before still hold the past until they expire; devices let go of it when \
                 they sync"
                    .to_owned(),
            );
        }
        Ok(answer)
    }

    fn rewrite_preview(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
        purge: bool,
    ) -> Result<Answer, Failure> {
        let preview = self.engine.preview_rewrite(workspace, contact, purge)?;
        let (before, after, beside) = (preview.before, preview.after, preview.beside);
        let mut text = format!(
            "contact {contact} would get a fresh document, its generation {}:\n  \
             {} changes instead of {}, {} operations instead of {}, {} bytes instead of {}\n",
            preview.generation + 1,
            after.changes,
            before.changes,
            after.operations,
            before.operations,
            after.bytes,
            before.bytes
        );
        if purge {
            text.push_str(&format!(
                "  gone for good: the document before, {} older ones, the words of {} changes that were set aside\n",
                beside.archives, beside.set_aside
            ));
            text.push_str(
                "  late edits of reps who no longer hold it, made before and not sent yet, can't be shown against \
                 what they changed any more\n",
            );
            if beside.quarantined > 0 {
                text.push_str(&format!(
                    "  in the way: {} changes in quarantine; export them, then say --quarantined-too\n",
                    beside.quarantined
                ));
            }
            if beside.undecided > 0 {
                text.push_str(&format!(
                    "  in the way: {} late edits that wait for a decision\n",
                    beside.undecided
                ));
            }
        } else {
            text.push_str("  the document before is kept as an archive\n");
        }
        Ok(Answer::new(json!({ "contact": contact, "dry_run": true, "preview": preview }), text))
    }
}
