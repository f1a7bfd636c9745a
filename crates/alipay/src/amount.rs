//! Amounts on the wire: yuan with two decimals, as text. Never a float.

use model::Fen;

/// The amount as Alipay writes it.
#[must_use]
pub fn yuan(amount: Fen) -> String {
    amount.to_string()
}

/// An amount that Alipay wrote: digits, and at most two decimals. `None` for anything else.
#[must_use]
pub fn fen(text: &str) -> Option<Fen> {
    let (yuan, cents) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=12).contains(&yuan.len()) || !(1..=2).contains(&cents.len()) || !digits(yuan) || !digits(cents) {
        return None;
    }
    let tens = if cents.len() == 1 { 10 } else { 1 };
    let yuan = yuan.parse::<u64>().ok()?.checked_mul(100)?;
    yuan.checked_add(cents.parse::<u64>().ok()?.checked_mul(tens)?).map(Fen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_amount_reads_back_as_written(amount in 0..100_000_000_000_u64) {
            prop_assert_eq!(fen(&yuan(Fen(amount))), Some(Fen(amount)));
        }

        #[test]
        fn no_text_panics_and_what_is_read_is_that_amount(text in "[0-9.+e -]{0,16}") {
            if let Some(amount) = fen(&text) {
                let (yuan, cents) = text.split_once('.').unwrap_or((&text, ""));
                prop_assert_eq!(format!("{yuan}{cents:0<2}").parse(), Ok(amount.0));
            }
        }
    }

    #[test]
    fn short_decimals_are_tenths() {
        assert_eq!((fen("0.1"), fen("300"), fen("0.01")), (Some(Fen(10)), Some(Fen(30_000)), Some(Fen(1))));
        for wrong in ["", ".5", "5.", "1.234", "-1.00", "+1.00", "1e3", " 1.00", "1,000.00", "9999999999999"]
        {
            assert_eq!(fen(wrong), None, "{wrong}");
        }
    }
}
