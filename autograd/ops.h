// Umbrella: every operation with a gradient. Operations on plain tensors come with it.
#pragma once

#include "autograd/ops/batch_norm.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/copy.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/kl_div.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/pool2d.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/unary.h"
#include "tensor/ops.h"
