//! By which language lists are sorted.

use serde_json::json;

use super::{Job, table};
use crate::admin::request::{Answer, Failure};
use crate::sorting::Sorting;

impl Job<'_> {
    pub(super) fn sorting(&self, language: Option<&str>) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        if let Some(tag) = language {
            let chosen = Sorting::of_tag(tag).ok_or_else(|| {
                let all: Vec<_> = Sorting::all().map(Sorting::tag).collect();
                Failure::refused(format!(
                    "lists can't be sorted by `{tag}`; give one of {}",
                    all.join(", ")
                ))
            })?;
            self.engine.choose_sorting(workspace, self.who(workspace)?, chosen)?;
        }
        // Also what was cut off before.
        self.engine.sort_anew(|| false)?;
        let now = self.engine.sorting(workspace)?;
        let rows: Vec<Vec<String>> = Sorting::all()
            .map(|one| {
                let name = match one {
                    Sorting::GENERAL => "the order that fits most languages",
                    one => one.own_name(),
                };
                let chosen = if one == now { "chosen" } else { "" };
                vec![one.tag().to_owned(), name.to_owned(), chosen.to_owned()]
            })
            .collect();
        Ok(Answer::new(json!({ "sorting": now.tag() }), table(&["language", "name", ""], &rows)))
    }
}
