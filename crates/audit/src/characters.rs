//! Characters that no writer meant: U+FFFD, text decoded with the wrong encoding, markup, HTML
//! entities, control and invisible characters.

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{
    Role,
    set::{AuditItem, AuditSet},
    text::shorten,
};

/// One finding for each sort of defect. A defect that the English text of the same item has too is
/// reported for the English file alone; translation pairs have no other file, so there both sides
/// are read.
pub(crate) fn check(set: &AuditSet<'_>) -> Vec<Finding> {
    Sort::ALL
        .iter()
        .filter_map(|&sort| check_sort(set, sort))
        .collect()
}

fn check_sort(set: &AuditSet<'_>, sort: Sort) -> Option<Finding> {
    let seen: Vec<(usize, String)> = set
        .numbered()
        .filter_map(|(index, item)| Some((index, find_in_item(set, item, sort)?)))
        .collect();
    let severity = match sort {
        Sort::Replacement | Sort::Mojibake => set.severity_of_share(&seen),
        Sort::Markup | Sort::Entity | Sort::Control => Severity::Warning,
        Sort::Invisible => Severity::Note,
    };
    set.finding_of(
        Kind::Characters,
        severity,
        &seen,
        sort.what(),
        sort.suggestion(),
    )
}

fn find_in_item(set: &AuditSet<'_>, item: &AuditItem, sort: Sort) -> Option<String> {
    let own = item.parts.iter().find_map(|part| sort.find(part));
    let mut english = item.english.iter().filter_map(|part| sort.find(part));
    if set.source.role == Role::Pairs {
        return own.or_else(|| english.next());
    }
    own.filter(|_| set.is_english() || english.next().is_none())
        .or_else(|| sort.find(item.gold.as_deref()?))
}

/// The defects that are searched for.
#[derive(Clone, Copy)]
enum Sort {
    Replacement,
    Mojibake,
    Entity,
    Markup,
    Control,
    Invisible,
}

impl Sort {
    const ALL: [Self; 6] = [
        Self::Replacement,
        Self::Mojibake,
        Self::Entity,
        Self::Markup,
        Self::Control,
        Self::Invisible,
    ];

    fn what(self) -> &'static str {
        match self {
            Self::Replacement => "U+FFFD replaces a lost character",
            Self::Mojibake => "UTF-8 was read in another encoding",
            Self::Entity => "an HTML entity",
            Self::Markup => "markup",
            Self::Control => "a control character",
            Self::Invisible => "an invisible character",
        }
    }

    fn suggestion(self) -> &'static str {
        match self {
            Self::Replacement => {
                "copy the text from its source again: the lost character cannot be recovered"
            }
            Self::Mojibake => "decode the file as UTF-8 once, not twice",
            Self::Entity => "write the character itself",
            Self::Markup => "remove the markup",
            Self::Control | Self::Invisible => "remove the character: tokenizers see it",
        }
    }

    /// The place, quoted.
    fn find(self, text: &str) -> Option<String> {
        let at = match self {
            Self::Replacement => text.find('\u{fffd}')?,
            Self::Mojibake => return find_mojibake(text),
            Self::Entity => find_entity(text)?,
            Self::Markup => find_markup(text)?,
            Self::Control => {
                let (at, c) = text
                    .char_indices()
                    .find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\t' | '\r'))?;
                return Some(format!(
                    "U+{:04X} in `{}`",
                    u32::from(c),
                    quote_around(&text.replace(c, " "), at)
                ));
            }
            Self::Invisible => {
                let (at, c) = text.char_indices().find(|(_, c)| is_invisible(*c))?;
                return Some(format!(
                    "U+{:04X} in `{}`",
                    u32::from(c),
                    quote_around(text, at)
                ));
            }
        };
        Some(format!("`{}`", quote_around(text, at)))
    }
}

/// Joiners are left out: several scripts are written with them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Some characters before and after a place.
fn quote_around(text: &str, at: usize) -> String {
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text[..end].chars().count();
    let window: String = text
        .chars()
        .skip(before.saturating_sub(15))
        .take(40)
        .collect();
    shorten(&window, 40)
}

/// Named entities that texts from the web hold; `Barnes&Noble;` is none.
const ENTITIES: &[&str] = &[
    "amp", "lt", "gt", "quot", "apos", "nbsp", "copy", "reg", "trade", "hellip", "mdash", "ndash",
    "lsquo", "rsquo", "ldquo", "rdquo", "laquo", "raquo", "bull", "middot", "deg", "euro", "pound",
    "cent", "yen", "sect", "times", "frac12", "agrave", "aacute", "acirc", "atilde", "auml",
    "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc",
    "iuml", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml", "oslash", "ugrave", "uacute",
    "ucirc", "uuml", "szlig", "Auml", "Ouml", "Uuml", "Eacute", "shy", "zwnj", "zwj",
];

