//! Every key with a value out of its range, and the message.

use super::*;

#[test]
fn every_range_is_checked() {
    let cases = [
        ("train.learning_rate", "0", "must be above 0 and at most 1"),
        ("train.learning_rate", "nan", "must be a finite number"),
        ("train.epochs", "inf", "must be a finite number"),
        ("train.epochs", "-1", "must be above 0"),
        ("train.pairs", "1.5", "must be a whole number, found 1.5"),
        (
            "train.pairs",
            "99999999999999999999",
            "99999999999999999999 is too large",
        ),
        ("train.pairs", "-1", "must be at least 0"),
        ("train.pairs", "1000000001", "must be at most 1000000000"),
        ("train.epochs", "1e7", "must be at most 1000000"),
        ("train.lora.rank", "100000000", "must be at most 65536"),
        ("train.lora.lora_plus_ratio", "0", "must be above 0"),
        (
            "train.lora.dora",
            "1",
            "must be one of true, false, found 1",
        ),
        (
            "train.lora.init",
            "pisa",
            "unknown value `pisa`; did you mean `pissa`?",
        ),
        (
            "train.lora.targets",
            "all_linear",
            "unknown value `all_linear`; did you mean `all-linear`?",
        ),
        (
            "train.batch_size",
            "true",
            "must be a whole number, found `true`",
        ),
        (
            "train.warmup_ratio",
            "1.1",
            "must be at least 0 and at most 1",
        ),
        ("train.weight_decay", "-0.1", "must be at least 0"),
        (
            "train.max_grad_norm",
            "-1",
            "must be at least 0 (0: no clipping)",
        ),
        ("train.val_size", "1", "must be at least 0 and below 1"),
        (
            "train.build.similarity",
            "0",
            "must be above 0 and at most 1",
        ),
        (
            "train.build.similarity",
            "1.5",
            "must be above 0 and at most 1",
        ),
        (
            "train.build.directions",
            "both ways",
            "unknown value `both ways`; one of: forward, swapped, both",
        ),
        (
            "train.build.control",
            "shuffle",
            "unknown value `shuffle`; did you mean `shuffled`?",
        ),
        (
            "train.build.remove_overlap",
            "all",
            "unknown value `all`; one of: off, exact, near",
        ),
        (
            "train.build.remove_duplicates",
            "true",
            "unknown value `true`; one of: off, exact, near",
        ),
        (
            "train.build.split",
            "question",
            "unknown value `question`; did you mean `questions`?",
        ),
        (
            "train.build.template",
            "'Translate: {source'",
            "a single `{` without its partner; for a brace itself write `{{` or `}}`",
        ),
        (
            "train.build.template",
            "Translate!",
            "must hold `{source}`, which stands for the question",
        ),
        (
            "train.lora.dropout",
            "1.0",
            "must be at least 0 and below 1",
        ),
        ("train.lora.alpha", "0", "must be above 0"),
        (
            "train.lora.targets",
            "q_porj",
            "unknown value `q_porj`; did you mean `q_proj`?",
        ),
        (
            "train.settings",
            "zh-en",
            "setting `zh-en` has no `=>`; write it as `zh/de=>en`",
        ),
        ("train.settings", "[]", "must not be empty"),
        (
            "train.schedule",
            "cosin",
            "unknown value `cosin`; did you mean `cosine`?",
        ),
        ("train", "3", "must be a section `[train]`, found 3"),
        (
            "data.accept",
            "label_word",
            "unknown value `label_word`; did you mean `label_words`?",
        ),
        ("data.accept", "[]", "must not be empty"),
        (
            "dtype",
            "int8",
            "unknown value `int8`; one of: f32, bf16, packed, nf4",
        ),
        ("seeds", "[1, -1]", "must be at least 0"),
        ("seeds", "[1, 1]", "1 is there twice"),
        ("seeds", "1,2", "must be a whole number, found `1,2`"),
        ("model", " ", "must not be empty"),
        ("title", "[1]", "must be text, found a list"),
        ("eval.tasks", "snli,snli", "`snli` is there twice"),
        (
            "eval.languages",
            "German",
            "unknown language `German`; did you mean `de`?",
        ),
        (
            "eval.languages",
            "deu",
            "unknown language `deu`; did you mean `de`?",
        ),
        (
            "eval.languages",
            "de,all",
            "`all` and others are in one list; write `languages = \"all\"` alone",
        ),
        (
            "eval.languages",
            "[1]",
            "must be a list of texts, found 1 in it",
        ),
        (
            "eval.labels",
            "englsh",
            "unknown value `englsh`; did you mean `english`?",
        ),
        (
            "eval.protocol",
            "papers",
            "unknown value `papers`; did you mean `paper`?",
        ),
        (
            "eval.few_shot",
            "tail:3",
            "`tail:3` is no source of exemplars; use head:K, seed:SEED:K, file:PATH, builtin or zero",
        ),
        (
            "eval.few_shot",
            "['head:2', 'head:2']",
            "`head:2` is there twice",
        ),
        (
            "eval.prompt",
            "chats",
            "unknown value `chats`; did you mean `chat`?",
        ),
        ("eval.prompt", "[]", "must not be empty"),
        (
            "train.prompt",
            "chat-one-turn",
            "unknown value `chat-one-turn`; one of: plain, chat",
        ),
        (
            "eval.header_language",
            "german",
            "unknown value `german`; one of: same, english",
        ),
        (
            "eval.exemplar_language",
            "englisch",
            "unknown value `englisch`; did you mean `english`?",
        ),
        (
            "eval.tasks",
            "a/topic.toml,b/topic.toml",
            "`b/topic.toml` and another are both called `topic`; rename a file",
        ),
        (
            "languages",
            "3",
            "must be sections such as `[languages.NAME]`, found 3",
        ),
    ];
    for (key, value, message) in cases {
        assert_eq!(
            refuse(&[(key, value)]),
            format!("{key}: {message} (--set)"),
            "{key}={value}"
        );
    }
    for (key, value) in [
        ("train.val_size", "0"),
        ("train.pairs", "0"),
        ("train.warmup_ratio", "1"),
        ("train.max_grad_norm", "0"),
    ] {
        small(&[(key, value)]);
    }
}
