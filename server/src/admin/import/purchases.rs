//! Import of purchases, joined to contacts by their id in another system.
//!
//! Three forms of file are understood: one purchase a row with its amount; one line of an order a
//! row with price, quantity and discount; and such lines in one file with the orders (customer and
//! date) in a second one. Lines of one order are summed exactly and rounded once.
//!
//! The entry id of a purchase is a digest of workspace, contact and order number, so that the same
//! file imported twice, or on two servers of one workspace, makes one purchase.

use std::collections::{BTreeMap, HashMap};

use roadbook_protocol::document::{Collection, Command, Value, parse_value, schema};
use roadbook_protocol::ids::{ContactId, EntryId, WorkspaceId};
use rust_decimal::Decimal;

use super::date::date;
use super::index::Index;
use super::mapping::{Mapping, Wishes, map, preset};
use super::money::{self, DecimalMark, ROUNDING, decimal, discount, evidence, minor_units};
use super::report::{KeyUsed, Money, Report};
use super::sheet::{Row, Sheet};
use super::{ImportError, ImportOptions, Kind, Problem};
use crate::admin::base::Base;
use crate::engine::{AuthorOutcome, Authored};

/// Purchases of one contact that go into one change; a change has at most 2,000 operations.
const CHANGE_MAX: usize = 200;
/// So many changes are written at once.
const BATCH: usize = 200;
/// A product text is cut here when an order has many lines.
const PRODUCT_CHARS_MAX: usize = 200;

/// The fields of a purchase, as a command takes them.
type Fields = BTreeMap<String, Option<Value>>;

/// One order, on its way to be a purchase.
#[derive(Debug, Clone)]
struct Order {
    place: Problem,
    customer: String,
    number: String,
    date: String,
    currency: String,
    /// Exact.
    amount: Decimal,
    lines: u64,
    products: Vec<String>,
    channel: String,
    discount: String,
    /// Why it can't be taken: of a bad line, the order is refused as a whole, since its sum would
    /// be wrong.
    refused: Option<Problem>,
}

/// Imports `sheet`; with `orders` it holds the lines of those.
pub fn run(
    base: &Base<'_>,
    options: &ImportOptions,
    sheet: &Sheet,
    orders: Option<&Sheet>,
) -> Result<Report, ImportError> {
    let preset = options.preset.as_deref().map(preset).transpose()?;
    let head = orders.unwrap_or(sheet);
    // Wishes that name columns of the other file are for the other file.
    let wishes_of = |sheet: &Sheet| -> Vec<(String, String)> {
        options
            .map
            .iter()
            .filter(|(header, _)| orders.is_none() || sheet.column(header).is_some())
            .cloned()
            .collect()
    };
    let (head_map, line_map) = (wishes_of(head), wishes_of(sheet));
    let key = options.key.as_deref();
    let wishes = |map| Wishes { map, preset: None, key: None, keep_unknown: false };
    let heads = map(&head.headers, Kind::Purchases, Wishes { key, ..wishes(&head_map) })?;
    let lines = match orders {
        Some(_) => map(&sheet.headers, Kind::Purchases, wishes(&line_map))?,
        None => heads.clone(),
    };
    if let Some((header, _)) = options
        .map
        .iter()
        .find(|(header, _)| head.column(header).is_none() && sheet.column(header).is_none())
    {
        return Err(ImportError::Choice(format!("--map: neither file has a column `{header}`")));
    }
    let customer = need(
        head,
        &heads,
        "customer",
        "the customer's id, as the contacts were imported with it (--key COLUMN)",
    )?;
    need(head, &heads, "order", "the order's number")?;
    need(head, &heads, "date", "the date")?;
    if orders.is_some() {
        need(sheet, &lines, "order", "the order's number")?;
    }
    let by_lines = lines.index("unit_price").is_some() && lines.index("amount").is_none();
    if !by_lines {
        need(sheet, &lines, "amount", "the amount (or `unit_price` and `quantity`)")?;
    }
    if heads.index("currency").is_none()
        && lines.index("currency").is_none()
        && options.currency.is_none()
    {
        return Err(ImportError::Choice(
            "the file does not say in which currency its amounts are; say it with --currency, such as --currency USD".to_owned(),
        ));
    }
    if let Some(code) = options.currency.as_deref().filter(|code| !money::is_currency(code)) {
        return Err(ImportError::Choice(format!(
            "--currency: `{code}` is not a currency; write its ISO 4217 code, such as EUR"
        )));
    }
    let system = options
        .system
        .clone()
        .or(preset.map(|preset| preset.name.to_owned()))
        .unwrap_or_else(|| customer.clone());
    let mut report = Report {
        key: KeyUsed {
            kind: "external_id".to_owned(),
            system: system.clone(),
            column: Some(customer),
        },
        mapping: heads.columns.clone(),
        unmapped: heads.unmapped.clone(),
        ..Report::of(options, head)
    };
    if orders.is_some() {
        report.mapping.extend(lines.columns.clone());
        report.unmapped.extend(lines.unmapped.clone());
        report.take_problems(sheet);
    }
    let reader = Reader {
        options,
        heads: &heads,
        lines: &lines,
        marks: marks(sheet, &lines, options),
        by_lines,
    };
    let found = reader.orders(head, orders.map(|_| sheet), &mut report);
    report.money = Some(Money {
        rounding: ROUNDING.to_owned(),
        amount: if by_lines {
            "unit price x quantity x (1 - discount), summed over the lines of an order"
        } else {
            "as given"
        }
        .to_owned(),
        totals: BTreeMap::new(),
        lines: by_lines.then_some(sheet.rows.len() as u64),
    });
    write(base, options, &system, found, &mut report)?;
    Ok(report)
}

