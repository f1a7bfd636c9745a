//! What a label may show of a person (SF's rule for names; GB/T 41833-2022 asks that both are masked).

/// One character is shown, of two the last is hidden, of three the middle one, of more the third; never more than three are shown.
pub(super) fn name(name: &str) -> String {
    let characters: Vec<char> = name.trim().chars().collect();
    match characters.as_slice() {
        [first, _] => format!("{first}*"),
        [first, _, last] => format!("{first}*{last}"),
        [first, second, _, ..] => format!("{first}{second}*"),
        short => short.iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names_are_masked_by_length() {
        assert_eq!(name("张"), "张");
        assert_eq!(name("张三"), "张*");
        assert_eq!(name("欧阳某"), "欧*某");
        assert_eq!(name("欧阳某某"), "欧阳*");
        assert_eq!(name("阿卜杜拉·某某"), "阿卜*");
        assert_eq!(name(""), "");
    }
}
