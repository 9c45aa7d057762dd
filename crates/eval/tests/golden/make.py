"""Probabilities of labels after whole prompts, computed with transformers in f64, for labels of one to nine tokens in ten
scripts, with a byte-level tokenizer and with one of SentencePiece's kind that falls back to bytes.

    pip install torch transformers tokenizers
    python make.py

Writes beside itself: config.json and model.safetensors of a small random model, <kind>.json (two tokenizers made from
the labels themselves), and labels.json, which ../label_probabilities.rs compares with. Prompts and labels are this
project's own text.
"""
import json
import pathlib

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).resolve().parent
VOCABULARY = 640
# Words to learn merges from, and to cut labels out of.
SCRIPTS = {
    "latin": "sea green light morning water house child river stone bread",
    "cyrillic": "море зелёный свет утро вода дом ребёнок река камень хлеб",
    "greek": "θάλασσα πράσινο φως πρωί νερό σπίτι παιδί ποτάμι πέτρα ψωμί",
    "arabic": "بحر أخضر ضوء صباح ماء بيت طفل نهر حجر خبز",
    "devanagari": "समुद्र हरा प्रकाश सुबह पानी घर बच्चा नदी पत्थर रोटी",
    "bengali": "সমুদ্র সবুজ আলো সকাল জল ঘর শিশু নদী পাথর রুটি",
    "thai": "ทะเล เขียว แสง เช้า น้ำ บ้าน เด็ก แม่น้ำ หิน ขนมปัง",
    "han": "大海 绿色 光明 早晨 清水 房屋 孩子 河流 石头 面包",
    "kana": "うみ みどり ひかり あさ みず いえ こども かわ いし パン",
    "hangul": "바다 초록 빛 아침 물 집 아이 강 돌 빵",
}
PROMPTS = ["A day by the sea.\nEmotion: \"", "Rain, and no bread in the house\nEmotion: \""]
LENGTHS = range(1, 10)


def make_tokenizer(kind):
    text = [words for words in SCRIPTS.values()] * 3 + PROMPTS
    if kind == "byte_level":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
        tokenizer.train_from_iterator(text, trainer)
        return tokenizer
    # Merges over characters; what has no entry falls to pieces of bytes.
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 259, limit_alphabet=170, initial_alphabet=['"'], show_progress=False)
    learner.train_from_iterator(text, trainer)
    learnt = json.loads(learner.to_str())["model"]
    entries = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    entries += sorted(learnt["vocab"], key=learnt["vocab"].get)
    vocabulary = {entry: at for at, entry in enumerate(entries)}
    merges = [tuple(merge) for merge in learnt["merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return tokenizer


def make_model():
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=True, initializer_range=0.3,
        bos_token_id=None, eos_token_id=None, pad_token_id=None)
    model = LlamaForCausalLM(config).float().eval()
    model.save_pretrained(HERE)
    (HERE / "generation_config.json").unlink(missing_ok=True)
    return model.double()


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False).input_ids


def follow(tokenizer, prompt, label, quoted):
    """Token ids of prompt and label, and how many of them are the prompt's; with the closing quote if it is asked for or
    no token of its own."""
    whole, alone = ids(tokenizer, f'{prompt}{label}"'), ids(tokenizer, prompt)
    if not quoted and whole[-1] == tokenizer.convert_tokens_to_ids('"'):
        whole = whole[:-1]
    shared = next((i for i, (a, b) in enumerate(zip(whole, alone)) if a != b), min(len(whole), len(alone)))
    return whole, shared


@torch.no_grad()
def log_probability(model, tokenizer, prompt, label, quoted):
    whole, shared = follow(tokenizer, prompt, label, quoted)
    log_p = torch.log_softmax(model(torch.tensor([whole])).logits[0], -1)
    return sum(log_p[at - 1, whole[at]].item() for at in range(shared, len(whole))), len(whole) - shared


def is_beginning(tokenizer, labels):
    """Whether the tokens of one label begin those of another."""
    rows = [follow(tokenizer, PROMPTS[0], label, False)[0] for label in labels]
    return any(a is not b and b[: len(a)] == a for a in rows for b in rows)


def find_labels(tokenizer, words, nested):
    """A piece of text of each number of tokens after the first prompt, the closing quote not counted; the first one there
    is, which mostly begins the longer ones, or one that begins none and that none begins."""
    before = len(ids(tokenizer, PROMPTS[0]))
    letters = words.replace(" ", "")
    found = {}
    for start in range(len(letters)):
        for end in range(start + 1, min(start + 40, len(letters) + 1)):
            label = letters[start:end]
            count = len(ids(tokenizer, PROMPTS[0] + label + '"')) - before - 1
            if count not in LENGTHS or label in found.values() or count in found:
                continue
            if nested or not is_beginning(tokenizer, [*found.values(), label]):
                found[count] = label
    return [found[count] for count in sorted(found)]


def main():
    model = make_model()
    cases = []
    for kind in ("byte_level", "byte_fallback"):
        path = HERE / f"{kind}.json"
        make_tokenizer(kind).save(str(path), pretty=False)
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path))
        for script, words in SCRIPTS.items():
            for nested in (True, False):
                labels = find_labels(tokenizer, words, nested)
                quoted = is_beginning(tokenizer, labels)
                scored = [
                    [log_probability(model, tokenizer, prompt, label, quoted) for label in labels] for prompt in PROMPTS]
                cases.append({
                    "tokenizer": kind, "script": script, "quoted": quoted, "labels": labels,
                    "tokens": [count for _, count in scored[0]],
                    "log_probs": [[round(log_p, 9) for log_p, _ in row] for row in scored],
                })
    fields = [prompt.rsplit("\n", 1)[0] for prompt in PROMPTS]
    (HERE / "labels.json").write_text(json.dumps({"inputs": fields, "cases": cases}, ensure_ascii=False, indent=1) + "\n")
    for case in cases:
        print(case["tokenizer"], case["script"], case["quoted"], case["tokens"])


main()
