//! What every request passes: the table of requests, the key, its rate, its scope, the parameters, the
//! body. Handlers get what has passed, and answer or say what is wrong.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Query, RawPathParams, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Router, body};
use roadbook_protocol::document::Collection;
use roadbook_protocol::ids::ContactId;
use serde_json::Value;

use super::key::{self, Access, Standing};
use super::problem::Problem;
use super::routes::{self, Endpoint, Place};
use super::{ApiState, PREFIX, docs, openapi};
use crate::engine::{Reader, Reading, Touch};

/// The largest body that is taken.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a body may take to arrive.
const BODY_MAX: Duration = Duration::from_secs(20);

/// What a handler answers.
pub(super) type Outcome = Result<Response, Problem>;
/// A handler.
pub(super) type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A request that has passed everything that is the same for all.
pub(super) struct Call {
    pub state: ApiState,
    pub access: Access,
    pub method: Method,
    /// Path and query, as they were sent.
    pub address: String,
    pub collection: Option<Collection>,
    path: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    /// A part of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// The contact of the path.
    pub(super) fn contact(&self) -> Result<ContactId, Problem> {
        self.part("id").parse().map_err(|_| Problem::not_found("contact"))
    }

    /// A parameter of the query, if it was given.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A whole number of the query within bounds.
    pub(super) fn number(
        &self,
        name: &str,
        bounds: (u64, u64),
        otherwise: u64,
    ) -> Result<u64, Problem> {
        let Some(text) = self.query(name) else { return Ok(otherwise) };
        text.parse().ok().filter(|n| (bounds.0..=bounds.1).contains(n)).ok_or_else(|| {
            Problem::bad_request(format!(
                "`{name}` is a whole number from {} to {}, not `{text}`.",
                bounds.0, bounds.1
            ))
        })
    }

    /// A header as text.
    pub(super) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Counts contacts that are about to be given out; too many are refused, and managers are told.
    pub(super) async fn take(&self, shown: Vec<ContactId>) -> Result<(), Problem> {
        let Access { workspace, user, .. } = self.access;
        let reader = Reader { workspace, user, device: None };
        let held = self
            .state
            .engine_do(move |engine| engine.take_shown(reader, Reading::Api, &shown))
            .await?;
        held.map_or(Ok(()), |held| Err(Problem::held(&held, self.state.now())))
    }

    /// The same of one contact that is opened whole; a planted one is told of.
    pub(super) async fn open(&self, id: ContactId) -> Result<(), Problem> {
        self.take(vec![id]).await?;
        let Access { workspace, user, .. } = self.access;
        self.state
            .engine_do(move |engine| {
                engine.touch_canaries(workspace, Some(user), Touch::Open, [id])
            })
            .await
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<serde_json::Map<String, Value>, Problem> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(Problem::bad_request("The body is no JSON object; send `{...}`.")),
            Err(error) => {
                Err(Problem::bad_request(format!("The body is no JSON: {error}; send `{{...}}`.")))
            }
        }
    }
}

/// The API as a router: one entry per path, which picks by method.
pub(super) fn router(state: ApiState) -> Router {
    let mut paths: BTreeMap<String, Vec<Arc<Endpoint>>> = BTreeMap::new();
    for endpoint in routes::all() {
        paths.entry(endpoint.path.clone()).or_default().push(Arc::new(endpoint));
    }
    let mut router = Router::new();
    for (path, endpoints) in paths {
        let (state, endpoints) = (state.clone(), Arc::new(endpoints));
        router = router.route(
            &format!("{PREFIX}{path}"),
            any(move |request: Request| {
                let (state, endpoints) = (state.clone(), Arc::clone(&endpoints));
                async move { guarded(answer(state, &endpoints, request).await) }
            }),
        );
    }
    let read = |text: fn() -> Response| {
        any(move |request: Request| async move { guarded(public(&request, text)) })
    };
    router
        .route(&format!("{PREFIX}/openapi.json"), read(openapi::answer))
        .route(&format!("{PREFIX}/docs"), read(docs::page))
        .route(&format!("{PREFIX}/docs.css"), read(docs::style))
        .route(PREFIX, any(missing))
        .route(&format!("{PREFIX}/"), any(missing))
        .route(&format!("{PREFIX}/{{*rest}}"), any(missing))
}

async fn missing() -> Response {
    guarded(
        Problem::new(
            "not-found",
            format!("There is nothing at this address; {PREFIX}/docs lists what there is."),
        )
        .into_response(),
    )
}

/// What can be read without a key: it holds nothing but what this program is.
fn public(request: &Request, text: fn() -> Response) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return guarded(not_allowed("GET, HEAD", request.method()).into_response());
    }
    let mut response = text();
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let etag = response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok());
    if let (Some(known), Some(etag)) = (known, etag)
        && matches(known, etag)
    {
        response = not_modified(etag);
    }
    response
}

/// Headers of every answer.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    );
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("authorization, accept"));
    response
}

fn not_allowed(allow: &str, method: &Method) -> Problem {
    Problem::new("method", format!("This address does not take {method}; it takes {allow}."))
        .header(header::ALLOW, allow)
}

