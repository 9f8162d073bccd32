"""Reductions over segments, and sparse matrices; segment 2 of 4 is empty."""

import torch

from cases import case

SEGMENTS = 4


def rows(r):
    index = r.index((9,), SEGMENTS - 1)
    index[index == 2] = 3
    return [r.uniform((9, 3)), index]


def softmax_by_segment(x, i):
    parts = torch.zeros_like(x)
    for segment in range(SEGMENTS):
        member = (i == segment)[:, None]
        parts = parts + torch.where(member, x, -torch.inf).softmax(0).nan_to_num() * member \
            if member.any() else parts
    return parts


def reduced(x, i, how):
    places = i[:, None].expand_as(x)
    return torch.zeros(SEGMENTS, 3).scatter_reduce(0, places, x, how, include_self=False)


case("segment_sum", rows, lambda x, i: reduced(x, i, "sum"))
case("segment_mean", rows, lambda x, i: reduced(x, i, "mean"))
case("segment_max", rows, lambda x, i: reduced(x, i, "amax"))
case("segment_softmax", rows, softmax_by_segment)


def edges(r):
    return [r.index((7,), 4), r.index((7,), 5)]


def dense(row, column, values):
    return torch.zeros(4, 5).index_put((row, column), values, accumulate=True)


case("sparse_matmul", lambda r: [*edges(r), r.uniform((7,)), r.uniform((5, 3))],
     lambda row, column, values, x: dense(row, column, values) @ x)
case("sparse_dot", lambda r: [*edges(r), r.uniform((4, 3)), r.uniform((5, 3))],
     lambda row, column, a, b: (a[row] * b[column]).sum(1))
