//! Rust source as the rules see it: literals blanked, tests taken out, functions measured.
//! A small lexer; never here: a rule.

/// Rust source with comments, strings and character literals blanked; every line keeps its
/// number.
pub(crate) fn mask(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut masked = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at).min(chars.len());
        let is_code = end == at;
        let end = end.max(at + 1);
        masked.extend(
            chars[at..end]
                .iter()
                .map(|&c| if is_code || c == '\n' { c } else { ' ' }),
        );
        at = end;
    }
    masked
}

/// Where the comment or literal that starts at `at` ends; `at` itself if none starts there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |ahead: usize| chars.get(at + ahead).copied().unwrap_or('\0');
    match (chars[at], next(1)) {
        ('/', '/') => (at..chars.len())
            .find(|&i| chars[i] == '\n')
            .unwrap_or(chars.len()),
        ('/', '*') => block_comment_end(chars, at),
        ('"', _) => quoted_end(chars, at + 1, '"'),
        ('r', '#' | '"') => raw_string_end(chars, at),
        ('\'', '\\') => quoted_end(chars, at + 1, '\''),
        ('\'', _) if next(2) == '\'' => at + 3,
        _ => at, // a lifetime among them
    }
}

fn quoted_end(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_string_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let start = at + 1 + hashes;
    if chars.get(start) != Some(&'"') {
        return at; // a raw identifier
    }
    let closes = |&i: &usize| {
        chars[i] == '"'
            && chars[i + 1..]
                .iter()
                .take(hashes)
                .filter(|&&c| c == '#')
                .count()
                == hashes
    };
    (start + 1..chars.len()).find(closes).unwrap_or(chars.len()) + 1 + hashes
}

fn block_comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Where the item that starts at `from` ends: after its closing brace or its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[from..].char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 && (c == '}' || c == ';') {
            return from + at + 1;
        }
    }
    code.len()
}

/// Byte ranges of the items under `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<std::ops::Range<usize>> {
    let starts = code
        .match_indices("#[cfg(test)]")
        .chain(code.match_indices("#[cfg(all(test"));
    starts.map(|(at, _)| at..item_end(code, at)).collect()
}

/// The code with test items as empty lines.
pub(crate) fn blank_tests(code: &str) -> String {
    let items = test_items(code);
    let is_test = |at: usize| items.iter().any(|item| item.contains(&at));
    code.char_indices()
        .map(|(at, c)| if c != '\n' && is_test(at) { ' ' } else { c })
        .collect()
}

/// The code with test items, and their lines, taken out.
pub(crate) fn without_tests(code: &str) -> String {
    let items = test_items(code);
    code.char_indices()
        .filter(|(at, _)| !items.iter().any(|item| item.contains(at)))
        .map(|(_, c)| c)
        .collect()
}

/// Name, first line (from 0) and number of lines of every function.
pub(crate) fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let starts_word = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let line = |at: usize| code[..at].matches('\n').count();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ").filter(|&(at, _)| starts_word(at)) {
        let name: String = code[at + 3..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if !name.is_empty() {
            let (first, last) = (line(at), line(item_end(code, at)));
            found.push((name, first, last - first + 1));
        }
    }
    found
}

/// Whether the line before the function, attributes aside, gives a reason for its length.
pub(crate) fn has_reason(text: &str, first: usize) -> bool {
    let above: Vec<&str> = text.lines().take(first).map(str::trim).collect();
    let before = above.iter().rev().find(|line| !line.starts_with("#["));
    before
        .and_then(|line| line.strip_prefix("// long:"))
        .is_some_and(|reason| !reason.trim().is_empty())
}

#[test]
fn literals_and_comments_are_blanked() {
    let check = |source: &str, expected: &str| assert_eq!(mask(source), expected, "{source}");
    check(r#"a("}\"{", b)"#, r#"a(      , b)"#);
    check(
        "let c = '{'; let d = '\\''; fn f<'a>(x: &'a str)",
        "let c =    ; let d =     ; fn f<'a>(x: &'a str)",
    );
    check(
        "a // {\nb /* { /* } */ { */ c",
        &format!("a     \nb {} c", " ".repeat("/* { /* } */ { */".len())),
    );
    check(
        "r#\"} \"{\"# + r\"{\" + r#type",
        "          +      + r#type",
    );
}

#[test]
fn functions_are_measured() {
    let code = mask(
        "impl A {\n    fn one(x: [u8; 2]) -> &'static str {\n        \"}\"\n    }\n}\ntrait B {\n    fn two();\n}\n",
    );
    assert_eq!(
        functions(&code),
        [("one".to_owned(), 1, 3), ("two".to_owned(), 6, 1)]
    );
    let tests = mask("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
    assert_eq!(
        functions(&blank_tests(&tests)),
        [("a".to_owned(), 0, 1), ("c".to_owned(), 5, 1)]
    );
    assert_eq!(without_tests(&tests), "fn a() {}\n\nfn c() {}\n");
    assert!(
        has_reason("// long: one table\n#[inline]\nfn a() {", 2)
            && !has_reason("// long:\nfn a() {", 1)
    );
}
