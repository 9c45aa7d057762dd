"""Merged models, as this program writes them, against PEFT's merge_and_unload, transformers, gguf-py and llama.cpp:

    merged_models.py --program PROGRAM --model DIR --adapter DIR [--gguf BASE.gguf]

A folder: every tensor of `merge` is that of `merge_and_unload` in f32, rounded to the same format, and transformers has the
logits of the unmerged model. A GGUF file: gguf-py reads it, its blocks decode to the sums, and llama.cpp loads it (where
llama-cpp-python is installed).
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy
import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForCausalLM

IDS = [[5, 9, 77, 31, 8, 120, 64, 3], [17, 40, 2, 99]]
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def merge(program, model, adapter, out, *more):
    command = [program, "merge", "--model", model, "--adapter", adapter, "--out", out, *more]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def tensors(folder):
    found = {}
    for file in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            found.update({name: opened.get_tensor(name) for name in opened.keys()})
    return found


def last_logits(model):
    with torch.no_grad():
        return torch.stack([model(torch.tensor([ids])).logits[0, -1].float() for ids in IDS])


def check_folder(arguments, out):
    load = lambda folder, dtype: AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    tuned = PeftModel.from_pretrained(load(arguments.model, torch.float32), arguments.adapter).eval()
    unmerged = last_logits(tuned)
    wanted = {name: value for name, value in tuned.merge_and_unload().state_dict().items()}
    for word, dtype in DTYPES.items():
        folder = f"{out}/{word}"
        merge(arguments.program, arguments.model, arguments.adapter, folder, "--dtype", word)
        found = tensors(folder)
        missing = set(wanted) - set(found) - {"lm_head.weight"}
        assert not missing and not set(found) - set(wanted), (missing, set(found) - set(wanted))
        apart, steps = 0, 0.0
        for name, value in found.items():
            assert value.dtype == dtype, name
            want = wanted[name].to(dtype)
            apart += int((value != want).sum())
            # Sums that lie between two values of the format may be rounded to either.
            steps = max(steps, ((value.float() - want.float()).abs() / want.float().abs().clamp(min=1e-6)).max().item())
        total = sum(value.numel() for value in found.values())
        off = (last_logits(load(folder, torch.float32)) - unmerged).abs().max().item()
        print(f"{word}: {apart} of {total} values differ from merge_and_unload's, by {steps:.1e} of themselves at most; "
              f"logits in transformers off by {off:.2e}")
        assert apart <= total / 1000 and steps <= {"f32": 1e-3, "bf16": 2 ** -7, "f16": 2 ** -3}[word]
    return wanted


def check_gguf(arguments, out):
    import gguf
    for word in ["f16", "bf16", "q8_0"]:
        folder = f"{out}/gguf-{word}"
        merge(arguments.program, arguments.gguf, arguments.adapter, folder, "--gguf", word)
        path = f"{folder}/model.{word}.gguf"
        before, after = gguf.GGUFReader(arguments.gguf), gguf.GGUFReader(path)
        for key, field in before.fields.items():
            if not key.startswith("GGUF.") and key != "general.file_type":
                assert field.contents() == after.fields[key].contents(), key
        decode = lambda tensor: gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        old = {tensor.name: tensor for tensor in before.tensors}
        requantised = 0
        for tensor in after.tensors:
            values = decode(tensor)
            if word == "q8_0" and tensor.tensor_type == gguf.GGMLQuantizationType.Q8_0:
                again = gguf.quantize(values, tensor.tensor_type)
                requantised += int((gguf.dequantize(again, tensor.tensor_type) != values).sum())
            change = numpy.abs(values - decode(old[tensor.name])).max()
            assert numpy.isfinite(values).all() and change < 10, tensor.name
        print(f"gguf {word}: {len(after.tensors)} tensors, types "
              f"{sorted({tensor.tensor_type.name for tensor in after.tensors})}, {requantised} values not as gguf-py's")
        try:
            from llama_cpp import Llama
        except (ImportError, OSError):
            continue
        llama = Llama(path, n_ctx=64, logits_all=True, verbose=False)
        llama.eval(IDS[0])
        theirs = torch.tensor(numpy.array(llama.scores[len(IDS[0]) - 1]))
        print(f"gguf {word}: llama.cpp loads it; its best token after {IDS[0]} is {int(theirs.argmax())}")


parser = argparse.ArgumentParser()
for name in ["program", "model", "adapter", "gguf"]:
    parser.add_argument(f"--{name}", required=name not in ("gguf", "model"))
arguments = parser.parse_args()
with tempfile.TemporaryDirectory() as out:
    if arguments.model:
        check_folder(arguments, out)
    if arguments.gguf:
        check_gguf(arguments, out)
