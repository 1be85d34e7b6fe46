"""What takes the space in the library, and whether it is within its budget.

    sizes.py LIBRARY STRIPPED BUILD_DIRECTORY BUDGET_MB

LIBRARY has symbols, STRIPPED is the same without; BUILD_DIRECTORY holds the C libraries that cargo built.
Ends with 1 over the budget.
"""

import collections
import pathlib
import re
import subprocess
import sys

# Where a name in Rust begins: after what wraps a type.
WRAPPED = re.compile(r"^(?:core::ptr::drop_in_place<)?(?:[<&*(\[]|mut |const |dyn )*")
NAME = re.compile(r"([A-Za-z_]\w*)(?:\[[0-9a-f]+\])?::")
# Of what the compiler makes in all crates, most is generic code of the crates that use it.
STANDARD = {"core", "alloc", "std", "hashbrown", "compiler_builtins", "gimli", "addr2line", "rustc_demangle"}
SHOWN = 14


def lines(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def c_symbols(build, encrypts):
    """Which C library has a symbol: its build's directory is called after the crate that brings it."""
    owners = {}
    for archive in sorted(pathlib.Path(build).glob("*/out/**/*.a")):
        crate = re.sub(r"-[0-9a-f]{16}$", "", archive.relative_to(build).parts[0])
        # Left there by a build of the other kind; some of its names are those of ring too.
        if crate == "openssl-sys" and not encrypts:
            continue
        for line in lines("nm", "--defined-only", str(archive)):
            parts = line.split()
            if len(parts) == 3:
                owners.setdefault(parts[2], f"{crate} (C)")
    return owners


def crate_of(symbol, owners):
    """The crate or the C library that a symbol belongs to."""
    if symbol in owners:
        return owners[symbol]
    # The compiler names what it splits off, such as `f.cold`, after the function.
    if symbol.split(".")[0] in owners:
        return owners[symbol.split(".")[0]]
    found = NAME.match(WRAPPED.sub("", symbol))
    if not found:
        return "without a crate's name"
    return "Rust's standard library" if found[1] in STANDARD else found[1]


def by_crate(library, owners):
    """Bytes of all symbols by crate."""
    sizes = collections.Counter()
    seen = set()
    for line in lines("nm", "--print-size", "--defined-only", "--demangle", str(library)):
        # Address, size, kind, name: what has no size is a mark. Several names may be one thing.
        parts = line.split(maxsplit=3)
        if len(parts) == 4 and parts[0] not in seen and parts[2] in "tTrRdDwWV":
            seen.add(parts[0])
            sizes[crate_of(parts[3], owners)] += int(parts[1], 16)
    return sizes


def sections(stripped):
    """Bytes of each part of the file that is there at run time."""
    sizes = {}
    for line in lines("size", "-A", str(stripped))[2:]:
        parts = line.split()
        if len(parts) == 3 and parts[0] not in (".bss", ".tbss", "Total"):
            sizes[parts[0]] = int(parts[1])
    return sizes


def main(library, stripped, build, budget):
    took = pathlib.Path(stripped).stat().st_size / 1e6
    within = took <= float(budget)
    print(f"{took:8.2f} MB of {float(budget):g} MB: {'within the budget' if within else 'OVER THE BUDGET'}")
    print("of the file:")
    for name, size in sorted(sections(stripped).items(), key=lambda item: -item[1])[:7]:
        print(f"{size / 1e6:8.2f} MB  {name}")
    encrypts = b"sqlcipher_export" in pathlib.Path(library).read_bytes()
    crates = by_crate(library, c_symbols(build, encrypts))
    print("of the code and the data that has a name:")
    for name, size in crates.most_common(SHOWN):
        print(f"{size / 1e6:8.2f} MB  {name}")
    rest = sum(size for _, size in crates.most_common()[SHOWN:])
    print(f"{rest / 1e6:8.2f} MB  {max(0, len(crates) - SHOWN)} others")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
