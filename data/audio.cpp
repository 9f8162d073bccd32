#include "data/audio.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "tensor/base/shared_library.h"
#include "tensor/io/bytes.h"
#include "tensor/io/mapped_file.h"

namespace athanor::data {
namespace {

// Memory as the file that libsndfile reads.
struct MemoryFile {
  std::span<const std::byte> bytes;
  sf_count_t at = 0;

  static sf_count_t length(void* self) {
    return static_cast<sf_count_t>(static_cast<MemoryFile*>(self)->bytes.size());
  }
  static sf_count_t seek(sf_count_t offset, int whence, void* self) {
    auto& file = *static_cast<MemoryFile*>(self);
    const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file.at : length(self);
    file.at = std::clamp<sf_count_t>(base + offset, 0, length(self));
    return file.at;
  }
  static sf_count_t read(void* out, sf_count_t count, void* self) {
    auto& file = *static_cast<MemoryFile*>(self);
    const sf_count_t take = std::clamp<sf_count_t>(count, 0, length(self) - file.at);
    if (take > 0) std::memcpy(out, file.bytes.data() + file.at, static_cast<std::size_t>(take));
    file.at += take;
    return take;
  }
  static sf_count_t write(const void*, sf_count_t, void*) { return 0; }
  static sf_count_t tell(void* self) { return static_cast<MemoryFile*>(self)->at; }
};

// The functions used, of a library that is loaded with the first sound.
struct SoundFile {
  SharedLibrary library{ATHANOR_SNDFILE, "reading sounds"};
  ATHANOR_LOADED(library, sf_close);
  ATHANOR_LOADED(library, sf_error);
  ATHANOR_LOADED(library, sf_open_virtual);
  ATHANOR_LOADED(library, sf_readf_float);
  ATHANOR_LOADED(library, sf_strerror);
};
const SoundFile& sound_file() {
  static const SoundFile loaded;
  return loaded;
}

struct Close {
  void operator()(SNDFILE* file) const { sound_file().sf_close(file); }
};

}  // namespace

Sound parse_sound(std::span<const std::byte> bytes, std::string_view file, const Limits& limits) {
  MemoryFile memory{bytes};
  SF_VIRTUAL_IO io = {MemoryFile::length, MemoryFile::seek, MemoryFile::read, MemoryFile::write,
                      MemoryFile::tell};
  SF_INFO info = {};
  const std::unique_ptr<SNDFILE, Close> sound(
      sound_file().sf_open_virtual(&io, SFM_READ, &info, &memory));
  if (!sound) {
    malformed(file, 0, "sound", "expected WAV, FLAC or another sound file, found: ",
              sound_file().sf_strerror(nullptr));
  }
  std::uint64_t size = 0;
  const Shape shape{info.channels, info.frames};
  if (info.channels < 1 || info.frames < 0 || info.samplerate < 1 ||
      !checked_bytes(shape, sizeof(float), limits.max_bytes, size)) {
    malformed(file, 0, "size", "expected at most ", limits.max_bytes, " bytes of samples, found ",
              info.channels, " channels of ", info.frames, " frames at ", info.samplerate, " Hz");
  }
  // Compressed files may announce more than they hold: memory grows with what is read.
  std::vector<float> samples;
  float piece[8192];
  const sf_count_t frames_a_piece = std::max<sf_count_t>(8192 / info.channels, 1);
  if (info.channels > 8192)
    malformed(file, 0, "channels", "expected at most 8192, found ", info.channels);
  for (sf_count_t got;
       (got = sound_file().sf_readf_float(sound.get(), piece, frames_a_piece)) > 0;) {
    samples.insert(samples.end(), piece, piece + got * info.channels);
    if (samples.size() * sizeof(float) > limits.max_bytes) {
      malformed(file, 0, "size", "expected at most ", limits.max_bytes,
                " bytes of samples, found more");
    }
  }
  const std::int64_t channels = info.channels;
  const std::int64_t frames = std::ssize(samples) / channels;
  if (frames != info.frames || sound_file().sf_error(sound.get()) != SF_ERR_NO_ERROR) {
    malformed(file, bytes.size(), "samples", "expected ", info.frames, " frames, found ", frames,
              " before the end or damage");
  }
  Sound result;
  result.rate = info.samplerate;
  result.samples = empty({channels, frames});
  float* out = result.samples.data<float>();
  for (std::int64_t i = 0; i < frames; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      out[c * frames + i] = samples[static_cast<std::size_t>(i * channels + c)];
    }
  }
  return result;
}

Sound load_sound(const std::filesystem::path& path, const Limits& limits) {
  const MappedFile file(path, limits);
  return parse_sound(file.bytes(), path.string(), limits);
}

std::string to_wav(const Sound& sound) {
  if (sound.samples.rank() != 2 || sound.samples.dtype() != DType::f32) {
    fail("to_wav", "expected f32 [channels, frames], got ", describe(sound.samples));
  }
  constexpr std::int64_t kHeader = 44, kBytes = 2;  // of the file, of a sample
  const std::int64_t channels = sound.samples.size(0), frames = sound.samples.size(1);
  const std::int64_t size = sound.samples.numel() * kBytes;
  if (channels < 1 || channels > 0xffff || sound.rate < 1 || sound.rate > 0x7fffffff ||
      size > 0x7fffffff - kHeader) {
    raise(ErrorKind::usage, "WAV: expected 1 to 65,535 channels, a rate and below 2 GiB of ",
          "samples, got ", channels, " channels of ", frames, " frames at ", sound.rate, " Hz");
  }
  std::string out;
  const auto put = [&](std::int64_t value, int bytes) {
    for (int b = 0; b < bytes; ++b) out += static_cast<char>(value >> (8 * b) & 0xff);
  };
  out += "RIFF";
  put(kHeader - 8 + size, 4);
  out += "WAVEfmt ";
  put(16, 4);
  put(1, 2);  // PCM
  put(channels, 2);
  put(sound.rate, 4);
  put(sound.rate * channels * kBytes, 4);
  put(channels * kBytes, 2);
  put(8 * kBytes, 2);
  out += "data";
  put(size, 4);
  const std::vector<float> samples = sound.samples.to_vector<float>();
  for (std::int64_t i = 0; i < frames; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const double value = std::nearbyint(32768. * samples[c * frames + i]);
      put(static_cast<std::int64_t>(std::clamp(value, -32768., 32767.)), kBytes);
    }
  }
  return out;
}

Tensor mono(const Tensor& samples) {
  if (samples.rank() != 2 || samples.dtype() != DType::f32 || samples.size(0) < 1) {
    fail("mono", "expected f32 [channels, frames], got ", describe(samples));
  }
  const std::vector<float> in = samples.to_vector<float>();
  const std::int64_t channels = samples.size(0), frames = samples.size(1);
  Tensor out = empty({frames});
  for (std::int64_t i = 0; i < frames; ++i) {
    double sum = 0;
    for (std::int64_t c = 0; c < channels; ++c) sum += in[static_cast<std::size_t>(c * frames + i)];
    out.data<float>()[i] = static_cast<float>(sum / static_cast<double>(channels));
  }
  return out;
}

}  // namespace athanor::data
