// Checkpointing: memory for time (Chen et al. 2016, arXiv:1604.06174).
#pragma once

#include <functional>
#include <vector>

#include "autograd/variable.h"
#include "tensor/random.h"

namespace athanor {

// fn(inputs), without keeping what its operations save for backward: backward runs fn again. The
// gradients have the same bits as without checkpoint(), for the inputs and for every other variable
// that fn uses (parameters of a module, captured results), and can themselves be differentiated.
//
// `generators` are those that fn draws from: they are set back for the second run, so that dropout
// sees the same masks, and stand where they stood afterwards. They and whatever fn refers to must
// live until backward. fn must give the same bits again and change nothing it reads (running
// statistics of batch norm are updated by both runs): backward compares a checksum of the result
// and throws when it differs, for example because a generator was not named.
//
//   y = checkpoint([&](const auto& x) { return dropout(block(x[0]), 0.1, g); }, {y}, {&g});
using CheckpointFunction = std::function<Variable(const std::vector<Variable>& inputs)>;
Variable checkpoint(CheckpointFunction fn, const std::vector<Variable>& inputs,
                    const std::vector<Generator*>& generators = {});

}  // namespace athanor
