//! Import of contacts: each row is somebody new, somebody known by key, or somebody who is probably
//! there already.

use roadbook_protocol::ids::{ContactId, UserId};

use super::draft::{Common, Draft, HASH_SYSTEM};
use super::index::{Index, Who};
use super::mapping::{Mapping, Wishes, map, preset};
use super::report::{KeyUsed, Report};
use super::sheet::Sheet;
use super::{Duplicates, ImportError, ImportOptions, Kind, Problem, reach};
use crate::admin::base::Base;
use crate::engine::{AuthorOutcome, Authored};

/// So many contacts are written at once.
const BATCH: usize = 2_500;

/// One of these fields makes a row a contact.
const NEEDED: &[&str] = &["name", "given_name", "family_name", "company", "phone", "email"];

/// Imports a sheet; `owner` gets the new contacts.
pub fn run(
    base: &Base<'_>,
    options: &ImportOptions,
    sheet: &Sheet,
    owner: Option<UserId>,
) -> Result<Report, ImportError> {
    let preset = options.preset.as_deref().map(preset).transpose()?;
    let wishes = Wishes {
        map: &options.map,
        preset,
        key: options.key.as_deref(),
        keep_unknown: options.keep_unknown,
    };
    let mapping = map(&sheet.headers, Kind::Contacts, wishes)?;
    let is_needed = |field: &str| NEEDED.contains(&field.split('.').next().unwrap_or_default());
    // A file of ids and one more column brings news of contacts that are known.
    if !mapping
        .columns
        .iter()
        .any(|column| is_needed(&column.field) || column.field == "external_id")
    {
        return Err(ImportError::File {
            file: sheet.file.clone(),
            reason: format!(
                "none of its columns is a name, a company, a phone or an email; say which with --map \"HEADER=name\"; its columns are {}",
                sheet.headers.join(", ")
            ),
        });
    }
    let region = match options.region.as_deref() {
        None => None,
        Some(name) => Some(reach::region(name).ok_or_else(|| {
            ImportError::Choice(format!(
                "--region: `{name}` is no country; write its code, such as DE"
            ))
        })?),
    };
    let key = key_used(&mapping, options, preset.map(|preset| preset.name));
    let defined = base.custom_fields()?;
    let common = Common {
        mapping: &mapping,
        system: &key.system,
        date_order: options.date_format,
        region,
        at: base.now(),
        defined: &defined,
    };
    let mut index = Index::default();
    base.rows(|row| index.add_contact(row))?;
    let mut report = Report {
        key: key.clone(),
        mapping: mapping.columns.clone(),
        unmapped: mapping.unmapped.clone(),
        ..Report::of(options, sheet)
    };
    let mut plan = Planner {
        base,
        options,
        common: &common,
        index,
        report: &mut report,
        owner,
        batch: Vec::new(),
    };
    for row in &sheet.rows {
        let problem = |reason: String| Problem { file: sheet.file.clone(), line: row.line, reason };
        match Draft::read(row, &common) {
            Err(reason) => plan.report.refused.push(problem(reason)),
            Ok(draft) => {
                if draft.key_made && key.kind != "hash" {
                    plan.report.warnings.push(problem(format!(
                        "column `{}` is empty; the row is recognised by a hash of name and first reach instead",
                        key.column.as_deref().unwrap_or_default()
                    )));
                }
                plan.row(draft, &sheet.file)?;
            }
        }
    }
    plan.flush()?;
    Ok(report)
}

/// How rows are recognised, from what is mapped and wished.
fn key_used(mapping: &Mapping, options: &ImportOptions, preset: Option<&str>) -> KeyUsed {
    match mapping.column("external_id") {
        Some(column) => KeyUsed {
            kind: "external_id".to_owned(),
            system: options
                .system
                .clone()
                .or(preset.map(str::to_owned))
                .unwrap_or_else(|| column.column.clone()),
            column: Some(column.column.clone()),
        },
        None => KeyUsed { kind: "hash".to_owned(), system: HASH_SYSTEM.to_owned(), column: None },
    }
}

/// What a planned edit is counted as.
#[derive(Clone, Copy)]
enum Planned {
    Create,
    Update,
}

struct Planner<'a, 'b> {
    base: &'a Base<'a>,
    options: &'a ImportOptions,
    common: &'a Common<'a>,
    index: Index,
    report: &'b mut Report,
    owner: Option<UserId>,
    batch: Vec<(Planned, Problem, Authored)>,
}

