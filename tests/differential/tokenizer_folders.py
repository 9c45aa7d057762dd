"""Generated tokenizer folders, each read by this program and by transformers 5.

    cargo build -p lingualign-data --example encode_texts
    python tests/differential/tokenizer_folders.py target/debug/examples/encode_texts [COUNT] [FIRST_SEED]

Needs transformers (5.24 was used), tokenizers, sentencepiece and protobuf; no network. Every folder is a random
choice of vocabulary, class, keys and files beside it. What is compared: the ids of every text (without what is added
behind a text, which a prompt that goes on never gets), the text that they are decoded to, and the ids of BOS and EOS.
"""

import io
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter

# This file's own folder comes first in the search path, and would be taken for the package of its name.
sys.path = [place for place in sys.path if os.path.abspath(place or ".") != os.path.dirname(os.path.abspath(__file__))]
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "critical"

import sentencepiece  # noqa: E402
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and 1234 more of them.",
    "Translate the input from German to English: Ich weiß es nicht.",
    "Überall dieselbe alte Leier; wo 42 Katzen sind, sind 7 Hunde.",
    "これはテストです。 今日は天気がいい。",
    "premise: a man plays. hypothesis: he's asleep? label: neutral",
] * 8

TEXTS = [
    "The quick brown fox",
    " leading space",
    "  two  spaces  inside ",
    "a<s>b</s> c<unk>",
    "x <|end|> y<|endoftext|>z",
    "<new> and <extra>, <img> <pad>",
    "line\nbreak\n\n\ttab 12345 .",
    "Überall, é e\u0301 ﬁ 積",
    "",
    "▁mark ▁▁two",
    "he's DON'T we'll , . ! ?",
    "<s>",
    "[ADDED]word [ADDED] end",
]
SPECIALS = ["<unk>", "<s>", "</s>", "<|end|>", "<|endoftext|>"]


def train_byte_level(split):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return json.loads(tokenizer.to_str())


def train_pieces(**options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, model_type="bpe", vocab_size=420, byte_fallback=True,
        character_coverage=0.98, normalization_rule_name="identity", minloglevel=9, **options,
    )
    return model.getvalue()