async fn answer(state: ApiState, endpoints: &[Arc<Endpoint>], request: Request) -> Response {
    // HEAD is GET whose body is left out when it is sent.
    let wanted = match *request.method() {
        Method::HEAD => &Method::GET,
        ref other => other,
    };
    let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.method == *wanted) else {
        let mut allow: Vec<&str> = endpoints.iter().map(|e| e.method.as_str()).collect();
        if allow.contains(&"GET") {
            allow.push("HEAD");
        }
        return not_allowed(&allow.join(", "), request.method()).into_response();
    };
    let mut standing = None;
    let outcome = pass(state, endpoint, request, &mut standing).await;
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    if let Some(standing) = standing {
        standing.tell(response.headers_mut());
    }
    response
}

/// Key, rate, scope, parameters, body; then the handler.
async fn pass(
    state: ApiState,
    endpoint: &Endpoint,
    request: Request,
    standing: &mut Option<Standing>,
) -> Outcome {
    let (mut parts, body) = request.into_parts();
    let access = key::check(&state, &parts.headers).await?;
    let counted = state.0.rates.count(&access.key, access.rate, state.now());
    *standing = Some(counted);
    if counted.over {
        return Err(Problem::new(
            "rate",
            format!(
                "This key may ask {} times a minute. Wait {} seconds.",
                counted.quota, counted.reset_s
            ),
        )
        .header(header::RETRY_AFTER, counted.reset_s));
    }
    access.must(endpoint.scope)?;
    let path = RawPathParams::from_request_parts(&mut parts, &())
        .await
        .map_err(|error| Problem::bad_request(format!("The path can't be read: {error}.")))?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let query = query(endpoint, &parts.uri)?;
    check_headers(endpoint, &parts.headers)?;
    let body = take_body(endpoint, &parts.headers, body).await?;
    let call = Call {
        state,
        access,
        method: parts.method,
        address: parts.uri.path_and_query().map_or_else(String::new, |p| p.as_str().to_owned()),
        collection: endpoint.collection,
        path,
        query,
        headers: parts.headers,
        body,
    };
    (endpoint.handler)(call).await
}

/// The parameters: only those that the table names, each once.
fn query(endpoint: &Endpoint, uri: &axum::http::Uri) -> Result<BTreeMap<String, String>, Problem> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| Problem::bad_request(format!("The query can't be read: {error}.")))?;
    let known: Vec<&str> = endpoint
        .params
        .iter()
        .filter(|param| param.place == Place::Query)
        .map(|param| param.name)
        .collect();
    let mut query = BTreeMap::new();
    for (name, value) in pairs {
        if !known.contains(&name.as_str()) {
            let known = match known.is_empty() {
                true => "it takes none".to_owned(),
                false => format!("it takes {}", known.join(", ")),
            };
            return Err(Problem::bad_request(format!(
                "This address has no parameter `{}`; {known}.",
                name.chars().take(64).collect::<String>()
            )));
        }
        check_length(endpoint, Place::Query, &name, &value)?;
        if query.insert(name.clone(), value).is_some() {
            return Err(Problem::bad_request(format!("`{name}` is there twice; give it once.")));
        }
    }
    Ok(query)
}

/// No longer than the description says.
fn check_length(endpoint: &Endpoint, place: Place, name: &str, value: &str) -> Result<(), Problem> {
    let param = endpoint
        .params
        .iter()
        .find(|param| param.place == place && param.name.eq_ignore_ascii_case(name));
    let max = param.and_then(|param| param.schema["maxLength"].as_u64());
    match max.filter(|max| value.chars().count() as u64 > *max) {
        None => Ok(()),
        Some(max) => Err(Problem::bad_request(format!(
            "`{name}` has more than {max} characters; shorten it."
        ))),
    }
}

/// The headers that the table names.
fn check_headers(endpoint: &Endpoint, headers: &HeaderMap) -> Result<(), Problem> {
    for param in endpoint.params.iter().filter(|param| param.place == Place::Header) {
        if let Some(value) = headers.get(param.name).and_then(|value| value.to_str().ok()) {
            check_length(endpoint, Place::Header, param.name, value)?;
        }
    }
    Ok(())
}

async fn take_body(endpoint: &Endpoint, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            "too-large",
            format!("A body has at most {BODY_BYTES_MAX} bytes; send less at a time."),
        )
        .header(header::CONNECTION, "close")
    };
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let bytes = tokio::time::timeout(BODY_MAX, body::to_bytes(body, BODY_BYTES_MAX))
        .await
        .map_err(|_| {
            Problem::new("slow", "The body did not arrive within 20 seconds; send it faster.")
                .header(header::CONNECTION, "close")
        })?
        .map_err(|_| too_large())?;
    if endpoint.body.is_none() {
        return Ok(bytes);
    }
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if !matches!(kind.as_str(), "application/json" | "application/merge-patch+json") {
        return Err(Problem::new(
            "media-type",
            "The body must be JSON: send `Content-Type: application/json`.",
        ));
    }
    Ok(bytes)
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    raw(
        status,
        value.to_string().into_bytes(),
        &[(header::CONTENT_TYPE, "application/json".into())],
    )
}

/// An answer from its parts.
pub(super) fn raw(status: StatusCode, body: Vec<u8>, headers: &[(HeaderName, String)]) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
    response
}

/// 304, with the tag that it is about.
pub(super) fn not_modified(etag: &str) -> Response {
    raw(StatusCode::NOT_MODIFIED, Vec::new(), &[(header::ETAG, etag.to_owned())])
}

/// Whether a list of tags, as `If-Match` and `If-None-Match` have it, names this one. `W/` counts only
/// for the weak comparison of `If-None-Match`, which is what this is; strong tags never begin so.
pub(super) fn matches(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == etag)
}
