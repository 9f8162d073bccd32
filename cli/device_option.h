// --device of the commands that compute on one.
#pragma once

#include <string>

#include "tensor/base/device.h"

namespace CLI {
class App;
}

namespace athanor::cli {

void add_device_option(CLI::App& command, std::string& device, const char* what = "");
// The device of that name, which --profile measures from now on. Throws as parse_device() does.
Device device_of(const std::string& name);

}  // namespace athanor::cli
