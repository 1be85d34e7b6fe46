//! Why a command is refused. Each error names the field, the reason and the way out.

/// Why a command was not carried out. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No field has this name.
    #[error("there is no field `{field}`{}", match nearest { Some(n) => format!("; did you mean `{n}`?"), None => "; see docs/fields.md for the names, or use `custom.NAME`".to_owned() })]
    UnknownField {
        /// The name that was given.
        field: String,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// The value does not fit the field.
    #[error("`{field}`: {reason}; {way_out}")]
    Invalid {
        /// The path of the field.
        field: String,
        /// What is wrong with the value.
        reason: String,
        /// What to give instead.
        way_out: String,
    },
    /// A value or a change is larger than its limit.
    #[error("`{field}` would have {size} {unit}, at most {max} are allowed; {way_out}")]
    TooLarge {
        /// The path of the field, or `change`, or `contact`.
        field: String,
        /// How large it would be.
        size: u64,
        /// How large it may be.
        max: u64,
        /// The unit of both: `bytes`, `operations`, `changes`.
        unit: &'static str,
        /// What to do instead.
        way_out: String,
    },
    /// The command names an entry that the contact does not have.
    #[error("the contact has no entry `{path}`; read the contact again for the ids it has")]
    NoSuchEntry {
        /// `phones/ID`.
        path: String,
    },
    /// There is nothing that could be undone.
    #[error("nothing to undo: {reason}")]
    NothingToUndo {
        /// Why.
        reason: String,
    },
    /// Somebody changed the field after the change that should be undone.
    #[error(
        "`{field}` was changed again after that edit; set it to the value you want instead of undoing"
    )]
    ChangedSince {
        /// The path of the field.
        field: String,
    },
    /// The document is not as a document made by commands is; a hostile or broken writer was there.
    #[error(
        "the contact's document is damaged at `{field}`: {reason}; ask the administrator to check it"
    )]
    Damaged {
        /// The path.
        field: String,
        /// What automerge said.
        reason: String,
    },
}
