//! Chinese identity rules: id number (GB 11643-1999), unified social credit code (GB 32100-2015),
//! organisation code (GB 11714), mobile number.

/// Why a value is not what its field asks for. The text says what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum IdentityError {
    /// An id number with the wrong length or characters.
    #[error("身份证号应为 18 位：17 位数字加 1 位数字或 X (an id number has 17 digits and a digit or X)")]
    IdNumberShape,
    /// An id number whose birthday does not exist.
    #[error("身份证号第 7–14 位不是有效日期 (digits 7 to 14 of the id number are not a date)")]
    IdNumberDate,
    /// An id number whose last character does not fit the others.
    #[error(
        "身份证号校验位不符，请核对 (the id number's check digit does not fit: compare it with the card)"
    )]
    IdNumberCheck,
    /// A credit code with the wrong length or characters.
    #[error(
        "统一社会信用代码应为 18 位数字或大写字母，不含 I O S V Z (a credit code has 18 digits or capitals without I O S V Z)"
    )]
    CreditCodeShape,
    /// A credit code whose last character does not fit the others.
    #[error(
        "统一社会信用代码校验位不符，请核对 (the credit code's check character does not fit: compare it with the licence)"
    )]
    CreditCodeCheck,
    /// An organisation code with the wrong shape.
    #[error(
        "组织机构代码应为 8 位数字或大写字母加 1 位校验码 (an organisation code has 8 digits or capitals and a check character)"
    )]
    OrganisationCodeShape,
    /// An organisation code whose last character does not fit.
    #[error("组织机构代码校验位不符，请核对 (the organisation code's check character does not fit)")]
    OrganisationCodeCheck,
    /// Not a Chinese mobile number.
    #[error("手机号应为 1 开头的 11 位数字 (a mobile number has 11 digits and begins with 13 to 19)")]
    Mobile,
}

/// Checks an id number and gives it back in capitals. The region may be historic and is not checked.
///
/// # Errors
/// Shape, date or check digit, in that order.
pub fn check_id_number(text: &str) -> Result<String, IdentityError> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let number = text.trim().to_ascii_uppercase();
    let bytes = number.as_bytes();
    let shaped = bytes.len() == 18
        && bytes[..17].iter().all(u8::is_ascii_digit)
        && (bytes[17].is_ascii_digit() || bytes[17] == b'X');
    if !shaped {
        return Err(IdentityError::IdNumberShape);
    }
    let digits = |range: std::ops::Range<usize>| number[range].parse::<i16>().unwrap_or(0);
    let (year, month, day) = (digits(6..10), digits(10..12), digits(12..14));
    let date = jiff::civil::Date::new(year, i8::try_from(month).unwrap_or(0), i8::try_from(day).unwrap_or(0));
    if date.is_err() || year < 1850 {
        return Err(IdentityError::IdNumberDate);
    }
    let sum: u32 = bytes.iter().zip(WEIGHTS).map(|(b, w)| u32::from(b - b'0') * w).sum();
    if b"10X98765432"[(sum % 11) as usize] == bytes[17] {
        Ok(number)
    } else {
        Err(IdentityError::IdNumberCheck)
    }
}

const CREDIT_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Checks a unified social credit code and gives it back in capitals.
///
/// # Errors
/// Shape or check character.
pub fn check_credit_code(text: &str) -> Result<String, IdentityError> {
    let code = text.trim().to_ascii_uppercase();
    let values: Option<Vec<usize>> =
        code.bytes().map(|b| CREDIT_ALPHABET.iter().position(|&a| a == b)).collect();
    let values = values.filter(|v| v.len() == 18 && v[2..8].iter().all(|&d| d < 10));
    let values = values.ok_or(IdentityError::CreditCodeShape)?;
    let mut weight = 1;
    let mut sum = 0;
    for value in &values[..17] {
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    // The outer remainder is what turns 31 into 0.
    if (31 - sum % 31) % 31 == values[17] { Ok(code) } else { Err(IdentityError::CreditCodeCheck) }
}

/// Checks an organisation code (with or without the `-` before its check character), gives it back in capitals without it.
///
/// # Errors
/// Shape or check character.
pub fn check_organisation_code(text: &str) -> Result<String, IdentityError> {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let code = text.trim().to_ascii_uppercase().replace('-', "");
    let bytes = code.as_bytes();
    if bytes.len() != 9 || !bytes.iter().all(u8::is_ascii_alphanumeric) {
        return Err(IdentityError::OrganisationCodeShape);
    }
    let value = |b: u8| if b.is_ascii_digit() { u32::from(b - b'0') } else { u32::from(b - b'A') + 10 };
    let sum: u32 = bytes.iter().zip(WEIGHTS).map(|(&b, w)| value(b) * w).sum();
    let check = match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + u8::try_from(digit).unwrap_or(0),
    };
    if check == bytes[8] { Ok(code) } else { Err(IdentityError::OrganisationCodeCheck) }
}

