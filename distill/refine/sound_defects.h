// What a defect does to one sound: f32 [channels, frames] in [-1, 1], changed in place; all
// channels alike. Silence stays silence.
#pragma once

#include "data/audio.h"
#include "tensor/random.h"

namespace athanor::distill {

// 14/28 to 18/28 of the time is silence, 5/28 of it away from both ends.
void silence_part(data::Sound& sound, Generator& random);
// Normal noise of `ratio` times the sound's root mean square, clipped.
void add_sound_noise(data::Sound& sound, double ratio, Generator& random);
// Backwards.
void reverse_sound(data::Sound& sound);
// 16 parts of the time change places; what 16 does not divide stays.
void shuffle_parts(data::Sound& sound, Generator& random);
// Five tones of 100 Hz to a quarter of the rate, as loud as the sound was (root mean square).
void draw_tones(data::Sound& sound, Generator& random);
// Earlier or later by 1 frame to 10 ms, what enters is silence; louder or softer by up to 6 dB, as
// far as nothing is clipped.
void shift_and_scale(data::Sound& sound, Generator& random);

}  // namespace athanor::distill
