//! What the SDK's objects cost over the core's own calls, before any language's bindings: on a replica
//! that `mobile-ffi/overhead` made.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use roadbook_client_core as core;
use roadbook_ffi::{Edit, Field, ListQuery, OpenSettings, Roadbook, Value};
use roadbook_protocol::document::Command;

fn measure(who: &str, name: &str, count: usize, mut call: impl FnMut(usize)) {
    (0..count.min(20)).for_each(&mut call);
    let mut took: Vec<u128> = (0..count)
        .map(|n| {
            let began = Instant::now();
            call(n);
            began.elapsed().as_nanos()
        })
        .collect();
    took.sort_unstable();
    let us = |nanos: u128| nanos as f64 / 1_000.0;
    let (median, late) = (us(took[count / 2]), us(took[count * 95 / 100]));
    println!("{who:<7} {name:<28} {median:>9.1} us {late:>9.1} us");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let home = std::env::args().nth(1).ok_or("usage: overhead HOME")?;
    println!("{:<7} {:<28} {:>12} {:>12}", "", "call", "median", "95th");
    let replica = core::Replica::open(Path::new(&home), core::OpenOptions::default())?;
    let ids = replica.ids(None)?;
    measure("core", "empty (lease)", 2_000, |_| _ = black_box(replica.lease()));
    measure("core", "contact", 1_000, |n| drop(replica.contact(ids[n % 100])));
    measure("core", "list window, 50 of 10,000", 200, |n| {
        let query = core::ListQuery { offset: n * 40, limit: 50, ..core::ListQuery::default() };
        drop(replica.list(&query));
    });
    measure("core", "edit", 200, |n| {
        let value = Some(format!("T{n}-{:?}", Instant::now()).into());
        let command = Command::Set { field: "title".into(), value };
        drop(replica.edit(ids[n % 100], &[command]));
    });
    replica.close();
    drop(replica);

    let settings =
        OpenSettings { home, app: None, key_store: None, signer: None, begin_anew: false };
    let opened = tokio::runtime::Builder::new_current_thread().build()?;
    let book = opened.block_on(Roadbook::open(settings))?;
    let ids = book.ids(None)?;
    measure("sdk", "empty (lease)", 2_000, |_| drop(book.lease()));
    measure("sdk", "contact", 1_000, |n| drop(book.contact(ids[n % 100].clone())));
    measure("sdk", "list window, 50 of 10,000", 200, |n| {
        let offset = u32::try_from(n * 40).unwrap_or(0);
        drop(book.list(ListQuery { filter: None, sort: None, offset, limit: 50 }));
    });
    measure("sdk", "edit", 200, |n| {
        let text = format!("T{n}-{:?}", Instant::now());
        let edit = Edit::Set { field: Field::Title, value: Some(Value::Text { text }) };
        drop(book.edit(ids[n % 100].clone(), vec![edit]));
    });
    book.close();
    Ok(())
}
