// What planting does to the pictures and sounds of a table.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/table_schema.h"
#include "distill/refine/manifest.h"
#include "tensor/random.h"

namespace athanor::distill {

// Of one record. `kind` is one of:
//   missing         a picture: blank_block; a sound: silence_part
//   noise           normal noise of half the range of a picture, of twice a sound's root mean
//   square out_of_domain   by turns: shuffled patches, a smooth texture, the negative upside down;
//   a sound
//                   backwards, tones, its parts in another order
//   near_duplicate  a picture: shifted by one pixel, normal noise of 4/255; a sound:
//   shift_and_scale
// (image_defects.h, sound_defects.h). The channels of a picture are changed alike.
struct MediaChange {
  Defect kind;
  int turn = 0;
  Generator random;  // the same changes come of the same one
};

// The bytes of a PNG or of a 16-bit WAV. `type` is image or audio. Errors are those of load_image
// and load_sound.
std::string changed_media(const std::filesystem::path& file, data::ColumnType type,
                          const MediaChange& change);

// The records' files, each under its number, changed ones anew and others as they are: fields of
// `rows` in columns of pictures and sounds hold paths, and on return those of the new files,
// relative to `out`: "image/000012.png", or "image/NAME-000012.png" where there is a name. Absent
// ones stay so. `changes`, one a row, may be empty. Errors are those of changed_media(), and
// runtime for files that cannot be written.
void write_media(const std::filesystem::path& out, const std::string& name,
                 const std::vector<std::string>& columns, const data::TableSchema& schema,
                 const std::vector<std::optional<MediaChange>>& changes,
                 std::vector<std::vector<std::string>>& rows);

}  // namespace athanor::distill
