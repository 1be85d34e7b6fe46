//! The page to read the description: rendered here from the same table, with a style sheet of its own
//! and no script.

use axum::http::{StatusCode, header};
use axum::response::Response;
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use super::call::raw;
use super::problem::KINDS;
use super::routes::{self, Endpoint, Place};
use super::{PREFIX, schemas};

const STYLE: &str = include_str!("docs.css");

/// `GET /docs.css`
pub(super) fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "public, max-age=300".to_owned()),
    ];
    raw(StatusCode::OK, STYLE.as_bytes().to_vec(), &headers)
}

/// `GET /docs`
pub(super) fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "public, max-age=300".to_owned()),
    ];
    raw(StatusCode::OK, render().into_string().into_bytes(), &headers)
}

fn render() -> Markup {
    let all = routes::all();
    let mut groups: Vec<&str> = Vec::new();
    for endpoint in &all {
        if !groups.contains(&endpoint.group) {
            groups.push(endpoint.group);
        }
    }
    let id = |text: &str| text.to_lowercase().replace(' ', "-");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Roadbook API" }
                link rel="stylesheet" href={ (PREFIX) "/docs.css" };
            }
            body {
                header {
                    h1 { "Roadbook API" }
                    p {
                        "Send a key as " code { "Authorization: Bearer rbk_..." } "; "
                        code { "roadbook-server api-key add NAME --scope contacts:read" }
                        " makes one. The same description for programs: "
                        a href={ (PREFIX) "/openapi.json" } { "openapi.json" } " (OpenAPI 3.1)."
                    }
                }
                nav aria-label="Contents" {
                    ul {
                        @for group in &groups { li { a href={ "#" (id(group)) } { (group) } } }
                        li { a href="#schemas" { "Schemas" } }
                        li { a href="#problems" { "Problems" } }
                    }
                }
                main {
                    @for group in &groups {
                        section id=(id(group)) {
                            h2 { (group) }
                            @for endpoint in all.iter().filter(|e| e.group == *group) { (request(endpoint)) }
                        }
                    }
                    section id="schemas" {
                        h2 { "Schemas" }
                        @for (name, schema) in schemas::all() {
                            details id={ "schema-" (name) } { summary { code { (name) } } (schema_view(&schema)) }
                        }
                    }
                    section id="problems" {
                        h2 { "Problems" }
                        p { "Every error is " code { "application/problem+json" } " with " code { "type" } ", " code { "title" } ", " code { "status" } " and " code { "detail" } "." }
                        table {
                            thead { tr { th { "Type" } th { "Status" } th { "Meaning" } } }
                            tbody {
                                @for (code, status, title, what) in KINDS {
                                    tr id=(code) { td { code { (code) } } td { (status) } td { b { (title) } ". " (what) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn request(endpoint: &Endpoint) -> Markup {
    html! {
        details id=(endpoint.name) {
            summary {
                span.method { (endpoint.method.as_str()) } " " code { (PREFIX) (endpoint.path) }
                span.what { (endpoint.what.split_inclusive('.').next().unwrap_or_default()) }
            }
            p { (endpoint.what) }
            p { "Scope: " code { (endpoint.scope.as_str()) } }
            @if !endpoint.params.is_empty() {
                table {
                    thead { tr { th { "Parameter" } th { "In" } th { "Type" } th { "Meaning" } } }
                    tbody {
                        @for param in &endpoint.params {
                            tr {
                                td { code { (param.name) } }
                                td { (match param.place { Place::Path => "path", Place::Query => "query", Place::Header => "header" }) }
                                td { (kind(&param.schema)) }
                                td { (param.what) }
                            }
                        }
                    }
                }
            }
            @if let Some(body) = &endpoint.body { h4 { "Body" } (schema_view(body)) }
            h4 { "Answers" }
            ul {
                @for answer in &endpoint.answers {
                    li {
                        b { (answer.status) } " " (answer.what)
                        @for (content, schema) in &answer.content { " " code { (content) } " " (kind(schema)) }
                    }
                }
            }
        }
    }
}

/// A type in a few words.
fn kind(schema: &Value) -> Markup {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return html! { a href={ "#schema-" (name) } { (name) } };
    }
    let words = match &schema["type"] {
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        Value::String(kind) => kind.clone(),
        _ => "anything".to_owned(),
    };
    let items = &schema["properties"]["items"]["items"];
    html! {
        (words)
        @if let Some(format) = schema["format"].as_str() { " (" (format) ")" }
        @if let Value::Array(list) = &schema["enum"] {
            ": " (list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        @if schema["items"].is_object() { " of " (kind(&schema["items"])) }
        @if items.is_object() { " with " code { "items" } ": " (kind(items)) }
    }
}

fn schema_view(schema: &Value) -> Markup {
    let Some(properties) = schema["properties"].as_object() else {
        return html! { p { (kind(schema)) } };
    };
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    html! {
        table {
            thead { tr { th { "Member" } th { "Type" } th { "Meaning" } } }
            tbody {
                @for (name, schema) in properties {
                    tr {
                        td { code { (name) } @if required.contains(&name.as_str()) { " *" } }
                        td { (kind(schema)) }
                        td {
                            (schema["title"].as_str().unwrap_or_default())
                            (schema["description"].as_str().unwrap_or_default())
                        }
                    }
                }
            }
        }
    }
}
