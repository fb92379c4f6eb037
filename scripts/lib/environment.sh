# Sourced by the scripts: finds Python, and makes .venv, a thin layer of this checkout over a locked environment that checkouts share.
# The shared one lies in TRAINYARD_CACHE (default ~/.cache/trainyard), keyed by the lock file and the Python version.

CACHE=${TRAINYARD_CACHE:-$HOME/.cache/trainyard}
NEEDED_GB=14

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 2; }

# The first Python that is new enough.
python_command() {
    local candidate
    for candidate in ${TRAINYARD_PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "Trainyard needs Python 3.11 or newer with venv; install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.13)" \
        "or name one in TRAINYARD_PYTHON. Found: $(python3 --version 2>&1 || true)"
}

digest() { cat "$@" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-16; }

# uv, from its own hash-pinned file; it installs the 5 GB of the runtime in a fraction of pip's time.
uv_command() {
    local home
    home="$CACHE/uv-$(digest requirements/uv.txt)"
    if [[ ! -x $home/bin/uv ]]; then
        "$(python_command)" -m venv "$home"
        "$home/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
    fi
    echo "$home/bin/uv"
}

# install_into VENV FILE: the hash-pinned file into the environment, once.
install_into() {
    local venv=$1 file=$2 marker
    marker="$venv/.installed-$(basename "$file" .txt)-$(digest "$file")"
    [[ -e $marker ]] && return
    say "Installing $file into $venv (several GB the first time, shared by later checkouts) ..."
    VIRTUAL_ENV=$venv UV_NO_CACHE=1 UV_NO_CONFIG=1 "$(uv_command)" pip install --require-hashes --compile-bytecode -r "$file" 2>&1 |
        grep -vE '^ [+~-] |^ ?Downloaded |^Using Python' >&2
    touch "$marker"
}

# make_tools_environment: the small environment of the scripts that read charts, kept beside the large one; prints its Python.
make_tools_environment() {
    local python home
    python=$(python_command)
    home="$CACHE/tools-$(digest requirements/tools.txt)-py$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    if [[ ! -e $home/.complete ]]; then
        mkdir -p "$CACHE" 2>/dev/null || die "cannot write the cache folder $CACHE; set TRAINYARD_CACHE to a folder that can be written"
        exec 8>"$CACHE/tools.lock"
        python_lock 8 "$python"
        if [[ ! -e $home/.complete ]]; then
            rm -rf "$home"
            "$python" -m venv "$home"
            "$home/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt >&2
            touch "$home/.complete"
        fi
        exec 8>&-
    fi
    echo "$home/bin/python"
}

# make_environment FILE...: leaves .venv ready with these hash-pinned files and this checkout's packages.
make_environment() {
    local python version shared free
    python=$(python_command)
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    shared="$CACHE/venv-$(digest requirements/runtime.txt)-py$version"
    mkdir -p "$CACHE" 2>/dev/null || die "cannot write the cache folder $CACHE; set TRAINYARD_CACHE to a folder that can be written"
    exec 9>"$CACHE/environment.lock"
    python_lock 9 "$python"
    if [[ ! -e $shared/.complete ]]; then
        free=$(df -Pk "$CACHE" | awk 'NR==2 {print int($4 / 1048576)}')
        ((free >= NEEDED_GB)) || die "installing needs $NEEDED_GB GB free below $CACHE, there are $free; free some or set TRAINYARD_CACHE to another disk"
        rm -rf "$shared"
        "$python" -m venv "$shared"
        install_into "$shared" requirements/runtime.txt
        touch "$shared/.complete"
    fi
    for file in "$@"; do install_into "$shared" "$file"; done
    exec 9>&-
    layer_over "$shared" "$python"
}

# flock(1) is missing on macOS; the lock goes with the descriptor.
python_lock() { "$2" -c 'import fcntl, sys; fcntl.flock(int(sys.argv[1]), fcntl.LOCK_EX)' "$1"; }

# .venv: this checkout's four packages, then everything of the shared environment.
layer_over() {
    local shared=$1 python=$2 wanted
    wanted="$shared $(pwd)"
    if [[ $(cat .venv/.layer 2>/dev/null) != "$wanted" ]]; then
        rm -rf .venv
        "$python" -m venv --without-pip .venv
        "$python" - "$shared" <<'PY'
import glob, pathlib, sys
shared = sys.argv[1]
[site] = glob.glob(".venv/lib/python*/site-packages")
[below] = glob.glob(f"{shared}/lib/python*/site-packages")
root = pathlib.Path.cwd()
sources = [str(root / part) for part in ("services/api/src", "services/cli/src", "jobs/trainer/src", "jobs/templates/src")]
pathlib.Path(site, "trainyard.pth").write_text("\n".join([*sources, f"import site; site.addsitedir({below!r})", ""]))
command = pathlib.Path(".venv/bin/trainyard")
command.write_text(f"#!{root}/.venv/bin/python\nimport sys\nfrom trainyard.main import main\nsys.exit(main())\n")
command.chmod(0o755)
PY
        echo "$wanted" > .venv/.layer
    fi
    # Sources are compiled here once: processes may run with PYTHONDONTWRITEBYTECODE.
    .venv/bin/python -m compileall -q services/*/src jobs/*/src
}
