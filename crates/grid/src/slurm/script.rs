//! The batch script of an array.

use std::path::Path;

use super::SlurmOptions;
use crate::{
    Cell, Plan,
    error::Result,
    lines::{Call, numbers, quote, text},
};

/// The script: each array task makes its cells. Before its time is over it is told to stop, writes what
/// it needs to resume, and puts itself back in the queue; with the array's plain number all array tasks
/// would be put back.
///
/// # Errors
/// A path that is not UTF-8.
pub fn script(
    plan: &Plan,
    array_tasks: &[Vec<&Cell>],
    (call, here): (&Call, &Path),
    options: &SlurmOptions,
) -> Result<String> {
    let mut text_of = String::from("#!/bin/bash\n");
    let mut option = |line: String| {
        text_of.push_str("#SBATCH --");
        text_of.push_str(&line);
        text_of.push('\n');
    };
    let most = options
        .max_running
        .map_or(String::new(), |most| format!("%{most}"));
    option(format!("job-name={}", plan.grid.name));
    option(format!(
        "array=0-{}{most}",
        array_tasks.len().saturating_sub(1)
    ));
    option(format!("chdir={}", escape(&text(here)?)));
    let logs = std::path::absolute(plan.folder.logs()).unwrap_or_else(|_| plan.folder.logs());
    option(format!("output={}/%A_%a.log", escape(&text(&logs)?)));
    option("open-mode=append".to_owned());
    option("requeue".to_owned());
    option(format!("signal=B:TERM@{}", options.notice));
    for (key, value) in &options.fields {
        option(match value.as_str() {
            "" => key.clone(),
            value => format!("{key}={value}"),
        });
    }
    text_of.push_str(&body(array_tasks, &quote(&call.words(plan)?)?));
    Ok(text_of)
}

/// What an array task does: its cells by a program that it tells to stop in time.
fn body(array_tasks: &[Vec<&Cell>], line: &str) -> String {
    let cells: Vec<String> = array_tasks.iter().map(|cells| numbers(cells)).collect();
    format!(
        "
# Nodes have no network: models were fetched when this was submitted.
export HF_HUB_OFFLINE=1
cells=({})

asked=
stop() {{
    asked=1
    kill -TERM \"$child\" 2>/dev/null
}}
trap stop TERM

{} --cell \"${{cells[$SLURM_ARRAY_TASK_ID]}}\" &
child=$!
wait \"$child\"
code=$?
# A signal ends `wait`, not the program.
while kill -0 \"$child\" 2>/dev/null; do
    wait \"$child\"
    code=$?
done
# It may have ended just before it was looked at; 127: its status is known already.
wait \"$child\"
last=$?
if [ \"$last\" -ne 127 ]; then code=$last; fi

if [ -n \"$asked\" ] && [ \"$code\" -eq {} ]; then
    # A cell that makes no step in the time that it has would go round for ever.
    if [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt 50 ]; then
        scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"
    else
        echo 'stopped 50 times: ask for a longer time limit'
    fi
fi
exit \"$code\"
",
        cells.join(" "),
        line,
        crate::INTERRUPTED,
    )
}

/// `sbatch` reads options as a shell does.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_whitespace() || "\"'\\#".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
