"""Parameters after each step of the optimisers, on gradients that are given, not computed.

Adam, AdamW and SGD are PyTorch's. LAMB, Lion and Muon are written here after their papers, in f64.
"""

import numpy
import torch
from torch import nn

from training import STEPS, rounded

RATE = 0.03


class Lamb:
    """You et al. 2020, algorithm 2, with corrected moments."""

    def __init__(self, p):
        self.m, self.v, self.t = 0 * p, 0 * p, 0

    def step(self, p, g, b1=0.9, b2=0.99, eps=1e-6, decay=0.1):
        self.t += 1
        self.m = b1 * self.m + (1 - b1) * g
        self.v = b2 * self.v + (1 - b2) * g * g
        r = self.m / (1 - b1**self.t) / (numpy.sqrt(self.v / (1 - b2**self.t)) + eps) + decay * p
        return p - RATE * numpy.linalg.norm(p) / numpy.linalg.norm(r) * r


class Lion:
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, p):
        self.m = 0 * p

    def step(self, p, g, b1=0.9, b2=0.95, decay=0.1):
        update = numpy.sign(b1 * self.m + (1 - b1) * g)
        self.m = b2 * self.m + (1 - b2) * g
        return p - RATE * (update + decay * p)


class Muon:
    """Jordan et al. 2024 with Nesterov momentum; scaled as in Liu et al. 2025."""

    def __init__(self, p):
        self.b = 0 * p

    def step(self, p, g, momentum=0.9, decay=0.1):
        self.b = momentum * self.b + (1 - momentum) * g
        x = (1 - momentum) * g + momentum * self.b
        x = x / (numpy.linalg.norm(x) + 1e-7)
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        x = x.T if tall else x
        return p * (1 - RATE * decay) - RATE * 0.2 * max(p.shape)**0.5 * x


class Torch:
    """An optimiser of PyTorch's under the same interface."""

    def __init__(self, make):
        self.make, self.optimizer = make, None

    def __call__(self, p):
        self.p = nn.Parameter(torch.from_numpy(p.copy()))
        self.optimizer = self.make([self.p])
        return self

    def step(self, p, g):
        self.p.grad = torch.from_numpy(g.copy())
        self.optimizer.step()
        return self.p.detach().numpy().copy()


def steps(make, seed, shape=(20,)):
    random = numpy.random.default_rng(seed)
    gradients = random.normal(0, 1, (STEPS, 20)) * 10.0 ** random.integers(-3, 2, 20)
    gradients = rounded(gradients).reshape(STEPS, *shape)
    p = rounded(random.normal(0, 1, 20)).reshape(shape)
    optimizer, values = make(p), []
    arrays = {"start": p, "gradients": gradients}
    for gradient in gradients:
        p = optimizer.step(p, gradient)
        values.append(p)
    return arrays | {"values": numpy.stack(values)}


def arrays():
    options = dict(lr=RATE, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.1)
    sgd = dict(lr=RATE, momentum=0.9, weight_decay=0.1)
    cases = {
        "adamw": (Torch(lambda p: torch.optim.AdamW(p, **options)), (20,)),
        "sgd": (Torch(lambda p: torch.optim.SGD(p, **sgd)), (20,)),
        "adam": (Torch(lambda p: torch.optim.Adam(p, **options)), (20,)),
        "nesterov": (Torch(lambda p: torch.optim.SGD(p, nesterov=True, **sgd)), (20,)),
        "lamb": (Lamb, (20,)),
        "lion": (Lion, (20,)),
        "muon": (Muon, (4, 5)),
        "muon_tall": (Muon, (10, 2)),
    }
    result = {}
    for name, (make, shape) in cases.items():
        values = steps(make, len(name), shape)
        result |= {f"{name}#{key}": value for key, value in values.items()}
    return result
