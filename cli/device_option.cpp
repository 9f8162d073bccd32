#include "cli/device_option.h"

#include <CLI/CLI.hpp>

#include "cli/profile_option.h"
#include "tensor/devices.h"

namespace athanor::cli {

void add_device_option(CLI::App& command, std::string& device, const char* what) {
  command.add_option("--device", device, std::string("cpu, cuda or cuda:N") + what)
      ->capture_default_str();
}

Device device_of(const std::string& name) {
  const Device device = parse_device(name);
  profile_device(device);
  return device;
}

void add_precision_option(CLI::App& command, std::string& precision, const char* when) {
  command.add_option("--precision", precision, std::string("f32, bf16 or f16: of products") + when)
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->capture_default_str();
}

DType precision_of(const std::string& name) {
  return name == "f32" ? DType::f32 : name == "bf16" ? DType::bf16 : DType::f16;
}

}  // namespace athanor::cli
