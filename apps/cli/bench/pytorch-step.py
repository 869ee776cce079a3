"""The same training step in eager PyTorch, on the device that PyTorch takes: what `bench engine --pytorch` sets beside the engine's.

    python pytorch-step.py '{"model": {...}, "microbatch": 8, "steps": 10, "matmul": 4096, "copyBytes": 1073741824}'   ->  one JSON object

The decoder is the engine's: RMSNorm, RoPE, causal attention with grouped heads, SwiGLU, AdamW with decoupled decay on matrices alone, clipping.
f32 without TF32, and bf16 by autocast over f32 weights. Attention is scaled_dot_product_attention, so each takes PyTorch's fastest kernel.
"""
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

wish = json.loads(sys.argv[1])
shape, B, STEPS = wish["model"], wish["microbatch"], wish["steps"]
V, C, L, T = shape["vocabSize"], shape["dModel"], shape["layers"], shape["contextLength"]
HEADS, KV = shape["heads"], shape["kvHeads"]
HEAD = C // HEADS
cuda = torch.cuda.is_available()
device = torch.device("cuda" if cuda else "mps" if torch.backends.mps.is_available() else "cpu")
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def wait():
    if device.type == "cuda":
        torch.cuda.synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(C))

    def forward(self, x):
        return F.rms_norm(x, (C,), self.weight, shape["normEps"])


def rotated(x, cosines, sines):
    low, high = x.chunk(2, -1)
    return x * cosines + torch.cat((-high, low), -1) * sines


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        linear = lambda out, width: nn.Linear(width, out, bias=False)
        self.qkv, self.o = linear((HEADS + 2 * KV) * HEAD, C), linear(C, C)
        self.gate_up, self.down = linear(2 * shape["dFfn"], C), linear(C, shape["dFfn"])
        self.before, self.between = Norm(), Norm()

    def forward(self, x, cosines, sines):
        rows = len(x)
        heads = self.qkv(self.before(x)).view(rows, T, HEADS + 2 * KV, HEAD).transpose(1, 2)
        q, k, v = heads.split((HEADS, KV, KV), 1)
        q, k = rotated(q, cosines, sines), rotated(k, cosines, sines)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=HEADS != KV)
        x = x + self.o(mixed.transpose(1, 2).reshape(rows, T, C))
        gate, up = self.gate_up(self.between(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(V, C)
        self.layers = nn.ModuleList(Layer() for _ in range(L))
        self.norm = Norm()
        self.head = nn.Linear(C, V, bias=False)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)
        if shape["tiedEmbedding"]:
            self.head.weight = self.embed.weight
        angles = torch.arange(T)[:, None] / shape["ropeTheta"] ** (torch.arange(0, HEAD, 2) / HEAD)
        self.register_buffer("cosines", angles.cos().repeat(1, 2))
        self.register_buffer("sines", angles.sin().repeat(1, 2))

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, self.cosines, self.sines)
        return self.head(self.norm(x))


def train(bf16):
    torch.manual_seed(1)
    model = Decoder().to(device)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    ids = torch.randint(V, (B, T + 1), device=device)
    losses, times = [], []
    for _ in range(STEPS + 2):  # the first two warm up
        wait()
        before = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = model(ids[:, :-1])
            loss = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        wait()
        times.append(time.perf_counter() - before)
    seconds = sorted(times[2:])[STEPS // 2]
    peak = torch.cuda.max_memory_allocated() if cuda else None
    return dict(stepMs=1000 * seconds, tokensPerSecond=B * T / seconds, firstLoss=losses[0], lastLoss=losses[-1], peakBytes=peak)


def best_seconds(run, repeats=5):
    times = []
    for _ in range(repeats + 1):
        wait()
        before = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - before)
    return min(times[1:])


def matmul(dtype):
    n = wish["matmul"]
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    return 2 * n**3 / best_seconds(lambda: a @ b)


def copy():
    source = torch.ones(wish["copyBytes"] // 4, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() * 4 / best_seconds(lambda: target.copy_(source))


result = dict(
    torch=torch.__version__,
    device=torch.cuda.get_device_name() if cuda else device.type,
    f32=train(bf16=False),
    bf16=train(bf16=True),
    matmulFlopsPerSecond=dict(f32=matmul(torch.float32), bf16=matmul(torch.bfloat16)),
    copyBytesPerSecond=copy(),
)
print(json.dumps(result))
