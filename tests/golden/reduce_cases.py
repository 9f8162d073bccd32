"""Reductions, softmax, running sums and order."""

import torch
import torch.nn.functional as F

from cases import case


def reduction(name, function, low=-2.0, high=2.0, gradient=True):
    case(name, lambda r: [r.uniform((3, 4, 5), low, high)], function, gradient)


reduction("sum", torch.sum)
reduction("sum/axes", lambda x: torch.sum(x, (0, 2), keepdim=True))
reduction("mean", torch.mean)
reduction("mean/axes", lambda x: torch.mean(x, (1, 2)))
reduction("amax", lambda x: torch.amax(x, 1))
reduction("amin", lambda x: torch.amin(x, (0, 2), keepdim=True))
case("amax/ties", lambda r: [r.index((4, 9), 3) * 1.0], lambda x: torch.amax(x, 1))
reduction("any", lambda x: torch.any(x > 1.5, 1), gradient=False)
reduction("all", lambda x: torch.all(x > -1.5, 1), gradient=False)
reduction("sum_to", lambda x: x.sum_to_size(4, 1))
reduction("var", lambda x: torch.var(x, (1, 2), correction=1))
reduction("stddev", lambda x: torch.std(x, (0,), correction=0))
reduction("norm", lambda x: torch.linalg.vector_norm(x, dim=(0, 2)))
reduction("l2_normalize", lambda x: x / torch.sqrt((x * x).sum(-1, keepdim=True) + 1e-12))
reduction("softmax", lambda x: F.softmax(x, -1))
reduction("softmax/axis0", lambda x: F.softmax(x, 0))
reduction("log_softmax", lambda x: F.log_softmax(x, 1), -9, 9)
reduction("logsumexp", lambda x: torch.logsumexp(x, 1), -9, 9)
reduction("cumsum", lambda x: torch.cumsum(x, 1))
reduction("cumsum/reverse", lambda x: x.flip(2).cumsum(2).flip(2))
reduction("sort", lambda x: torch.sort(x, dim=1, descending=True, stable=True).values)
reduction("topk", lambda x: torch.topk(x, 3, -1).values)
reduction("argsort", lambda x: torch.argsort(x, dim=2, stable=True), gradient=False)
reduction("argmax", lambda x: torch.argmax(x, 1), gradient=False)
reduction("argmin", lambda x: torch.argmin(x, 2), gradient=False)
