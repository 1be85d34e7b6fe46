//! Everything out, in open formats: JSON with all there is of a contact, CSV with the headers that
//! import reads.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use roadbook_protocol::document::schema;
use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use roadbook_protocol::projection::Row;
use serde_json::json;

use super::Job;
use super::retention::may_be_written_to;
use crate::admin::base::{Base, read_row};
use crate::admin::request::{Answer, ExportFormat, Failure, FailureKind};
use crate::engine::{EngineError, Touch};
use crate::store::{canaries, contacts, people as users};

/// So many contacts are read at once.
const BATCH: usize = 200;

/// Office-side facts of one contact.
struct Assigned {
    owner: Option<String>,
    collaborators: Vec<String>,
}

impl Job<'_> {
    pub(super) fn export(
        &self,
        format: ExportFormat,
        filter: Option<&str>,
        output: &mut dyn Write,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let ids = self.matching(workspace, filter.unwrap_or_default())?;
        self.take_export(&ids)?;
        self.export_all(&ids, format, output)?;
        let detail = json!({ "contacts": ids.len(), "filtered": filter.is_some() });
        self.record(workspace, "contacts.export", "", detail)?;
        Ok(Answer { notes: vec![format!("{} contacts", ids.len())], ..Answer::default() })
    }

    /// Those of them who may be written to over this channel.
    pub(super) fn export_mailing(
        &self,
        format: ExportFormat,
        filter: Option<&str>,
        channel: &str,
        purpose: Option<&str>,
        output: &mut dyn Write,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let all = self.matching(workspace, filter.unwrap_or_default())?;
        let base = self.reader(workspace);
        let planted = self.engine.read(|conn| canaries::ids(conn, workspace))?;
        let (mut ids, mut canaries) = (Vec::with_capacity(all.len()), Vec::new());
        for id in &all {
            if may_be_written_to(&base.contact(*id)?, channel, purpose) {
                if planted.contains(id) { &mut canaries } else { &mut ids }.push(*id);
            }
        }
        self.touch(Touch::Mailing, &canaries)?;
        self.take_export(&ids)?;
        self.export_all(&ids, format, output)?;
        let detail = json!({
            "contacts": ids.len(), "filtered": filter.is_some(), "channel": channel, "purpose": purpose,
        });
        self.record(workspace, "contacts.export", "", detail)?;
        let note = format!(
            "{} contacts; {} left out: no consent for {channel}, or not to be contacted",
            ids.len(),
            all.len() - ids.len() - canaries.len()
        );
        Ok(Answer { notes: vec![note], ..Answer::default() })
    }

    fn export_all(
        &self,
        ids: &[ContactId],
        format: ExportFormat,
        output: &mut dyn Write,
    ) -> Result<(), Failure> {
        let workspace = self.workspace()?;
        let base = Base { engine: self.engine, workspace, by: UserId::from_bytes([0; 16]) };
        let logins: BTreeMap<UserId, String> = self
            .engine
            .read(|conn| users::list_users(conn, workspace))?
            .into_iter()
            .map(|user| (user.id, user.login))
            .collect();
        let mut output = io::BufWriter::with_capacity(256 * 1024, output);
        match format {
            ExportFormat::Json => self.json(&base, ids, &logins, &mut output)?,
            ExportFormat::Csv => self.csv(workspace, ids, &logins, &mut output)?,
        }
        output.flush().map_err(lost)
    }

    fn json(
        &self,
        base: &Base<'_>,
        ids: &[ContactId],
        logins: &BTreeMap<UserId, String>,
        output: &mut impl Write,
    ) -> Result<(), Failure> {
        output.write_all(b"{\"contacts\":[").map_err(lost)?;
        for (i, id) in ids.iter().enumerate() {
            let mut contact = serde_json::to_value(base.contact(*id)?)
                .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
            let assigned = self.assigned(base.workspace, *id, logins)?;
            contact["owner"] = json!(assigned.owner);
            contact["collaborators"] = json!(assigned.collaborators);
            let between = if i == 0 { "\n" } else { ",\n" };
            write!(output, "{between}{contact}").map_err(lost)?;
        }
        output.write_all(b"\n]}\n").map_err(lost)
    }

    fn assigned(
        &self,
        workspace: WorkspaceId,
        id: ContactId,
        logins: &BTreeMap<UserId, String>,
    ) -> Result<Assigned, Failure> {
        let (owner, others) = self.engine.read(|conn| -> Result<_, EngineError> {
            let owner = contacts::find(conn, workspace, id)?.and_then(|contact| contact.owner);
            Ok((owner, contacts::collaborators(conn, workspace, id)?))
        })?;
        Ok(Assigned {
            owner: owner.and_then(|id| logins.get(&id).cloned()),
            collaborators: others.iter().filter_map(|id| logins.get(id).cloned()).collect(),
        })
    }

    fn csv(
        &self,
        workspace: WorkspaceId,
        ids: &[ContactId],
        logins: &BTreeMap<UserId, String>,
        output: &mut impl Write,
    ) -> Result<(), Failure> {
        // Twice over the rows: which columns there are is known only after all were seen.
        let mut columns = Columns::default();
        self.rows(workspace, ids, |row| {
            columns.see(row);
            Ok(())
        })?;
        let header = columns.header();
        let mut writer = csv::Writer::from_writer(output);
        writer.write_record(&header).map_err(csv_lost)?;
        self.rows(workspace, ids, |row| {
            let assigned = self.assigned(workspace, row.id, logins)?;
            writer.write_record(columns.cells(row, &assigned)).map_err(csv_lost)
        })?;
        writer.flush().map_err(lost)
    }

    fn rows(
        &self,
        workspace: WorkspaceId,
        ids: &[ContactId],
        mut each: impl FnMut(&Row) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for part in ids.chunks(BATCH) {
            let rows = self.engine.read(|conn| -> Result<Vec<Row>, EngineError> {
                let mut statement = conn.prepare_cached(
                    "SELECT p.row FROM contact c JOIN projection p ON p.n = c.n WHERE c.workspace = ? AND c.id = ?",
                )?;
                let mut found = Vec::with_capacity(part.len());
                for id in part {
                    let mut rows = statement.query((workspace.as_bytes(), id.as_bytes()))?;
                    // A contact that was erased meanwhile is not there any more.
                    if let Some(row) = rows.next()? {
                        found.push(read_row(row.get_ref(0)?.as_str().unwrap_or_default())?);
                    }
                }
                Ok(found)
            })?;
            rows.iter().try_for_each(&mut each)?;
        }
        Ok(())
    }
}

