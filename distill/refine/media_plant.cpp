#include "distill/refine/media_plant.h"

#include <fmt/format.h>

#include "data/audio.h"
#include "data/image_file.h"
#include "distill/refine/image_defects.h"
#include "distill/refine/sound_defects.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/io/atomic_file.h"
#include "tensor/ops/shape.h"

namespace athanor::distill {
namespace {

constexpr double kSoundNoise = 2;  // of the root mean square

void change_plane(ImageView plane, const MediaChange& change, Generator& random) {
  switch (change.kind) {
    case Defect::missing:
      return blank_block(plane, random);
    case Defect::noise:
      return add_noise(plane, kNoiseLevel, false, random);
    case Defect::near_duplicate:
      return change_slightly(plane, random);
    case Defect::out_of_domain:
      return make_foreign(plane, change.turn, random);
    default:
      fail("changed_media", "expected a kind that changes pictures, got ", name_of(change.kind));
  }
}

void change_sound(data::Sound& sound, const MediaChange& change, Generator& random) {
  switch (change.kind) {
    case Defect::missing:
      return silence_part(sound, random);
    case Defect::noise:
      return add_sound_noise(sound, kSoundNoise, random);
    case Defect::near_duplicate:
      return shift_and_scale(sound, random);
    case Defect::out_of_domain:
      if (change.turn % 3 == 0) return reverse_sound(sound);
      if (change.turn % 3 == 1) return draw_tones(sound, random);
      return shuffle_parts(sound, random);
    default:
      fail("changed_media", "expected a kind that changes sounds, got ", name_of(change.kind));
  }
}

std::string changed_picture(const std::filesystem::path& file, const MediaChange& change) {
  Tensor image = data::load_image(file, data::PixelFormat::rgb);
  const std::int64_t height = image.size(1), width = image.size(2), area = height * width;
  auto* pixels = image.data<std::uint8_t>();
  const bool grey = std::equal(pixels, pixels + area, pixels + area) &&
                    std::equal(pixels, pixels + area, pixels + 2 * area);
  for (int c = 0; c < 3; ++c) {
    Generator random = change.random;  // the same for each
    change_plane({pixels + c * area, height, width}, change, random);
  }
  return data::to_png(grey ? slice(image, 0, 0, 1) : image);
}

}  // namespace

std::string changed_media(const std::filesystem::path& file, data::ColumnType type,
                          const MediaChange& change) {
  if (type == data::ColumnType::image) return changed_picture(file, change);
  data::Sound sound = data::load_sound(file);
  Generator random = change.random;
  change_sound(sound, change, random);
  return data::to_wav(sound);
}

void write_media(const std::filesystem::path& out, const std::string& name,
                 const std::vector<std::string>& columns, const data::TableSchema& schema,
                 const std::vector<std::optional<MediaChange>>& changes,
                 std::vector<std::vector<std::string>>& rows) {
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const data::ColumnType type = schema.column(columns[c]).type;
    const bool image = type == data::ColumnType::image;
    if (!image && type != data::ColumnType::audio) continue;
    const std::filesystem::path folder = image ? "image" : "audio";
    std::filesystem::create_directories(out / folder);
    parallel_for(std::ssize(rows), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        if (rows[i][c].empty()) continue;
        const std::filesystem::path from = rows[i][c];
        const bool changed = !changes.empty() && changes[i];
        const std::string ending = !changed ? from.extension().string() : image ? ".png" : ".wav";
        const auto to =
            folder / fmt::format("{}{}{:06}{}", name, name.empty() ? "" : "-", i, ending);
        if (changed) {
          write_file_atomically(out / to, changed_media(from, type, *changes[i]));
        } else {
          std::error_code error;
          std::filesystem::copy_file(from, out / to,
                                     std::filesystem::copy_options::overwrite_existing, error);
          if (error) {
            raise(ErrorKind::runtime, (out / to).string(), ": cannot be copied from ",
                  from.string(), ": ", error.message());
          }
        }
        rows[i][c] = to.generic_string();
      }
    });
  }
}

}  // namespace athanor::distill
