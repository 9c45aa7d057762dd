//! The readers: each puts the bytes where its file would be, reads it as the program does, and
//! uses what it got a little, since a damaged value may show only then.

use std::{
    fs,
    path::{Path, PathBuf},
};

use analyse::{StateFile, tuned_lens::TunedLens};
use candle_core::Device;
use data::{
    Tokenizer,
    chat::Message,
    prompt::AnswerTurn,
    table::{TableFormat, TableLayout, TableReader},
    tasks, testset,
};
use hub::{ModelFiles, gguf::Header};
use model::{Adapter, Decoder, ModelConfig, Rows};
use schema::{Language, Recipe, task::Precision};

use crate::{Outcome, Target, answers, seeds};

/// All readers of outside bytes.
pub const TARGETS: &[Target] = &[
    Target {
        name: "safetensors",
        seeds: seeds::models::safetensors,
        read: safetensors,
    },
    Target {
        name: "gguf",
        seeds: seeds::models::gguf,
        read: gguf,
    },
    Target {
        name: "config",
        seeds: seeds::models::configs,
        read: config,
    },
    Target {
        name: "weights_index",
        seeds: seeds::models::indexes,
        read: weights_index,
    },
    Target {
        name: "tokenizer",
        seeds: seeds::tokenizers::tokenizer_json,
        read: tokenizer,
    },
    Target {
        name: "tokenizer_config",
        seeds: seeds::tokenizers::tokenizer_config,
        read: tokenizer_config,
    },
    Target {
        name: "chat_template",
        seeds: seeds::tokenizers::chat_templates,
        read: chat_template,
    },
    Target {
        name: "sentencepiece",
        seeds: seeds::tokenizers::sentencepiece,
        read: sentencepiece,
    },
    Target {
        name: "adapter_config",
        seeds: seeds::models::adapter_configs,
        read: adapter_config,
    },
    Target {
        name: "adapter_weights",
        seeds: seeds::models::adapter_weights,
        read: adapter_weights,
    },
    Target {
        name: "recipe",
        seeds: seeds::texts::recipes,
        read: recipe,
    },
    Target {
        name: "task",
        seeds: seeds::texts::tasks,
        read: task,
    },
    Target {
        name: "test_set",
        seeds: seeds::texts::test_sets,
        read: test_set,
    },
    Target {
        name: "csv",
        seeds: seeds::texts::csv,
        read: csv,
    },
    Target {
        name: "json_list",
        seeds: seeds::texts::json_list,
        read: json_list,
    },
    Target {
        name: "json_lines",
        seeds: seeds::texts::json_lines,
        read: json_lines,
    },
    Target {
        name: "parquet",
        seeds: seeds::texts::parquet,
        read: parquet,
    },
    Target {
        name: "llama_factory",
        seeds: seeds::texts::llama_factory,
        read: llama_factory,
    },
    Target {
        name: "records",
        seeds: seeds::texts::records,
        read: records,
    },
    Target {
        name: "journal",
        seeds: seeds::texts::journals,
        read: journal,
    },
    Target {
        name: "lm_eval",
        seeds: seeds::texts::lm_eval,
        read: lm_eval,
    },
    Target {
        name: "states",
        seeds: seeds::models::states,
        read: states,
    },
    Target {
        name: "tuned_lens",
        seeds: seeds::models::tuned_lenses,
        read: tuned_lens,
    },
    Target {
        name: "peft_folder",
        seeds: seeds::models::peft_folders,
        read: peft_folder,
    },
    Target {
        name: "hub_listing",
        seeds: seeds::answers::listings,
        read: answers::listing,
    },
    Target {
        name: "hub_source",
        seeds: seeds::answers::sources,
        read: answers::source,
    },
    Target {
        name: "translation",
        seeds: seeds::answers::translations,
        read: answers::translation,
    },
    Target {
        name: "manifest",
        seeds: seeds::records::manifests,
        read: answers::manifest,
    },
    Target {
        name: "inside",
        seeds: seeds::records::inside,
        read: answers::inside,
    },
    Target {
        name: "translated",
        seeds: || vec![seeds::records::translated(Some("emotion.de-en.seed1"))],
        read: answers::translated,
    },
    Target {
        name: "questions",
        seeds: || vec![seeds::records::questions()],
        read: answers::questions,
    },
];

/// Largest configuration that is loaded: a huge one is refused for want of weights anyway.
const FEW: usize = 64;

pub(crate) fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("the temporary folder can be written");
    path
}

/// Writes a file that is the same every time, unless it is there.
pub(crate) fn keep(folder: &Path, name: &str, bytes: impl FnOnce() -> Vec<u8>) -> PathBuf {
    let path = folder.join(name);
    if !path.exists() {
        fs::write(&path, bytes()).expect("the temporary folder can be written");
    }
    path
}

/// Loads a model and asks it three tokens.
fn load(files: &ModelFiles) -> Outcome {
    let decoder = Decoder::load(files, Precision::F32, &Device::Cpu)?;
    let last = decoder.config().vocab_size as u32 - 1;
    let ids = [0, last.min(1), last];
    decoder.hidden(&ids, &Rows::new([ids.len()], 0), None)?;
    Ok(())
}

