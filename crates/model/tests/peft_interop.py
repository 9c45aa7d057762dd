"""Checks that PEFT reads an adapter as it was meant: loads the folder that the example `adapter_roundtrip` wrote on top of
the transformers model and compares the last logits with those that the example printed.

Needs torch, transformers and peft. Run by hand from the repository's root:

    cargo run -p lingualign-model --example adapter_roundtrip tests/golden/tiny_llama /tmp/adapter > /tmp/logits.json
    python crates/model/tests/peft_interop.py tests/golden/tiny_llama /tmp/adapter /tmp/logits.json
"""
import json
import sys

import peft
import torch
import transformers

TOLERANCE = 1e-3

if len(sys.argv) != 4:
    sys.exit(__doc__)
model_folder, adapter_folder, logits_file = sys.argv[1:]
with open(logits_file) as file:
    expected = json.load(file)
base = transformers.AutoModelForCausalLM.from_pretrained(
    model_folder, dtype=torch.float32, attn_implementation="eager"
).eval()
input_ids = torch.tensor([expected["input_ids"]])
ours = torch.tensor(expected["logits"])
with torch.no_grad():
    plain = base(input_ids).logits[0, -1]
    tuned = peft.PeftModel.from_pretrained(base, adapter_folder).eval()(input_ids).logits[0, -1]
off, effect = (tuned - ours).abs().max().item(), (tuned - plain).abs().max().item()
print(f"peft {peft.__version__}, transformers {transformers.__version__}: largest difference {off:.2e}, "
      f"effect of the adapter {effect:.2f}")
sys.exit(off > TOLERANCE or effect < 100 * TOLERANCE)
