"""Shapes, products, joining, and elements by index."""

import torch
import torch.nn.functional as F

from cases import case

case("reshape", lambda r: [r.uniform((3, 4, 5))], lambda x: x.transpose(0, 2).reshape(10, 6))
case("flatten", lambda r: [r.uniform((2, 3, 4))], lambda x: x.flatten(1))
case("permute", lambda r: [r.uniform((2, 3, 4))], lambda x: x.permute(2, 0, 1))
case("transpose", lambda r: [r.uniform((2, 3, 4))], lambda x: x.transpose(0, -1))
case("slice", lambda r: [r.uniform((3, 9))], lambda x: x[:, 1:8:3])
case("select", lambda r: [r.uniform((3, 4, 5))], lambda x: x[:, -2])
case("expand", lambda r: [r.uniform((3, 1))], lambda x: x.expand(2, 3, 4))
case("as_strided", lambda r: [r.uniform((4, 5))],
     lambda x: torch.as_strided(x, (3, 2, 4), (4, 1, 2), 3))
case("unsqueeze", lambda r: [r.uniform((3, 4))], lambda x: x.unsqueeze(1))
case("squeeze", lambda r: [r.uniform((3, 1, 4))], lambda x: x.squeeze(1))
case("cat", lambda r: [r.uniform((2, 3)), r.uniform((2, 1)), r.uniform((2, 4))],
     lambda *x: torch.cat(x, 1))
case("stack", lambda r: [r.uniform((2, 3)), r.uniform((2, 3))], lambda *x: torch.stack(x, -1))

case("split", lambda r: [r.uniform((3, 7))], lambda x: torch.split(x, [2, 4, 1], 1)[1])
case("chunk", lambda r: [r.uniform((7, 2))], lambda x: torch.chunk(x, 3, 0)[1])
case("pad", lambda r: [r.uniform((3, 4))], lambda x: F.pad(x, (2, 1, 0, 3), value=1.5))
case("crop", lambda r: [r.uniform((5, 6))], lambda x: x[1:4, 2:5])
case("flip", lambda r: [r.uniform((3, 4, 2))], lambda x: x.flip(0, 2))
case("roll", lambda r: [r.uniform((3, 5))], lambda x: x.roll(-7, 1))
case("einsum", lambda r: [r.uniform((3, 4, 5)), r.uniform((3, 5, 2))],
     lambda *x: torch.einsum("bij,bjk->ikb", *x))
case("einsum/three", lambda r: [r.uniform((3, 4)), r.uniform((4,)), r.uniform((5, 4))],
     lambda *x: torch.einsum("ij,j,kj->ik", *x))

case("matmul", lambda r: [r.uniform((5, 7)), r.uniform((7, 3))], torch.matmul)
case("matmul/batched", lambda r: [r.uniform((2, 1, 3, 4)), r.uniform((5, 4, 2))], torch.matmul)
case("matmul/vector", lambda r: [r.uniform((2, 3, 4)), r.uniform((4,))], torch.matmul)
case("linear", lambda r: [r.uniform((2, 5, 4)), r.uniform((3, 4)), r.uniform((3,))], F.linear)

case("index_select", lambda r: [r.uniform((3, 5)), r.index((7,), 5)],
     lambda x, i: x.index_select(1, i))
case("index_add", lambda r: [r.uniform((6, 3)), r.index((6,), 4)],
     lambda x, i: torch.zeros(4, 3).index_add(0, i, x))
case("take_along_axis", lambda r: [r.uniform((3, 5)), r.index((3, 7), 5)],
     lambda x, i: torch.take_along_dim(x, i, 1))
case("scatter_add", lambda r: [r.uniform((3, 5)), r.index((3, 5), 4)],
     lambda x, i: torch.zeros(3, 4).scatter_add(1, i, x))
case("embedding", lambda r: [r.uniform((6, 3)), r.index((2, 5), 6)], lambda w, i: F.embedding(i, w))
case("one_hot", lambda r: [r.index((2, 5), 4)], lambda i: F.one_hot(i, 4), gradient=False)

case("clone", lambda r: [r.uniform((3, 4))], lambda x: x.T.clone())
case("contiguous", lambda r: [r.uniform((3, 4))], lambda x: x.T.contiguous())


def spread(x):
    wide = torch.zeros(3, 9)
    wide[:, 1:8:3] = x
    return wide


case("unslice", lambda r: [r.uniform((3, 3))], spread)
for name, i in [("values", 0), ("index", 1), ("counts", 2)]:
    case("unique/" + name, lambda r: [r.index((4, 6), 7) * 1.0],
         lambda x, i=i: torch.unique(x, return_inverse=True, return_counts=True)[i],
         gradient=False)

# New tensors: the input has the numbers that they are made of.
case("arange", lambda r: [r.uniform((2,))],
     lambda x: torch.arange(6) * x[1].item() + x[0].item(), gradient=False)
case("linspace", lambda r: [r.uniform((2,))],
     lambda x: torch.linspace(x[0].item(), x[1].item(), 7), gradient=False)
case("eye", lambda r: [r.uniform((1,))], lambda x: x * torch.eye(3, 5), gradient=False)
case("full", lambda r: [r.uniform((1,))], lambda x: torch.full((2, 3), x.item()), gradient=False)
