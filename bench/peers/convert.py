"""Converts a GGUF file into two Hugging Face folders: convert.py FILE.gguf F32_FOLDER BF16_FOLDER."""

import json
import sys
from pathlib import Path

import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM, AutoTokenizer

# How `tokenizer.ggml.pre = "smollm"` splits a text. transformers makes GPT-2's splitting of every byte-level GGUF
# tokenizer; SmolLM2 also splits numbers into digits, without which prompts with numbers get other tokens.
SMOLLM_SPLITTING = {
    "type": "Sequence",
    "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ],
}


def read_splitting(file):
    """The name of the file's way to split texts, or None."""
    field = GGUFReader(file).get_field("tokenizer.ggml.pre")
    return field.contents() if field else None


def forget_quantisation(model):
    """The weights are decoded; what still calls them quantised keeps transformers from saving them."""
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    for name in ("is_quantized", "quantization_method"):
        if hasattr(model, name):
            setattr(model, name, None)


def mend_splitting(folder):
    """Puts SmolLM2's splitting back into a saved tokenizer."""
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["pre_tokenizer"] = SMOLLM_SPLITTING
    path.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")


def main():
    source, folders = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:4]]
    place = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    forget_quantisation(model)
    for folder, dtype in zip(folders, (torch.float32, torch.bfloat16)):
        model.to(dtype).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if read_splitting(source) == "smollm":
            mend_splitting(folder)


main()
