//! Names and labels.

use model::KeyId;

use super::{Problem, Subject, unless};

/// Maker and model are parts of a path and of a key's identity.
pub(super) fn identity(subject: &Subject<'_>) -> Vec<Problem> {
    let parts = [("maker", &subject.file.maker), ("model", &subject.file.model)];
    let fits = |text: &str| {
        KeyId::new(text, text, "0").is_ok()
            && text.len() <= 32
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    parts
        .into_iter()
        .filter(|(_, text)| !fits(text))
        .map(|(field, text)| {
            Problem::new(field, format!("{text:?} cannot be part of a path"), "use 1 to 32 of a-z, 0-9 and -")
        })
        .collect()
}

/// The title is one line on a screen.
pub(super) fn title(subject: &Subject<'_>) -> Vec<Problem> {
    let title = &subject.file.title;
    let chars = title.chars().count();
    let ok = (1..=40).contains(&chars) && title.trim() == title && !title.chars().any(char::is_control);
    unless(ok, || {
        Problem::new(
            "title",
            format!("{title:?} is not one short line"),
            "write 1 to 40 characters on one line",
        )
    })
}

/// The application's name fits its field.
pub(super) fn application_name(subject: &Subject<'_>) -> Vec<Problem> {
    card_name("names.application", &subject.file.names.application, 32)
}

/// The container's name fits its field.
pub(super) fn container_name(subject: &Subject<'_>) -> Vec<Problem> {
    card_name("names.container", &subject.file.names.container, 34)
}

/// The device label fits its field.
pub(super) fn label(subject: &Subject<'_>) -> Vec<Problem> {
    card_name("names.label", &subject.file.names.label, 31)
}

fn card_name(field: &str, name: &str, max: usize) -> Vec<Problem> {
    let ok = (1..=max).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    unless(ok, || {
        Problem::new(
            field,
            format!("{name:?} does not fit the key's field"),
            format!("use 1 to {max} printable ASCII characters without spaces"),
        )
    })
}

const SECRET: &str = "secrets.factory-device-key";

/// A secret is named by its label in the vault.
pub(super) fn secret_label(subject: &Subject<'_>) -> Vec<Problem> {
    let label = &subject.file.secrets.factory_device_key;
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    unless((1..=32).contains(&label.len()) && label.bytes().all(legal), || {
        Problem::new(SECRET, "this is not a label of the vault", "use 1 to 32 of a-z, 0-9 and -")
    })
}

/// A secret's value must not stand in a file that is copied and published.
pub(super) fn secret_value(subject: &Subject<'_>) -> Vec<Problem> {
    let label = &subject.file.secrets.factory_device_key;
    let digits = label.bytes().filter(|b| *b != b'-').count();
    let looks_like_key = digits >= 16 && label.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    // The text is not repeated: if it is a key, it must not travel on into logs.
    unless(!looks_like_key, || {
        Problem::new(
            SECRET,
            "this looks like the key itself",
            "put the key into the vault, write its label here, and treat the key as known to others",
        )
    })
}
