//! Lines divided among requests by the limits of an engine. Never here: what a request looks
//! like.

use crate::Limits;

/// Indices of `lines` in order, cut so that no batch exceeds `limits`; a line that does alone
/// is a batch of its own. `wanted` are the indices that are sent.
pub(super) fn divide(lines: &[String], wanted: &[usize], limits: Limits) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let (mut characters, mut bytes) = (0, 0);
    for &index in wanted {
        let (more_characters, more_bytes) =
            (lines[index].chars().count(), json_bytes(&lines[index]));
        let has_room =
            characters + more_characters <= limits.characters && bytes + more_bytes <= limits.bytes;
        match batches.last_mut() {
            Some(batch) if has_room && batch.len() < limits.lines => batch.push(index),
            _ => {
                batches.push(vec![index]);
                (characters, bytes) = (0, 0);
            }
        }
        characters += more_characters;
        bytes += more_bytes;
    }
    batches
}

/// At most what a line takes in a JSON list: quotes, a comma, and two bytes or six for what
/// must be escaped.
fn json_bytes(line: &str) -> usize {
    let escaped = line.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..=0x1F => 6,
        _ => 1,
    });
    3 + escaped.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn batches_hold_every_line_once_within_the_limits(
            lines in prop::collection::vec("[aä\"\\n\u{1}本]{1,12}", 0..40),
            most in (1usize..6, 1usize..30, 1usize..60),
        ) {
            let limits = Limits { lines: most.0, characters: most.1, bytes: most.2 };
            let wanted: Vec<usize> = (0..lines.len()).filter(|index| index % 3 != 1).collect();
            let batches = divide(&lines, &wanted, limits);
            prop_assert_eq!(batches.concat(), wanted);
            for batch in batches.iter().filter(|batch| batch.len() > 1) {
                let texts: Vec<&str> = batch.iter().map(|&index| lines[index].as_str()).collect();
                prop_assert!(texts.len() <= limits.lines);
                prop_assert!(texts.iter().map(|text| text.chars().count()).sum::<usize>() <= limits.characters);
                prop_assert!(serde_json::to_string(&texts).expect("JSON").len() <= limits.bytes + 1);
            }
            for pair in batches.windows(2) {
                let together = [pair[0].as_slice(), &pair[1][..1]].concat();
                let characters: usize = together.iter().map(|&index| lines[index].chars().count()).sum();
                let bytes: usize = together.iter().map(|&index| json_bytes(&lines[index])).sum();
                prop_assert!(together.len() > limits.lines || characters > limits.characters || bytes > limits.bytes);
            }
        }
    }
}