/// The header of a needed column.
fn need(sheet: &Sheet, mapping: &Mapping, field: &str, what: &str) -> Result<String, ImportError> {
    mapping.column(field).map(|column| column.column.clone()).ok_or_else(|| ImportError::File {
        file: sheet.file.clone(),
        reason: format!(
            "no column is {what}; say which with --map \"HEADER={field}\"; its columns are {}",
            sheet.headers.join(", ")
        ),
    })
}

/// The decimal mark of each column with numbers, by what its own values say.
fn marks(sheet: &Sheet, mapping: &Mapping, options: &ImportOptions) -> HashMap<usize, DecimalMark> {
    let numbers = ["amount", "unit_price", "quantity", "discount"];
    let mut found = HashMap::new();
    for index in numbers.iter().filter_map(|field| mapping.index(field)) {
        let own =
            sheet.rows.iter().find_map(|row| evidence(row.cells[index].trim_end_matches('%')));
        if let Some(mark) = options.decimal.or(own) {
            found.insert(index, mark);
        }
    }
    // A column that says nothing is written as the others of its file are.
    if let Some(any) =
        found.values().next().copied().filter(|any| found.values().all(|mark| mark == any))
    {
        numbers.iter().filter_map(|field| mapping.index(field)).for_each(|index| {
            found.entry(index).or_insert(any);
        });
    }
    found
}

struct Reader<'a> {
    options: &'a ImportOptions,
    heads: &'a Mapping,
    lines: &'a Mapping,
    marks: HashMap<usize, DecimalMark>,
    by_lines: bool,
}

