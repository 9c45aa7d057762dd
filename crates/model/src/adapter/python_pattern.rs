//! PEFT takes some texts of `adapter_config.json` for regular expressions of Python. Those whose
//! syntax means the same here are matched; any other one is refused.

use fancy_regex::Regex;

/// An expression that matches whole names of modules.
#[derive(Debug)]
pub(super) struct PythonPattern(Regex);

impl PythonPattern {
    /// `re.fullmatch(expression, name)`
    pub(super) fn whole(expression: &str) -> Result<Self, String> {
        Self::new(expression, "^(?:", ")$")
    }

    /// `re.match(rf"(.*\.)?({expression})$", name)`: the name, or its end after a dot.
    pub(super) fn end(expression: &str) -> Result<Self, String> {
        Self::new(expression, r"^(?:.*\.)?(?:", ")$")
    }

    fn new(expression: &str, before: &str, after: &str) -> Result<Self, String> {
        let refuse = |problem: &str| {
            format!("the expression `{expression}` {problem}; write the modules' names instead")
        };
        check_syntax(expression).map_err(|problem| refuse(&problem))?;
        match Regex::new(&format!("{before}{expression}{after}")) {
            Ok(regex) => Ok(Self(regex)),
            Err(_) => Err(refuse("is not valid")),
        }
    }

    pub(super) fn matches(&self, name: &str) -> Result<bool, String> {
        self.0
            .is_match(name)
            .map_err(|e| format!("the expression `{}` takes too long: {e}", self.0.as_str()))
    }
}

/// Refuses what Python and Rust read differently, and what is rare enough not to ask.
fn check_syntax(expression: &str) -> Result<(), String> {
    let chars: Vec<char> = expression.chars().collect();
    let (mut at, mut was_repeated) = (0, false);
    while at < chars.len() {
        let rest = &chars[at..];
        let repeats = repetition(rest)?;
        if repeats > 0 && was_repeated {
            return Err("has two repetitions in a row".into());
        }
        was_repeated = repeats > 0;
        at += match rest[0] {
            _ if repeats > 0 => repeats,
            '\\' => escape(rest, r"dDwWsSbB.^$*+?{}[]()|\/-")?,
            '[' => class(rest)?,
            '(' => group(rest)?,
            ']' | '}' => return Err(format!("has a lone `{}`", rest[0])),
            _ => 1,
        };
    }
    Ok(())
}

/// Characters of a repetition at the start, with the question mark that makes it lazy.
fn repetition(rest: &[char]) -> Result<usize, String> {
    let length = match rest[0] {
        '*' | '+' | '?' => 1,
        '{' => {
            let inside: String = rest[1..].iter().take_while(|c| **c != '}').collect();
            let (least, most) = inside.split_once(',').unwrap_or((&inside, "0"));
            let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
            if least.is_empty() || !is_number(least) || !is_number(most) {
                return Err("has a brace that is no repetition".into());
            }
            inside.chars().count() + 2
        }
        _ => return Ok(0),
    };
    Ok(length + usize::from(rest.get(length) == Some(&'?')))
}

fn escape(rest: &[char], known: &str) -> Result<usize, String> {
    match rest.get(1) {
        Some(c) if known.contains(*c) => Ok(2),
        Some(c) => Err(format!("has `\\{c}`")),
        None => Err("ends in a backslash".into()),
    }
}

/// A class of letters, digits and ranges; sets of sets mean different things.
fn class(rest: &[char]) -> Result<usize, String> {
    let mut at = if rest.get(1) == Some(&'^') { 2 } else { 1 };
    let first = at;
    loop {
        at += match rest.get(at) {
            None => return Err("has a class without an end".into()),
            Some(']') if at > first => return Ok(at + 1),
            Some('\\') => escape(&rest[at..], r"dwsDWS.-\]^")?,
            Some(c @ ('[' | ']' | '&' | '~' | '|')) => {
                return Err(format!("has `{c}` in a class"));
            }
            Some('-') if rest.get(at + 1) == Some(&'-') => return Err("has `--` in a class".into()),
            Some(_) => 1,
        };
    }
}

fn group(rest: &[char]) -> Result<usize, String> {
    if rest.get(1) != Some(&'?') {
        return Ok(1);
    }
    match rest.get(2) {
        Some(':' | '=' | '!') => Ok(3),
        _ => Err("has a group with flags, a name or a look behind".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `re.fullmatch` of Python 3.11 has it.
    #[test]
    fn whole_names_match_as_in_python() {
        let q = "model.layers.10.self_attn.q_proj";
        for (expression, want) in [
            (r".*\.q_proj", true),
            (r".*\.layers\.(0|10)\..*(q|v)_proj", true),
            (r"model\.layers\.\d+\.self_attn\.[qkv]_proj", true),
            (r"model\.layers\.\d{2,}.*", true),
            (r"model\.layers\.[0-9]\..*", false),
            (r"q_proj", false),
            (r"q_proj|model.*", true),
            (r"^model.*proj$", true),
            (r"(?!.*mlp).*_proj", true),
            (r"(?!.*self_attn).*_proj", false),
            (r".*?(?:attn|mlp).*?(?:q_proj|k_proj).*?", true),
        ] {
            let pattern = PythonPattern::whole(expression).expect(expression);
            assert_eq!(pattern.matches(q), Ok(want), "{expression}");
        }
    }

    #[test]
    fn what_the_two_languages_read_differently_is_refused() {
        for (expression, part) in [
            ("a++", "two repetitions"),
            ("a*{2}", "two repetitions"),
            ("a{,3}", "no repetition"),
            ("a{x}", "no repetition"),
            (r"\<a", r"has `\<`"),
            (r"(a)\1", r"has `\1`"),
            (r"\Aa\Z", r"has `\A`"),
            ("[[:alpha:]]", "`[` in a class"),
            ("[a&&b]", "`&` in a class"),
            ("[a--b]", "`--` in a class"),
            ("[]a]", "`]` in a class"),
            ("a]", "lone `]`"),
            ("(?i)a", "flags"),
            ("(?P<n>a)", "a name"),
            ("(?<=a)b", "look behind"),
            ("(a", "is not valid"),
            ("*a", "is not valid"),
            ("a\\", "backslash"),
        ] {
            let error = PythonPattern::whole(expression).expect_err(expression);
            assert!(error.contains(part), "{expression}: {error}");
            assert!(
                error.contains("write the modules' names instead"),
                "{error}"
            );
        }
    }
}
