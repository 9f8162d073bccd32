// Sound as pictures over time and frequency.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace athanor::data {

struct StftOptions {
  std::int64_t window = 400;  // samples under one periodic Hann window; even
  std::int64_t hop = 160;     // samples between windows
  std::int64_t fft = 0;       // >= window, even; 0 = window. The window stands in its middle
  bool centre = true;         // windows around multiples of hop, the signal reflected at its ends
};

// |STFT|^2: f32 [samples] -> f32 [fft / 2 + 1, frames]. With `centre` there are samples / hop + 1
// frames, else (samples - fft) / hop + 1. As torch.stft. Throws when there would be no frame, or
// with `centre` fewer than fft / 2 + 1 samples to reflect.
Tensor power_spectrogram(const Tensor& samples, const StftOptions& options = {});

struct MelOptions {
  StftOptions stft;
  std::int64_t rate = 16000;
  std::int64_t bands = 40;
  double low = 0, high = 0;  // Hz; high 0 = rate / 2
};

// Triangular bands, equal in width on the mel scale 2595 log10(1 + f / 700) (O'Shaughnessy 1987),
// each with peak 1: f32 [bands, fft / 2 + 1]. As torchaudio's melscale_fbanks with HTK's scale.
Tensor mel_bands(const MelOptions& options);

// log(mel energies + 1e-6): f32 [samples] -> f32 [bands, frames].
Tensor log_mel(const Tensor& samples, const MelOptions& options = {});

}  // namespace athanor::data
