//! The tags that contacts have: how many have each, another name for one, two that become one, and taking
//! one away. Each is a bulk action: shown before it is done, and taken back as a whole.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::frame;
use crate::office::OfficeState;
use crate::office::bulk::TAG_CHARS_MAX;
use crate::office::error::OfficeError;
use crate::office::session::{Posted, Viewer};
use crate::office::{layout, url};
use crate::rights::Action;
use crate::store::bulk::{CONTACTS_MAX, What};
use crate::store::projections::{self, TagUse};
use crate::store::sorting;

/// So many tags are shown.
const TAGS_MAX: usize = 1_000;

/// `GET /settings/tags`
pub(in crate::office) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let workspace = viewer.workspace;
    let (mut tags, sorting) = state
        .read(move |conn| {
            let tags = projections::tags(conn, workspace, TAGS_MAX + 1)?;
            Ok((tags, sorting::of(conn, workspace)?))
        })
        .await?;
    let more = tags.len() > TAGS_MAX;
    tags.truncate(TAGS_MAX);
    // Those that differ in case or accents alone stay beside each other.
    tags.sort_by_cached_key(|one| (sorting.key(&one.folded), one.folded.clone()));
    let body = html! {
        section.card.stack {
            p.k { (t!("tags-text")) }
            @if more { p.notice role="status" { (t!("tags-more", n = TAGS_MAX as u64)) } }
        }
        section.card aria-label=(t!("tags-title")) {
            @if tags.is_empty() {
                (layout::empty(&t!("tags-none"), html! { (t!("tags-none-text")) }))
            } @else {
                ul.plain-rows { @for one in tags.chunk_by(|a, b| a.folded == b.folded) { (rows(&viewer, one)) } }
            }
        }
        datalist #tags-known { @for one in &tags { option value=(one.tag) {} } }
    };
    frame(&state, &viewer, &t!("tags-title"), body).await
}

/// Tags that differ in case or accents alone, the one that most contacts have as the name for all.
fn rows(viewer: &Viewer, alike: &[TagUse]) -> Markup {
    let most = alike.iter().max_by_key(|one| one.contacts);
    html! {
        @for one in alike {
            @let filter = format!("tag:\"{}\"", one.tag);
            @let better = most.filter(|most| most.tag != one.tag).map(|most| most.tag.as_str());
            li.bar {
                // A filter has no way to write a quote.
                @if one.tag.contains('"') { b { (one.tag) } } @else { a href=(url::with("/contacts", &[("filter", &filter)])) { b { (one.tag) } } }
                span.k { (t!("n-contacts", n = one.contacts)) }
                @if alike.len() > 1 { span.chip { (t!("tags-alike")) } }
                span.grow {}
                form method="post" action="/settings/tags" {
                    (layout::csrf(viewer)) input type="hidden" name="tag" value=(one.tag);
                    button.btn.small name="what" value="remove" { (t!("tags-remove")) }
                }
                details.more {
                    summary { (t!("tags-rename")) }
                    form.bar method="post" action="/settings/tags" {
                        (layout::csrf(viewer)) input type="hidden" name="tag" value=(one.tag);
                        input.grow name="to" list="tags-known" maxlength=(TAG_CHARS_MAX) required autocomplete="off" value=[better] aria-label=(t!("tags-new-name", tag = one.tag.as_str()));
                        button.btn.go.small name="what" value="rename" { (t!("tags-rename")) }
                    }
                }
                @if one.contacts > CONTACTS_MAX as u64 { p.hint { (t!("tags-in-parts", n = CONTACTS_MAX as u64)) } }
            }
        }
    }
}

/// `POST /settings/tags`: writes down what would be done, and leads there.
pub(in crate::office) async fn change(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let form = &posted.fields;
    let (tag, to) = (form.text("tag").to_owned(), form.text("to").trim().to_owned());
    let what = match form.text("what") {
        "remove" => What::Untag(tag.clone()),
        _ if to.is_empty() || to.chars().count() > TAG_CHARS_MAX => {
            return Err(OfficeError::refused(t!("edit-tag-first")));
        }
        _ if to == tag => return Err(OfficeError::refused(t!("tags-same"))),
        _ => What::Retag { from: tag.clone(), to },
    };
    let (rights, by) = (posted.viewer.rights.clone(), posted.viewer.user);
    let workspace = rights.workspace;
    let chosen =
        state.read(move |conn| projections::tagged(conn, workspace, &tag, CONTACTS_MAX)).await?;
    if chosen.is_empty() {
        return Err(OfficeError::refused(t!("tags-gone")));
    }
    let n = state
        .engine_do(move |engine| {
            engine.bulk_list(&rights, by, &what, "/settings/tags", &chosen, false)
        })
        .await?;
    Ok(Redirect::to(&format!("/contacts/bulk/{n}")).into_response())
}
