// --device and --precision of the commands that compute.
#pragma once

#include <string>

#include "tensor/base/device.h"
#include "tensor/base/dtype.h"

namespace CLI {
class App;
}

namespace athanor::cli {

void add_device_option(CLI::App& command, std::string& device, const char* what = "");
// The device of that name, which --profile measures from now on. Throws as parse_device() does.
Device device_of(const std::string& name);

// --precision of products: f32, bf16 or f16; `when` goes on with what the help says.
void add_precision_option(CLI::App& command, std::string& precision, const char* when);
// The dtype of a name that the option let through.
DType precision_of(const std::string& name);

}  // namespace athanor::cli
