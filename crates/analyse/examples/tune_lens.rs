//! Trains a tuned lens for a real model on this project's own small data, and shows how far raw
//! and tuned lens are from the model on items that are held out. Fails unless the tuned one is
//! nearer after every layer.
//!
//! `tune_lens MODEL.gguf FILE [UPDATES [TOKENS [VOCABULARY [LANGUAGE,...]]]]`; FILE gets the translators.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{collections::BTreeMap, path::Path, process::ExitCode, time::Instant};

use analyse::{
    Prompts,
    tuned_lens::{Tuning, train},
};
use candle_core::Device;
use data::{Tokenizer, prompt, tasks, testset};
use hub::ModelFiles;
use model::Decoder;
use schema::{FewShot, LabelSet, Language, recipe::AnalyseRecipe, task::Precision};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, model, file, rest @ ..] = arguments.as_slice() else {
        println!("usage: tune_lens MODEL.gguf FILE [UPDATES [TOKENS [VOCABULARY [LANGUAGE,...]]]]");
        return ExitCode::from(2);
    };
    let files = ModelFiles::Gguf { path: model.into() };
    let decoder = Decoder::load(&files, Precision::F32, &Device::Cpu).unwrap();
    let tokenizer = Tokenizer::load(&files).unwrap();
    let task = tasks::task("emotion").unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mini");
    let languages: Vec<Language> = match rest.get(3) {
        Some(list) => list.split(',').map(|code| code.parse().unwrap()).collect(),
        None => testset::asked(&dir, task, Language::ALL).unwrap(),
    };
    let encode = |&language: &Language| -> Prompts {
        let set = testset::load(&dir, task, language, None).unwrap();
        let rendered = prompt::render(task, &set, &FewShot::Head(2), LabelSet::English).unwrap();
        analyse::encode(&tokenizer, &rendered, None).unwrap()
    };
    let prompts: Vec<Prompts> = languages.iter().map(encode).collect();
    let recipe = AnalyseRecipe::paper(task.name.clone(), languages);
    let number =
        |at: usize, default: usize| rest.get(at).map_or(default, |text| text.parse().unwrap());
    let tuning = Tuning {
        model: &decoder,
        prompts: &prompts,
        steps: number(0, recipe.lens_steps),
        tokens: number(1, recipe.lens_tokens),
        vocabulary: number(2, recipe.lens_vocabulary),
        seed: 1,
        resamples: recipe.resamples,
        about: BTreeMap::new(),
    };
    let start = Instant::now();
    let layers = decoder.config().num_hidden_layers;
    let records = train(&tuning, Path::new(file), &mut |done| {
        if done % (10 * layers) == 0 {
            println!("{} updates, {} s", done / layers, start.elapsed().as_secs());
        }
        true
    });
    let records = records.unwrap();
    println!(
        "{} updates of {} tokens: {} s",
        tuning.steps,
        tuning.tokens,
        start.elapsed().as_secs()
    );
    println!(
        "layer   raw KL  tuned KL  95 % interval of the gain (nats a token, {} tokens)",
        records[0].tokens
    );
    for r in &records {
        println!(
            "{:>5} {:8.3} {:9.3}  {:.3} to {:.3}",
            r.layer, r.raw_kl, r.tuned_kl, r.gain_low, r.gain_high
        );
    }
    let worse = records
        .iter()
        .filter(|record| record.gain_low <= 0.0)
        .count();
    println!(
        "{} layers, {worse} where the tuned lens is not surely nearer",
        records.len()
    );
    ExitCode::from(u8::from(worse > 0))
}
