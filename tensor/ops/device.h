// Moving tensors between devices, and making them on one. Any shape and dtype.
#pragma once

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace athanor {

// x itself if it lives on `device`, else a copy there, with the same order of the axes when x is
// dense. To a device: nothing waits, and x's memory may be reused at once. To the CPU: waits for
// the values. Throws Error(usage) for a device that is absent.
Tensor to(const Tensor& x, Device device);

// As in tensor/ops/copy.h and tensor/random.h, on a device. Random numbers are those of the CPU:
// integers and uniforms bit by bit, normals within 2 ULP.
Tensor full(const Shape& shape, double value, DType dtype, Device device);
Tensor zeros(const Shape& shape, DType dtype, Device device);
Tensor ones(const Shape& shape, DType dtype, Device device);
Tensor scalar(double value, DType dtype, Device device);
Tensor arange(std::int64_t count, DType dtype, double first, double step, Device device);
Tensor random_uniform(const Shape& shape, Generator& generator, double low, double high,
                      DType dtype, Device device);
Tensor random_normal(const Shape& shape, Generator& generator, double mean, double stddev,
                     DType dtype, Device device);
Tensor random_bernoulli(const Shape& shape, Generator& generator, double p, Device device);

}  // namespace athanor
