//! The stages of a deal, and how probable a deal in each is where nobody has judged it.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::json;

use super::frame;
use crate::insight::funnel::OPEN;
use crate::office::OfficeState;
use crate::office::error::OfficeError;
use crate::office::fields::word;
use crate::office::layout;
use crate::office::session::{Posted, Viewer};
use crate::rights::Action;
use crate::store::audit;
use crate::store::chances::Chances;

/// `GET /settings/stages`
pub(in crate::office) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let workspace = viewer.workspace;
    let chances = state.read(move |conn| Chances::read(conn, workspace)).await?;
    let body = html! {
        form.card.stack method="post" action="/settings/stages" {
            (layout::csrf(&viewer))
            p.k { (t!("stages-text")) }
            div.fields {
                @for stage in OPEN {
                    @let id = format!("s-{stage}");
                    div { label for=(id) { (word(stage)) " (%)" } input id=(id) type="number" name=(stage) min="0" max="100" step="1" required value=[chances.of(stage)]; }
                }
            }
            div.bar { button.btn.go { (t!("save")) } button.btn name="usual" value="1" formnovalidate { (t!("stages-usual")) } }
        }
    };
    frame(&state, &viewer, &t!("stages-title"), body).await
}

/// `POST /settings/stages`
pub(in crate::office) async fn set(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let mut chances = Chances::default();
    if !posted.fields.has("usual") {
        for stage in OPEN {
            let percent = posted.fields.text(stage).parse().ok();
            let percent = percent.filter(|percent| (0..=100).contains(percent));
            let Some(percent) = percent else {
                return Err(OfficeError::refused(t!("stages-no-number", stage = word(stage))));
            };
            chances.set(stage, percent);
        }
    }
    let (workspace, by, now) = (posted.viewer.workspace, posted.viewer.user, state.now());
    state
        .write(move |tx| {
            chances.write(tx, workspace)?;
            let detail = json!(
                OPEN.iter()
                    .map(|stage| (*stage, chances.of(stage)))
                    .collect::<std::collections::BTreeMap<_, _>>()
            );
            audit::append(tx, workspace, now, Some(by), "stages.set", "", &detail)
        })
        .await?;
    Ok(Redirect::to("/settings/stages").into_response())
}