def pieces_as_json(file, style):
    """The vocabulary as transformers 4 converted it, with the spaces set by `style`."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=file)
    vocab = {processor.id_to_piece(i): i for i in range(processor.get_piece_size())}
    merges = []
    for piece, index in vocab.items():
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in vocab and right in vocab:
                merges.append((-index, left, right))
    merges = [(left, right) for _, left, right in sorted(merges, key=lambda m: -m[0])]
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if style == "normalizer":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        scheme = {"metaspace": "first", "always": "always", "never": "never"}[style]
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme=scheme, split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return json.loads(tokenizer.to_str())


def train_unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.normalizer = normalizers.NFKC()
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return json.loads(tokenizer.to_str())


def make_sources():
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2])
    llama = train_pieces(remove_extra_whitespaces=False)
    spaces = train_pieces(remove_extra_whitespaces=True)
    user = train_pieces(remove_extra_whitespaces=False, user_defined_symbols=["[ADDED]", "<img>"])
    bare = train_pieces(remove_extra_whitespaces=False, add_dummy_prefix=False)
    return {
        "json": [train_byte_level(gpt2), train_byte_level(digits), train_unigram()]
        + [pieces_as_json(llama, style) for style in ("normalizer", "metaspace", "always", "never")],
        "model": [llama, spaces, user, bare],
    }


def post_processor(rng, saved):
    names = {token["content"]: token["id"] for token in saved["added_tokens"]}
    bos, eos = "<s>", "</s>"
    pairs = [(bos, names[bos]), (eos, names[eos])]
    forms = [None, f"{bos} $A", f"{bos} $A {eos}", f"$A {eos}", "$A", f"{bos} {bos} $A"]
    form = rng.choice(forms)
    template = form and processors.TemplateProcessing(single=form, special_tokens=pairs)
    tokenizer = Tokenizer(models.BPE())
    chosen = rng.choice(["template", "template", "bytes", "both"])
    if chosen == "bytes":
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    elif chosen == "both" and template:
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    elif template:
        tokenizer.post_processor = template
    return json.loads(tokenizer.to_str())["post_processor"]


def token(rng, content):
    """A token in one of the forms in which files write it."""
    if rng.random() < 0.7:
        return content
    return {"__type": "AddedToken", "content": content, "lstrip": rng.random() < 0.3, "rstrip": rng.random() < 0.3,
            "normalized": rng.random() < 0.5, "single_word": rng.random() < 0.2, "special": True}


def make_config(rng, vocab_size, ids, is_byte_level):
    config = {}
    end = "<|endoftext|>" if "<|endoftext|>" in ids or rng.random() < 0.1 else "</s>"

    def maybe(share, key, make):
        if rng.random() < share:
            config[key] = make()

    # Mostly one for the vocabulary's kind.
    own = ["Qwen2Tokenizer", "GPT2TokenizerFast", "Qwen2TokenizerFast"] if is_byte_level else ["LlamaTokenizerFast"]
    others = ["LlamaTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend", "OwnTokenizer", "GPT2Tokenizer"]
    classes = own * 3 + others[:3] * 2 + others + ["GemmaTokenizer"]
    maybe(0.8, "tokenizer_class", lambda: rng.choice(classes))
    maybe(0.4, "add_bos_token", lambda: rng.random() < 0.6)
    maybe(0.4, "add_eos_token", lambda: rng.random() < 0.6)
    maybe(0.7, "bos_token", lambda: rng.choice([token(rng, "<s>"), "<s>", end, None]))
    maybe(0.7, "eos_token", lambda: rng.choice([token(rng, "</s>"), "</s>", end, None]))
    maybe(0.5, "unk_token", lambda: rng.choice(["<unk>", token(rng, "<unk>"), None]))
    maybe(0.3, "pad_token", lambda: rng.choice(["<pad>", "</s>", None]))
    maybe(0.2, "image_token", lambda: "<img>")
    maybe(0.3, "legacy", lambda: rng.random() < 0.5)
    maybe(0.3, "add_prefix_space", lambda: rng.choice([True, False, None]))
    maybe(0.3, "clean_up_tokenization_spaces", lambda: rng.random() < 0.7)
    maybe(0.15, "split_special_tokens", lambda: True)
    maybe(0.2, "model_max_length", lambda: 4)
    maybe(0.2, "padding_side", lambda: "left")
    maybe(0.2, "truncation_side", lambda: "left")
    maybe(0.3, "additional_special_tokens", lambda: rng.choice([[], ["<extra>"], ["<extra>", "[ADDED]"], ["<|end|>"]]))
    maybe(0.2, "extra_special_tokens", lambda: rng.choice([[], ["<new>"], {"new_token": "<new>"}, {}]))
    if rng.random() < 0.4:
        listed = {}
        for content in rng.sample(SPECIALS, 3):
            if content in ids:
                listed[str(ids[content])] = content
        for content in rng.sample(["[ADDED]", "<new>", "<extra>"], rng.randrange(3)):
            if content not in ids:
                listed[str(vocab_size)] = content
                vocab_size += 1
        config["added_tokens_decoder"] = {
            number: {"content": content, "lstrip": rng.random() < 0.2, "rstrip": rng.random() < 0.2,
                     "normalized": rng.random() < 0.3, "single_word": rng.random() < 0.2, "special": rng.random() < 0.7}
            for number, content in listed.items()
        }
    return config


def write(folder, name, content):
    if not isinstance(content, (str, bytes)):
        content = json.dumps(content, ensure_ascii=False)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def make_folder(rng, folder, sources):
    kind = rng.choice(["json"] * 6 + ["model", "model", "vocab"])
    dropout = None
    if kind == "model":
        file = rng.choice(sources["model"])
        processor = sentencepiece.SentencePieceProcessor(model_proto=file)
        size = processor.get_piece_size()
        ids = {processor.id_to_piece(index): index for index in range(size)}
        write(folder, "tokenizer.model", file)
    else:
        saved = json.loads(json.dumps(rng.choice(sources["json"][:1] if kind == "vocab" else sources["json"])))
        vocab = saved["model"]["vocab"]
        ids = dict(vocab) if isinstance(vocab, dict) else {piece: index for index, (piece, _) in enumerate(vocab)}
        size = len(ids)
    if kind == "vocab":
        write(folder, "vocab.json", vocab)
        write(folder, "merges.txt", "#version: 0.2\n" + "\n".join(" ".join(m) for m in saved["model"]["merges"]) + "\n")
    elif kind == "json":
        saved["post_processor"] = post_processor(rng, saved)
        if rng.random() < 0.2:
            saved["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
        if rng.random() < 0.2:
            saved["padding"] = {"strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                                "pad_type_id": 0, "pad_token": "<unk>"}
        if saved["model"]["type"] == "BPE" and rng.random() < 0.2:
            dropout = saved
        for added in rng.sample(["[ADDED]", "<new>"], rng.randrange(3)):
            saved["added_tokens"].append(
                {"id": size, "content": added, "single_word": False, "lstrip": False, "rstrip": rng.random() < 0.3,
                 "normalized": rng.random() < 0.5, "special": rng.random() < 0.5})
            ids[added] = size
            size += 1
        write(folder, "tokenizer.json", saved)
    is_byte_level = "Ġ" in ids
    config = make_config(rng, size, ids, is_byte_level)
    if rng.random() < 0.9:
        write(folder, "tokenizer_config.json", config)
    if rng.random() < 0.25:
        special = {"bos_token": rng.choice(["<s>", "<|endoftext|>"]), "eos_token": "</s>"}
        if rng.random() < 0.5:
            special["additional_special_tokens"] = ["<extra>"]
        write(folder, "special_tokens_map.json", special)
    if rng.random() < 0.15 and kind != "json":
        write(folder, "added_tokens.json", {"<new>": size})
    family = rng.choice(["llama", "llama", "llama", "mistral"] + ["qwen2", "qwen2"] * is_byte_level)
    write(folder, "config.json", {"model_type": family, "vocab_size": 500, "bos_token_id": 1, "eos_token_id": 2})
    return dropout


def answer_of_transformers(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # What is set for batches belongs to whoever makes batches.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    before = None
    rows, decoded = [], []
    for text in TEXTS:
        plain = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
        if before is None:
            whole = tokenizer.backend_tokenizer.encode(text, add_special_tokens=True).ids
            at = next(at for at in range(len(whole) + 1) if whole[at : at + len(plain)] == plain)
            before = whole[:at]
        rows.append(before + plain)
        decoded.append(tokenizer.decode(before + plain, skip_special_tokens=True))
    return {"ids": rows, "decoded": decoded, "bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id}


def judge(ours, theirs):
    if "refused" in ours and "refused" in theirs:
        return "refused by both"
    if "refused" in ours:
        return "refused here, read there"
    if "refused" in theirs:
        return "read here, refused there"
    for row, (here, there) in enumerate(zip(ours["ids"], theirs["ids"])):
        if here != there:
            return f"different: ids of {TEXTS[row]!r}"
    for row, (here, there) in enumerate(zip(ours["decoded"], theirs["decoded"])):
        if here != there:
            return f"different: {TEXTS[row]!r} decoded to {here!r}, there {there!r}"
    # Where the tokenizer names none, this program takes the model's.
    for key, of_model in (("bos", 1), ("eos", 2)):
        if ours[key] != theirs[key] and not (theirs[key] is None and ours[key] == of_model):
            return f"different: {key} is {ours[key]}, there {theirs[key]}"
    return "equal"


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    sources = make_sources()
    with tempfile.TemporaryDirectory() as root:
        asked, theirs = [], []
        for seed in range(first, first + count):
            folder = os.path.join(root, str(seed))
            os.mkdir(folder)
            dropout = make_folder(random.Random(seed), folder, sources)
            try:
                theirs.append(answer_of_transformers(folder))
            except Exception as error:  # whatever it is, it is a refusal
                theirs.append({"refused": f"{type(error).__name__}: {error}"})
            if dropout:  # only now: there it would stay on
                dropout["model"]["dropout"] = 0.5
                write(folder, "tokenizer.json", dropout)
            asked.append(json.dumps({"dir": folder, "texts": TEXTS}))
        ran = subprocess.run([program], input="\n".join(asked) + "\n", capture_output=True, text=True, check=True)
        answers = [json.loads(line) for line in ran.stdout.splitlines()]
        counts = Counter()
        for seed, (here, there) in enumerate(zip(answers, theirs, strict=True), first):
            verdict = judge(here, there)
            counts[verdict.split(":")[0]] += 1
            if verdict != "equal":
                reason = here.get("refused") or there.get("refused") or ""
                print(f"{seed}: {verdict}; {reason.replace(root, '')[:150]}")
            if os.environ.get("SHOW") == str(seed):
                folder = os.path.join(root, str(seed))
                for name in sorted(os.listdir(folder)):
                    with open(os.path.join(folder, name), "rb") as file:
                        content = file.read()
                        print(name, content.decode() if name.endswith("onfig.json") or "map" in name else len(content))
                print(*(f"{text!r}\n  {a}\n  {b}" for text, a, b in zip(TEXTS, here.get("ids", []), there.get("ids", [])) if a != b), sep="\n")
    print(dict(counts))
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