fn folder_of(folder: &Path, weights: PathBuf) -> ModelFiles {
    ModelFiles::Folder {
        dir: folder.to_owned(),
        weights: vec![weights],
    }
}

fn check_small(config: &ModelConfig) -> Outcome {
    match config.num_hidden_layers <= FEW {
        true => Ok(()),
        false => Err("many layers: not loaded".into()),
    }
}

fn safetensors(folder: &Path, bytes: &[u8]) -> Outcome {
    keep(folder, "config.json", || seeds::models::configs().remove(0));
    let weights = put(folder, "model.safetensors", bytes);
    load(&folder_of(folder, weights))
}

fn gguf(folder: &Path, bytes: &[u8]) -> Outcome {
    let path = put(folder, "model.gguf", bytes);
    let header = Header::read(&path)?;
    let tokenizer = Tokenizer::from_gguf(&header).map(|tokenizer| use_tokenizer(&tokenizer));
    check_small(&ModelConfig::from_gguf(&path, &header)?)?;
    load(&ModelFiles::Gguf { path })?;
    tokenizer?
}

fn config(folder: &Path, bytes: &[u8]) -> Outcome {
    let weights = keep(folder, "model.safetensors", || {
        seeds::models::safetensors().remove(0)
    });
    let path = put(folder, "config.json", bytes);
    check_small(&ModelConfig::from_json_file(&path)?)?;
    load(&folder_of(folder, weights))
}

fn weights_index(folder: &Path, bytes: &[u8]) -> Outcome {
    keep(folder, "config.json", || seeds::models::configs().remove(0));
    keep(folder, "a.safetensors", || {
        seeds::models::safetensors().remove(0)
    });
    put(folder, "model.safetensors.index.json", bytes);
    let cache = hub::Cache::at(folder.join("cache"));
    let name = format!("{}/", folder.display());
    let model = hub::find_local(&name, &cache)?.ok_or("not found")?;
    load(&model.files)
}

const TEXTS: [&str; 5] = [
    "",
    "a",
    "Guten Tag, 123 \u{1f600}",
    "\u{0}\u{202e} <s></s>",
    "這是 मैं",
];

fn use_tokenizer(tokenizer: &Tokenizer) -> Outcome {
    for text in TEXTS {
        tokenizer.decode(&tokenizer.encode(text)?)?;
        tokenizer.encode_plain(text)?;
    }
    Ok(())
}

fn tokenizer(folder: &Path, bytes: &[u8]) -> Outcome {
    keep(folder, "tokenizer_config.json", || {
        seeds::tokenizers::tokenizer_config().remove(0)
    });
    put(folder, "tokenizer.json", bytes);
    use_tokenizer(&Tokenizer::from_folder(folder)?)
}

fn tokenizer_config(folder: &Path, bytes: &[u8]) -> Outcome {
    keep(folder, "tokenizer.json", || {
        seeds::tokenizers::tokenizer_json().remove(0)
    });
    put(folder, "tokenizer_config.json", bytes);
    use_tokenizer(&Tokenizer::from_folder(folder)?)
}

fn chat_template(folder: &Path, bytes: &[u8]) -> Outcome {
    keep(folder, "tokenizer.json", || {
        seeds::tokenizers::tokenizer_json().remove(0)
    });
    keep(folder, "tokenizer_config.json", || {
        seeds::tokenizers::tokenizer_config().remove(0)
    });
    put(folder, "chat_template.jinja", bytes);
    let tokenizer = Tokenizer::from_folder(folder)?;
    let template = tokenizer.chat_template()?;
    let messages = TEXTS.map(Message::user);
    for turns in 1..messages.len() {
        template.render(&messages[..turns], turns % 2 == 0)?;
    }
    AnswerTurn::find(&template, &tokenizer, &messages[2..3])?;
    Ok(())
}

fn sentencepiece(folder: &Path, bytes: &[u8]) -> Outcome {
    keep(
        folder,
        "tokenizer_config.json",
        seeds::tokenizers::llama_config,
    );
    put(folder, "tokenizer.model", bytes);
    use_tokenizer(&Tokenizer::from_folder(folder)?)
}

/// As one of the seeds' model.
fn read_adapter(folder: &Path) -> Outcome {
    keep(folder, "config.json", || seeds::models::configs().remove(0));
    let model = ModelConfig::from_json_file(&folder.join("config.json"))?;
    Adapter::read(folder, &model)?;
    Ok(())
}

fn adapter_config(folder: &Path, bytes: &[u8]) -> Outcome {
    keep(folder, "adapter_model.safetensors", || {
        seeds::models::adapter_weights().remove(0)
    });
    put(folder, "adapter_config.json", bytes);
    read_adapter(folder)
}