impl Reader<'_> {
    /// All orders in the order of the file; refused rows go to the report.
    fn orders(&self, head: &Sheet, lines: Option<&Sheet>, report: &mut Report) -> Vec<Order> {
        let mut orders: Vec<Order> = Vec::new();
        let mut by_number: HashMap<(String, String), usize> = HashMap::new();
        let mut unreadable = Vec::new();
        for row in &head.rows {
            let place =
                |reason: String| Problem { file: head.file.clone(), line: row.line, reason };
            let order = match self.head(row, place(String::new())) {
                Ok(order) => order,
                Err(reason) => {
                    if self.by_lines && lines.is_none() {
                        unreadable.push((place(reason.clone()), row.cells.clone()));
                    }
                    report.refused.push(place(reason));
                    continue;
                }
            };
            // Order numbers are unique where lines refer to them; in a flat file each customer may
            // have a number 1.
            let customer = if lines.is_some() { String::new() } else { order.customer.clone() };
            let key = (order.number.clone(), customer);
            let at = match by_number.get(&key) {
                None => {
                    by_number.insert(key, orders.len());
                    orders.push(order);
                    orders.len() - 1
                }
                Some(at) if self.by_lines && lines.is_none() => {
                    if orders[*at].date != order.date {
                        let reason = format!(
                            "order {} has another date on line {}",
                            order.number, orders[*at].place.line
                        );
                        orders[*at].refused.get_or_insert(place(reason));
                    }
                    *at
                }
                Some(at) => {
                    report.duplicate.push(place(format!(
                        "order {} stands on line {} already; leave one of the two out",
                        order.number, orders[*at].place.line
                    )));
                    continue;
                }
            };
            if lines.is_none() {
                self.add(&mut orders[at], row, place(String::new()));
            }
        }
        if let Some(sheet) = lines {
            let number = self.lines.index("order").unwrap_or_default();
            for row in &sheet.rows {
                let place =
                    |reason: String| Problem { file: sheet.file.clone(), line: row.line, reason };
                match by_number.get(&(row.cells[number].clone(), String::new())) {
                    Some(at) => self.add(&mut orders[*at], row, place(String::new())),
                    None => report.refused.push(place(format!(
                        "order `{}` is not in {}; add it there or leave the line out",
                        row.cells[number], head.file
                    ))),
                }
            }
        }
        if self.by_lines {
            unreadable.extend(lines.unwrap_or(head).refused.iter().cloned());
        }
        // A line that can't be read may belong to any order whose number stands in it; without it
        // the sum would be wrong.
        for (problem, cells) in unreadable {
            for order in orders
                .iter_mut()
                .filter(|order| cells.iter().any(|cell| cell.trim() == order.number))
            {
                refuse(order, problem.clone(), problem.reason.clone());
            }
        }
        orders
    }

    /// What an order says beside its lines.
    fn head(&self, row: &Row, place: Problem) -> Result<Order, String> {
        let cell = |field: &str| cell(row, self.heads, field);
        let needed = |field: &str, what: &str| match cell(field) {
            "" => Err(format!("it has no {what}")),
            text => Ok(text.to_owned()),
        };
        let customer = needed("customer", "customer")?;
        let number = needed("order", "order number")?;
        let date = date(&needed("date", "date")?, self.options.date_format)?.to_string();
        Ok(Order {
            place,
            customer,
            number,
            date,
            currency: cell("currency").to_uppercase(),
            amount: Decimal::ZERO,
            lines: 0,
            products: Vec::new(),
            channel: cell("channel").to_owned(),
            discount: if self.by_lines { String::new() } else { cell("discount").to_owned() },
            refused: None,
        })
    }

    /// Adds one line (or the one amount) to its order.
    fn add(&self, order: &mut Order, row: &Row, place: Problem) {
        match self.line_amount(row) {
            Ok(amount) => {
                order.lines += 1;
                match order.amount.checked_add(amount) {
                    Some(sum) => order.amount = sum,
                    None => return refuse(order, place, "its sum is too large".to_owned()),
                }
                let product = cell(row, self.lines, "product");
                if !product.is_empty() && !order.products.iter().any(|known| known == product) {
                    order.products.push(product.to_owned());
                }
                let currency = cell(row, self.lines, "currency").to_uppercase();
                if order.currency.is_empty() {
                    order.currency = currency;
                } else if !currency.is_empty() && currency != order.currency {
                    let reason = format!(
                        "the order has lines in {} and in {currency}; import one purchase for each",
                        order.currency
                    );
                    refuse(order, place, reason);
                }
            }
            Err(reason) => refuse(order, place, reason),
        }
    }

    fn line_amount(&self, row: &Row) -> Result<Decimal, String> {
        let number = |field: &str, absent: &str| -> Result<Decimal, String> {
            let Some(index) = self.lines.index(field) else {
                return Decimal::from_str_exact(absent).map_err(|error| error.to_string());
            };
            let mark = self.marks.get(&index).copied();
            match row.cells[index].as_str() {
                "" if field == "discount" => Ok(Decimal::ZERO),
                "" => Err(format!("it has no {}", field.replace('_', " "))),
                text if field == "discount" => discount(text, mark),
                text => decimal(text, mark),
            }
        };
        if !self.by_lines {
            return number("amount", "0");
        }
        let share = Decimal::ONE - number("discount", "0")?;
        number("unit_price", "0")?
            .checked_mul(number("quantity", "1")?)
            .and_then(|gross| gross.checked_mul(share))
            .ok_or_else(|| "its amount is too large".to_owned())
    }
}

fn refuse(order: &mut Order, place: Problem, reason: String) {
    order.refused.get_or_insert(Problem { reason, ..place });
}

fn cell<'r>(row: &'r Row, mapping: &Mapping, field: &str) -> &'r str {
    mapping.index(field).map_or("", |index| row.cells[index].as_str())
}

impl Order {
    /// The fields of the purchase, and its amount in minor units; the error says why it is none.
    fn fields(&self, currency: Option<&str>) -> Result<(Fields, String, i64), String> {
        if self.lines == 0 {
            return Err(format!("order {} has no lines", self.number));
        }
        let currency = match (self.currency.as_str(), currency) {
            ("", Some(given)) => given.to_owned(),
            ("", None) => {
                return Err("it has no currency; give one for such rows with --currency".to_owned());
            }
            (own, _) => own.to_owned(),
        };
        let amount = minor_units(self.amount, &currency)?;
        let mut fields = BTreeMap::from([("amount".to_owned(), Some(Value::Int(amount)))]);
        let product: String = self.products.join(", ").chars().take(PRODUCT_CHARS_MAX).collect();
        let texts = [
            ("external_id", self.number.as_str()),
            ("date", &self.date),
            ("currency", &currency),
            ("product", &product),
            ("channel", &self.channel),
            ("discount", &self.discount),
        ];
        for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            let spec = Collection::Purchases
                .fields()
                .iter()
                .find(|spec: &&schema::FieldSpec| spec.name == name);
            let value = match spec {
                Some(spec) => parse_value(spec, text).map_err(|error| error.to_string())?,
                None => Some(Value::from(text)),
            };
            fields.insert(name.to_owned(), value);
        }
        Ok((fields, currency, amount))
    }
}

