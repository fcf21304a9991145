#!/usr/bin/env bash
# qemu-nbd as libnbd's tests know it, for raw images: see QemuNbd.java, which this starts. For all
# else it is the real one.
set -euo pipefail
here=${BASH_SOURCE[0]%/*}
. "$here/start"

format=
others=
for ((i = 1; i <= $#; i++)); do
  case ${!i} in
    -f) ((++i)) && format=${!i} ;;
    -x | -D | -k | --tls-creds) ((++i)) ;;
    --object)
      ((++i))
      # Keys that are shared beforehand are not imitated.
      [[ ${!i} == tls-creds-x509,*dir=* ]] || others=yes
      ;;
    -r) ;;
    -*) others=yes ;;
  esac
done
if [[ $format != raw || -n $others ]]; then
  PATH=${PATH//"$here":/}
  exec qemu-nbd "$@"
fi
start QemuNbd "$@"
