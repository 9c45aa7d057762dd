"""Makes nf4/: small matrices, and what bitsandbytes makes of them (bitsandbytes 0.50.2, torch, safetensors; no GPU).

    python tests/golden/make_nf4.py

`floats.safetensors` holds the matrices and, as `NAME.dequantised` and `NAME.scales`, what must come of them;
`codes.safetensors` holds them as `bitsandbytes.nn.Linear4bit` saves them.
"""

from pathlib import Path

import bitsandbytes as bnb
import torch
from bitsandbytes import functional as F
from safetensors.torch import save_file

HERE = Path(__file__).parent / "nf4"

#: Name, shape, dtype, kind, double quantisation. `double` has more than 256 scales, `short` ends within a block.
MATRICES = [
    ("plain.q_proj", (4, 192), torch.float32, "nf4", False),
    ("half.k_proj", (2, 128), torch.bfloat16, "nf4", False),
    ("short.v_proj", (3, 50), torch.float32, "nf4", False),
    ("double.o_proj", (40, 416), torch.bfloat16, "nf4", True),
    ("four.up_proj", (2, 128), torch.float32, "fp4", False),
]


def draw(name, shape, dtype):
    values = 0.04 * torch.randn(shape)
    if name == "plain.q_proj":
        values[1, :64] = 0
        # The middles of the table's neighbours, where a code changes: the largest magnitude of the block is 1.
        table = F.get_4bit_type("nf4", device="cpu")
        values[2, :15] = (table[1:] + table[:-1]) / 2
        values[2, 15] = -1.0
    return values.to(dtype)


def scales_of(state):
    if not state.nested:
        return state.absmax
    return F.dequantize_blockwise(state.absmax, state.state2) + state.offset


def main():
    torch.manual_seed(20)
    floats, codes = {}, {}
    for name, (out, inner), dtype, kind, double in MATRICES:
        values = draw(name, (out, inner), dtype)
        layer = bnb.nn.Linear4bit(inner, out, bias=False, compress_statistics=double, quant_type=kind)
        layer.weight = bnb.nn.Params4bit(values.clone(), requires_grad=False, compress_statistics=double, quant_type=kind)
        layer = layer.to("cpu")
        for key, tensor in layer.state_dict().items():
            codes[f"{name}.{key}"] = tensor.contiguous()
        state = layer.weight.quant_state
        if name != "double.o_proj":
            floats[f"{name}.weight"] = values
            state.dtype = torch.float32  # else rounded to the dtype of the matrix
            floats[f"{name}.dequantised"] = F.dequantize_4bit(layer.weight.data, state)
        floats[f"{name}.scales"] = scales_of(state).float()
    HERE.mkdir(exist_ok=True)
    save_file(floats, HERE / "floats.safetensors")
    save_file(codes, HERE / "codes.safetensors")
    for key, tensor in codes.items():
        print(key, tensor.dtype, tuple(tensor.shape))


if __name__ == "__main__":
    main()
