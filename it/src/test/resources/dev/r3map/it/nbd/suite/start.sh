# Sourced by what stands in for other servers. Beside it lies java.sh, which sets java to the command
# that starts a JVM.

# Becomes our server: a class and its arguments.
start() {
  local class=$1 watched=()
  shift
  # Java finds a socket on standard input only; and what Java says is not for the socket that standard
  # output may be.
  if [[ ${LISTEN_PID:-} == "$$" ]]; then exec 0<&3 3<&-; fi
  unset LISTEN_PID LISTEN_FDS LISTEN_FDNAMES
  [[ " $* " != *' --exit-with-parent '* ]] || watched=(setpriv --pdeathsig TERM)
  . "$here/java.sh"
  echo "${R3MAP_TEST:-}" >>"$here/started"
  exec "${watched[@]}" "${java[@]}" "dev.r3map.it.nbd.suite.$class" "$@"
}
