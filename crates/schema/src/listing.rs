//! Long lists in messages: the first few, and how many more there are.

/// `a, b and 3 more`.
pub fn in_a_line<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let (shown, more) = cut(names, most);
    let shown = shown.join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// One a line, each indented by two spaces; the last line may be `and 3 more`.
pub fn in_lines<S: AsRef<str>>(lines: &[S], most: usize) -> String {
    let (shown, more) = cut(lines, most);
    let shown = shown.iter().map(|line| format!("  {line}"));
    let rest = (more > 0).then(|| format!("  and {more} more"));
    shown.chain(rest).collect::<Vec<_>>().join("\n")
}

fn cut<S: AsRef<str>>(list: &[S], most: usize) -> (Vec<&str>, usize) {
    let shown = list.iter().take(most).map(AsRef::as_ref).collect();
    (shown, list.len().saturating_sub(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let names = ["a", "b", "c"];
        assert_eq!(in_a_line(&names, 3), "a, b, c");
        assert_eq!(in_a_line(&names, 1), "a and 2 more");
        assert_eq!(in_a_line::<&str>(&[], 1), "");
        assert_eq!(in_lines(&names, 3), "  a\n  b\n  c");
        assert_eq!(in_lines(&names, 2), "  a\n  b\n  and 1 more");
    }
}
