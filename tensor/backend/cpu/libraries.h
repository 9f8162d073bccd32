// What oneDNN and OpenBLAS add to the backend table; no_libraries.cpp stands in for them.
#pragma once

namespace athanor {
struct Kernels;
namespace cpu {

// Fills the entries of `table` that oneDNN serves; in a build without it leaves the own kernels.
void add_onednn_kernels(Kernels& table);

}  // namespace cpu
}  // namespace athanor
