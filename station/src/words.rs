//! What staff type: reasons.

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 200;

/// A reason that says nothing or too much.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("请填写原因，1 至 {REASON_CHARS_MAX} 字 (give a reason of 1 to {REASON_CHARS_MAX} characters)")]
pub struct ReasonError;

/// A reason, without the blanks around it.
///
/// # Errors
/// It is empty or too long.
pub fn reason(text: &str) -> Result<String, ReasonError> {
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if (1..=REASON_CHARS_MAX).contains(&text.chars().count()) { Ok(text) } else { Err(ReasonError) }
}

#[cfg(test)]
mod tests {
    use super::{ReasonError, reason};

    #[test]
    fn a_reason_has_1_to_200_characters() {
        assert_eq!(reason(" 换线\n").as_deref(), Ok("换线"));
        assert_eq!(reason(" \t"), Err(ReasonError));
        assert!(reason(&"字".repeat(200)).is_ok());
        assert_eq!(reason(&"字".repeat(201)), Err(ReasonError));
    }
}
