// Umbrella: every tensor operation, without gradients. With gradients: autograd/ops.h.
#pragma once

#include "tensor/ops/batch_norm.h"
#include "tensor/ops/binary.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/cross_entropy.h"
#include "tensor/ops/kl_div.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/pool2d.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/softmax.h"
#include "tensor/ops/unary.h"
