#include "cli/profile_option.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "tensor/base/error.h"
#include "tensor/base/profile.h"
#include "tensor/devices.h"
#include "tensor/io/atomic_file.h"

namespace athanor::cli {
namespace {

struct Profile {
  std::string file;  // empty: not asked for
  struct Started {
    Device device;
    double begin;  // of its clock, microseconds since start_profile()
  };
  std::vector<Started> devices;
};

Profile& profile() {
  static Profile instance;
  return instance;
}

DeviceTimes times_of(const Profile::Started& started) {
  DeviceTimes times{str(started.device), {}};
  for (const DeviceSpan& span : take_device_profile(started.device)) {
    times.spans.push_back({span.op, started.begin + span.begin, span.duration});
  }
  return times;
}

}  // namespace

void add_profile_option(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    command
        ->add_option_function<std::string>(
            "--profile",
            [](const std::string& file) {
              profile().file = file;
              start_profile();
            },
            "Write a trace of all operations (chrome://tracing, ui.perfetto.dev)")
        ->option_text("FILE");
  }
}

void profile_device(Device device) {
  if (profile().file.empty() || device.type == DeviceType::cpu) return;
  start_device_profile(device);
  profile().devices.push_back({device, profile_time()});
}

void finish_profile() {
  Profile& p = profile();
  if (p.file.empty()) return;
  stop_profile();
  std::vector<DeviceTimes> devices;
  for (const Profile::Started& started : p.devices) devices.push_back(times_of(started));
  std::ostringstream trace;
  write_profile(trace, devices);
  write_file_atomically(p.file, trace.str());
  std::fprintf(stderr, "%sprofile: %s\n", profile_table(devices).c_str(), p.file.c_str());
  p = {};
}

}  // namespace athanor::cli
