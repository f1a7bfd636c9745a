//! The form of an answer to reset (ISO 7816-3 clause 8).

/// Checks that `atr` is whole: start byte, interface bytes, historical bytes, check byte where one belongs.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(atr: &[u8]) -> Result<(), &'static str> {
    let (start, rest) = atr.split_first().ok_or("it is empty")?;
    if !matches!(start, 0x3B | 0x3F) {
        return Err("it begins with neither 3B nor 3F");
    }
    let mut bytes = rest.iter().copied();
    let mut take = || bytes.next().ok_or("it ends too early");
    let format = take()?;
    let historical = usize::from(format & 0x0F);
    let mut indicator = format;
    let mut needs_check = false;
    let mut interface = 0;
    loop {
        for present in [0x10, 0x20, 0x40] {
            if indicator & present != 0 {
                take()?;
                interface += 1;
            }
        }
        if indicator & 0x80 == 0 {
            break;
        }
        indicator = take()?;
        interface += 1;
        needs_check |= indicator & 0x0F != 0;
    }
    let whole = 2 + interface + historical + usize::from(needs_check);
    match atr.len() {
        len if len > 33 => Err("it has more than 33 bytes"),
        len if len < whole => Err("it ends too early"),
        len if len > whole => Err("it has bytes too many"),
        _ if needs_check && rest.iter().fold(0, |sum, byte| sum ^ byte) != 0 => {
            Err("its check byte is wrong")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::check;

    #[test]
    fn published_atrs_pass() {
        for text in [
            "3B0580 73F701C0",
            "3B0F0065465305160571DF000000455053",
            "3B8F8001804F0CA000000306030001000000006A",
        ] {
            let atr = hex::decode(text.replace(' ', "")).unwrap();
            assert_eq!(check(&atr), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_cut_or_damaged_atr_is_refused() {
        let atr = hex::decode("3B8F8001804F0CA000000306030001000000006A").unwrap();
        for len in 0..atr.len() {
            assert!(check(&atr[..len]).is_err(), "{len}");
        }
        let mut long = atr.clone();
        long.push(0);
        assert_eq!(check(&long), Err("it has bytes too many"));
        let mut damaged = atr;
        damaged[8] ^= 1;
        assert_eq!(check(&damaged), Err("its check byte is wrong"));
    }
}
