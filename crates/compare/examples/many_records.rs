//! Writes two files of made-up answers and compares them, to measure time and memory:
//! `cargo run --release -p lingualign-compare --example many_records -- FOLDER RECORDS`.

use std::{
    error::Error,
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    time::Instant,
};

use compare::CheckedAnswers;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(records)) = (args.next(), args.next()) else {
        return Err("give a folder and a number of records".into());
    };
    let (folder, records) = (Path::new(&folder), records.parse()?);
    fs::create_dir_all(folder)?;
    let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| folder.join(name));
    for (path, salt) in [(&a, 1), (&b, 2)] {
        if !path.exists() {
            write(path, records, salt)?;
        }
    }
    let start = Instant::now();
    let read = |path| CheckedAnswers::read(path, None, &|| false);
    let (of_a, of_b) = rayon::join(|| read(&a), || read(&b));
    let (of_a, of_b) = (of_a?, of_b?);
    let seconds = start.elapsed().as_secs_f64();
    let mut out = std::io::stdout();
    writeln!(out, "read in {seconds:.1} s")?;
    let comparison = compare::compare_checked(of_a, of_b, &|| false)?;
    let seconds = start.elapsed().as_secs_f64();
    writeln!(out, "{:?}", comparison.changes.mean.change)?;
    writeln!(out, "compared in {seconds:.1} s")?;
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find(|line| line.starts_with("VmHWM"));
        writeln!(out, "{}", peak.unwrap_or_default())?;
    }
    Ok(())
}

/// Three labels with every measure, from a generator that needs no seed but `salt`.
fn write(path: &Path, records: u64, salt: u64) -> Result<(), Box<dyn Error>> {
    let labels = ["contradiction", "entailment", "neutral"];
    let mut out = BufWriter::new(File::create(path)?);
    for item in 0..records {
        let draw = |n: u64| {
            let mixed = (item * 8 + n + salt * 0x9e37).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64
                / (1_u64 << 53) as f64
        };
        let scores = [draw(0), draw(1), draw(2)].map(|share| 0.01 + share);
        let best = (0..3)
            .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
            .unwrap_or(0);
        let (gold, chosen) = (labels[item as usize % 3], labels[best]);
        let map = |of: &dyn Fn(usize) -> String| -> String {
            let cells = (0..3).map(|label| format!("\"{}\":{}", labels[label], of(label)));
            cells.collect::<Vec<_>>().join(",")
        };
        let logs = map(&|label| scores[label].min(1.0).ln().to_string());
        writeln!(
            out,
            "{{\"model\":\"m\",\"adapter\":null,\"task\":\"snli\",\"language\":\"de\",\"item\":{item},\"gold\":\"{gold}\",\
             \"chosen\":\"{chosen}\",\"correct\":{},\"scores\":{{{}}},\"prior\":{{{}}},\"prefix_scores\":{{{}}},\
             \"log_probs\":{{{logs}}},\"label_tokens\":{{{}}},\"prior_log_probs\":{{{}}},\"domain_log_probs\":{{{}}},\
             \"scoring\":\"prefix\",\"labels\":\"english\",\"protocol\":null,\"few_shot\":\"head:2\",\"prompt_tokens\":300}}",
            gold == chosen,
            map(&|label| scores[label].to_string()),
            map(&|_| "0.25".to_owned()),
            map(&|label| scores[label].to_string()),
            map(&|label| (label + 1).to_string()),
            map(&|_| "-1.5".to_owned()),
            map(&|_| "-2.5".to_owned()),
        )?;
    }
    Ok(out.flush()?)
}
