"""What llama.cpp's converter makes of the golden models in `families`: metadata, and a hash of every tensor.

    python tests/golden/make_gguf.py LLAMA_CPP OUT [CASE...]

LLAMA_CPP is a checkout of llama.cpp with `convert_hf_to_gguf.py` (it needs torch, transformers, gguf). OUT gets CASE.json for
each model that llama.cpp converts, and with KEEP=FOLDER in the environment the GGUF files themselves go there. `gguf` beside
this script was made by the converter in llama-cpp-python 0.3.36 (torch 2.15, transformers 5.24).
"""

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

LLAMA_CPP = Path(sys.argv[1])
sys.path[:0] = [str(LLAMA_CPP), str(LLAMA_CPP / "gguf-py"), str(Path(__file__).parent)]

import gguf
from conversion import ModelBase, ModelType, get_model_architecture, get_model_class
from safetensors.torch import save_file

from make_families import scattered

FOLDER = Path(__file__).with_name("families")
# llama.cpp has no such architecture, or refuses a property of the model.
LEFT_OUT = {
    "hunyuan_alpha": "the converter knows the released sizes alone",
    "ministral": "no architecture",
    "smollm3_slides": "no windows, NoPE in a fixed pattern",
}


def write_folder(case, folder):
    """The model as a Hugging Face folder; the tokenizer is a stand-in that counts tokens."""
    config = json.loads((FOLDER / case / "config.json").read_text())
    if config["model_type"] == "cohere2":
        config.setdefault("rotary_pct", 1.0)  # as released models have it
    if config["model_type"] == "ministral3":
        config["rope_parameters"].setdefault("mscale_all_dim", 0.0)  # the same model; the converter needs the key
    (folder / "config.json").write_text(json.dumps(config))
    made = json.loads((FOLDER / case / "tensors.json").read_text())
    tensors = {name: scattered(name, *entry, made["seed"]) for name, entry in made["tensors"].items()}
    save_file(tensors, folder / "model.safetensors")
    vocabulary = {f"t{i}": i for i in range(config["vocab_size"])}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))


def convert(folder, out):
    hparams = ModelBase.load_hparams(folder, False)
    kind = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
    kind.set_vocab = lambda self: None
    made = kind(folder, gguf.LlamaFileType.ALL_F32, out)
    inner = getattr(made, "impl", None)
    if inner is not None:
        type(inner).set_vocab = lambda self: None
    made.write()


def value(field):
    found = field.contents()
    return found.tolist() if hasattr(found, "tolist") else found


def describe(path):
    reader = gguf.GGUFReader(path)
    metadata = {
        name: value(field)
        for name, field in reader.fields.items()
        if not name.startswith(("GGUF.", "general.")) or name == "general.architecture"
    }
    kinds = {
        name: [kind.name for kind in field.types]
        for name, field in reader.fields.items()
        if name in metadata
    }
    tensors = {
        tensor.name: [
            list(map(int, reversed(tensor.shape))),
            # Divisors of angles are made of the configuration, all others of a tensor of the model.
            tensor.data.tolist() if tensor.name.startswith("rope_") else hashlib.sha256(tensor.data.tobytes()).hexdigest(),
        ]
        for tensor in reader.tensors
        if tensor.tensor_type == gguf.GGMLQuantizationType.F32
    }
    assert len(tensors) == len(reader.tensors)
    return {"metadata": metadata, "types": kinds, "tensors": tensors}


def main():
    out, names = Path(sys.argv[2]), sys.argv[3:]
    out.mkdir(parents=True, exist_ok=True)
    for case in names or sorted(path.name for path in FOLDER.iterdir()):
        if case in LEFT_OUT:
            print(f"{case}: left out, {LEFT_OUT[case]}")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_folder(case, folder)
            file = Path(os.environ.get("KEEP", temporary)) / f"{case}.gguf"
            try:
                convert(folder, file)
            except Exception as problem:
                print(f"{case}: not converted: {type(problem).__name__}: {problem}")
                continue
            (out / f"{case}.json").write_text(json.dumps(describe(file), separators=(",", ":")) + "\n")
            print(f"{case}: converted")


main()
