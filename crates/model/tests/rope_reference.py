"""Makes rope_reference.json: scaled RoPE frequencies of transformers for head size 16, theta 1e4. Usage: python rope_reference.py"""
import json
import pathlib
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

SCALINGS = {
    "llama3": dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=256),
    "yarn": dict(factor=4.0, original_max_position_embeddings=256),
}
out = {}
for kind, values in SCALINGS.items():
    config = LlamaConfig(hidden_size=64, num_attention_heads=4, head_dim=16, max_position_embeddings=1024,
                         rope_parameters={"rope_type": kind, "rope_theta": 10000.0, **values})
    frequencies, factor = ROPE_INIT_FUNCTIONS[kind](config, "cpu")
    out[kind] = {"inv_freq": [float("%.9g" % f) for f in frequencies.tolist()], "attention_factor": factor}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
