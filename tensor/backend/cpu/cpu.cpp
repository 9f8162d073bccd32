#include "tensor/backend/cpu/cpu.h"

#include <cstdlib>
#include <string_view>

#include "tensor/backend/cpu/conv2d_direct.h"
#include "tensor/backend/cpu/matmul.h"
#include "tensor/backend/kernels.h"
#include "tensor/base/error.h"

namespace athanor::cpu {

namespace portable {
void add_isa_kernels(Kernels& table);
double fma_flops_per_step();
float run_fma_steps(std::int64_t steps);
double int8_operations_per_step();
std::int32_t run_int8_steps(std::int64_t steps);
}  // namespace portable
#if defined(__x86_64__)
namespace avx2 {
void add_isa_kernels(Kernels& table);
double fma_flops_per_step();
float run_fma_steps(std::int64_t steps);
double int8_operations_per_step();
std::int32_t run_int8_steps(std::int64_t steps);
}  // namespace avx2
namespace avx512 {
void add_isa_kernels(Kernels& table);
double fma_flops_per_step();
float run_fma_steps(std::int64_t steps);
double int8_operations_per_step();
std::int32_t run_int8_steps(std::int64_t steps);
}  // namespace avx512
#endif

const char* name_of(Isa isa) {
  constexpr const char* names[] = {"portable", "avx2", "avx512"};
  return names[static_cast<int>(isa)];
}

Isa detected_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return Isa::avx512;
  if (avx2) return Isa::avx2;
#endif
  return Isa::portable;
}

namespace {

Isa choose_isa() {
  const Isa best = detected_isa();
  const char* value = std::getenv("ATHANOR_ISA");
  if (!value || !*value) return best;
  for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
    if (std::string_view(value) != name_of(isa)) continue;
    if (isa > best) {
      raise(ErrorKind::usage, "ATHANOR_ISA: this processor has ", name_of(best), ", not ", value);
    }
    return isa;
  }
  raise(ErrorKind::usage, "ATHANOR_ISA: expected portable, avx2 or avx512, got ", value);
}

Kernels build_table() {
  Kernels table;
  switch (selected_isa()) {
    case Isa::portable:
      portable::add_isa_kernels(table);
      break;
#if defined(__x86_64__)
    case Isa::avx2:
      avx2::add_isa_kernels(table);
      break;
    case Isa::avx512:
      avx512::add_isa_kernels(table);
      break;
#else
    default:
      break;
#endif
  }
  add_conv2d(table);
  own_matmul = table.matmul.run;
  table.matmul = {matmul, {DType::f32, DType::f64, DType::f16, DType::bf16}};
  return table;
}

}  // namespace

Isa selected_isa() {
  static const Isa isa = choose_isa();
  return isa;
}

double fma_flops_per_step() {
#if defined(__x86_64__)
  if (selected_isa() == Isa::avx512) return avx512::fma_flops_per_step();
  if (selected_isa() == Isa::avx2) return avx2::fma_flops_per_step();
#endif
  return portable::fma_flops_per_step();
}

float run_fma_steps(std::int64_t steps) {
#if defined(__x86_64__)
  if (selected_isa() == Isa::avx512) return avx512::run_fma_steps(steps);
  if (selected_isa() == Isa::avx2) return avx2::run_fma_steps(steps);
#endif
  return portable::run_fma_steps(steps);
}

double int8_operations_per_step() {
#if defined(__x86_64__)
  if (selected_isa() == Isa::avx512) return avx512::int8_operations_per_step();
  if (selected_isa() == Isa::avx2) return avx2::int8_operations_per_step();
#endif
  return portable::int8_operations_per_step();
}

std::int32_t run_int8_steps(std::int64_t steps) {
#if defined(__x86_64__)
  if (selected_isa() == Isa::avx512) return avx512::run_int8_steps(steps);
  if (selected_isa() == Isa::avx2) return avx2::run_int8_steps(steps);
#endif
  return portable::run_int8_steps(steps);
}

}  // namespace athanor::cpu

namespace athanor {

const Kernels& cpu_kernels() {
  static const Kernels table = cpu::build_table();
  return table;
}

const char* detail::cpu_path() { return cpu::name_of(cpu::selected_isa()); }

}  // namespace athanor
