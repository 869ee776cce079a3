"""Reads with Hugging Face's transformers what `npm run test:formats -- --keep FOLDER` left: the same tokens, logits and greedy text?

    pip install torch transformers && python apps/cli/formats/read-with-transformers.py FOLDER
"""
import json
import pathlib
import sys

import torch
import transformers

TOLERANCE = {"f32": 1e-3, "f16": 0.05, "bf16": 0.3}  # of logits; text is compared in f32 alone

failed = False
for model_folder in sorted(path for path in pathlib.Path(sys.argv[1]).iterdir() if path.is_dir()):
    expected = json.loads((model_folder / "expected.json").read_text())
    for dtype, tolerance in TOLERANCE.items():
        folder = model_folder / dtype
        model = transformers.AutoModelForCausalLM.from_pretrained(folder)
        stored = str(model.dtype)
        model = model.float()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        encoded = sum(tokenizer(e["text"], add_special_tokens=False)["input_ids"] == e["ids"] for e in expected["encoded"])
        decoded = sum(tokenizer.decode(e["ids"]) == e["text"] for e in expected["encoded"])
        worst, same = 0.0, 0
        for each in expected["continued"]:
            prompt = torch.tensor([each["prompt"]])
            with torch.no_grad():
                logits = model(prompt).logits[0, -1]
                wanted = torch.tensor(each["logits"])
                worst = max(worst, (logits - wanted).abs().max().item())
                out = model.generate(
                    prompt, attention_mask=torch.ones_like(prompt), do_sample=False, temperature=None, top_p=None,
                    max_new_tokens=len(each["ids"]), min_new_tokens=len(each["ids"]), pad_token_id=0,
                )  # fmt: skip
            same += out[0, prompt.shape[1] :].tolist() == each["ids"]
        texts, prompts = len(expected["encoded"]), len(expected["continued"])
        good = worst <= tolerance and encoded == decoded == texts and (dtype != "f32" or same == prompts)
        failed |= not good
        print(
            f"{model_folder.name:16} {dtype:5} {type(model).__name__}, {stored}: {same} of {prompts} greedy texts the same, logits within {worst:.1e}, "
            f"{encoded} of {texts} texts encoded and {decoded} decoded alike{'' if good else '   FAILED'}"
        )
sys.exit(1 if failed else 0)
