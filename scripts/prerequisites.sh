#!/bin/sh
# Is everything here that pip cannot install? If not: print the one line that fixes it, and stop.
#
#   sh scripts/prerequisites.sh PYTHON [NODE]
#
# py-libp2p's dependency fastecdsa is compiled on installation, against GMP and Python's headers.
# CC, CFLAGS and LDFLAGS are used as that compilation will use them.
set -u

python=$1
node=${2:-}
missing=""

lacks() { missing="$missing $1"; echo "missing: $2" >&2; }

check_python() {
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        lacks python "Python 3.11 or newer ('$python' is not; make PYTHON=... names another)"
    else
        "$python" -c 'import ensurepip, sqlite3, ssl, venv' 2>/dev/null ||
            lacks venv "Python's modules ensurepip, sqlite3, ssl and venv"
        headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
        [ -f "$headers/Python.h" ] || lacks headers "Python's headers (Python.h)"
    fi
}

check_compiler() {
    folder=$(mktemp -d)
    printf 'int main(void) { return 0; }\n' >"$folder/cc.c"
    printf '#include <gmp.h>\nint main(void) { mpz_t n; mpz_init(n); return 0; }\n' >"$folder/gmp.c"
    # shellcheck disable=SC2086 # flags are words
    if ! ${CC:-cc} ${CFLAGS:-} "$folder/cc.c" -o "$folder/cc" ${LDFLAGS:-} 2>/dev/null; then
        lacks cc "a C compiler ('${CC:-cc}')"
    fi
    # shellcheck disable=SC2086
    if ! ${CC:-cc} ${CFLAGS:-} "$folder/gmp.c" -o "$folder/gmp" ${LDFLAGS:-} -lgmp 2>/dev/null; then
        lacks gmp "GMP's headers (gmp.h), which py-libp2p's fastecdsa is compiled against"
    fi
    rm -r "$folder"
}

check_node() {
    "$node" -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null ||
        lacks node "Node.js 20 or newer ('$node' is not; make NODE=... names another)"
    command -v npm >/dev/null || lacks npm "npm, which installs js-libp2p"
}

# The package names of this system for what is missing.
packages() {
    names=""
    for thing in $missing; do
        case "$1:$thing" in
            apt:python) names="$names python3 python3-venv python3-dev" ;;
            apt:venv) names="$names python3-venv" ;;
            apt:headers) names="$names python3-dev" ;;
            apt:cc) names="$names gcc libc6-dev" ;;
            apt:gmp) names="$names libgmp-dev" ;;
            apt:node | apt:npm) names="$names nodejs npm" ;;
            dnf:python) names="$names python3 python3-devel" ;;
            dnf:venv) names="$names python3-libs" ;;
            dnf:headers) names="$names python3-devel" ;;
            dnf:cc) names="$names gcc" ;;
            dnf:gmp) names="$names gmp-devel" ;;
            dnf:node | dnf:npm) names="$names nodejs npm" ;;
            brew:python | brew:venv | brew:headers) names="$names python" ;;
            brew:gmp) names="$names gmp" ;;
            brew:node | brew:npm) names="$names node" ;;
        esac
    done
    echo "$names" | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/^ //; s/ $//'
}

remedy() {
    sudo="sudo "
    [ "$(id -u)" = 0 ] && sudo=""
    if [ "$(uname -s)" = Darwin ]; then
        names=$(packages brew)
        line="${names:+brew install $names}"
        case "$missing" in *cc*) line="xcode-select --install${line:+; $line}" ;; esac
        case "$missing" in
            *gmp*) line="$line && export CFLAGS=-I\$(brew --prefix)/include LDFLAGS=-L\$(brew --prefix)/lib" ;;
        esac
        echo "$line"
    elif command -v apt-get >/dev/null; then
        echo "${sudo}apt-get update && ${sudo}apt-get install -y $(packages apt)"
    elif command -v dnf >/dev/null; then
        echo "${sudo}dnf install -y $(packages dnf)"
    else
        echo "install, with this system's package manager:$missing"
    fi
}

check_python
check_compiler
[ -z "$node" ] || check_node
[ -z "$missing" ] && exit 0
echo "This line fixes it:" >&2
remedy >&2
exit 1
