"""Makes the folder peft/ beside it with Hugging Face's own libraries: a tiny Llama, LoRA adapters beside it as PEFT saves them, and the logits of both.

    pip install torch transformers peft && python make-peft.py
"""
import json
import pathlib

import peft
import torch
import transformers

here = pathlib.Path(__file__).parent / "peft"
SHAPE = dict(
    vocab_size=24, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=32, rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 500.0},
    bos_token_id=None, eos_token_id=None,
)  # fmt: skip
IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]

def rounded(logits):
    return [[round(x, 6) for x in row] for row in logits[0].tolist()]


torch.manual_seed(11)
config = transformers.LlamaConfig(**SHAPE, tie_word_embeddings=True, initializer_range=0.2)
model = transformers.LlamaForCausalLM(config)
model.save_pretrained(here / "base")
targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
lora = peft.LoraConfig(r=3, lora_alpha=7, lora_dropout=0.0, target_modules=targets, task_type="CAUSAL_LM")
ids = torch.tensor([IDS])
with torch.no_grad():
    before = rounded(model(ids).logits)
    adapted = peft.get_peft_model(model, lora)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.normal_(0, 0.2)
    adapted.eval()
    logits = rounded(adapted(ids).logits)
adapted.save_pretrained(here / "adapters")
(here / "base" / "generation_config.json").unlink()
(here / "adapters" / "README.md").unlink(missing_ok=True)
made_by = f"make-peft.py, torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}"
(here / "golden.json").write_text(json.dumps(dict(madeBy=made_by, ids=IDS, before=before, logits=logits)) + "\n")
