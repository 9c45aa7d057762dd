//! Words, letters and digits of texts in any script, and quoting a text as evidence.

/// Examples that evidence shows.
const SHOWN: usize = 3;

/// The text with runs of white space as one space, cut to about `most` characters.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

/// `item 3: ...; item 7: ...`, the first few.
pub(crate) fn show_items(seen: &[(usize, String)]) -> String {
    let shown: Vec<String> = seen
        .iter()
        .take(SHOWN)
        .map(|(item, what)| format!("item {item}: {what}"))
        .collect();
    let rest = if seen.len() > SHOWN { "; …" } else { "" };
    format!("{}{rest}", shown.join("; "))
}

/// `` `a`, `b` ``
pub(crate) fn quote_words<S: AsRef<str>>(words: &[S]) -> String {
    words
        .iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Letters of any script.
pub(crate) fn count_letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphabetic()).count()
}

/// Words between anything that is neither letter, digit nor apostrophe.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .filter(|word| !word.is_empty())
}

/// The value of a decimal digit of any script that writes numbers in tens with its own ten
/// characters.
pub(crate) fn digit(c: char) -> Option<u32> {
    /// Where the ten digits of a script begin: Arabic, Persian, N'Ko, Devanagari to Thai, Lao,
    /// Tibetan, Myanmar, Khmer, Mongolian, full width.
    const ZEROS: [u32; 21] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50,
        0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0xde6, 0xff10, 0x1d7ce,
    ];
    if let Some(digit) = c.to_digit(10) {
        return Some(digit);
    }
    let code = u32::from(c);
    ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))
        .map(|zero| code - zero)
}

/// The script of a letter, by name; `None` of what no script owns.
pub(crate) fn script(c: char) -> Option<&'static str> {
    if !c.is_alphabetic() {
        return None;
    }
    Some(match u32::from(c) {
        0..=0x24f | 0x1e00..=0x1eff => "Latin",
        0x370..=0x3ff | 0x1f00..=0x1fff => "Greek",
        0x400..=0x52f => "Cyrillic",
        0x590..=0x5ff => "Hebrew",
        0x600..=0x77f => "Arabic",
        0x900..=0x97f => "Devanagari",
        0x980..=0x9ff => "Bengali",
        0xe00..=0xe7f => "Thai",
        0x1100..=0x11ff | 0xac00..=0xd7af => "Hangul",
        0x2e80..=0x9fff | 0xf900..=0xfaff | 0xff66..=0xff9f | 0x20000..=0x3ffff => "Han or kana",
        _ => return None,
    })
}

/// Whether a character ends a sentence, in any of the scripts that mark it.
pub(crate) fn ends_sentence(c: char) -> bool {
    matches!(
        c,
        '.' | '!' | '?' | '…' | '。' | '．' | '！' | '？' | '｡' | '।' | '॥' | '؟' | '۔'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_is_short() {
        assert_eq!(shorten("a  b\nc", 10), "a b c");
        assert_eq!(shorten("日本語のテキスト", 3), "日本語…");
        let seen: Vec<(usize, String)> = (0..4).map(|item| (item, "x".to_owned())).collect();
        assert_eq!(show_items(&seen), "item 0: x; item 1: x; item 2: x; …");
        assert_eq!(show_items(&seen[..1]), "item 0: x");
    }

    #[test]
    fn digits_of_many_scripts() {
        for (text, value) in [
            ("2019", 2019),
            ("२०१९", 2019),
            ("২০১৯", 2019),
            ("๒๐๑๙", 2019),
            ("２０１９", 2019),
            ("٢٠١٩", 2019),
        ] {
            let read = text
                .chars()
                .map(|c| digit(c).expect("a digit"))
                .fold(0, |all, d| 10 * all + d);
            assert_eq!(read, value, "{text}");
        }
        assert_eq!((digit('a'), digit('二'), digit('½')), (None, None, None));
    }
}
