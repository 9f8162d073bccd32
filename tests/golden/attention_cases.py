"""Normalisation of rows and attention."""

import torch
import torch.nn.functional as F

from cases import case


def rows(r):
    return [r.uniform((4, 3, 6)), r.uniform((6,), 0.5, 2), r.uniform((6,))]


def rows_and_residual(r):
    x, gamma, beta = rows(r)
    return [x, r.uniform((4, 3, 6)), gamma, beta]


case("layer_norm", rows, lambda x, g, b: F.layer_norm(x, (6,), g, b))
case("layer_norm/plain", lambda r: rows(r)[:1], lambda x: F.layer_norm(x, (6,)))
case("rms_norm", lambda r: rows(r)[:2], lambda x, g: F.rms_norm(x, (6,), g, eps=1e-6))
case("add_layer_norm", rows_and_residual, lambda x, h, g, b: F.layer_norm(x + h, (6,), g, b))
case("add_layer_norm/sum", rows_and_residual,
     lambda x, h, g, b: x + h + 0 * F.layer_norm(x + h, (6,), g, b))
case("add_rms_norm", lambda r: rows_and_residual(r)[:3],
     lambda x, h, g: F.rms_norm(x + h, (6,), g, eps=1e-6))


def heads(r, queries=4, keys=4, groups=2):
    return [r.uniform((2, 4, queries, 3)), r.uniform((2, groups, keys, 3)),
            r.uniform((2, groups, keys, 3))]


def attend(q, k, v, mask=None):
    """Each group of key heads serves as many query heads as it must."""
    share = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(share, 1), v.repeat_interleave(share, 1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def last_queries(queries, keys):
    """Query i sees keys up to i + keys - queries."""
    return torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)


case("attention", lambda r: heads(r, groups=4), attend)
case("attention/groups", heads, attend)
case("attention/causal", lambda r: heads(r, 3, 5), lambda q, k, v: attend(q, k, v, last_queries(3, 5)))
case("attention/mask", lambda r: heads(r) + [r.uniform((4, 4))], attend)
case("attention/lengths", lambda r: heads(r) + [1 + r.index((2,), 3)],
     lambda q, k, v, n: attend(q, k, v, (torch.arange(4) < n[:, None])[:, None, None, :]))
