// Umbrella: every tensor operation, without gradients. With gradients: autograd/ops.h.
#pragma once

#include "tensor/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
