// The workload op_chain alone, for counting its instructions (scripts/check_instructions.py).
#include <cstdio>
#include <cstdlib>

#include "autograd/ops.h"
#include "tensor/base/parallel.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: op_chain STEPS\n");
    return 2;
  }
  using namespace athanor;
  set_num_threads(1);
  Variable a(full({64}, 0.5), true);
  double total = 0;
  for (int step = std::atoi(argv[1]); step > 0; --step) {
    a.zero_grad();
    Variable b = a;
    for (int i = 0; i < 100; ++i) b = relu(b * 1.01 + a);
    sum(b).backward();
    total += a.grad().tensor().data<float>()[0];
  }
  std::printf("%g\n", total);
}
