"""Makes the folders beside it with Hugging Face's own library: what save_pretrained writes of a tiny Llama, and the logits it computes.

    pip install torch transformers && python make.py

sharded-bf16: several files and an index, the head a matrix of its own. single-f32: one file, the embedding is the head. single-f16: one file.
"""
import json
import pathlib

import torch
import transformers

here = pathlib.Path(__file__).parent
SHAPE = dict(
    vocab_size=24, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=32, rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 500.0},
    bos_token_id=None, eos_token_id=None,
)  # fmt: skip
IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]


def make(name, dtype, tied, shard_size):
    torch.manual_seed(7)
    config = transformers.LlamaConfig(**SHAPE, tie_word_embeddings=tied, initializer_range=0.2)
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.8, 1.2)
    model.to(dtype).save_pretrained(here / name, max_shard_size=shard_size)
    (here / name / "generation_config.json").unlink()
    reader = transformers.LlamaForCausalLM.from_pretrained(here / name, dtype=torch.float32)
    logits = reader(torch.tensor([IDS])).logits[0]
    made_by = f"make.py, torch {torch.__version__}, transformers {transformers.__version__}"
    golden = dict(madeBy=made_by, ids=IDS, logits=[[round(x, 6) for x in row] for row in logits.tolist()])
    (here / name / "golden.json").write_text(json.dumps(golden) + "\n")


make("sharded-bf16", torch.bfloat16, tied=False, shard_size="5KB")
make("single-f32", torch.float32, tied=True, shard_size="1GB")
make("single-f16", torch.float16, tied=False, shard_size="1GB")
