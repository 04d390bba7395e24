# shellcheck shell=bash
# Sourced by ops/run and ops/test: makes the machine ready and builds, doing only what is still to do.
# Each step says in one line what it does. Where this script may not install, it prints the one command to type.
#
#   setup_node       a Node of at least NODE_LEAST in PATH; else one in .node/, from the npm registry, from then on
#   setup_packages   the distribution's packages that the build needs ("run") or the tests too ("test")
#   setup_modules    the npm packages of package-lock.json
#   setup_build      dist/ and build/release/

# One locale: sort order, decimal points and the formatter's idea of a column do not depend on the user's.
export LC_ALL=C.UTF-8

NODE_LEAST=20.19
NODE_FETCHED=24
CLANG=14 # formatting and lint findings differ between versions, so one version decides

say() { printf '%s\n' "pinion: $*"; }
give_up() {
    printf '%s\n' "pinion: $*" >&2
    exit 1
}

# --- Node ---

node_suffices() { # NODE
    "$1" -e 'const [a, b] = process.versions.node.split("."); const [c, d] = process.argv[1].split(".");
        process.exit(+a > +c || (a === c && +b >= +d) ? 0 : 1)' "$NODE_LEAST" 2>/dev/null
}

node_platform() {
    case $(uname -m) in
    x86_64) echo linux-x64 ;;
    aarch64 | arm64) echo linux-arm64 ;;
    *) give_up "no Node for $(uname -m) is known; install Node $NODE_LEAST or newer yourself" ;;
    esac
}

