#include "tensor/backend/cpu/vnni.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "tensor/backend/cpu/cpu.h"
#include "tensor/base/error.h"

namespace athanor::cpu {
namespace {

bool allowed_by_environment() {
  const char* value = std::getenv("ATHANOR_VNNI");
  if (!value || !*value || std::string_view(value) == "1") return true;
  if (std::string_view(value) == "0") return false;
  raise(ErrorKind::usage, "ATHANOR_VNNI: expected 0 or 1, got ", value);
}

bool present() {
#if defined(__x86_64__)
  if (selected_isa() == Isa::avx512) return __builtin_cpu_supports("avx512vnni");
  if (selected_isa() == Isa::avx2) return __builtin_cpu_supports("avxvnni");
#endif
  return false;
}

std::atomic<bool>& chosen() {
  static std::atomic<bool> on{allowed_by_environment()};
  return on;
}

}  // namespace

bool vnni() {
  static const bool here = present();
  return here && chosen().load(std::memory_order_relaxed);
}

void set_vnni(bool on) { chosen() = on; }

}  // namespace athanor::cpu
