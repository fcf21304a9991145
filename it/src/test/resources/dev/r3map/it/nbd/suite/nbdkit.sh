#!/usr/bin/env bash
# nbdkit as libnbd's tests know it: see Nbdkit.java, which this starts.
set -euo pipefail
here=${BASH_SOURCE[0]%/*}
. "$here/start"

plugins=' data eval file memory null pattern sh sparse-random '
filters=' blocksize-policy cow delay error exportname noextents nozero rate '

# Questions that only ask what there is.
for argument; do
  case $argument in
    --filter=*) [[ $filters == *" ${argument#*=} "* ]] || exit 1 ;;
    --version | --help | --dump-config | --dump-plugin) question=$argument ;;
  esac
done
if [[ -n ${question:-} ]]; then
  for argument; do
    case $argument in
      --exit-with-parent | --no-sr | --no-eh | --filter=* | "$question") ;;
      -*) exit 1 ;;
      *) [[ $plugins == *" $argument "* ]] || exit 1 ;;
    esac
  done
  case $question in
    --version | --help) echo 'nbdkit 1.42.0 (an imitation, by r3map)' ;;
    --dump-config) printf '%s\n' version=1.42.0 version_major=1 version_minor=42 tls=yes ;;
    --dump-plugin) printf '%s\n' max_known_status=3 has_list_exports=1 has_can_cache=1 has_can_fast_zero=1 ;;
  esac
  exit
fi

[[ " $* " != *' -D nbdkit.environ=1 '* ]] || env | sed 's/^/nbdkit: debug: /' >&2

start Nbdkit "$@"