/// The columns that the exported contacts fill.
#[derive(Default)]
struct Columns {
    fields: BTreeSet<String>,
    custom: BTreeSet<String>,
    systems: BTreeSet<String>,
    phones: usize,
    emails: usize,
}

const PLACE: [&str; 5] = ["street", "postal_code", "city", "region", "country"];

impl Columns {
    fn see(&mut self, row: &Row) {
        self.fields.extend(row.fields.keys().cloned());
        self.custom.extend(row.custom.keys().cloned());
        self.systems.extend(row.external_ids.keys().cloned());
        self.phones = self.phones.max(row.phones.len());
        self.emails = self.emails.max(row.emails.len());
    }

    /// The known fields in their usual order, those of newer versions after them.
    fn fields(&self) -> impl Iterator<Item = &str> {
        let known =
            schema::FIELDS.iter().map(|spec| spec.name).filter(|name| self.fields.contains(*name));
        let others =
            self.fields.iter().map(String::as_str).filter(|name| schema::field(name).is_none());
        known.chain(others)
    }

    fn header(&self) -> Vec<String> {
        let mut header = vec!["id".to_owned(), "owner".to_owned(), "collaborators".to_owned()];
        header.extend(self.fields().map(str::to_owned));
        header.extend(std::iter::repeat_n("phone".to_owned(), self.phones.max(1)));
        header.extend(std::iter::repeat_n("email".to_owned(), self.emails.max(1)));
        header.extend(PLACE.map(str::to_owned));
        header.extend(["tags".to_owned(), "note".to_owned()]);
        header.extend(self.custom.iter().map(|name| format!("custom.{name}")));
        header.extend(self.systems.iter().map(|system| format!("external_ids.{system}")));
        header
    }

    fn cells(&self, row: &Row, assigned: &Assigned) -> Vec<String> {
        let padded = |texts: &[String], width: usize| {
            let mut cells = texts.to_vec();
            cells.resize(width.max(1), String::new());
            cells
        };
        let text = |value: Option<&roadbook_protocol::document::Value>| {
            value.map(ToString::to_string).unwrap_or_default()
        };
        let mut cells = vec![
            row.id.to_string(),
            assigned.owner.clone().unwrap_or_default(),
            assigned.collaborators.join(", "),
        ];
        cells.extend(self.fields().map(|name| text(row.fields.get(name))));
        cells.extend(padded(&row.phones, self.phones));
        cells.extend(padded(&row.emails, self.emails));
        cells.extend(
            [&row.street, &row.postal_code, &row.city, &row.region, &row.country]
                .map(String::clone),
        );
        cells.extend([row.tags.join(", "), row.note.clone()]);
        cells.extend(self.custom.iter().map(|name| text(row.custom.get(name))));
        cells.extend(
            self.systems
                .iter()
                .map(|system| row.external_ids.get(system).cloned().unwrap_or_default()),
        );
        cells
    }
}

fn lost(error: io::Error) -> Failure {
    Failure::new(FailureKind::File, format!("the output can't be written: {error}"))
}

fn csv_lost(error: csv::Error) -> Failure {
    lost(io::Error::other(error))
}
