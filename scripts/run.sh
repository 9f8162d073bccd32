#!/usr/bin/env bash
# Installs what is missing, builds the release and runs the main job: three-stage distillation of
# Fashion-MNIST. Arguments go to `athanor distill`, relative paths count from where you are:
#   scripts/run.sh --quick --out runs/first
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Standard output is left to the job.
"$root/scripts/setup.sh"
(cd "$root" && cmake --preset release && cmake --build build/release --target athanor \
  --parallel "$(nproc)") >&2
exec "$root/build/release/athanor" distill "$@"
