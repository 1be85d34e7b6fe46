//! How probable a deal in each stage is where nobody has judged it: what a workspace set, else the usual.

use std::collections::BTreeMap;

use roadbook_protocol::ids::WorkspaceId;
use rusqlite::{Connection, Transaction};

use super::{Result, workspaces};
use crate::insight::funnel::usual_probability;

/// The probabilities of the stages in a workspace: what its administrators set, else the usual ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chances(BTreeMap<String, i64>);

/// The setting that holds them.
const CHANCES: &str = "stage_probability";

impl Chances {
    /// Those of a workspace.
    ///
    /// # Errors
    /// What the database says.
    pub fn read(conn: &Connection, workspace: WorkspaceId) -> Result<Chances> {
        let set = workspaces::setting(conn, workspace, CHANCES)?;
        Ok(Chances(set.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()))
    }

    /// Keeps them.
    ///
    /// # Errors
    /// What the database says.
    pub fn write(&self, tx: &Transaction<'_>, workspace: WorkspaceId) -> Result<()> {
        let text = serde_json::json!(self.0).to_string();
        let text = Some(text.as_str()).filter(|_| !self.0.is_empty());
        workspaces::set_setting(tx, workspace, CHANCES, text)
    }

    /// Sets that of a stage, in percent.
    pub fn set(&mut self, stage: &str, percent: i64) {
        self.0.insert(stage.to_owned(), percent.clamp(0, 100));
    }

    /// That of a stage, in percent; `None` where a deal is not open in it.
    pub fn of(&self, stage: &str) -> Option<i64> {
        let usual = usual_probability(stage)?;
        Some(self.0.get(stage).map_or(usual, |percent| (*percent).clamp(0, 100)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_was_not_set_has_its_usual_probability() {
        let mut chances = Chances::default();
        chances.set("offer", 150);
        chances.set("won", 10);
        assert_eq!(chances.of("offer"), Some(100));
        assert_eq!(chances.of("lead"), usual_probability("lead"));
        assert_eq!(chances.of("won"), None, "a deal is not open there");
    }
}
