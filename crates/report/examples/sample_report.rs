//! Writes the report of a made-up run, to look at: `cargo run -p lingualign-report --example
//! sample_report -- DIR`; with `all` behind it, what is inside has 20 languages.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use fabricate::inside::{Inside, put_inside};
use schema::{Language, inside::Pooling};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os()
        .nth(1)
        .ok_or("name a folder to write the run into")?;
    let run = fabricate::put_run(folder.as_ref(), Language::ALL);
    let few = [
        Language::En,
        Language::Zh,
        Language::De,
        Language::Ja,
        Language::Hi,
        Language::Th,
        Language::Sw,
    ];
    let languages = if std::env::args().any(|word| word == "all") {
        Language::ALL
    } else {
        &few
    };
    let poolings = &[Pooling::All, Pooling::Question, Pooling::Last];
    let shape = Inside {
        task: "emotion",
        languages,
        layers: 30,
        items: 200,
        poolings,
    };
    put_inside(&run, "base", &shape);
    put_inside(&run, "emotion.zh-de-en.seed1", &shape);
    let text = report::write(&run)?.render_text();
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(())
}
