"""Where the packages are: each wing is a folder of this project, with whatever packages it contains.

With MEMORACLE_COMPILED=1 what is built has machine code besides, which mypyc makes of the very same sources.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup

WINGS = {"memoracle": "oracle", "memoracle.spec": "spec", "memoracle.impl": "impl", "memoracle.proofs": "proofs"}

PACKAGES = [*WINGS, *(f"{name}.{inner}" for name, folder in WINGS.items() for inner in find_packages(folder))]

# What `check` spends its time in is compiled: all of these folders but what is left out by name.
FOLDERS = ("impl", "replay")
READERS = ("trace/numbers", "trace/kmem", "trace/kmem_lines")
# mypyc refuses classes that derive from `set`, and an attribute where a class that it compiles has a property: so not
# the set of free blocks, nor what derives from the reference's sets of places. In the reference's runs the replay puts
# sets of other classes, which machine code would refuse; branches are watched line by line; and coverage comes back
# from other processes, but a frozen data class that is compiled cannot be sent. A name that two `except` clauses of a
# function give has one type. Of most generator expressions mypyc makes lists, and warns of it: none is long, or handed
# to `next` (tests/oracle/test_compiled.py).
LEFT_OUT = (
    "impl/place_set",
    "impl/runs",
    "replay/branches",
    "replay/coverage",
    "replay/containers/lazy_runs",
    "replay/containers/min_heap_set",
)
TREE = Path("build") / "compiled_sources"  # the packages as they are installed, which is how mypyc finds them


def modules() -> list[str]:
    """The files that are compiled, each where a package has it."""
    inside = TREE / "memoracle"
    files = [path for folder in FOLDERS for path in Path(inside / folder).glob("**/*.py")]
    names = {path.relative_to(inside).with_suffix("").as_posix() for path in files if path.name != "__init__.py"}
    return [str(inside / f"{name}.py") for name in sorted({*names, *READERS} - {*LEFT_OUT})]


def extensions() -> list[Extension]:
    from mypyc.build import mypycify

    for package, folder in WINGS.items():
        inside = TREE / package.replace(".", "/")
        inside.mkdir(parents=True, exist_ok=True)
        for each in Path(folder).iterdir():
            link = inside / each.name
            if not link.is_symlink():
                link.symlink_to(each.resolve())
    os.environ["MYPYPATH"] = str(TREE)
    return mypycify(modules(), multi_file=True, opt_level="2", debug_level="0", group_name="memoracle")


# Whoever asks what a build needs, or packs the sources, need not wait for machine code.
wanted = os.environ.get("MEMORACLE_COMPILED") == "1" and "bdist_wheel" in sys.argv
setup(package_dir=WINGS, packages=PACKAGES, ext_modules=extensions() if wanted else [])
