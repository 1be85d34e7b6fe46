//! Whose figures: everybody's, a team's or a person's, of those that the viewer sees.

use maud::{Markup, html};
use roadbook_protocol::ids::{UserId, WorkspaceId};
use rusqlite::Connection;

use crate::rights::scope::blob;
use crate::rights::{Action, Decision, Rights, Scope};
use crate::store::people::{self, User};
use crate::store::{self, sorting, teams};

/// A choice, and who it means.
pub(super) struct Who {
    /// As it stands in the address.
    pub value: String,
    /// What it is called.
    pub label: String,
    /// The people; `None` for all that the viewer sees.
    pub people: Option<Vec<UserId>>,
}

/// The choices of a viewer, and what was chosen.
pub(super) struct Chosen {
    pub choices: Vec<Who>,
    pub at: usize,
    /// The people that the viewer sees, by name.
    pub users: Vec<User>,
    rights: Rights,
}

impl Chosen {
    /// Reads who there is to choose from. What can't be chosen is everybody.
    ///
    /// # Errors
    /// What the database says.
    pub(super) fn read(conn: &Connection, rights: &Rights, value: &str) -> store::Result<Chosen> {
        let mut users = people::list_users(conn, rights.workspace)?;
        users.retain(|user| rights.on_person(Action::SeePerson, user.id) == Decision::Allow);
        sorting::of(conn, rights.workspace)?.sort(&mut users, |user| &user.name);
        let all = Who { value: String::new(), label: t!("everybody"), people: None };
        let mut choices = vec![all];
        for team in teams::list(conn, rights.workspace)? {
            let mut members = teams::members(conn, rights.workspace, &team.name)?;
            members.retain(|id| users.iter().any(|user| user.id == *id));
            if !members.is_empty() {
                let (value, label) =
                    (format!("team:{}", team.name), t!("team-name", name = team.name.as_str()));
                choices.push(Who { value, label, people: Some(members) });
            }
        }
        choices.extend(users.iter().map(|user| Who {
            value: user.id.to_string(),
            label: user.name.clone(),
            people: Some(vec![user.id]),
        }));
        let at = choices.iter().position(|who| who.value == value).unwrap_or(0);
        Ok(Chosen { choices, at, users, rights: rights.clone() })
    }

    fn people(&self) -> Option<&[UserId]> {
        self.choices.get(self.at).and_then(|who| who.people.as_deref())
    }

    /// Whether somebody's figures are shown.
    pub(super) fn shows(&self, user: UserId) -> bool {
        self.people().map_or_else(
            || self.users.iter().any(|seen| seen.id == user),
            |people| people.contains(&user),
        )
    }

    /// A condition over a column with numbers of contacts: those whose owner was chosen, or that the
    /// viewer sees; canaries are left out. To stand behind others; it has no parameters.
    pub(super) fn and_contacts(&self, column: &str) -> String {
        let workspace = blob(self.rights.workspace.as_bytes());
        let real = format!(" AND {column} NOT IN (SELECT n FROM canary)");
        let whose = match self.people() {
            Some(people) => format!(
                " AND {column} IN (SELECT own.n FROM contact own WHERE own.workspace = {workspace} AND own.owner IN ({}))",
                people.iter().map(|user| blob(user.as_bytes())).collect::<Vec<_>>().join(", ")
            ),
            None if self.rights.scope == Scope::Everything => String::new(),
            None => format!(
                " AND {column} IN (SELECT own.n FROM contact own WHERE own.workspace = {workspace}{})",
                self.rights.and_seen("own.id")
            ),
        };
        whose + &real
    }

    /// The control.
    pub(super) fn select(&self) -> Markup {
        html! {
            div { label for="who" { (t!("of-whom")) }
                select #who name="who" {
                    @for (n, who) in self.choices.iter().enumerate() { option value=(who.value) selected[n == self.at] { (who.label) } }
                } }
        }
    }

    /// The workspace.
    pub(super) fn workspace(&self) -> WorkspaceId {
        self.rights.workspace
    }
}

/// What a period of so many days is called.
pub(super) fn period_name(days: u32) -> String {
    match days {
        365 => t!("n-months", n = 12),
        days if days >= 730 && days.is_multiple_of(365) => t!("n-years", n = days / 365),
        days => t!("n-days", n = days),
    }
}

/// The control for how far back figures go; the days of each choice.
pub(super) fn period(days: u32, choices: &[u32]) -> Markup {
    html! {
        div { label for="days" { (t!("period")) }
            select #days name="days" {
                @for choice in choices { option value=(choice) selected[*choice == days] { (period_name(*choice)) } }
            } }
    }
}
