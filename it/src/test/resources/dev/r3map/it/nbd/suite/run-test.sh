#!/usr/bin/env bash
# Runs one test of libnbd in libnbd's build tree, for so long at most, and lets our servers know which
# one it is: the last argument.
export R3MAP_TEST=${PWD##*/}/${*: -1}
R3MAP_TEST=${PWD##*/}/${R3MAP_TEST##*/}
exec timeout -k 5 120 ../run "$@"
