//! What happened before the scene begins, so that the office's pages have something to show: visits and
//! calls of the last months, answers to surveys, deals at every stage, purchases of two years.

use std::fmt::Write as _;

use chrono::{DateTime, Days, Utc};
use fastrand::Rng;
use roadbook_protocol::document::{Collection, Command, Value};
use roadbook_protocol::ids::{ContactId, EntryId};
use roadbook_server::engine::Authored;
use roadbook_tests::generate::put;

/// Of so many contacts one has a history of visits, and one in three of those a deal.
const ONE_IN: usize = 4;
/// Purchases, of how many customers: one in so many.
const CUSTOMER_ONE_IN: usize = 5;
const VISITED_FOR: [&str; 5] = [
    "Walked through the new range",
    "Left two samples",
    "Asked about delivery times",
    "Went over the yearly order",
    "Showed the spring catalogue",
];
const CAME_OF_IT: [&str; 4] =
    ["Wants an offer", "Calls back next week", "Satisfied", "Compares prices"];
const ABOUT: [&str; 4] = ["Yearly supply", "First order", "Shelf for the shop", "Spring order"];
/// Stages with the reason of a loss.
const STAGES: [(&str, Option<&str>); 7] = [
    ("lead", None),
    ("qualified", None),
    ("offer", None),
    ("negotiation", None),
    ("won", None),
    ("lost", Some("price")),
    ("lost", Some("delivery time")),
];

/// The past, from one seed, counted back from now.
pub struct History {
    rng: Rng,
    now: DateTime<Utc>,
}

impl History {
    /// One that ends now.
    pub fn until(now: DateTime<Utc>) -> Self {
        Self { rng: Rng::with_seed(2024), now }
    }

    /// What a rep wrote down about some of the contacts.
    pub fn of(&mut self, contacts: &[ContactId]) -> Vec<Authored> {
        contacts.iter().step_by(ONE_IN).map(|id| Authored::edit(*id, self.edits())).collect()
    }

    fn edits(&mut self) -> Vec<Command> {
        let cadence = *self.pick(&[30, 60, 90]);
        let mut edits =
            vec![Command::Set { field: "cadence_days".into(), value: Some(Value::Int(cadence)) }];
        for _ in 0..self.rng.usize(1..4) {
            let kind = *self.pick(&["visit", "visit", "call"]);
            let fields = [
                ("kind", kind.into()),
                ("at", Value::Int(self.ago(1..120).timestamp_millis())),
                ("summary", (*self.pick(&VISITED_FOR)).into()),
                ("outcome", (*self.pick(&CAME_OF_IT)).into()),
            ];
            edits.push(put(Collection::Interactions, self.entry_id(), fields));
        }
        if self.rng.u8(..3) == 0 {
            let fields = [
                ("kind", "survey".into()),
                ("at", Value::Int(self.ago(1..300).timestamp_millis())),
                ("nps", Value::Int(*self.pick(&[3, 6, 7, 8, 9, 9, 10]))),
            ];
            edits.push(put(Collection::Interactions, self.entry_id(), fields));
        }
        if self.rng.u8(..3) == 0 {
            let (stage, lost_reason) = *self.pick(&STAGES);
            let close = (self.now + Days::new(self.rng.u64(5..90))).date_naive().to_string();
            let fields = [
                ("title", (*self.pick(&ABOUT)).into()),
                ("amount", Value::Int(self.rng.i64(50..2_000) * 10_000)),
                ("currency", (*self.pick(&["EUR", "EUR", "DKK"])).into()),
                ("stage", stage.into()),
                ("expected_close", close.into()),
            ];
            let id = self.entry_id();
            let mut deal = put(Collection::Deals, id, fields);
            if let (Command::Put { fields, .. }, Some(reason)) = (&mut deal, lost_reason) {
                fields.insert("lost_reason".into(), Some(reason.into()));
            }
            edits.push(deal);
        }
        edits
    }

    /// Purchases of `customers` customers as a CSV file: few buy often, many once.
    pub fn purchases(&mut self, customers: usize) -> String {
        let mut csv = String::from("customer_no,order,date,amount,currency\n");
        let mut order = 0;
        for number in (1..=customers).step_by(CUSTOMER_ONE_IN) {
            // Squared: most are small and rare, a few large and frequent.
            let weight = self.rng.f64().powi(2);
            for _ in 0..1 + (weight * 14.0) as usize {
                order += 1;
                let date = self.ago(1..730).date_naive();
                let euros = 40 + (weight * 3_000.0) as u32 + self.rng.u32(..200);
                // Writing to a string does not fail.
                let _ = writeln!(csv, "C{number:06},O{order:05},{date},{euros}.00,EUR");
            }
        }
        csv
    }

    fn ago(&mut self, days: std::ops::Range<u64>) -> DateTime<Utc> {
        self.now - Days::new(self.rng.u64(days))
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.rng.usize(..from.len())]
    }

    fn entry_id(&mut self) -> EntryId {
        EntryId::from_random(self.rng.u128(..).to_be_bytes())
    }
}
