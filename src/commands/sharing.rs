//! `pack` and `reproduce`: a run in one file, and whether it comes out again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use archive::{Archive, Likeness, Reproduction, ReproductionRequest, StageDifference};
use run::{OutputCheck, estimate::gigabytes};
use schema::run_folder::RunFolder;

use crate::{
    cli::{PackArgs, ReproduceArgs},
    progress::{Terminal, note, result},
};

/// Stages that are listed without --all.
const LISTED: usize = 20;

pub(super) fn pack(args: &PackArgs) -> Result<()> {
    let folder = RunFolder::new(&args.run);
    let out = args.out.clone().unwrap_or_else(|| usual_file(&args.run));
    let is_ours = |file: &Path| Archive::open(file).is_ok();
    OutputCheck::new(args.replace)
        .reading("the run", &args.run)
        .file(&out, &is_ours)?;
    let packed = archive::pack(&folder, &out, args.captures, &mut Terminal::default())?;
    note(&format!(
        "wrote {}: {} files of the run, {}; {} files of data and the model are named by their hashes",
        out.display(),
        packed.files,
        gigabytes(packed.bytes),
        packed.data
    ));
    if packed.left_out > 0 {
        note(&format!(
            "note: {} files are left out and named by their hashes: hidden states, which --captures packs, or texts where the \
             recipe has `report.texts = false`",
            packed.left_out
        ));
    }
    result(&format!("lingualign reproduce {}", out.display()));
    Ok(())
}

/// In the current folder, named as the run's folder.
fn usual_file(run: &Path) -> PathBuf {
    let full = std::path::absolute(run).unwrap_or_else(|_| run.to_owned());
    let name = full.file_name().unwrap_or_default().to_string_lossy();
    PathBuf::from(format!("{name}.zip"))
}

pub(super) fn reproduce(args: &ReproduceArgs) -> Result<ExitCode> {
    let request = ReproductionRequest {
        archive: &args.archive,
        out: args.out.as_deref(),
        data: args.data.as_deref(),
        model: args.model.as_deref(),
        device: &args.device.device,
    };
    let reproduction = archive::reproduce(&request, &mut Terminal::default())?;
    result(&describe(&reproduction, args.all));
    note(&format!(
        "see {}",
        reproduction.folder.join("reproduction.json").display()
    ));
    Ok(match reproduction.has_same_answers() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

/// What came of it, by kind and stage.
fn describe(reproduction: &Reproduction, all: bool) -> String {
    let made = |facts: &[String; 3]| format!("{} on {}, {}", facts[0], facts[1], facts[2]);
    let mut lines = vec![format!(
        "`{}`, made by {}, made again by {}:",
        reproduction.name,
        made(&reproduction.original),
        made(&reproduction.again)
    )];
    let mut counts: BTreeMap<usize, (&str, usize)> = BTreeMap::new();
    for stage in &reproduction.stages {
        let (rank, words) = kind(&stage.likeness);
        counts.entry(rank).or_insert((words, 0)).1 += 1;
    }
    for (words, count) in counts.values() {
        lines.push(format!(
            "{count:>6} of {} stages {words}",
            reproduction.stages.len()
        ));
    }
    let is_listed = |stage: &&StageDifference| all || stage.likeness != Likeness::Same;
    let mut listed: Vec<&StageDifference> = reproduction.stages.iter().filter(is_listed).collect();
    listed.sort_by(|a, b| {
        b.likeness
            .partial_cmp(&a.likeness)
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let most = if all { usize::MAX } else { LISTED };
    for stage in listed.iter().take(most) {
        lines.push(format!("  {}: {}", stage.stage, in_words(&stage.likeness)));
    }
    if listed.len() > most {
        lines.push(format!(
            "  and {} more; --all lists them",
            listed.len() - most
        ));
    }
    lines.join("\n")
}

fn kind(likeness: &Likeness) -> (usize, &'static str) {
    match likeness {
        Likeness::Same => (0, "are the same"),
        Likeness::Numbers { .. } => (1, "have other numbers and the same answers"),
        Likeness::Bytes { .. } => (2, "have other bytes in files that were not packed"),
        Likeness::Answers { .. } => (3, "have other answers"),
        Likeness::Other { .. } => (4, "differ otherwise"),
    }
}

fn in_words(likeness: &Likeness) -> String {
    match likeness {
        Likeness::Same => "the same".to_owned(),
        Likeness::Numbers { largest } => format!("numbers differ by {largest:.1e} at most"),
        Likeness::Answers {
            differ,
            of,
            largest,
        } => format!("{differ} of {of} answers differ; numbers by {largest:.1e} at most"),
        Likeness::Bytes { what } => format!("{what} was not packed, and has other bytes"),
        Likeness::Other { what } => what.clone(),
    }
}