/// Joins orders to contacts and writes what is new or differs.
fn write(
    base: &Base<'_>,
    options: &ImportOptions,
    system: &str,
    orders: Vec<Order>,
    report: &mut Report,
) -> Result<(), ImportError> {
    let mut index = Index::default();
    base.rows(|row| index.add_contact(row))?;
    let known_system = index.knows_system(system);
    let mut by_contact: BTreeMap<ContactId, Vec<(Order, Fields)>> = BTreeMap::new();
    for mut order in orders {
        if let Some(problem) = order.refused.take() {
            report.refused.push(Problem {
                reason: format!(
                    "{}; order {} is left out as a whole",
                    problem.reason, order.number
                ),
                ..problem
            });
            continue;
        }
        let place = index
            .by_id(system, &order.customer)
            .or_else(|| if known_system { None } else { index.by_id_anywhere(&order.customer) });
        let Some(contact) = place.map(|place| index.id(place)) else {
            let reason = format!(
                "no contact has the id `{}` in `{system}`; import the customers first{}",
                order.customer,
                if known_system {
                    ""
                } else {
                    ", and name the column that holds their id with --key, or the system with --system"
                }
            );
            report.refused.push(Problem { reason, ..order.place });
            continue;
        };
        match order.fields(options.currency.as_deref()) {
            Ok((fields, currency, amount)) => {
                if let Some(money) = &mut report.money {
                    let total = money.totals.entry(currency).or_default();
                    *total = total.saturating_add(amount);
                }
                by_contact.entry(contact).or_default().push((order, fields));
            }
            Err(reason) => report.refused.push(Problem { reason, ..order.place }),
        }
    }
    let mut batch = Vec::new();
    for (id, orders) in by_contact {
        let contact = base.contact(id)?;
        let mut changed = Vec::new();
        for (order, fields) in orders {
            let entry = purchase_id(base.workspace, id, &order.number);
            match contact.purchases.iter().find(|purchase| purchase.id == entry) {
                Some(there)
                    if fields
                        .iter()
                        .all(|(name, value)| there.fields.get(name) == value.as_ref()) =>
                {
                    report.unchanged += 1;
                }
                there => changed.push((
                    there.is_none(),
                    order.place,
                    Command::Put { collection: Collection::Purchases, id: entry, fields },
                )),
            }
        }
        while !changed.is_empty() {
            let part: Vec<_> = changed.drain(..changed.len().min(CHANGE_MAX)).collect();
            batch.push((id, part));
        }
        if batch.len() >= BATCH {
            flush(base, options, &mut batch, report)?;
        }
    }
    flush(base, options, &mut batch, report)
}

type Part = (ContactId, Vec<(bool, Problem, Command)>);

fn flush(
    base: &Base<'_>,
    options: &ImportOptions,
    batch: &mut Vec<Part>,
    report: &mut Report,
) -> Result<(), ImportError> {
    let parts = std::mem::take(batch);
    let outcomes: Vec<Option<String>> = if options.dry_run {
        parts.iter().map(|_| None).collect()
    } else {
        let edits = parts
            .iter()
            .map(|(id, part)| Authored {
                label: Some("import".to_owned()),
                ..Authored::edit(*id, part.iter().map(|(_, _, command)| command.clone()).collect())
            })
            .collect();
        let refusal = |outcome| match outcome {
            AuthorOutcome::Refused(error) => Some(error.to_string()),
            AuthorOutcome::Merged { .. } | AuthorOutcome::Unchanged => None,
        };
        base.author(edits)?.into_iter().map(refusal).collect()
    };
    for ((_, part), refused) in parts.into_iter().zip(outcomes) {
        for (is_new, place, _) in part {
            match (&refused, is_new) {
                (Some(reason), _) => {
                    report.refused.push(Problem { reason: reason.clone(), ..place })
                }
                (None, true) => report.created += 1,
                (None, false) => report.updated += 1,
            }
        }
    }
    Ok(())
}

/// The id of a purchase: the same for the same order of the same contact, everywhere.
fn purchase_id(workspace: WorkspaceId, contact: ContactId, order: &str) -> EntryId {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(b"roadbook purchase\0");
    context.update(workspace.as_bytes());
    context.update(contact.as_bytes());
    context.update(order.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.finish().as_ref()[..16]);
    EntryId::from_random(bytes)
}
