# shellcheck shell=sh disable=SC2034
# Sourced by mvnw and r3map. find_jdk sets jdk_home to a JDK of version 25 or newer, else fails.
# It reads each candidate's release file, for starting a JVM to ask its version is slow.

jdk_wanted=25

# Is $1 the home of a new enough JDK?
jdk_fits() {
  [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 1
  while IFS='=' read -r jdk_key jdk_value; do
    if [ "$jdk_key" = JAVA_VERSION ]; then
      jdk_value=${jdk_value#\"}
      jdk_value=${jdk_value%%[!0-9]*}
      [ "${jdk_value:-0}" -ge "$jdk_wanted" ]
      return
    fi
  done <"$1/release"
  return 1
}

find_jdk() {
  if [ -n "${JAVA_HOME:-}" ] && jdk_fits "$JAVA_HOME"; then
    jdk_home=$JAVA_HOME
    return
  fi
  if jdk_java=$(command -v java); then
    jdk_java=$(readlink -f "$jdk_java")
    if jdk_fits "${jdk_java%/bin/java}"; then
      jdk_home=${jdk_java%/bin/java}
      return
    fi
  fi
  for jdk_dir in /usr/lib/jvm/* /opt/* "${HOME:-/nonexistent}"/.sdkman/candidates/java/*; do
    if jdk_fits "$jdk_dir"; then
      jdk_home=$jdk_dir
      return
    fi
  done
  echo "r3map: no JDK of version $jdk_wanted or newer found (looked at JAVA_HOME, java on PATH," \
    "/usr/lib/jvm, /opt, ~/.sdkman)." >&2
  echo "Install one, for example Temurin $jdk_wanted, or set JAVA_HOME to where it is." >&2
  return 1
}
