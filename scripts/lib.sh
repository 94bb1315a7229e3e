# scripts/lib.sh: what every script of this folder needs. Sourced, never run.
#
# Sets root (the checkout) and changes into it, so that a script works from any directory.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

# Debian's own programs come first: a version manager's python3 in front of them lacks Debian's modules.
export PATH="/usr/bin:/bin:/usr/sbin:/sbin:$PATH"
export LC_ALL=C.UTF-8

say() { printf '== %s\n' "$*"; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# prepare_build DIRECTORY [MESON OPTION...]: configures the directory unless that is done, and brings its options up to
# date if it is. Options must be complete: what is not named keeps the value of the last call.
prepare_build() {
  local directory="$1"
  shift
  if [[ ! -f "$directory/build.ninja" ]]; then
    rm -rf "$directory"  # a half-made one from an interrupted run
    say "configuring $directory"
    meson setup "$@" "$directory" . || { rm -rf "$directory"; return 1; }
  elif [[ $# -gt 0 ]]; then
    meson configure "$directory" "$@"
  fi
}

# build DIRECTORY [TARGET...]: compiles with one job a core.
build() {
  local directory="$1"
  shift
  say "building $directory"
  ninja -C "$directory" "$@"
}
