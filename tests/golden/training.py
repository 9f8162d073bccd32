"""Ten steps of training of a small CNN and a small transformer."""

import numpy
import torch
import torch.nn.functional as F
from torch import nn

STEPS, BATCH, CLASSES = 10, 8, 3


def rounded(array):
    """Values that f32 holds exactly."""
    return array.astype(numpy.float32).astype(numpy.float64)


def initialise(model, seed):
    random = numpy.random.default_rng(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            values = random.normal(0, 0.5 / max(1, p[0].numel()) ** 0.5, tuple(p.shape))
            if "norm" in name and name.endswith("weight"):
                values += 1
            p.copy_(torch.from_numpy(rounded(values)))


class Cnn(nn.Module):
    """Images [B, 1, 8, 8]. No bias before batch norm: its gradient would be rounding alone."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(6)
        self.head = nn.Linear(24, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        return self.head(x.flatten(1))


class Layer(nn.Module):
    """Pre-norm transformer layer, two heads. No bias on the keys: softmax cancels it."""

    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        h = self.norm1(x)
        q, k, v = (f(h).reshape(batch, length, 2, width // 2).transpose(1, 2)
                   for f in (self.q, self.k, self.v))
        attended = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """Tokens [B, 6] of 11."""

    def __init__(self, width=8):
        super().__init__()
        self.embedding = nn.Embedding(11, width)
        self.layers = nn.ModuleList([Layer(width), Layer(width)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x).mean(1))


def train(model, batches, labels, rate):
    """SGD. Start values, batches, losses, and every gradient of every step."""
    arrays = {f"start#{name}": p.detach().numpy().copy() for name, p in model.named_parameters()}
    arrays |= {"batches": batches, "labels": labels}
    losses = []
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(torch.from_numpy(batches[step])),
                               torch.from_numpy(labels[step]))
        loss.backward()
        losses.append(loss.item())
        for name, p in model.named_parameters():
            arrays[f"grad{step}#{name}"] = p.grad.numpy().copy()
        optimizer.step()
    for name, value in list(model.named_parameters()) + list(model.named_buffers()):
        if value.is_floating_point():
            arrays[f"end#{name}"] = value.detach().numpy().copy()
    return arrays | {"losses": numpy.array(losses)}


def files():
    random = numpy.random.default_rng(42)
    labels = random.integers(0, CLASSES, (STEPS, BATCH))
    cnn, transformer = Cnn(), Transformer()
    initialise(cnn, 1)
    initialise(transformer, 2)
    images = rounded(random.normal(0, 1, (STEPS, BATCH, 1, 8, 8)))
    tokens = random.integers(0, 11, (STEPS, BATCH, 6))
    return {
        "cnn": train(cnn, images, labels, 0.1),
        "transformer": train(transformer, tokens, labels, 0.1),
    }
