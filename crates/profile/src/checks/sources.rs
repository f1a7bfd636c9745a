//! Where each value comes from.

use super::{Problem, Subject};

/// Every value of the dialect and of the recognition has an entry.
pub(super) fn complete(subject: &Subject<'_>) -> Vec<Problem> {
    let sources = &subject.file.sources;
    subject
        .to_source
        .iter()
        .filter(|field| !sources.contains_key(field.as_str()))
        .map(|field| {
            Problem::new(
                "sources",
                format!("{field} has no source"),
                format!("add \"{field}\" = \"…\", or = \"unconfirmed\" if nobody measured it"),
            )
        })
        .collect()
}

/// No entry is for a field that the file has not.
pub(super) fn known(subject: &Subject<'_>) -> Vec<Problem> {
    let known = |field: &String| subject.to_source.contains(field) || subject.others.contains(field);
    let unknown = subject.file.sources.keys().filter(|field| !known(field));
    unknown
        .map(|field| {
            let name = format!("sources.\"{field}\"");
            Problem::new(name, "the profile has no such field", "correct the name or delete the entry")
        })
        .collect()
}

/// Every entry says something.
pub(super) fn text(subject: &Subject<'_>) -> Vec<Problem> {
    let empty = subject.file.sources.iter().filter(|(_, text)| text.trim().is_empty());
    empty
        .map(|(field, _)| {
            let name = format!("sources.\"{field}\"");
            Problem::new(name, "it names no source", "name the source, or write \"unconfirmed\"")
        })
        .collect()
}
