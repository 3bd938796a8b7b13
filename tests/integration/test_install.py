#!/usr/bin/python3
"""What `cmake --install` brings: everything is there, the program runs from
where it was put, and a program of somebody else's lives on the library alone."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77

PROGRAM = r"""
#include <btc/btc.h>
#include <stdio.h>
#include <string.h>

static int on_row(void *ctx, const struct btc_value *v, size_t n)
{
    int *rows = ctx;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].column, "percent") == 0) {
            printf("percent %.1f\n", v[i].real);
        } else if (strcmp(v[i].column, "state") == 0) {
            printf("state %s\n", v[i].text);
        }
    }
    ++*rows;
    return 0;
}

static int fail(const char *what, const struct btc_error *e)
{
    fprintf(stderr, "%s: %s\n", what, e->message);
    return 1;
}

/* usage: client DATABASE DATA TORRENT FOLDER */
int main(int argc, char **argv)
{
    struct btc_error e = {0};
    struct btc *b = NULL;
    struct btc_source *s = NULL;
    struct btc_create_result made;
    int64_t id = 0;
    bool known = true;
    int rows = 0;

    if (argc != 5) {
        return 2;
    }
    struct btc_create_options create = {.path = argv[2], .output = argv[3]};
    struct btc_add_options add = {.dir = argv[4]};
    struct btc_run_options run = {.ids = &id, .n_ids = 1, .bind = "127.0.0.1"};
    if (btc_create(&create, &made, &e) != 0) {
        return fail("create", &e);
    }
    if (btc_open(argv[1], BTC_OPEN_CREATE, &b, &e) != 0 ||
        btc_source_load(argv[3], 0, &s, &e) != 0 ||
        btc_add(b, s, &add, &id, &known, &e) != 0) {
        return fail("add", &e);
    }
    if (known || strcmp(btc_source_info(s)->info_hash_v1, made.info_hash) != 0) {
        return 3;
    }
    btc_source_free(s);
    if (btc_query(b, "progress", id, 0, on_row, &rows, &e) != 0 || rows != 1) {
        return fail("query", &e);
    }
    if (btc_run(b, &run, &e) != 0) {
        return fail("run", &e);
    }
    if (btc_query(b, "progress", id, 0, on_row, &rows, &e) != 0 || rows != 2) {
        return fail("query again", &e);
    }
    btc_close(b);
    puts(btc_version());
    return 0;
}
"""

BROUGHT = ["bin/btc", "include/btc/btc.h", "share/man/man1/btc.1",
           "share/bash-completion/completions/btc",
           "share/zsh/site-functions/_btc",
           "share/fish/vendor_completions.d/btc.fish"]


def run(*argv, **options):
    """Runs a program to its end; its standard output."""
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=240,
                          check=False, **options)
    assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}"
    return done.stdout


def cached(build, name):
    """A setting of the build's CMake cache."""
    for line in (build / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    return ""


def check_install(build, work):
    prefix = work / "prefix"
    run("cmake", "--install", build, "--prefix", prefix)
    for path in BROUGHT:
        assert (prefix / path).is_file(), f"{path} is not there"
    libraries = list(prefix.glob("lib*/**/libbtc.so"))
    assert len(libraries) == 1, libraries
    pkg_config = libraries[0].parent / "pkgconfig"
    assert (pkg_config / "btc.pc").is_file()

    # Not the library of the build: what is linked is found beside the program.
    btc, env = prefix / "bin" / "btc", clean_environment(work)
    loaded = run("ldd", btc, env=env)
    assert f"{prefix.resolve()}" in loaded.replace("bin/../", ""), loaded
    version = run(btc, "version", env=env).split()[-1]
    assert run("pkg-config", "--modversion", "btc", env=dict(
        env, PKG_CONFIG_PATH=str(pkg_config))).strip() == version

    # It may be moved, too.
    moved = work / "moved"
    prefix.rename(moved)
    assert run(moved / "bin" / "btc", "version", env=env).split()[-1] == version
    pkg_config = moved / pkg_config.relative_to(prefix)
    env["PKG_CONFIG_PATH"] = str(pkg_config)
    check_client(build, work, env, pkg_config.parent, version)


def check_client(build, work, env, library, version):
    """Compiles somebody else's program, and lets it download what is there."""
    source, client = work / "client.c", work / "client"
    source.write_text(PROGRAM)
    flags = run("pkg-config", "--cflags", "--libs", "btc", env=env).split()
    sanitize = cached(build, "BTC_SANITIZE")
    if sanitize:
        flags.append("-fsanitize=" + sanitize.replace("address",
                                                      "address,undefined"))
    run(cached(build, "CMAKE_C_COMPILER") or "cc", "-std=c17", "-Wall",
        "-Wextra", "-Werror", source, "-o", client, *flags,
        f"-Wl,-rpath,{library}", env=env)
    (work / "data").mkdir()
    data = work / "data" / "file.bin"
    data.write_bytes(os.urandom(300_000))
    words = run(client, work / "btc.db", data, work / "file.torrent",
                work / "data", env=env).split()
    assert words == ["state", "queued", "percent", "0.0", "state", "complete",
                     "percent", "100.0", version], words
    btc = work / "moved" / "bin" / "btc"
    told = run(btc, "status", "--db", work / "btc.db", "--json", env=env)
    assert '"state": "complete"' in told, told


def clean_environment(work):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("BTC", "XDG_", "LD_", "PKG_CONFIG"))}
    return dict(env, HOME=str(work))


def main():
    binary = os.environ.get("BTC")
    if not binary:
        print("skipped: BTC does not name a btc to test")
        return SKIPPED
    for program in ("cmake", "pkg-config", "ldd"):
        if not shutil.which(program):
            print(f"skipped: {program} is not installed")
            return SKIPPED
    build = pathlib.Path(binary).resolve().parent.parent
    with tempfile.TemporaryDirectory(prefix="btc-install-") as work:
        check_install(build, pathlib.Path(work))
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
