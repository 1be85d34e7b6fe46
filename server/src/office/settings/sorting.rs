//! By which language's alphabet lists are sorted.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::frame;
use crate::office::OfficeState;
use crate::office::error::OfficeError;
use crate::office::layout;
use crate::office::session::{Posted, Viewer};
use crate::rights::Action;
use crate::sorting::Sorting;
use crate::store::sorting;

impl OfficeState {
    /// Sorts, behind the pages, what another order was chosen for; also what the last run of the server left.
    pub(crate) fn sort_anew(&self) {
        let (engine, stop) = (self.engine().clone(), self.shutdown().clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = engine.sort_anew(|| stop.is_cancelled()) {
                tracing::error!(%error, "sorting the lists anew stopped; it goes on with the next start");
            }
        });
    }
}

/// `GET /settings/sorting`
pub(in crate::office) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let workspace = viewer.workspace;
    let (chosen, left) = state
        .read(move |conn| Ok((sorting::of(conn, workspace)?, sorting::left(conn, workspace)?)))
        .await?;
    let body = html! {
        form.card.stack.snug method="post" action="/settings/sorting" {
            (layout::csrf(&viewer))
            p.k { (t!("sorting-text")) }
            div.fields {
                div {
                    label for="sorting" { (t!("sorting-language")) }
                    select #sorting name="language" aria-describedby="sorting-hint" {
                        @for one in Sorting::all() {
                            option value=(one.tag()) selected[one == chosen] lang=[(one != Sorting::GENERAL).then(|| one.tag())] {
                                @if one == Sorting::GENERAL { (t!("sorting-general")) } @else { (one.own_name()) }
                            }
                        }
                    }
                    p.hint #sorting-hint { (t!("sorting-hint")) }
                }
            }
            @if left > 0 { p.notice role="status" { (t!("sorting-left", n = left)) } }
            div.bar { button.btn.go { (t!("save")) } }
        }
    };
    frame(&state, &viewer, &t!("sorting-title"), body).await
}

/// `POST /settings/sorting`
pub(in crate::office) async fn set(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let chosen = Sorting::of_tag(posted.fields.text("language"))
        .ok_or_else(|| OfficeError::refused(t!("sorting-unknown")))?;
    let (workspace, by) = (posted.viewer.workspace, posted.viewer.user);
    state.engine_do(move |engine| engine.choose_sorting(workspace, Some(by), chosen)).await?;
    state.sort_anew();
    Ok(Redirect::to("/settings/sorting").into_response())
}
