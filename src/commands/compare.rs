//! `compare`: two files of answers, in short or with every table.

use anyhow::Result;
use report::{ComparisonLine, Tone};
use run::lm_eval;
use schema::escape::show_controls;

use crate::{
    cli::CompareArgs,
    progress::{self, Colour, Terminal, paint},
};

/// Compares, and prints what was asked for.
pub(super) fn run(args: &CompareArgs) -> Result<()> {
    let comparison = lm_eval::compare(&args.a, &args.b, &mut Terminal::default())?;
    if args.all {
        progress::result(&report::comparison_text(&comparison));
        return Ok(());
    }
    let lines = report::summarise_comparison(&comparison);
    progress::text(&show(&lines, progress::result_takes_colour()));
    Ok(())
}

/// Texts of the data are in it: only our own colours steer the terminal.
fn show(lines: &[ComparisonLine], in_colour: bool) -> String {
    let one = |line: &ComparisonLine| {
        let text = show_controls(&line.text);
        match line.tone {
            Tone::Better if in_colour => paint(Colour::Green, &text),
            Tone::Worse if in_colour => paint(Colour::Red, &text),
            _ => text.to_string(),
        }
    };
    lines.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_colours_steer_the_terminal() {
        let line = |tone, text: &str| ComparisonLine {
            tone,
            text: text.to_owned(),
        };
        let lines = [
            line(Tone::Better, "en up"),
            line(Tone::Worse, "de down"),
            line(Tone::Plain, "a\u{1b}[31mb"),
        ];
        let coloured = show(&lines, true);
        assert!(
            coloured.starts_with("\u{1b}[32men up\u{1b}[0m\n\u{1b}[31mde down\u{1b}[0m\n"),
            "{coloured:?}"
        );
        assert_eq!(coloured.matches('\u{1b}').count(), 4);
        assert!(!show(&lines, false).contains('\u{1b}'));
    }
}
