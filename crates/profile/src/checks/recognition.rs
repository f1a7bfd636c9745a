//! How the key is told from others.

use super::{Problem, Subject, unless};
use crate::{
    atr,
    file::{hex_bytes, usb_id},
    trusted::Transport,
};

/// There is something to recognise the key by on its transport.
pub(super) fn recognition(subject: &Subject<'_>) -> Vec<Problem> {
    let matching = &subject.file.matching;
    match subject.file.transport {
        Transport::Pcsc => unless(matching.atr.is_some(), || {
            Problem::new("match.atr", "a key behind pcscd is recognised by its ATR", "add `atr`")
        }),
        Transport::UsbHid | Transport::UsbMassStorage => {
            unless(matching.usb.is_some() || matching.manufacturer.is_some(), || {
                Problem::new(
                    "match",
                    "nothing tells this USB key from another",
                    "add `usb = \"vvvv:pppp\"`, or `manufacturer` if the ids are unknown",
                )
            })
        }
    }
}

/// The ATR is one that a reader can deliver.
pub(super) fn atr(subject: &Subject<'_>) -> Vec<Problem> {
    let Some(text) = &subject.file.matching.atr else { return Vec::new() };
    let wrong = match hex_bytes(text) {
        None => Some("it is not made of pairs of hex digits"),
        Some(bytes) => atr::check(&bytes).err(),
    };
    wrong
        .map(|why| Problem::new("match.atr", format!("no ATR: {why}"), "copy it whole from `pcsc_scan`"))
        .into_iter()
        .collect()
}

/// The USB ids are two numbers.
pub(super) fn usb(subject: &Subject<'_>) -> Vec<Problem> {
    let Some(text) = &subject.file.matching.usb else { return Vec::new() };
    unless(usb_id(text).is_some(), || {
        Problem::new(
            "match.usb",
            format!("{text:?} is no USB id"),
            "write it as `lsusb` does, such as 055c:e618",
        )
    })
}

/// Texts of the device info fit the fields they are compared with.
pub(super) fn device_info(subject: &Subject<'_>) -> Vec<Problem> {
    let matching = &subject.file.matching;
    let parts = [
        ("match.manufacturer", &matching.manufacturer, 64),
        ("match.label-prefix", &matching.label_prefix, 32),
        ("match.serial-prefix", &matching.serial_prefix, 32),
    ];
    let mut problems = Vec::new();
    for (field, text, max) in parts {
        let Some(text) = text else { continue };
        if text.trim() != text || !(1..=max).contains(&text.len()) {
            problems.push(Problem::new(
                field,
                format!("{text:?} can stand in no device info"),
                format!("use 1 to {max} bytes without spaces at the ends, or leave the field out"),
            ));
        }
    }
    problems
}