impl Planner<'_, '_> {
    fn row(&mut self, mut draft: Draft, file: &str) -> Result<(), ImportError> {
        let place = |reason: String| Problem { file: file.to_owned(), line: draft.line, reason };
        if let Some(i) =
            self.index.by_own_id(&draft).filter(|_| self.index.by_key(&draft).is_none())
        {
            // Filed under its key first, so that a second row with it is seen.
            self.index.add_draft(&draft);
            draft.key.1.clear();
            return self.known(i, &draft, place(String::new()));
        }
        if let Some(who) = self.index.by_key(&draft) {
            match who {
                Who::Contact(i) => self.known(i, &draft, place(String::new()))?,
                Who::Line(line) => {
                    self.report.duplicate.push(place(format!(
                        "the same key `{}` as line {line}; leave one of the two out",
                        draft.key.1
                    )));
                    return Ok(());
                }
            }
        } else if self.options.duplicates != Duplicates::Create
            && let Some((who, why)) = self.index.same(&draft)
        {
            match (who, self.options.duplicates) {
                (Who::Contact(i), Duplicates::Link) => {
                    self.known(i, &draft, place(String::new()))?
                }
                (Who::Contact(i), _) => {
                    self.report.duplicate.push(place(format!(
                        "contact {} has {why}; --duplicates link takes the row as that contact, --duplicates create makes a second one",
                        self.index.id(i)
                    )));
                    return Ok(());
                }
                (Who::Line(line), _) => {
                    self.report.duplicate.push(place(format!(
                        "line {line} has {why}; leave one of the two out, or --duplicates create takes both"
                    )));
                    return Ok(());
                }
            }
        } else if draft.nameless {
            self.report.refused.push(place(
                "it has no name, no company, no phone and no email, and nobody with its key is there; one of them is needed".to_owned(),
            ));
            return Ok(());
        } else {
            let base = self.base;
            let commands = draft.commands(None, self.common, &mut || base.new_entry_id());
            // The same commands were made when the row was read.
            let commands = commands.map_err(ImportError::Choice)?;
            let authored = Authored::create(base.new_contact_id(), self.owner, commands);
            self.plan(Planned::Create, place(String::new()), authored)?;
        }
        self.index.add_draft(&draft);
        Ok(())
    }

    fn known(&mut self, i: usize, draft: &Draft, place: Problem) -> Result<(), ImportError> {
        let (row, update) = (self.index.row(i), self.options.update);
        if !draft.differs(row, update, self.common) {
            self.report.unchanged += 1;
            return Ok(());
        }
        let (base, id): (_, ContactId) = (self.base, row.id);
        let contact = base.contact(id)?;
        match draft
            .commands(Some((row, &contact, update)), self.common, &mut || base.new_entry_id())
        {
            Ok(commands) => {
                let authored =
                    Authored { label: Some("import".to_owned()), ..Authored::edit(id, commands) };
                self.plan(Planned::Update, place, authored)
            }
            Err(reason) => {
                self.report.refused.push(Problem { reason, ..place });
                Ok(())
            }
        }
    }

    fn plan(
        &mut self,
        planned: Planned,
        place: Problem,
        authored: Authored,
    ) -> Result<(), ImportError> {
        if self.options.dry_run {
            self.count(planned);
            return Ok(());
        }
        self.batch.push((planned, place, authored));
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ImportError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let (places, edits): (Vec<_>, Vec<_>) = std::mem::take(&mut self.batch)
            .into_iter()
            .map(|(planned, place, edit)| ((planned, place), edit))
            .unzip();
        let outcomes = self.base.author(edits)?;
        for ((planned, place), outcome) in places.into_iter().zip(outcomes) {
            match outcome {
                AuthorOutcome::Merged { .. } => self.count(planned),
                AuthorOutcome::Unchanged => self.report.unchanged += 1,
                AuthorOutcome::Refused(error) => {
                    self.report.refused.push(Problem { reason: error.to_string(), ..place });
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, planned: Planned) {
        match planned {
            Planned::Create => self.report.created += 1,
            Planned::Update => self.report.updated += 1,
        }
    }
}

impl Report {
    /// An empty report of a file.
    pub(super) fn of(options: &ImportOptions, sheet: &Sheet) -> Report {
        let mut report = Report {
            dry_run: options.dry_run,
            kind: match options.kind {
                Kind::Contacts => "contacts",
                Kind::Purchases => "purchases",
            }
            .to_owned(),
            file: sheet.file.clone(),
            encoding: sheet.encoding.to_owned(),
            delimiter: sheet.delimiter.to_string(),
            rows: (sheet.rows.len() + sheet.refused.len()) as u64,
            ..Report::default()
        };
        report.take_problems(sheet);
        report
    }

    /// Takes over what reading the file had to say.
    pub(super) fn take_problems(&mut self, sheet: &Sheet) {
        sheet.refused.iter().for_each(|(problem, _)| self.refused.push(problem.clone()));
        sheet.mended.iter().cloned().for_each(|problem| self.warnings.push(problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::import::sheet::Given;

    #[test]
    fn the_key_is_the_column_the_preset_or_a_hash() {
        let sheet = Sheet::read("f", b"customerID,companyName\nA,B\n", Given::default()).unwrap();
        let wishes = Wishes { map: &[], preset: None, key: None, keep_unknown: false };
        let mapping = map(&sheet.headers, Kind::Contacts, wishes).unwrap();
        let options = ImportOptions::default();
        assert_eq!(key_used(&mapping, &options, None).system, "customerID");
        assert_eq!(key_used(&mapping, &options, Some("hubspot")).system, "hubspot");
        let named = ImportOptions { system: Some("erp".to_owned()), ..options };
        assert_eq!(key_used(&mapping, &named, Some("hubspot")).system, "erp");
        assert_eq!(key_used(&Mapping::default(), &named, None).kind, "hash");
    }
}
