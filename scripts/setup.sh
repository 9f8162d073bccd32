#!/usr/bin/env bash
# Installs the Debian packages that Athanor needs and that are missing; says which, and does
# nothing when all are there. Needs root or sudo only when something is missing.
set -euo pipefail

packages=(
  # compiler and build
  g++ cmake ninja-build ccache
  # CPU kernels: BLAS (the pthread flavour) and oneDNN
  libopenblas-pthread-dev libdnnl-dev
  # compressed data sets, command line, recipes, run logs, text
  zlib1g-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfmt-dev
  # tables: Unicode, hashes, regular expressions, rules as formulas
  libutf8proc-dev libxxhash-dev libre2-dev libmuparser-dev
  # archives, pictures, sound and its spectra
  libzip-dev libpng-dev libturbojpeg0-dev libsndfile1-dev libkissfft-dev
  # tests and checks
  catch2 clang-format python3 valgrind
  # timing single operations
  libbenchmark-dev
  # the default data set
  dataset-fashion-mnist
)

say() { printf 'setup: %s\n' "$*" >&2; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "this system has no apt; setup.sh installs Debian 12 packages."
  say "Install the equivalents of: ${packages[*]}"
  say "then build by hand: cmake --preset release && cmake --build --preset release"
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  say "all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    say "missing packages: ${missing[*]}"
    say "run this as root, or install sudo; nothing was changed"
    exit 1
  fi
  as_root=(sudo)
fi
say "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
say "done"
