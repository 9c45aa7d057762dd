//! Writes the report of a made-up run, to look at: `cargo run -p lingualign-report --example sample_report -- DIR`.

#[path = "../tests/fabricate/mod.rs"]
mod fabricate;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a folder to write the run into")?;
    let run = fabricate::put_run(folder.as_ref(), schema::Language::ALL);
    let text = report::write(&run)?.render_text();
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(())
}
