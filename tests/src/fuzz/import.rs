//! Files of contacts and purchases.

use std::sync::{Arc, OnceLock};

use roadbook_server::admin::execute::{Context, execute};
use roadbook_server::admin::import::date::{DateOrder, date};
use roadbook_server::admin::import::money::{self, DecimalMark};
use roadbook_server::admin::import::sheet::{Given, Sheet};
use roadbook_server::admin::import::{Duplicates, ImportOptions, Kind, Update, reach};
use roadbook_server::admin::request::{Call, FailureKind, Request};
use roadbook_server::engine::Engine;

use super::Script;
use super::office::open_engine;

/// Any bytes as a file: read, columns mapped, values read, rows compared with the base. Each row is
/// counted once, whatever is in it, and nothing that the file says is a failure of the program.
pub fn import(data: &[u8]) {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    let mut script = Script(data);
    let options = options(&mut script);
    let file = script.0;
    values(file, &options);
    let Ok(sheet) = Sheet::read("fuzz", file, Given::default()) else { return };
    for row in &sheet.rows {
        assert_eq!(row.cells.len(), sheet.headers.len(), "a row has as many cells as the header");
    }
    let rows = (sheet.rows.len() + sheet.refused.len()) as u64;
    let engine = ENGINE.get_or_init(|| open_engine().0);
    let (kind, with_orders) = (options.kind, options.orders.is_some());
    let call = Call { workspace: None, by: None, request: Request::Import(options) };
    let files = [file.to_vec(), file.to_vec()];
    match execute(engine, &Context::default(), call, &files, &mut Vec::new()) {
        Ok(answer) if kind == Kind::Contacts && !with_orders => {
            let count = |name: &str| {
                let value = &answer.data[name];
                value.as_u64().or_else(|| value["count"].as_u64()).unwrap_or(0)
            };
            let counted: u64 =
                ["created", "updated", "unchanged", "duplicate", "refused"].map(count).iter().sum();
            assert_eq!(counted, rows, "{}", answer.data);
        }
        Ok(_) => {}
        Err(failure) => assert_ne!(failure.kind, FailureKind::Internal, "{failure}"),
    }
}

fn options(script: &mut Script<'_>) -> ImportOptions {
    let bits = script.byte();
    let more = script.byte();
    ImportOptions {
        file: "fuzz".into(),
        orders: (bits & 0x81 == 0x81).then(|| "orders".into()),
        kind: if bits & 1 == 0 { Kind::Contacts } else { Kind::Purchases },
        dry_run: true,
        currency: (bits & 2 != 0).then(|| "EUR".into()),
        delimiter: (bits & 4 != 0).then_some(';'),
        date_format: (bits & 8 != 0).then_some(DateOrder::Dmy),
        decimal: (bits & 16 != 0).then_some(DecimalMark::Comma),
        region: (bits & 32 != 0).then(|| "DE".into()),
        keep_unknown: bits & 64 != 0,
        key: (more & 1 != 0).then(|| "id".into()),
        preset: (more & 2 != 0).then(|| "hubspot".into()),
        duplicates: [Duplicates::Skip, Duplicates::Link, Duplicates::Create][more as usize / 4 % 3],
        update: [Update::Overwrite, Update::Fill, Update::Skip][more as usize / 16 % 3],
        ..ImportOptions::default()
    }
}

/// The readers of single values.
fn values(file: &[u8], options: &ImportOptions) {
    let Ok(text) = std::str::from_utf8(file) else { return };
    let _ = date(text, options.date_format);
    let _ = money::evidence(text);
    let _ = money::discount(text, options.decimal);
    if let Ok(amount) = money::decimal(text, options.decimal) {
        for currency in ["EUR", "JPY", "KWD", text] {
            if let Ok(minor) = money::minor_units(amount, currency) {
                let _ = money::plain(minor, currency);
            }
        }
    }
    let _ = money::plain(text.len() as i64 - 9, text);
    let region = options.region.as_deref().and_then(reach::region);
    let _ = reach::e164(text, region);
    let _ = reach::phone_key(text, region);
    let _ = reach::email_key(text);
    let _ = reach::region(text);
}
