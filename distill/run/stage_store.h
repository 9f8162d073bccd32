// What an unfinished run has worked out so far, on disk until it is done: the same command, started
// again after a kill, takes it over instead of computing it anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "distill/run/progress.h"
#include "tensor/io/safetensors.h"

namespace athanor::distill {

// What the stages of a run follow from: what it is called in messages ("--seed", "the input") ->
// its value, or a fingerprint of it.
using StageInputs = std::map<std::string, std::string>;

// 16 hexadecimal digits (XXH3) of a file's bytes, of all bytes of a text. Errors as of MappedFile.
std::string fingerprint_of_file(const std::filesystem::path& path);
std::string fingerprint_of(std::string_view bytes);
// Of the program that runs, so that another build does not take over the stages of this one.
std::string fingerprint_of_program();

class StageStore {
 public:
  // Keeps nothing, finds nothing.
  StageStore() = default;
  // Stages lie in `folder`, one file NAME.safetensors each; it is created with the first. What lies
  // there already is taken over where it was made from equal `inputs`; otherwise it is removed, and
  // `progress`, which must outlive this, is told what differs, as of a file that cannot be read.
  // Stages that took less than `least_seconds` are not worth a file.
  StageStore(std::filesystem::path folder, StageInputs inputs, ProgressSink& progress,
             double least_seconds = 1);

  // Whether stages of an earlier run were found.
  bool resumes() const { return resumes_; }

  // The stage's result as unpack(tensors) of the file that it left, otherwise as compute(), and
  // pack(result) is then kept. unpack(pack(x)) must be x to the last bit.
  template <class Compute, class Pack, class Unpack>
  auto run(const std::string& name, Compute compute, Pack pack, Unpack unpack) {
    if (const std::optional<NamedTensors> found = find(name)) return unpack(*found);
    const auto begun = std::chrono::steady_clock::now();
    auto result = compute();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    if (!folder_.empty() && took.count() >= least_seconds_) keep(name, pack(result));
    return result;
  }

  // The run is done: its stages are removed.
  void finish();

 private:
  std::optional<NamedTensors> find(const std::string& name);
  void keep(const std::string& name, const NamedTensors& result);
  std::filesystem::path file_of(const std::string& name) const;

  std::filesystem::path folder_;
  StageInputs inputs_;
  ProgressSink* progress_ = nullptr;
  double least_seconds_ = 0;
  bool resumes_ = false;
};

}  // namespace athanor::distill
