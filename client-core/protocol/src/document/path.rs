//! The path of a field: one spelling for conflicts, history, authorship and resolving.

use std::fmt;

use super::schema::{CUSTOM, Collection, EXTERNAL_IDS, NOTE, TAGS};
use crate::ids::EntryId;

/// Where a value stands in a contact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// `job_title`
    Root(String),
    /// `custom.NAME`
    Custom(String),
    /// `external_ids.SYSTEM`
    External(String),
    /// `tags.NAME`
    Tag(String),
    /// `note`
    Note,
    /// `phones/ID`: whether the entry is deleted.
    Entry(Collection, EntryId),
    /// `phones/ID/number`
    Field(Collection, EntryId, String),
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root(name) => f.write_str(name),
            Path::Custom(name) => write!(f, "{CUSTOM}.{name}"),
            Path::External(system) => write!(f, "{EXTERNAL_IDS}.{system}"),
            Path::Tag(tag) => write!(f, "{TAGS}.{tag}"),
            Path::Note => f.write_str(NOTE),
            Path::Entry(collection, id) => write!(f, "{}/{id}", collection.name()),
            Path::Field(collection, id, field) => write!(f, "{}/{id}/{field}", collection.name()),
        }
    }
}

impl Path {
    /// Reads what [`fmt::Display`] writes. A text that is nothing else is the name of a root field.
    pub fn parse(text: &str) -> Path {
        if text == NOTE {
            return Path::Note;
        }
        if let Some((container, name)) = text.split_once('.') {
            match container {
                CUSTOM => return Path::Custom(name.to_owned()),
                EXTERNAL_IDS => return Path::External(name.to_owned()),
                TAGS => return Path::Tag(name.to_owned()),
                _ => {}
            }
        }
        Self::parse_entry(text).unwrap_or_else(|| Path::Root(text.to_owned()))
    }

    fn parse_entry(text: &str) -> Option<Path> {
        let mut parts = text.splitn(3, '/');
        let collection = Collection::from_name(parts.next()?)?;
        let id = parts.next()?.parse().ok()?;
        Some(match parts.next() {
            Some(field) => Path::Field(collection, id, field.to_owned()),
            None => Path::Entry(collection, id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_back_what_it_writes() {
        let id = EntryId::from_random([7; 16]);
        for path in [
            Path::Root("job_title".into()),
            Path::Custom("shoe.size/eu".into()),
            Path::External("erp".into()),
            Path::Tag("a/b.c".into()),
            Path::Note,
            Path::Entry(Collection::Phones, id),
            Path::Field(Collection::Deals, id, "a/b".into()),
        ] {
            assert_eq!(Path::parse(&path.to_string()), path);
        }
    }
}
