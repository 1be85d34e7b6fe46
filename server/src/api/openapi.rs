//! The description of the API in OpenAPI 3.1, made from the table of requests.

use std::sync::OnceLock;

use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::call::{BODY_BYTES_MAX, raw};
use super::problem::KINDS;
use super::routes::{self, Endpoint, Place};
use super::{PREFIX, schemas};
use crate::store::sql::sha256;

/// `GET /openapi.json`
pub(super) fn answer() -> Response {
    static TEXT: OnceLock<(String, String)> = OnceLock::new();
    let (text, etag) = TEXT.get_or_init(|| {
        let text = document().to_string();
        let tag = hex::encode(&sha256(text.as_bytes())[..8]);
        (text, format!("\"{tag}\""))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "public, max-age=300".to_owned()),
    ];
    raw(StatusCode::OK, text.clone().into_bytes(), &headers)
}

/// The description.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in routes::all() {
        let path = paths.entry(endpoint.path.clone()).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation(&endpoint);
    }
    let title = |status: u16| {
        let titles: Vec<&str> =
            KINDS.iter().filter(|kind| kind.1 == status).map(|kind| kind.2).collect();
        titles.join("; ")
    };
    let mut responses = Map::new();
    for (_, status, ..) in KINDS {
        responses.insert(format!("Problem{status}"), problem(&title(*status)));
    }
    responses.insert("Problem".to_owned(), problem("What went wrong"));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Roadbook",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "Contacts, people, devices and changes of a Roadbook server. A key (`roadbook-server api-key add`) is sent as a bearer token. Times are milliseconds since 1970, amounts are minor units beside their currency. Bodies have at most {BODY_BYTES_MAX} bytes. Unknown parameters and members are refused. Every error is `application/problem+json` (RFC 9457)."
            ),
        },
        "servers": [{ "url": PREFIX }],
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer", "description": "`rbk_...`, as `roadbook-server api-key add` prints it once." } },
            "schemas": schemas::all(),
            "responses": responses,
            "headers": {
                "ETag": { "description": "Another with every change.", "schema": { "type": "string" } },
                "Location": { "description": "Where it is from now on.", "schema": { "type": "string" } },
                "RateLimit": { "description": "`r`: requests left; `t`: seconds until the count begins anew.", "schema": { "type": "string" } },
                "RateLimit-Policy": { "description": "`q`: requests in a window of `w` seconds.", "schema": { "type": "string" } },
                "Retry-After": { "description": "Seconds to wait.", "schema": { "type": "integer" } },
            },
        },
    })
}

fn problem(what: &str) -> Value {
    json!({
        "description": what,
        "content": { "application/problem+json": { "schema": schemas::of("Problem") } },
    })
}

fn header_ref(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn operation(endpoint: &Endpoint) -> Value {
    let params: Vec<Value> = endpoint
        .params
        .iter()
        .map(|param| {
            let place = match param.place {
                Place::Path => "path",
                Place::Query => "query",
                Place::Header => "header",
            };
            json!({
                "name": param.name,
                "in": place,
                "required": param.place == Place::Path,
                "description": param.what,
                "schema": param.schema,
            })
        })
        .collect();
    let mut responses = Map::new();
    for answer in &endpoint.answers {
        let mut headers = Map::new();
        for name in ["RateLimit", "RateLimit-Policy"] {
            headers.insert(name.to_owned(), header_ref(name));
        }
        if answer.etag {
            headers.insert("ETag".to_owned(), header_ref("ETag"));
        }
        if answer.location {
            headers.insert("Location".to_owned(), header_ref("Location"));
        }
        let mut response = json!({ "description": answer.what, "headers": headers });
        if !answer.content.is_empty() {
            let content: Map<String, Value> = answer
                .content
                .iter()
                .map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })))
                .collect();
            response["content"] = Value::Object(content);
        }
        responses.insert(answer.status.to_string(), response);
    }
    for status in problems_of(endpoint) {
        responses.insert(
            status.to_string(),
            json!({ "$ref": format!("#/components/responses/Problem{status}") }),
        );
    }
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    let mut operation = json!({
        "operationId": endpoint.name,
        "tags": [endpoint.group],
        "summary": endpoint.what.split_inclusive('.').next().unwrap_or_default(),
        "description": format!("{} Scope: `{}`.", endpoint.what, endpoint.scope.as_str()),
        "parameters": params,
        "responses": responses,
    });
    if let Some(schema) = &endpoint.body {
        let mut content = json!({ "application/json": { "schema": schema } });
        if endpoint.method == axum::http::Method::PATCH {
            content["application/merge-patch+json"] = json!({ "schema": schema });
        }
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// The problems that a request may end in.
fn problems_of(endpoint: &Endpoint) -> Vec<u16> {
    let has = |place, name: &str| {
        endpoint
            .params
            .iter()
            .any(|param| param.place == place && (name.is_empty() || param.name == name))
    };
    let mut all = vec![400, 401, 403, 429, 500, 503];
    if endpoint.path == "/changes" {
        all.push(410);
    }
    if has(Place::Path, "") {
        all.push(404);
    }
    if has(Place::Header, "If-Match") {
        all.push(412);
    }
    if endpoint.body.is_some() {
        all.extend([408, 413, 415]);
    }
    if endpoint.method != axum::http::Method::GET {
        all.extend([409, 422]);
    }
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let mut refs: Vec<&str> =
            text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        refs.sort_unstable();
        refs.dedup();
        assert!(refs.len() > 10);
        for reference in refs {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_request_has_a_name_of_its_own() {
        let mut names: Vec<String> = routes::all().into_iter().map(|e| e.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
