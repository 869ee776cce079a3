"""Makes golden-llama.json: Hugging Face's own Llama on tiny models, so that our conventions are theirs and not only consistent.

    pip install torch transformers && python golden-llama.py > golden-llama.json

Parameters and ids come from testing.ts's prng, in the order of outer's parameterTable: see golden-llama.test.ts.
A gradient is kept as two numbers per tensor: its L2 norm and its dot product with more of the prng's numbers.
"""
import json
import torch
import transformers

T, B, STEPS = 12, 3, 10
SHAPE = dict(vocabSize=11, dModel=16, layers=2, heads=4, kvHeads=2, dFfn=12, contextLength=T, ropeTheta=100, normEps=1e-5)
OPTIONS = dict(learningRate=1e-2, beta1=0.9, beta2=0.95, eps=1e-8, weightDecay=0.1, clipNorm=0.5)


def prng(seed):  # mulberry32
    mask = 0xFFFFFFFF
    while True:
        seed = (seed + 0x6D2B79F5) & mask
        t = (seed ^ (seed >> 15)) * (1 | seed) & mask
        t = ((t + ((t ^ (t >> 7)) * (61 | t) & mask)) & mask) ^ t
        yield (t ^ (t >> 14)) / 2**32


def uniform(random, shape, low, high):
    count = torch.Size(shape).numel()
    return torch.tensor([low + (high - low) * next(random) for _ in range(count)], dtype=torch.float64).view(shape)


def golden(seed, tied):
    config = transformers.LlamaConfig(
        vocab_size=SHAPE["vocabSize"], hidden_size=SHAPE["dModel"], intermediate_size=SHAPE["dFfn"],
        num_hidden_layers=SHAPE["layers"], num_attention_heads=SHAPE["heads"], num_key_value_heads=SHAPE["kvHeads"],
        rms_norm_eps=SHAPE["normEps"], tie_word_embeddings=tied, max_position_embeddings=T,
        rope_parameters={"rope_type": "default", "rope_theta": SHAPE["ropeTheta"]}, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).double()
    parameters = sorted(model.named_parameters())  # a tied head is not named twice
    random = prng(seed)
    with torch.no_grad():
        for _, p in parameters:
            p.copy_(uniform(random, p.shape, *((0.8, 1.2) if p.dim() == 1 else (-0.3, 0.3))))
    ids = torch.tensor([[int(next(random) * SHAPE["vocabSize"]) for _ in range(T + 1)] for _ in range(B)])

    def loss_of():
        logits = model(ids[:, :-1]).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    loss_of().backward()
    gradient = {}
    for name, p in parameters:
        direction = uniform(random, p.shape, -1, 1)
        gradient[name] = [p.grad.norm().item(), (p.grad * direction).sum().item()]

    groups = [
        {"params": [p for _, p in parameters if p.dim() == 2], "weight_decay": OPTIONS["weightDecay"]},
        {"params": [p for _, p in parameters if p.dim() == 1], "weight_decay": 0.0},
    ]
    betas = (OPTIONS["beta1"], OPTIONS["beta2"])
    optimizer = torch.optim.AdamW(groups, lr=OPTIONS["learningRate"], betas=betas, eps=OPTIONS["eps"])
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), OPTIONS["clipNorm"]).item())
        optimizer.step()
        losses.append(loss.item())
    return dict(seed=seed, tiedEmbedding=tied, gradient=gradient, losses=losses, gradNorms=norms)


made_by = f"golden-llama.py, torch {torch.__version__}, transformers {transformers.__version__}"
cases = [golden(1, tied=True), golden(2, tied=False)]
print(json.dumps(dict(madeBy=made_by, model=SHAPE, B=B, options=OPTIONS, cases=cases), indent=2))
