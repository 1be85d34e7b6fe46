//! What keeps the data: check, backup, state hash, quarantine.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use roadbook_protocol::ids::ContactId;
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::request::{Answer, Failure};

impl Job<'_> {
    pub(super) fn check(&self) -> Result<Answer, Failure> {
        let report = self.engine.check()?;
        let clean = report.is_clean();
        let mut text = String::new();
        for finding in &report.findings {
            let contact = finding.contact.map(|id| format!(" contact {id}")).unwrap_or_default();
            // Writing into a string can't fail.
            let _ = writeln!(text, "{}{contact}: {}", finding.part, finding.what);
        }
        if report.findings.iter().any(|finding| finding.part == "file") {
            text.push_str(
                "the database is damaged: keep a copy of its data directory, and put a backup into a new one \
                 with `roadbook-server restore`; devices bring what the backup lacks\n",
            );
        }
        let _ = writeln!(
            text,
            "{} contacts, {} changes, {} snapshots: {}",
            report.contacts,
            report.changes,
            report.snapshots,
            if clean {
                "clean".to_owned()
            } else {
                format!("{} things are off", report.findings.len())
            }
        );
        let data = json!({
            "clean": clean,
            "contacts": report.contacts,
            "changes": report.changes,
            "snapshots": report.snapshots,
            "findings": report.findings,
        });
        Ok(Answer { off: !clean, ..Answer::new(data, text) })
    }

    pub(super) fn backup(&self, file: &Path) -> Result<Answer, Failure> {
        if file.exists() {
            return Err(Failure::file(file, "it exists already; name a new file"));
        }
        if !file.parent().is_some_and(Path::is_dir) {
            return Err(Failure::file(file, "its directory does not exist; make it first"));
        }
        let manifest = self.engine.backup(file)?;
        for workspace in self.engine.workspaces()? {
            let detail = json!({ "bytes": manifest.bytes, "sha256": manifest.sha256 });
            self.record(workspace.id, "backup", "", detail)?;
        }
        let bytes = std::fs::metadata(file).map_err(|error| Failure::file(file, error))?.len();
        let mut data = serde_json::to_value(&manifest).unwrap_or_default();
        data["file"] = json!(file);
        data["bytes"] = json!(bytes);
        let text = format!("{} ({bytes} bytes, checked)\n", file.display());
        let keys = self.engine.dir().join(crate::engine::keys::KEYS_DIR);
        let notes = vec![format!(
            "the signing keys are not in it; keep a copy of {} elsewhere",
            keys.display()
        )];
        Ok(Answer { notes, ..Answer::new(data, text) })
    }

    pub(super) fn state_hash(
        &self,
        owner: Option<&str>,
        ids: &[String],
        each: bool,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let owner = owner.map(|login| self.user(workspace, login)).transpose()?.map(|user| user.id);
        let ids = if ids.is_empty() { None } else { Some(self.contact_ids(workspace, ids)?) };
        let state = self.engine.state_hash(workspace, owner, ids.as_deref())?;
        let mut data =
            json!({ "hash": state.hash, "contacts": state.each.len(), "unmerged": state.unmerged });
        let mut text = format!("{}\n", state.hash);
        if each {
            let list: Vec<_> = state
                .each
                .iter()
                .map(|(id, hash)| json!({ "id": id, "hash": hex::encode(hash) }))
                .collect();
            data["each"] = json!(list);
            text = state
                .each
                .iter()
                .map(|(id, hash)| format!("{id} {}\n", hex::encode(hash)))
                .collect();
        }
        let mut answer = Answer::new(data, text);
        if state.unmerged > 0 {
            answer.notes.push(format!(
                "{} stored changes are not merged yet and not in the hash",
                state.unmerged
            ));
        }
        Ok(answer)
    }

    pub(super) fn quarantine_list(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let all = self.engine.read(|conn| {
            crate::store::changes::set_aside(conn, workspace, None, None, QUARANTINE_MAX)
        })?;
        let rows: Vec<_> = all
            .iter()
            .map(|change| {
                vec![
                    change.seq.to_string(),
                    moment(change.received_at),
                    format!("{:?}", change.fate).to_lowercase(),
                    change.contact.to_string(),
                    change.code.clone(),
                    change.reason.clone(),
                ]
            })
            .collect();
        let header = ["n", "received", "fate", "contact", "code", "reason"];
        Ok(Answer::new(json!({ "quarantine": all }), table(&header, &rows)))
    }

    pub(super) fn quarantine_export(&self, output: &mut dyn Write) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let all = self.engine.read(|conn| {
            crate::store::changes::set_aside(conn, workspace, None, None, QUARANTINE_MAX)
        })?;
        let contacts: BTreeSet<ContactId> = all.iter().map(|change| change.contact).collect();
        self.take_export(&contacts.into_iter().collect::<Vec<_>>())?;
        let lost = |error: std::io::Error| {
            Failure::new(
                crate::admin::request::FailureKind::File,
                format!("the output can't be written: {error}"),
            )
        };
        for change in &all {
            let bytes = self
                .engine
                .read(|conn| crate::store::changes::bytes(conn, workspace, change.seq))?
                .unwrap_or_default();
            let mut line = serde_json::to_value(change).unwrap_or_default();
            line["raw"] = json!(hex::encode(&bytes));
            writeln!(output, "{line}").map_err(lost)?;
        }
        Ok(Answer { notes: vec![format!("{} changes", all.len())], ..Answer::default() })
    }
}

/// So many changes that were set aside are listed, newest first.
const QUARANTINE_MAX: u32 = 10_000;