/// Checks a mobile number; spaces and a leading +86 or 0086 are dropped. Gives back 11 digits.
///
/// # Errors
/// [`IdentityError::Mobile`].
pub fn check_mobile(text: &str) -> Result<String, IdentityError> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = compact.strip_prefix("+86").or_else(|| compact.strip_prefix("0086")).unwrap_or(&compact);
    let bytes = digits.as_bytes();
    let legal = bytes.len() == 11
        && bytes.iter().all(u8::is_ascii_digit)
        && bytes[0] == b'1'
        && (b'3'..=b'9').contains(&bytes[1]);
    if legal { Ok(digits.to_owned()) } else { Err(IdentityError::Mobile) }
}

/// A mobile number as screens and labels show it: `138****8000`. Anything that is not one is hidden wholly.
#[must_use]
pub fn mask_mobile(mobile: &str) -> String {
    match check_mobile(mobile) {
        Ok(digits) => format!("{}****{}", &digits[..3], &digits[7..]),
        Err(_) => "****".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn s1_2_id_number_checks_shape_date_and_check_digit() {
        assert_eq!(check_id_number("00000019900101001x").as_deref(), Err(&IdentityError::IdNumberCheck));
        let valid = (0..=10)
            .map(|i| {
                format!("00000019900101001{}", ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "X"][i])
            })
            .filter(|n| check_id_number(n).is_ok())
            .collect::<Vec<_>>();
        assert_eq!(valid.len(), 1, "exactly one check digit fits");
        assert_eq!(check_id_number("000000199002300019"), Err(IdentityError::IdNumberDate));
        assert_eq!(check_id_number("12345"), Err(IdentityError::IdNumberShape));
        // The standard's own example number (GB 11643-1999).
        assert!(check_id_number("11010519491231002X").is_ok());
    }

    #[test]
    fn s1_3_credit_code_checks_alphabet_and_check_character() {
        let fit: Vec<char> = CREDIT_ALPHABET
            .iter()
            .map(|&b| b as char)
            .filter(|c| check_credit_code(&format!("91000000MA0000001{c}")).is_ok())
            .collect();
        assert_eq!(fit.len(), 1, "exactly one check character fits");
        assert_eq!(check_credit_code("91000000MA000000I1"), Err(IdentityError::CreditCodeShape));
        assert_eq!(check_credit_code("9100000"), Err(IdentityError::CreditCodeShape));
    }

    #[test]
    fn s1_3_organisation_code_with_and_without_hyphen() {
        assert!(check_organisation_code("00000000-0").is_ok());
        assert_eq!(check_organisation_code("00000000-1"), Err(IdentityError::OrganisationCodeCheck));
    }

    #[test]
    fn s1_2_mobile_is_normalised_and_masked() {
        assert_eq!(check_mobile("+86 138 0000 0000").as_deref(), Ok("13800000000"));
        assert!(check_mobile("12800000000").is_err());
        assert_eq!(mask_mobile("13800000000"), "138****0000");
        assert_eq!(mask_mobile("not a number"), "****");
    }

    proptest! {
        #[test]
        fn no_text_panics_a_check(text in "\\PC{0,30}") {
            let _ = check_id_number(&text);
            let _ = check_credit_code(&text);
            let _ = check_organisation_code(&text);
            let _ = check_mobile(&text);
            let _ = mask_mobile(&text);
        }
    }
}
