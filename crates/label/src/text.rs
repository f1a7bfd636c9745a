//! Breaking lines and choosing the type size: text shrinks within its cell and never leaves it.

use crate::font::Typeface;

/// Line height in ems.
pub(crate) const LEADING: f32 = 1.16;
/// Where the baseline lies in a line, in ems from its top. Chinese type fills from 0.88 above to 0.12 below the baseline.
pub(crate) const BASELINE: f32 = 0.96;

/// Runs of white space, line ends included, become one space.
pub(crate) fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The largest of the sizes from `max` down to `min` at which `text` fits on one line of `width` dots.
pub(crate) fn fit_line(font: &Typeface<'_>, text: &str, width: u32, max: u32, min: u32) -> Option<u32> {
    let ems = font.width(text);
    (min..=max).rev().find(|&size| ems * size as f32 <= width as f32)
}

/// The largest of the sizes at which `paragraphs` fit into `width` × `height` dots, and their lines.
pub(crate) fn fit(
    font: &Typeface<'_>,
    paragraphs: &[&str],
    (width, height): (u32, u32),
    (max, min): (u32, u32),
) -> Option<(u32, Vec<String>)> {
    (min..=max).rev().find_map(|size| {
        let ems = width as f32 / size as f32;
        let lines: Option<Vec<Vec<String>>> = paragraphs.iter().map(|text| wrap(font, text, ems)).collect();
        let lines = lines?.concat();
        (lines.len() as f32 * LEADING * size as f32 <= height as f32).then_some((size, lines))
    })
}

/// Breaks a text into lines of at most `ems`; `None` where a single character is wider.
fn wrap(font: &Typeface<'_>, text: &str, ems: f32) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0.0);
    for word in words(text) {
        // The space at a word's end may hang over the edge.
        if used + font.width(word.trim_end()) > ems && !line.trim().is_empty() {
            lines.push(line.trim_end().to_owned());
            (line, used) = (String::new(), 0.0);
        }
        line.push_str(&word);
        used += font.width(&word);
        // A word wider than the line is broken where it must be.
        while font.width(line.trim_end()) > ems {
            let rest = line.split_off(longest_prefix(font, &line, ems)?);
            lines.push(std::mem::replace(&mut line, rest));
            used = font.width(&line);
        }
    }
    if !line.trim().is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    Some(lines)
}

/// The byte length of the longest beginning of `line` that is at most `ems` wide; `None` where not one character is.
fn longest_prefix(font: &Typeface<'_>, line: &str, ems: f32) -> Option<usize> {
    let ends = line.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.take_while(|&end| font.width(&line[..end]) <= ems).last()
}

/// The pieces between which a line may break: Latin words and numbers stay whole, Chinese breaks anywhere, but not before a
/// closing mark and not after an opening one.
fn words(text: &str) -> Vec<String> {
    const CLOSING: &str = "，。、；：！？）》」』】〕’”,.;:!?)]}…";
    const OPENING: &str = "（《「『【〔‘“([{";
    let mut words: Vec<String> = Vec::new();
    let mut previous = None;
    for c in text.chars() {
        let latin = |c: char| c.is_ascii_graphic();
        let joins = match previous {
            None => false,
            Some(previous) => {
                CLOSING.contains(c)
                    || c == ' '
                    || OPENING.contains(previous)
                    || (latin(previous) && latin(c) && !OPENING.contains(c))
            }
        };
        match words.last_mut() {
            Some(word) if joins => word.push(c),
            _ => words.push(c.to_string()),
        }
        previous = Some(c);
    }
    words
}

/// Cuts `text` to one line of `ems`, with … where something is left out.
pub(crate) fn ellipsis(font: &Typeface<'_>, text: &str, ems: f32) -> String {
    if font.width(text) <= ems {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while kept.pop().is_some() {
        let cut = format!("{}…", kept.trim_end());
        if font.width(&cut) <= ems {
            return cut;
        }
    }
    "…".to_owned()
}

/// As many of `items` as fit on `lines` lines of `ems`, two spaces apart and never broken; where some are left out the last
/// line ends with how many there are.
pub(crate) fn listing(font: &Typeface<'_>, items: &[String], ems: f32, lines: usize) -> Vec<String> {
    let total = format!("…共 {} 把", items.len());
    let mut rows: Vec<Vec<&str>> = Vec::new();
    for item in items {
        let fits = |row: &[&str]| font.width(&row.join("  ")) + font.width("  ") + font.width(item) <= ems;
        let room = rows.len() < lines;
        match rows.last_mut() {
            Some(row) if fits(row) => row.push(item),
            _ if room && font.width(item) <= ems => rows.push(vec![item]),
            last => {
                let mut row = last.map(std::mem::take).unwrap_or_default();
                row.push(&total);
                while row.len() > 1 && font.width(&row.join("  ")) > ems {
                    row.remove(row.len() - 2);
                }
                rows.pop();
                rows.push(row);
                break;
            }
        }
    }
    rows.into_iter().map(|row| row.join("  ")).collect()
}

#[cfg(test)]
mod tests {
    use super::{tidy, words};

    #[test]
    fn lines_break_between_words_and_not_before_closing_marks() {
        assert_eq!(words("路99号（A座），x y"), ["路", "99", "号", "（A", "座），", "x ", "y"]);
        assert_eq!(tidy(" 福建省\n　厦门市 "), "福建省 厦门市");
    }
}
