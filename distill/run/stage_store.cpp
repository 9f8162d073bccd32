#include "distill/run/stage_store.h"

#include <fmt/format.h>
#include <link.h>
#include <xxhash.h>

#include <cstring>
#include <utility>
#include <vector>

#include "tensor/base/error.h"
#include "tensor/base/version.h"
#include "tensor/io/mapped_file.h"

namespace athanor::distill {
namespace {

constexpr const char* kEnding = ".safetensors";

// The names under which `a` and `b` have other values, or one of them none: "--seed, the input".
std::string differences(const StageInputs& a, const StageInputs& b) {
  StageInputs all = a;
  all.insert(b.begin(), b.end());
  std::string names;
  for (const auto& [name, value] : all) {
    const auto in_a = a.find(name), in_b = b.find(name);
    if (in_a != a.end() && in_b != b.end() && in_a->second == in_b->second) continue;
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

}  // namespace

std::string fingerprint_of(std::string_view bytes) {
  return fmt::format("{:016x}", XXH3_64bits(bytes.data(), bytes.size()));
}

std::string fingerprint_of_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return fingerprint_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

namespace {

// The linker's hash of the program that runs (an ELF note), "" where it left none.
std::string build_id() {
  std::string id;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* result) {
        for (int k = 0; k < info->dlpi_phnum; ++k) {
          const auto& header = info->dlpi_phdr[k];
          if (header.p_type != PT_NOTE) continue;
          const auto* at = reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr);
          const char* end = at + header.p_memsz;
          while (end - at >= static_cast<std::ptrdiff_t>(sizeof(ElfW(Nhdr)))) {
            ElfW(Nhdr) note;
            std::memcpy(&note, at, sizeof note);
            const char* name = at + sizeof note;
            const char* bytes = name + (note.n_namesz + 3) / 4 * 4;
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
                std::memcmp(name, "GNU", 4) == 0) {
              static_cast<std::string*>(result)->assign(bytes, note.n_descsz);
            }
            at = bytes + (note.n_descsz + 3) / 4 * 4;
          }
        }
        return 1;  // the first one is the program, others are its libraries
      },
      &id);
  return id;
}

}  // namespace

std::string fingerprint_of_program() {
  const std::string id = build_id();
  if (!id.empty()) return fingerprint_of(id);
  try {
    return fingerprint_of_file(std::filesystem::read_symlink("/proc/self/exe"));
  } catch (const std::exception&) {
    return kVersion;  // where the system shows no such link the version must do
  }
}

StageStore::StageStore(std::filesystem::path folder, StageInputs inputs, ProgressSink& progress,
                       double least_seconds)
    : folder_(std::move(folder)),
      inputs_(std::move(inputs)),
      progress_(&progress),
      least_seconds_(least_seconds) {
  if (!std::filesystem::is_directory(folder_)) return;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().extension() == kEnding) files.push_back(entry.path());
  }
  std::string differ;
  for (const std::filesystem::path& file : files) {
    try {
      const std::string now = differences(SafetensorsFile(file).metadata(), inputs_);
      if (differ.empty()) differ = now;
    } catch (const Error& error) {
      progress_->message(str(error.what(), "; computed anew"));
      std::filesystem::remove(file);
    }
  }
  if (!differ.empty()) {
    progress_->message(
        str("starting afresh: ", differ,
            " changed since the run that was stopped, whose stages are removed from ",
            folder_.string()));
    finish();
    return;
  }
  resumes_ = !files.empty();
}

std::filesystem::path StageStore::file_of(const std::string& name) const {
  return folder_ / (name + kEnding);
}

std::optional<NamedTensors> StageStore::find(const std::string& name) {
  if (folder_.empty() || !std::filesystem::exists(file_of(name))) return {};
  progress_->message(str(name, ": taken from the run that was stopped"));
  return load_safetensors(file_of(name)).first;
}

void StageStore::keep(const std::string& name, const NamedTensors& result) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) raise(ErrorKind::runtime, folder_.string(), ": cannot be created: ", error.message());
  save_safetensors(file_of(name), result, inputs_);
}

void StageStore::finish() {
  std::error_code ignored;  // what cannot be removed is checked, and taken or not, by the next run
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

}  // namespace athanor::distill
