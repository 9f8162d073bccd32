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

}  // namespace athanor::cli
