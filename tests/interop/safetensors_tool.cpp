// Reads a safetensors file and writes its tensors and metadata to another one, for
// check_safetensors.py: `safetensors_tool IN OUT`.
#include <cstdio>

#include "tensor/base/error.h"
#include "tensor/io/safetensors.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: safetensors_tool IN OUT\n", stderr);
    return 2;
  }
  try {
    const auto [tensors, metadata] = athanor::load_safetensors(argv[1]);
    athanor::save_safetensors(argv[2], tensors, metadata);
    return 0;
  } catch (const athanor::Error& error) {
    std::fprintf(stderr, "safetensors_tool: %s\n", error.what());
    return 1;
  }
}
