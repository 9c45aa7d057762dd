//! Writes the page of the questions of a made-up run, to look at and to measure: `cargo run
//! -p lingualign-report --example questions_page -- DIR LANGUAGES ITEMS ADAPTERS`. The texts hold
//! what a page must not obey.

use std::{collections::BTreeMap, error::Error, io::Write, time::Instant};

use schema::{
    AnswerRecord, LabelSet, Language, PromptForm, Scoring,
    questions::{AskedRecord, QuestionLine, QuestionRecord, prompt_hash},
    run_folder::RunFolder,
    write_json_lines,
};

const LABELS: [&str; 3] = ["contradiction", "entailment", "neutral"];
const WORDS: [&str; 16] = [
    "river",
    "stone",
    "</script>",
    "مرحبا",
    "水",
    "walks",
    "<b>bold</b>",
    "green",
    "שלום",
    "nobody",
    "\u{202e}evil",
    "дом",
    "two",
    "घर",
    "\u{0}",
    "again",
];
const EXEMPLAR: &str = "Premise: A man in a blue shirt is standing on a ladder cleaning a window.\nHypothesis: He is outside.\nLabel: \"neutral\"\n";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, languages, items, adapters] = args.as_slice() else {
        return Err("give a folder, and numbers of languages, items and adapters".into());
    };
    let run = RunFolder::new(folder);
    let (items, adapters): (usize, usize) = (items.parse()?, adapters.parse()?);
    let codes = list_codes(languages.parse()?)?;
    for (at, &language) in codes.iter().enumerate() {
        write_language(&run, (at, language), items, adapters)?;
    }
    let start = Instant::now();
    report::write_questions(&run, &|| false)?;
    let seconds = start.elapsed().as_secs_f64();
    writeln!(std::io::stdout(), "the page was written in {seconds:.1} s")?;
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find(|line| line.starts_with("VmHWM"));
        writeln!(std::io::stdout(), "{}", peak.unwrap_or_default())?;
    }
    Ok(())
}

/// The paper's languages, and then codes that name none.
fn list_codes(count: usize) -> Result<Vec<Language>, Box<dyn Error>> {
    let mut codes = Language::ALL.to_vec();
    for number in 0..count.saturating_sub(codes.len()) {
        let letter = |place: usize| char::from(b'a' + (place % 26) as u8);
        let code: String = ['q', letter(number / 26), letter(number)].iter().collect();
        codes.push(Language::of_record(&code)?);
    }
    codes.truncate(count);
    Ok(codes)
}

fn mix(number: usize) -> usize {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20) as usize
}

fn write_language(
    run: &RunFolder,
    (at, language): (usize, Language),
    items: usize,
    adapters: usize,
) -> Result<(), Box<dyn Error>> {
    let asked = AskedRecord {
        labels: LabelSet::English,
        prompt: PromptForm::Plain,
        few_shot: "head:6".to_owned(),
        words: LABELS
            .map(|label| (label.to_owned(), label.to_owned()))
            .into(),
        frame: ["Premise: ", "\nHypothesis: ", "\nLabel: \""]
            .map(str::to_owned)
            .to_vec(),
        whole: Default::default(),
    };
    let mut asked = asked;
    asked.frame[0].insert_str(0, &EXEMPLAR.repeat(6));
    let questions: Vec<QuestionRecord> = (6..6 + items).map(|item| ask(at, item)).collect();
    let mut lines = vec![QuestionLine::Asked(asked.clone())];
    lines.extend(questions.iter().cloned().map(QuestionLine::Question));
    write_json_lines(&run.questions("snli", language), &lines)?;
    for model in 0..=adapters {
        let name = match model {
            0 => "base".to_owned(),
            seed => format!("snli.zh-en.seed{seed}"),
        };
        let answers: Vec<AnswerRecord> = questions
            .iter()
            .map(|question| answer(question, (&asked, at, model), language))
            .collect();
        write_json_lines(&run.answers(&name, "snli", "english", language), &answers)?;
    }
    Ok(())
}

fn ask(at: usize, item: usize) -> QuestionRecord {
    let word = |place: usize| WORDS[mix(at * 7919 + item * 31 + place) % WORDS.len()];
    let sentence = |from: usize| (from..from + 9).map(word).collect::<Vec<_>>().join(" ");
    QuestionRecord {
        item,
        fields: vec![sentence(0), sentence(100)],
        choices: BTreeMap::new(),
        gold: LABELS[item % 3].to_owned(),
    }
}

fn answer(
    question: &QuestionRecord,
    (asked, at, model): (&AskedRecord, usize, usize),
    language: Language,
) -> AnswerRecord {
    let draw = |label: usize| {
        let drawn = mix(question.item * 64 + at * 100_003 + model * 17 + label * 7) % 1000;
        let bonus = if question.item % 3 == label {
            300 + 20 * model
        } else {
            0
        };
        (drawn + bonus) as f64 / 4000.0
    };
    let scores: BTreeMap<String, f64> = (0..3)
        .map(|label| (LABELS[label].to_owned(), draw(label)))
        .collect();
    let best = scores.values().copied().fold(0.0, f64::max);
    let chosen = LABELS.iter().find(|label| scores[**label] == best);
    let chosen = chosen.copied().unwrap_or(LABELS[0]).to_owned();
    AnswerRecord {
        model: "made-up".to_owned(),
        adapter: (model > 0).then(|| format!("snli.zh-en.seed{model}")),
        task: "snli".to_owned(),
        language,
        item: question.item,
        group: None,
        correct: chosen == question.gold,
        gold: question.gold.clone(),
        chosen,
        scores,
        prior: BTreeMap::new(),
        prefix_scores: BTreeMap::new(),
        log_probs: BTreeMap::new(),
        label_tokens: BTreeMap::new(),
        label_bytes: BTreeMap::new(),
        label_characters: BTreeMap::new(),
        prior_log_probs: BTreeMap::new(),
        domain_log_probs: BTreeMap::new(),
        said: None,
        tied: false,
        scoring: Scoring::Prefix,
        labels: LabelSet::English,
        protocol: None,
        few_shot: "head:6".to_owned(),
        prompt: PromptForm::Plain,
        prompt_tokens: 300,
        prompt_hash: Some(prompt_hash(&asked.prompt_of(question))),
        caveats: Vec::new(),
    }
}
