//! What the library shows to apps, with the documentation of each thing, as JSON: for what the generator
//! leaves out of a language (`python/field_docs.py`), and for the test that it leaves out no more
//! (`python/documented.py`).

use std::process::ExitCode;

use serde::Serialize;
use uniffi_meta::{FieldMetadata, Metadata};

/// One thing that an app can name.
#[derive(Serialize)]
struct Item {
    /// `record`, `enum`, `error`, `object`, `function`; `field` and `variant` are parts of others, as are
    /// `method`, and `callback`, which the app implements.
    kind: &'static str,
    /// What it is a part of, as `Alert` or `Alert.Wiped`; empty for what stands alone.
    owner: String,
    name: String,
    doc: Option<String>,
}

fn item(kind: &'static str, owner: &str, name: &str, doc: Option<&String>) -> Item {
    Item { kind, owner: owner.to_owned(), name: name.to_owned(), doc: doc.cloned() }
}

fn fields<'a>(owner: &'a str, fields: &'a [FieldMetadata]) -> impl Iterator<Item = Item> + use<'a> {
    fields.iter().map(move |field| item("field", owner, &field.name, field.docstring.as_ref()))
}

fn items(metadata: &Metadata) -> Vec<Item> {
    match metadata {
        Metadata::Func(one) => vec![item("function", "", &one.name, one.docstring.as_ref())],
        Metadata::Object(one) => vec![item("object", "", &one.name, one.docstring.as_ref())],
        Metadata::Constructor(one) => {
            vec![item("method", &one.self_name, &one.name, one.docstring.as_ref())]
        }
        Metadata::Method(one) => {
            vec![item("method", &one.self_name, &one.name, one.docstring.as_ref())]
        }
        Metadata::TraitMethod(one) => {
            vec![item("callback", &one.trait_name, &one.name, one.docstring.as_ref())]
        }
        Metadata::Record(one) => {
            let mut items = vec![item("record", "", &one.name, one.docstring.as_ref())];
            items.extend(fields(&one.name, &one.fields));
            items
        }
        Metadata::Enum(one) => {
            let kind = if one.shape.is_error() { "error" } else { "enum" };
            let mut items = vec![item(kind, "", &one.name, one.docstring.as_ref())];
            for variant in &one.variants {
                items.push(item("variant", &one.name, &variant.name, variant.docstring.as_ref()));
                items.extend(fields(&format!("{}.{}", one.name, variant.name), &variant.fields));
            }
            items
        }
        // A type of the app's language stands in the place of a custom one; the rest is no thing of
        // its own.
        _ => Vec::new(),
    }
}

fn interface(library: &str) -> Result<String, String> {
    let bytes = std::fs::read(library).map_err(|error| format!("{library}: {error}"))?;
    let all = uniffi_bindgen::macro_metadata::extract_from_bytes(&bytes)
        .map_err(|error| format!("{library}: {error}"))?;
    let items: Vec<Item> = all.iter().flat_map(items).collect();
    if items.is_empty() {
        return Err(format!("{library} shows nothing to apps: was it stripped?"));
    }
    serde_json::to_string_pretty(&items).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let Some(library) = std::env::args().nth(1) else {
        eprintln!("usage: interface LIBRARY");
        return ExitCode::FAILURE;
    };
    match interface(&library) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("interface: {error}");
            ExitCode::FAILURE
        }
    }
}
