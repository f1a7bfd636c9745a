//! What the key does and takes.

use super::{Problem, Subject, unless};

/// Counts travel in the last nibble of 63Cx; the last try is never used, so fewer than three would leave one mistake.
const TRIES: std::ops::RangeInclusive<u8> = 3..=15;

/// GenRandom fills 8 or 16 bytes of the block.
pub(super) fn device_auth_random(subject: &Subject<'_>) -> Vec<Problem> {
    let len = subject.file.dialect.device_auth.random_len;
    unless(len == 8 || len == 16, || {
        Problem::new(
            "dialect.device-auth.random-len",
            format!("{len} random bytes are asked for by no known key"),
            "use 8 (zeros follow) or 16",
        )
    })
}

/// The device key's tries can be counted.
pub(super) fn device_auth_tries(subject: &Subject<'_>) -> Vec<Problem> {
    let tries = subject.file.dialect.device_auth.tries;
    unless(TRIES.contains(&tries), || tries_problem("dialect.device-auth.tries", tries))
}

fn tries_problem(field: &str, tries: u8) -> Problem {
    Problem::new(field, format!("{tries} tries cannot be worked with"), "use 3 to 15")
}

/// The MAC's prefix is a few transport bytes.
pub(super) fn secure_messaging(subject: &Subject<'_>) -> Vec<Problem> {
    let len = subject.file.dialect.secure_messaging.mac_prefix_len;
    unless(len <= 16, || {
        Problem::new(
            "dialect.secure-messaging.mac-prefix-len",
            format!("{len} bytes are longer than any transport header"),
            "use 0, or the number of bytes in front of the APDU (6 on AS568)",
        )
    })
}

/// The encrypted private key has one of the two lengths in the field.
pub(super) fn envelope(subject: &Subject<'_>) -> Vec<Problem> {
    let len = subject.file.dialect.envelope.private_key_len;
    unless(len == 32 || len == 64, || {
        Problem::new(
            "dialect.envelope.private-key-len",
            format!("no key takes {len} bytes"),
            "use 64 (with `alignment`) or 32",
        )
    })
}

/// SM4 and one generation of SM2 ids.
pub(super) fn algorithm_ids(subject: &Subject<'_>) -> Vec<Problem> {
    let ids = subject.file.dialect.algorithm_ids;
    let mut problems = unless(ids.sm4_ecb == 0x401, || {
        Problem::new(
            "dialect.algorithm-ids.sm4-ecb",
            format!("{:#x} is not SGD_SM4_ECB", ids.sm4_ecb),
            "use 0x401",
        )
    });
    let pair = (ids.sm2_sign, ids.sm2_encrypt);
    problems.extend(unless(pair == (0x0002_0100, 0x0002_0400) || pair == (0x0002_0200, 0x0002_0800), || {
        Problem::new(
            "dialect.algorithm-ids.sm2-sign",
            format!("{:#x} and {:#x} are not of one generation", pair.0, pair.1),
            "use 0x20100 with 0x20400 (older), or 0x20200 with 0x20800 (newer)",
        )
    }));
    problems
}

/// A job needs one application with one container.
pub(super) fn counts(subject: &Subject<'_>) -> Vec<Problem> {
    let limits = &subject.file.limits;
    let counts = [
        ("limits.max-applications", limits.max_applications),
        ("limits.max-containers", limits.max_containers),
    ];
    counts
        .into_iter()
        .filter(|(_, count)| *count == 0)
        .map(|(field, _)| Problem::new(field, "a job needs one", "give the number the key takes, at least 1"))
        .collect()
}

/// Certificates with Chinese names and four extensions approach a kilobyte.
pub(super) fn certificate_size(subject: &Subject<'_>) -> Vec<Problem> {
    let max = subject.file.limits.max_certificate;
    unless(max >= 1024, || {
        Problem::new(
            "limits.max-certificate",
            format!("{max} bytes do not hold a certificate of the programmes"),
            "use at least 1024; a key that takes less cannot be used",
        )
    })
}

/// The longest command of a job fits.
pub(super) fn command_data(subject: &Subject<'_>) -> Vec<Problem> {
    let limits = &subject.file.limits;
    // ImportCertificate puts application 2, container 2, kind 1 and length 4 before the certificate.
    let needed = u32::from(limits.max_certificate) + 9;
    unless(u32::from(limits.max_command_data) >= needed, || {
        Problem::new(
            "limits.max-command-data",
            format!("importing a certificate of max-certificate bytes takes {needed}"),
            format!("use at least {needed}, or lower max-certificate"),
        )
    })
}

/// The user's first PIN, 8 digits, is legal, and every PIN fits its 16 bytes.
pub(super) fn pin_lengths(subject: &Subject<'_>) -> Vec<Problem> {
    let pins = &subject.file.pins;
    unless(pins.min_len >= 1 && pins.min_len <= 8 && pins.max_len >= 8 && pins.max_len <= 16, || {
        Problem::new(
            "pins",
            format!("{} to {} bytes leave no room for a PIN of 8", pins.min_len, pins.max_len),
            "let min-len be 1 to 8 and max-len 8 to 16",
        )
    })
}

/// Both PINs' tries can be counted.
pub(super) fn pin_tries(subject: &Subject<'_>) -> Vec<Problem> {
    let pins = &subject.file.pins;
    [("pins.admin-tries", pins.admin_tries), ("pins.user-tries", pins.user_tries)]
        .into_iter()
        .filter(|(_, tries)| !TRIES.contains(tries))
        .map(|(field, tries)| tries_problem(field, tries))
        .collect()
}
