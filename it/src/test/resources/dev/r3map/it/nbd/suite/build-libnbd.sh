#!/usr/bin/env bash
# Builds libnbd, with its tests, from Debian's source package in the given folder; a second time that
# does nothing. The source comes from the mirror that this machine's own packages come from, and apt
# checks its signatures with Debian's keyring.
set -euo pipefail

folder=$1
release=trixie
version=1.22.2
package=libnbd=$version-1

fail() {
  echo "build-libnbd: $*" >&2
  exit 1
}

# Where Debian's own packages come from here.
find_mirror() {
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^Debian Debian main //p' | head -n 1)
}

fetch() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg apt=$folder/apt
  [[ -f $keyring ]] || fail "the package debian-archive-keyring is missing: no signature could be checked"
  mkdir -p "$apt"/{etc/preferences.d,state/lists/partial,cache/archives/partial}
  echo "deb-src [signed-by=$keyring] $mirror $release main" >"$apt/etc/sources.list"
  local options=(
    -q
    -o "Dir::Etc=$apt/etc" -o Dir::Etc::sourceparts=-
    -o "Dir::State=$apt/state" -o "Dir::Cache=$apt/cache"
    -o APT::Sandbox::User=root
    -o Acquire::AllowInsecureRepositories=false -o APT::Update::Error-Mode=any
  )
  apt-get "${options[@]}" update
  (cd "$folder" && apt-get "${options[@]}" source --download-only "$package") ||
    fail "$package cannot be had from $release: if a newer one took its place, name that one in this script"
}

build() {
  cd "$folder"
  tar -xf "libnbd_$version.orig.tar.gz" --no-same-owner
  ln -s "libnbd-$version" libnbd
  cd "libnbd-$version"
  # Not against other servers, whether they are here or not.
  ./configure --disable-ocaml --disable-golang --disable-rust --disable-fuse --disable-ublk \
    PYTHON=/usr/bin/python3 ac_cv_prog_NBD_SERVER= ac_cv_prog_QEMU_STORAGE_DAEMON=
  make -j2
  # The programs that are tests are built with the first test that is run, which here is none.
  for part in tests interop; do make -j2 -C $part check TESTS=; done
}

# A change to this script builds anew, too.
! cmp -s "$0" "$folder/built" || exit 0
rm -rf "$folder"
mkdir -p "$folder"
find_mirror
if [[ -z $mirror && $EUID -eq 0 ]]; then
  # It knows that only of what it has been told of since it was installed.
  apt-get -q update
  find_mirror
fi
[[ -n $mirror ]] || fail "apt knows no mirror of Debian: run apt-get update"
fetch
exec 4>&2
trap '(($? == 0)) || tail -n 40 "$folder/log" >&4' EXIT
build >"$folder/log" 2>&1
cp "$0" "$folder/built"
