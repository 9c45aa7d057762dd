//! `completions` and `man`: what shells and `man` know of the program, from its own command line.

use std::{io, path::Path};

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use run::OutputCheck;
use schema::disk::write_with;

use crate::{
    cli::Cli,
    progress::{note, text},
};

pub(super) fn print_completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lingualign", &mut script);
    text(&String::from_utf8(script).context("the completions are no text")?);
    Ok(())
}

/// A page for the program and one for each command, `lingualign-grid-run.1`.
pub(super) fn write_pages(out: &Path) -> Result<()> {
    OutputCheck::new(false).folder(out, &|_| true)?;
    let mut program = Cli::command();
    program.build();
    let mut pages = 0;
    write_page(program, "lingualign", out, &mut pages)?;
    note(&format!("wrote {pages} pages to {}", out.display()));
    Ok(())
}

fn write_page(command: clap::Command, name: &str, out: &Path, pages: &mut usize) -> Result<()> {
    for inner in command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
    {
        let inner_name = format!("{name}-{}", inner.get_name());
        write_page(inner.clone(), &inner_name, out, pages)?;
    }
    let page = Man::new(command);
    let path = out.join(format!("{name}.1"));
    write_with(&path, |file| {
        let mut text = Vec::new();
        page.render(&mut text)?;
        io::Write::write_all(file, &text)
    })?;
    *pages += 1;
    Ok(())
}