/// `&amp;`, `&#39;`, `&#x27;`
fn find_entity(text: &str) -> Option<usize> {
    text.match_indices('&').map(|(at, _)| at).find(|&at| {
        let Some((name, _)) = text[at + 1..].split_once(';') else {
            return false;
        };
        let number = name
            .strip_prefix('#')
            .map(|code| code.trim_start_matches(['x', 'X']));
        match number {
            Some(code) => {
                (1..=6).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            None => ENTITIES.contains(&name),
        }
    })
}

/// `<br>`, `</b>`, `<a href="...">`
fn find_markup(text: &str) -> Option<usize> {
    text.match_indices('<').map(|(at, _)| at).find(|&at| {
        let Some((inside, _)) = text[at + 1..].split_once('>') else {
            return false;
        };
        let name = inside.strip_prefix('/').unwrap_or(inside);
        let name = name.split([' ', '/']).next().unwrap_or_default();
        inside.len() <= 200
            && (1..=10).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
    })
}

/// Characters that are bytes of Windows-1252 and, as bytes, are UTF-8 of something else.
fn find_mojibake(text: &str) -> Option<String> {
    let mut run: Vec<(usize, u8)> = Vec::new();
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match to_windows_1252(c).filter(|byte| *byte >= 0x80) {
            Some(byte) => run.push((at, byte)),
            None => {
                if let Some((start, end, meant)) = read_as_utf8(&run, at) {
                    return Some(format!(
                        "`{}` is `{meant}` in `{}`",
                        &text[start..end],
                        quote_around(text, start)
                    ));
                }
                run.clear();
            }
        }
    }
    None
}

/// The longest stretch of a run's bytes that is UTF-8: where it starts and ends in the text,
/// and what it says. `end` is where the run ends.
fn read_as_utf8(run: &[(usize, u8)], end: usize) -> Option<(usize, usize, String)> {
    let bytes: Vec<u8> = run.iter().map(|(_, byte)| *byte).collect();
    for from in 0..bytes.len() {
        let valid = match str::from_utf8(&bytes[from..]) {
            Ok(all) => all.len(),
            Err(error) => error.valid_up_to(),
        };
        let stretch = &bytes[from..from + valid];
        if valid > 0 && !is_typography(stretch) {
            let stop = run.get(from + valid).map_or(end, |(at, _)| *at);
            return Some((
                run[from].0,
                stop,
                String::from_utf8_lossy(stretch).into_owned(),
            ));
        }
    }
    None
}

/// Capital letters of western Europe before dashes, quotation marks, signs and no-break spaces
/// happen to be UTF-8 too: `É »`, `É™`. Latin and Cyrillic letters are recognised by their first
/// byte, which no text has so often.
fn is_typography(bytes: &[u8]) -> bool {
    const MARKS: [u8; 19] = [
        0x85, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x99, 0xa0, 0xa9, 0xab, 0xae, 0xb0, 0xb2,
        0xb3, 0xb7, 0xb9, 0xbb,
    ];
    !matches!(bytes[0], 0xc2 | 0xc3 | 0xd0 | 0xd1)
        && bytes
            .iter()
            .all(|byte| *byte >= 0xc0 || MARKS.contains(byte))
}

/// The byte of a character; what Windows-1252 leaves open is read as Latin-1, as most programs
/// do.
fn to_windows_1252(c: char) -> Option<u8> {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    if let Some(at) = HIGH.iter().position(|high| *high == c) {
        return Some(0x80 + at as u8);
    }
    u8::try_from(u32::from(c)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sort_is_found_and_sound_text_is_not() {
        let found = |text: &str| {
            Sort::ALL
                .iter()
                .filter(|sort| sort.find(text).is_some())
                .map(|sort| sort.what())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("a \u{fffd}b"), ["U+FFFD replaces a lost character"]);
        for text in [
            "cafÃ©",
            "donâ€™t",
            "ÐŸÑ€Ð¸Ð²ÐµÑ‚",
            "æ—¥æœ¬",
            "über StraÃŸe",
            "påÃ©",
            "ÐÑ‹",
        ] {
            assert_eq!(
                found(text)[..1],
                ["UTF-8 was read in another encoding"],
                "{text}"
            );
        }
        for text in ["Tom &amp; Jerry", "it&#39;s", "&quot;x", "&#x27;"] {
            assert_eq!(found(text), ["an HTML entity"], "{text}");
        }
        for text in ["a<br>b", "a<br />b", "<b>a</b>", "<a href=\"x\">"] {
            assert_eq!(found(text), ["markup"], "{text}");
        }
        assert_eq!(found("a\u{8}b"), ["a control character"]);
        assert_eq!(found("a\u{200b}b"), ["an invisible character"]);
        for text in [
            "Barnes&Noble;",
            "AT&T; R&D",
            "a < b > c",
            "1 <2> 3",
            "<3 you >",
            "naïve café, „Größe“ – ‘x’",
            "« CAFÉ\u{a0}» dit-il\u{a0}: é\u{a0}»",
            "CAFÉ™ É…",
            "র\u{200c}্যাকেট",
            "日本語、テスト。",
            "a & b; c",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