fn adapter_weights(folder: &Path, bytes: &[u8]) -> Outcome {
    keep(folder, "adapter_config.json", || {
        seeds::models::adapter_configs().remove(0)
    });
    put(folder, "adapter_model.safetensors", bytes);
    read_adapter(folder)
}

/// Both files of a folder in one input, so that they change together: the length of the
/// configuration in four bytes, the configuration, the weights. The adapter is used.
fn peft_folder(folder: &Path, bytes: &[u8]) -> Outcome {
    let (length, rest) = bytes.split_first_chunk().ok_or("no length")?;
    let length = u32::from_le_bytes(*length) as usize;
    let (config, weights) = rest.split_at_checked(length).ok_or("a length too large")?;
    put(folder, "adapter_config.json", config);
    put(folder, "adapter_model.safetensors", weights);
    keep(folder, "config.json", || seeds::models::configs().remove(0));
    let base = keep(folder, "model.safetensors", || {
        seeds::models::safetensors().remove(0)
    });
    let mut decoder = Decoder::load(&folder_of(folder, base), Precision::F32, &Device::Cpu)?;
    let adapter = Adapter::read(folder, decoder.config())?;
    decoder.set_adapter(Some(&adapter))?;
    decoder.hidden(&[0, 1, 2], &Rows::new([3], 0), None)?;
    Ok(())
}

fn recipe(folder: &Path, bytes: &[u8]) -> Outcome {
    let recipe = Recipe::parse(
        &folder.join("recipe.toml"),
        std::str::from_utf8(bytes)?,
        &[],
    )?;
    // What is rendered must be read again.
    Recipe::parse(&folder.join("rendered.toml"), &recipe.render(), &[])
        .map_err(|error| panic!("the rendered recipe is refused: {error}"))?;
    Ok(())
}

fn task(folder: &Path, bytes: &[u8]) -> Outcome {
    let task = tasks::parse(&folder.join("mine.toml"), std::str::from_utf8(bytes)?)?;
    for &language in task.languages.keys() {
        tasks::label_sets(&task, language)?;
    }
    Ok(())
}

fn test_set(folder: &Path, bytes: &[u8]) -> Outcome {
    let path = put(folder, "emotion_de3_test.json", bytes);
    testset::read(&path, tasks::task("emotion")?, Language::De, None)?;
    Ok(())
}

fn table(folder: &Path, name: &str, format: TableFormat, bytes: &[u8]) -> Outcome {
    let path = put(folder, name, bytes);
    let layout = TableLayout::usual(format);
    let mut reader = TableReader::open(&path, &layout, &["text"], &["label"])?;
    while let Some(row) = reader.next_row()? {
        row.text(&path, "text")?;
    }
    Ok(())
}

fn csv(folder: &Path, bytes: &[u8]) -> Outcome {
    table(folder, "rows.csv", TableFormat::Csv, bytes)
}

fn json_list(folder: &Path, bytes: &[u8]) -> Outcome {
    table(folder, "rows.json", TableFormat::Json, bytes)
}

fn json_lines(folder: &Path, bytes: &[u8]) -> Outcome {
    table(folder, "rows.jsonl", TableFormat::JsonLines, bytes)
}

fn parquet(folder: &Path, bytes: &[u8]) -> Outcome {
    table(folder, "rows.parquet", TableFormat::Parquet, bytes)
}

fn llama_factory(folder: &Path, bytes: &[u8]) -> Outcome {
    keep(folder, "rows.json", || b"[]".to_vec());
    put(folder, "dataset_info.json", bytes);
    import::llama_factory::read::read(folder, Some("a"))?;
    Ok(())
}

/// Two files of answers, of which the second is the input.
fn records(folder: &Path, bytes: &[u8]) -> Outcome {
    let before = keep(folder, "before.jsonl", || seeds::texts::records().remove(0));
    let after = put(folder, "after.jsonl", bytes);
    let read =
        |path| compare::read_answers(path).map(|records| compare::NamedAnswers { path, records });
    compare::compare(read(&before)?, read(&after)?)?;
    Ok(())
}

fn journal(folder: &Path, bytes: &[u8]) -> Outcome {
    let answers = folder.join("answers.jsonl");
    put(folder, "answers.jsonl.partial", bytes);
    eval::Journal::open(&answers)?;
    Ok(())
}

fn lm_eval(folder: &Path, bytes: &[u8]) -> Outcome {
    let name = "samples_emotion_de_2026-01-01T00-00-00.000000.jsonl";
    import::lm_eval::samples::read(&put(folder, name, bytes), None)?;
    Ok(())
}

fn states(folder: &Path, bytes: &[u8]) -> Outcome {
    let states = StateFile::open(&put(folder, "states.safetensors", bytes))?;
    for layer in 0..states.layers().min(FEW) {
        for pooling in states.poolings() {
            states.layer(pooling, layer)?;
        }
    }
    Ok(())
}

fn tuned_lens(folder: &Path, bytes: &[u8]) -> Outcome {
    let path = put(folder, "lens.safetensors", bytes);
    TunedLens::open(&path, &Device::Cpu)?;
    Ok(())
}
