//! Leaving with everything: contacts as JSON or CSV, quarantined edits with their bytes.

use std::io::Write;
use std::path::Path;

use roadbook_client_core::{ListQuery, Replica, Sort};
use roadbook_protocol::document::schema::FIELDS;
use roadbook_protocol::document::{Contact, Value};

use crate::args::ExportFormat;
use crate::error::Failure;

/// Contacts read at once while exporting.
const PAGE: usize = 500;

/// `export`, to standard output.
pub fn contacts(
    replica: &Replica,
    format: ExportFormat,
    filter: Option<&str>,
) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut offset = 0;
    let mut first = true;
    let io = || Failure::io("standard output");
    match format {
        ExportFormat::Json => write!(out, "{{\"contacts\": [").map_err(io())?,
        ExportFormat::Csv => writeln!(out, "{}", header().join(",")).map_err(io())?,
    }
    loop {
        let query =
            ListQuery { filter: filter.map(str::to_owned), sort: Sort::Name, limit: PAGE, offset };
        let rows = replica.list(&query)?.rows;
        if rows.is_empty() {
            break;
        }
        offset += rows.len();
        for row in rows {
            let contact = replica.contact(row.id)?;
            match format {
                ExportFormat::Json => {
                    let text = serde_json::to_string(&contact).map_err(|error| {
                        Failure::Usage(format!("contact {} can't be written: {error}", row.id))
                    })?;
                    write!(out, "{}\n{text}", if first { "" } else { "," }).map_err(io())?;
                }
                ExportFormat::Csv => {
                    let cells: Vec<String> =
                        cells(&contact).iter().map(|cell| quoted(cell)).collect();
                    writeln!(out, "{}", cells.join(",")).map_err(io())?;
                }
            }
            first = false;
        }
    }
    if matches!(format, ExportFormat::Json) {
        writeln!(out, "\n]}}").map_err(io())?;
    }
    out.flush().map_err(io())
}

fn header() -> Vec<&'static str> {
    let mut names = vec!["id"];
    names.extend(FIELDS.iter().map(|spec| spec.name));
    names.extend([
        "phone",
        "email",
        "street",
        "postal_code",
        "city",
        "region",
        "country",
        "tags",
        "note",
    ]);
    names
}

fn cells(contact: &Contact) -> Vec<String> {
    let mut cells = vec![contact.id.to_string()];
    cells.extend(
        FIELDS
            .iter()
            .map(|spec| contact.fields.get(spec.name).map(Value::to_string).unwrap_or_default()),
    );
    let first = |entries: &[roadbook_protocol::document::Entry], field: &str| {
        entries.first().map(|entry| entry.text(field).to_owned()).unwrap_or_default()
    };
    cells.push(first(&contact.phones, "number"));
    cells.push(first(&contact.emails, "address"));
    for part in ["street", "postal_code", "city", "region", "country"] {
        cells.push(first(&contact.addresses, part));
    }
    cells.push(contact.tags.join(", "));
    cells.push(contact.note.clone());
    cells
}

/// RFC 4180; a cell that a spreadsheet would take for a formula gets an apostrophe in front.
fn quoted(cell: &str) -> String {
    let number = cell.parse::<f64>().is_ok() || cell.starts_with('+');
    let formula = cell.starts_with(['=', '-', '@', '\t', '\r']) && !number;
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

/// `quarantine export`: to a file, or to standard output; how many on standard error.
pub fn quarantine(replica: &Replica, file: Option<&Path>) -> Result<(), Failure> {
    let count = match file {
        None => replica.export_quarantine(&mut std::io::stdout().lock())?,
        Some(path) => {
            let io = || Failure::io(path.display().to_string());
            let mut out = std::fs::File::create(path).map_err(io())?;
            let count = replica.export_quarantine(&mut out)?;
            out.sync_all().map_err(io())?;
            count
        }
    };
    eprintln!("{count} edits exported");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_can_not_become_a_formula_or_break_the_row() {
        assert_eq!(quoted("=cmd()"), "'=cmd()");
        assert_eq!(quoted("-5"), "-5");
        assert_eq!(quoted("+49 30 1"), "+49 30 1");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }
}