# Unpacks a package of the npm registry. npm checks its integrity; no install script runs.
unpack_from_npm() { # PACKAGE FOLDER
    local scratch
    mkdir -p .node
    scratch=$(mktemp -d .node/fetch.XXXXXX)
    (cd "$scratch" && npm pack --silent "$1" >/dev/null && mkdir unpacked && tar -xzf ./*.tgz -C unpacked --strip-components=1) || {
        rm -rf "$scratch"
        give_up "npm could not fetch $1; is the npm registry reachable?"
    }
    rm -rf "$2"
    mkdir -p "$(dirname "$2")"
    mv "$scratch/unpacked" "$2"
    rm -rf "$scratch"
}

# Node of a major version in .node/<major>/, with its headers.
fetch_node() { # MAJOR
    [ -x ".node/$1/bin/node" ] && return
    say "fetching Node $1 from the npm registry into .node/$1"
    unpack_from_npm "node-$(node_platform)@$1" ".node/$1"
    chmod +x ".node/$1/bin/node"
}

use_fetched_node() {
    PATH="$PWD/.node/$NODE_FETCHED/bin:$PATH"
    export PATH
}

# npm, and in the same go what the build needs: whoever has to type the command has to type one.
install_npm() { # missing_for_run|missing_tools
    local missing
    if command -v npm >/dev/null; then return; fi
    mapfile -t missing < <("$1")
    install_packages npm "${missing[@]}"
}

setup_node() {
    local found
    found=$(command -v node || true)
    # First what an earlier run has fetched: the distribution's npm, which fetched it, has brought another Node into PATH.
    if [ -x ".node/$NODE_FETCHED/bin/npm" ]; then
        use_fetched_node
    elif [ -n "$found" ] && node_suffices "$found"; then
        install_npm missing_for_run
    else
        say "Node: ${found:-none in PATH}${found:+ is older than $NODE_LEAST}"
        install_npm missing_tools # the Node that is fetched brings libuv's headers
        fetch_node "$NODE_FETCHED"
        # The npm that fetched it may be too old to run on it.
        unpack_from_npm npm@11 ".node/$NODE_FETCHED/lib/node_modules/npm"
        ln -sf ../lib/node_modules/npm/bin/npm-cli.js ".node/$NODE_FETCHED/bin/npm"
        chmod +x ".node/$NODE_FETCHED/lib/node_modules/npm/bin/npm-cli.js"
        use_fetched_node
    fi
    node_suffices node || give_up "$(command -v node) does not run, or is older than $NODE_LEAST"
    say "Node $(node --version) ($(command -v node))"
}

# --- the distribution's packages ---

# Root, or sudo without a password.
apt_get() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@"
    fi
}

may_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

install_command() { # PACKAGE...
    local install="apt-get install -y --no-install-recommends $*"
    if [ "$(id -u)" = 0 ]; then
        echo "apt-get update && $install"
    elif command -v sudo >/dev/null; then
        echo "sudo apt-get update && sudo $install"
    else
        echo "su - -c 'apt-get update && $install'"
    fi
}

# Installs, or says how and returns 1.
try_install() { # PACKAGE...
    if ! may_install; then
        if command -v apt-get >/dev/null; then
            say "missing: $*. Neither root nor sudo without a password is available here; type:"
            echo "    $(install_command "$@")"
        else
            say "missing: $* (named as Debian and Ubuntu do). There is no apt-get here: install them with your package manager"
        fi
        return 1
    fi
    say "installing from the distribution: $*"
    mkdir -p build
    if ! { apt_get update && apt_get install -y --no-install-recommends "$@"; } >build/apt.log 2>&1; then
        tail -n 20 build/apt.log >&2
        say "apt-get failed, see build/apt.log; the command was:"
        echo "    $(install_command "$@")"
        return 1
    fi
}

install_packages() { try_install "$@" || exit 1; }

# The path of a clang tool, of version $CLANG if there is one.
clang_tool() { command -v "$1-$CLANG" || command -v "$1"; }

# What is formatted by it.
native_files() { find native bench/client bench/floor -name '*.cpp' -o -name '*.hpp' -o -name '*.c' -o -name '*.h' | sort; }

has_uv_header() {
    local prefix
    prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
    [ -f "$prefix/include/node/uv.h" ] || [ -f /usr/include/uv.h ]
}

has_static_library() { # FILE
    local path
    path=$("${CXX:-c++}" -print-file-name="$1" 2>/dev/null) && [ -f "$path" ]
}

has_fuzzer_runtime() {
    local clang path
    clang=$(clang_tool clang++) || return 1
    # Where the distribution splits the sanitizers' libraries off, clang is there without them.
    path=$("$clang" -print-file-name="libclang_rt.fuzzer-$(uname -m).a") && [ -f "$path" ] && return
    path=$("$clang" -print-resource-dir)
    [ -n "$(find -L "$path/lib" -name 'libclang_rt.fuzzer*' 2>/dev/null | head -n 1)" ]
}

missing_tools() {
    command -v g++ >/dev/null || echo g++
    command -v cmake >/dev/null || echo cmake
    command -v ninja >/dev/null || echo ninja-build
    has_static_library liburing.a || echo liburing-dev
}

missing_for_run() {
    missing_tools
    has_uv_header || echo libuv1-dev
}

missing_for_test() {
    local tool
    for tool in clang clang-format clang-tidy; do
        clang_tool "$tool" >/dev/null || echo "$tool-$CLANG"
    done
    command -v shellcheck >/dev/null || echo shellcheck
    command -v curl >/dev/null || echo curl # the README's commands are run
    # Ubuntu 22.04 has the runtime in libclang-common-14-dev, which clang-14 needs anyway.
    has_fuzzer_runtime || echo "libclang-rt-$CLANG-dev"
}

is_known() { apt-cache show "$1" >/dev/null 2>&1; }

# Leaves out what this distribution does not have under that name, and of clang takes the version that it has.
known_packages() { # PACKAGE...
    local package
    # Nothing is known where apt has no lists.
    if ! is_known g++; then
        printf '%s\n' "$@"
        return
    fi
    for package in "$@"; do
        if is_known "$package"; then
            echo "$package"
            continue
        fi
        # Any version compiles the fuzzers. Formatting and lint findings of another one would not count.
        case $package in
        clang-"$CLANG") package=clang ;;
        libclang-rt-"$CLANG"-dev) package=libclang-rt-dev ;;
        *) continue ;;
        esac
        if is_known "$package"; then echo "$package"; fi
    done
}

setup_packages() { # run|test
    local missing wanted=()
    mapfile -t missing < <(missing_for_run)
    if [ "$1" = test ]; then
        mapfile -t wanted < <(missing_for_test)
        if [ ${#wanted[@]} -gt 0 ]; then
            # Names are looked up, so the lists have to be there.
            if may_install && ! is_known g++; then apt_get update >/dev/null 2>&1 || true; fi
            mapfile -t wanted < <(known_packages "${wanted[@]}")
        fi
    fi
    # Without liburing the server still runs, on epoll.
    if [ "${missing[*]}" = liburing-dev ]; then
        try_install liburing-dev || say "going on without io_uring, with epoll only"
    elif [ ${#missing[@]} -gt 0 ]; then
        # Whoever has to type the command gets one for all.
        if may_install; then install_packages "${missing[@]}"; else install_packages "${missing[@]}" "${wanted[@]}"; fi
    fi
    if [ ${#wanted[@]} -gt 0 ]; then
        try_install "${wanted[@]}" || say "going on without: the steps that need them are skipped"
    fi
    say "distribution packages: done"
}

# --- npm packages ---

setup_modules() {
    local wanted
    wanted="$(cksum <package-lock.json) $(uname -m)"
    if [ "$(cat node_modules/.pinion-stamp 2>/dev/null)" = "$wanted" ]; then
        say "npm packages: up to date"
        return
    fi
    say "npm packages: npm ci"
    npm ci --include=dev --no-audit --no-fund --loglevel=error || give_up "npm ci failed; the lines above say why"
    printf '%s\n' "$wanted" >node_modules/.pinion-stamp
}

# --- build ---

typescript_sources() {
    local folder
    {
        for folder in runtime handlers daemon ops bench; do
            [ -d "$folder" ] && find "$folder" -name '*.ts'
        done
        printf '%s\n' tsconfig.json native/base/layout.yaml node_modules/.pinion-stamp
    } | sort
}

# dist/ is current when the list of sources is that of the last build and none is newer than its start.
typescript_current() {
    local list
    list=$(typescript_sources)
    [ -f build/typescript.stamp ] && [ -f dist/daemon/main.js ] || return 1
    [ "$list" = "$(cat build/typescript.stamp)" ] || return 1
    [ -z "$(printf '%s\n' "$list" | xargs -d '\n' sh -c 'find "$@" -newer build/typescript.stamp' sh | head -n 1)" ]
}

build_typescript() {
    local list
    mkdir -p build
    list=$(typescript_sources)
    # A source that is gone must not leave its output behind, or its tests would go on running.
    if [ -f build/typescript.stamp ] && [ -n "$(printf '%s\n' "$list" | comm -13 - build/typescript.stamp)" ]; then
        rm -rf dist
    fi
    printf '%s\n' "$list" >build/typescript.stamp.new
    ops/generate || return 1
    node_modules/.bin/tsc -p tsconfig.json || return 1
    mv build/typescript.stamp.new build/typescript.stamp
}

# How many compilers at a time: as many as cores, but each wants most of a gigabyte.
compile_jobs() {
    local cores memory
    cores=$(nproc)
    memory=$(awk '/MemAvailable/ { print int($2 / 800000) }' /proc/meminfo)
    [ "$memory" -lt 1 ] && memory=1
    echo $((cores < memory ? cores : memory))
}

NINJA_CHATTER='^(ninja: (Entering directory|no work to do)|-- (GLOB mismatch|Configuring|Generating|Build files))'

# What ninja says of its steps becomes a line each few seconds; all else, such as a compiler's warning, passes.
show_progress() { # NAME SECONDS
    local line status part='' said='' began=$SECONDS next=$((SECONDS + $2))
    while true; do
        status=0
        IFS= read -r -t "$2" line || status=$?
        line=$part$line part=''
        if [ $status -gt 128 ]; then
            part=$line # no whole line yet
        elif [[ $line =~ ^\[([0-9]+/[0-9]+)\]\  ]]; then
            said=${BASH_REMATCH[1]/\// of }
        elif [ -n "$line" ] && ! [[ $line =~ $NINJA_CHATTER ]]; then
            printf '%s\n' "$line"
        fi
        if [ $status = 1 ]; then break; fi
        if [ -n "$said" ] && [ $SECONDS -ge $next ]; then
            say "$1: $said steps after $((SECONDS - began)) s"
            next=$((SECONDS + $2))
        fi
    done
}

build_native() { # KIND [TARGET]...
    JOBS=${JOBS:-$(compile_jobs)} ops/native "$@"
}

setup_build() {
    if typescript_current; then
        say "TypeScript: up to date"
    else
        say "TypeScript: building dist/"
        build_typescript || give_up "the TypeScript build failed; the lines above say where"
    fi
    say "native code: building build/release/ (nothing, if it is up to date)"
    build_native release addon || give_up "the native build failed; the lines above say where"
}
