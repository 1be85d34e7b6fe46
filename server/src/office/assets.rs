//! The style sheet and the script, embedded in the binary.
//!
//! Their addresses carry a hash of their content, so that a browser may keep them for good and a
//! new server is never seen with the old look. Nothing is ever loaded from elsewhere.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// One embedded file.
struct Asset {
    name: &'static str,
    mime: &'static str,
    body: &'static [u8],
    address: String,
}

impl Asset {
    fn new(stem: &str, ending: &str, mime: &'static str, body: &'static [u8]) -> Asset {
        let digest = ring::digest::digest(&ring::digest::SHA256, body);
        let hash = hex::encode(&digest.as_ref()[..8]);
        let address = format!("/assets/{stem}.{hash}.{ending}");
        // Built once per process and never freed.
        let name: &'static str = Box::leak(address["/assets/".len()..].to_owned().into_boxed_str());
        Asset { name, mime, body, address }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("style", "css", "text/css; charset=utf-8", include_bytes!("assets/style.css"))
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("office", "js", "text/javascript; charset=utf-8", include_bytes!("assets/office.js"))
});
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_bytes!("assets/icon.svg")));

/// The address of the style sheet.
pub(super) fn style() -> &'static str {
    &STYLE.address
}
/// The address of the script.
pub(super) fn script() -> &'static str {
    &SCRIPT.address
}
/// The address of the icon.
pub(super) fn icon() -> &'static str {
    &ICON.address
}

/// `GET /assets/{name}`.
pub(super) async fn get(Path(name): Path<String>) -> Response {
    let all: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    match all.into_iter().find(|asset| asset.name == name) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.mime),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            asset.body,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
