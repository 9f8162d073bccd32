"""Losses."""

import torch
import torch.nn.functional as F

from cases import Constant, case


def logits(r):
    return r.uniform((6, 5), -4, 4)


def probabilities(r):
    array = r.uniform((6, 5), 0.1, 1)
    return array / array.sum(1, keepdims=True)


def kl(student, teacher, temperature):
    p = F.log_softmax(student / temperature, 1)
    q = F.log_softmax(teacher / temperature, 1)
    return F.kl_div(p, q, reduction="none", log_target=True).sum(1) * temperature**2


def gce(x, y, q):
    p = F.softmax(x, 1).gather(1, y[:, None])[:, 0]
    return ((1 - p**q) / q).mean()


case("cross_entropy", lambda r: [logits(r), r.index((6,), 5)], F.cross_entropy)
case("cross_entropy/smoothing", lambda r: [logits(r), r.index((6,), 5)],
     lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1))
case("cross_entropy/weights",
     lambda r: [logits(r), r.index((6,), 5), r.uniform((6,), 0.1, 2)],
     lambda x, y, w: (w * F.cross_entropy(x, y, reduction="none")).mean())
case("cross_entropy/ignore", lambda r: [logits(r), r.index((6,), 5)],
     lambda x, y: F.cross_entropy(x, y, ignore_index=1))
case("cross_entropy/options", lambda r: [logits(r), r.index((6,), 5), Constant(r.uniform((5,), .2, 2))],
     lambda x, y, w: F.cross_entropy(x, y, weight=w, ignore_index=1, label_smoothing=0.1))
case("cross_entropy_by_row", lambda r: [logits(r), r.index((6,), 5)],
     lambda x, y: F.cross_entropy(x, y, reduction="none"))
case("soft_cross_entropy", lambda r: [logits(r), Constant(probabilities(r))], F.cross_entropy)
case("nll", lambda r: [logits(r), r.index((6,), 5)], F.nll_loss)
case("gce", lambda r: [logits(r), r.index((6,), 5)], lambda x, y: gce(x, y, 0.7))
case("kl_div_by_row", lambda r: [logits(r), Constant(logits(r))], lambda s, t: kl(s, t, 4.0))
case("kl_div_with_temperature", lambda r: [logits(r), Constant(logits(r))],
     lambda s, t: kl(s, t, 2.0).mean())


def values(name, function):
    case(name, lambda r: [r.uniform((6, 5)), r.uniform((6, 5), 0, 1)], function)


def loss(name, function, **options):
    """Mean, sum and each element."""
    for suffix, reduction in [("", "mean"), ("/sum", "sum"), ("/none", "none")]:
        values(name + suffix,
               lambda x, t, reduction=reduction: function(x, t, reduction=reduction, **options))


loss("mse_loss", F.mse_loss)
loss("l1_loss", F.l1_loss)
loss("huber_loss", F.huber_loss, delta=0.7)
loss("smooth_l1_loss", F.smooth_l1_loss, beta=0.7)
loss("bce_with_logits", F.binary_cross_entropy_with_logits)
case("bce_with_logits/weight",
     lambda r: [logits(r), Constant(r.uniform((6, 5), 0, 1)), Constant(r.uniform((5,), 0.5, 3))],
     lambda x, t, w: F.binary_cross_entropy_with_logits(x, t, pos_weight=w))
case("kl_div", lambda r: [logits(r), Constant(probabilities(r))],
     lambda x, q: F.kl_div(x, q, reduction="batchmean"))
case("cosine_similarity", lambda r: [r.uniform((6, 5)), r.uniform((6, 5))], F.cosine_similarity)


def cosine_embedding(a, b, y, margin):
    """F.cosine_embedding_loss adds 1e-12 to the squared lengths; F.cosine_similarity does not."""
    similarity = F.cosine_similarity(a, b)
    return torch.where(y == 1, 1 - similarity, (similarity - margin).clamp(min=0)).mean()


case("cosine_embedding_loss",
     lambda r: [r.uniform((6, 5)), r.uniform((6, 5)), 2 * r.index((6,), 2) - 1],
     lambda a, b, y: cosine_embedding(a, b, y, -0.2))
