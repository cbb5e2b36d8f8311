"""model.py FOLDER TOKENIZER SIZE: a Llama of random weights with that tokenizer. SIZE is "small", 1.1 billion, or "tiny".

Only numpy is needed: the format of safetensors is a header and the numbers behind it.
"""
import json
import pathlib
import shutil
import struct
import sys

import numpy

SIZES = {
    "small": dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8, head_dim=64),
    "tiny": dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16),
}


def shapes(size, vocabulary):
    """Name and shape of each tensor, as Llama's are called."""
    width, inner, head = size["hidden_size"], size["intermediate_size"], size["head_dim"]
    queries, keys = size["num_attention_heads"] * head, size["num_key_value_heads"] * head
    yield "model.embed_tokens.weight", (vocabulary, width)
    for number in range(size["num_hidden_layers"]):
        layer = f"model.layers.{number}"
        yield f"{layer}.input_layernorm.weight", (width,)
        yield f"{layer}.self_attn.q_proj.weight", (queries, width)
        yield f"{layer}.self_attn.k_proj.weight", (keys, width)
        yield f"{layer}.self_attn.v_proj.weight", (keys, width)
        yield f"{layer}.self_attn.o_proj.weight", (width, queries)
        yield f"{layer}.post_attention_layernorm.weight", (width,)
        yield f"{layer}.mlp.gate_proj.weight", (inner, width)
        yield f"{layer}.mlp.up_proj.weight", (inner, width)
        yield f"{layer}.mlp.down_proj.weight", (width, inner)
    yield "model.norm.weight", (width,)
    yield "lm_head.weight", (vocabulary, width)


def main(folder, tokenizer, size):
    folder, size = pathlib.Path(folder), SIZES[size]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pathlib.Path(tokenizer, name), folder / name)
    vocabulary = len(json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"])
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "max_position_embeddings": 8192,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-05,
        "rope_theta": 500000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
        "torch_dtype": "bfloat16",
        **size,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    # Sampled, so that the words of one answer differ.
    generation = {"do_sample": True, "temperature": 1.0, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")

    # bfloat16 is the upper half of a float32. Each tensor is a cut from one pool of numbers.
    dice = numpy.random.default_rng(0)
    pool = (dice.standard_normal(1 << 24, dtype=numpy.float32) * 0.02).view(numpy.uint32) >> 16
    pool = pool.astype(numpy.uint16)
    one = numpy.uint16(0x3F80)
    header, end, tensors = {}, 0, []
    for name, shape in shapes(size, vocabulary):
        count = int(numpy.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + 2 * count]}
        end += 2 * count
        tensors.append((len(shape), count))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for dimensions, count in tensors:
            if dimensions == 1:
                file.write(numpy.full(count, one).tobytes())
            else:
                start = int(dice.integers(pool.size))
                turned = numpy.concatenate((pool[start:], pool[:start]))
                file.write(numpy.resize(turned, count).tobytes())
    print(f"{end / 2e9:.2f} billion parameters, {vocabulary} tokens")


main(*sys.argv[1:])
