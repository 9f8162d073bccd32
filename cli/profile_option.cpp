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
    const auto add = [command](const char* name, double max_cost, const char* help) {
      return command
          ->add_option_function<std::string>(
              name,
              [max_cost](const std::string& file) {
                profile().file = file;
                start_profile(kProfileEvents, max_cost);
              },
              help)
          ->option_text("FILE");
    };
    CLI::Option* const some =
        add("--profile", kProfileCost,
            "Write a trace of the operations (chrome://tracing, ui.perfetto.dev)");
    add("--profile-all", 1, "The same with every call, also where that slows it down")
        ->excludes(some);
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
