"""Reads a folder of `lingualign data build` with LLaMA-Factory's own loader and compares every row. An optional check.

    lingualign data build recipes/quickstart.toml --out built
    python tests/golden/read_by_llama_factory.py built TOKENIZER

TOKENIZER is a Hugging Face folder or name. Tried with llamafactory 0.9.5, transformers 5.6.0, datasets 4.0.0 and torch
2.15. Its data loader alone needs no more than

    pip install --no-deps llamafactory==0.9.5
    pip install torch 'transformers<=5.6.0' 'datasets<=4.0.0' 'peft<=0.18.1' 'trl<=0.24.0' omegaconf

because what it imports for sound is stood in for below. Of each data set it checks that
 * the row read is the row written: what is asked is the source to the letter, what is answered is the target;
 * the tokens learnt (template `empty`, as base models have none) are those of source and target encoded apart, and only
   the target's have a loss;
 * it has as many rows as build.json says.
"""

import importlib.machinery
import json
import sys
import types
from pathlib import Path

try:
    import torchaudio  # noqa: F401
except ImportError:
    stub = types.ModuleType("torchaudio")
    stub.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    sys.modules["torchaudio"] = stub

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.data.loader import _get_merged_dataset
from llamafactory.extras.constants import IGNORE_INDEX
from llamafactory.hparams import DataArguments, ModelArguments
from transformers import AutoTokenizer, Seq2SeqTrainingArguments


def expected(row):
    """Source and target as the file has them."""
    if "messages" in row:
        user, assistant = row["messages"]
        return user["content"], assistant["content"]
    return row["instruction"], row["output"]


def check(folder, name, model, tokenizer, count):
    data = DataArguments(dataset=name, dataset_dir=str(folder), template="empty", cutoff_len=2048, overwrite_cache=True)
    training = Seq2SeqTrainingArguments(output_dir=str(folder / ".unused"), report_to=[])
    info = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
    rows = json.loads((folder / info[name]["file_name"]).read_text(encoding="utf-8"))
    assert len(rows) == count, f"{name}: {len(rows)} rows, build.json says {count}"

    aligned = _get_merged_dataset([name], model, data, training, "sft")
    assert len(aligned) == len(rows), f"{name}: {len(aligned)} of {len(rows)} rows were read"
    for at, (row, read) in enumerate(zip(rows, aligned)):
        source, target = expected(row)
        assert read["_prompt"] == [{"role": "user", "content": source}], f"{name} row {at}: {read['_prompt']}"
        assert read["_response"] == [{"role": "assistant", "content": target}], f"{name} row {at}: {read['_response']}"

    template = get_template_and_fix_tokenizer(tokenizer, data)
    learnt = get_dataset(template, model, data, training, "sft", tokenizer)["train_dataset"]
    assert len(learnt) == len(rows), f"{name}: {len(learnt)} of {len(rows)} rows were encoded"
    begin = [tokenizer.bos_token_id] if tokenizer("").input_ids else []
    for at, (row, read) in enumerate(zip(rows, learnt)):
        source, target = (tokenizer(text, add_special_tokens=False).input_ids for text in expected(row))
        length = len(begin) + len(source)
        ids, labels = list(read["input_ids"]), list(read["labels"])
        assert ids[: length + len(target)] == begin + source + target, f"{name} row {at}: other tokens"
        assert set(ids[length + len(target) :]) <= {tokenizer.eos_token_id}, f"{name} row {at}: more than an end"
        assert labels == [IGNORE_INDEX] * length + ids[length:], f"{name} row {at}: another mask"
    print(f"{name}: {len(rows)} rows read and encoded as written")


def main():
    folder = Path(sys.argv[1])
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
    model = ModelArguments(model_name_or_path=sys.argv[2])
    record = json.loads((folder / "build.json").read_text(encoding="utf-8"))
    for adapter in record["adapters"]:
        for part, file in [("train", adapter["training"]), ("validation", adapter["validation"])]:
            if file is not None:
                check(folder, f"{adapter['name']}.{part}", model, tokenizer, file["pairs"])


if __name__ == "__main__":
    main()
