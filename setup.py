"""Where the packages are: each wing is a folder of this project, with whatever packages it contains.

With MEMORACLE_COMPILED=1 what is built has machine code besides, which mypyc makes of the very same sources.
"""

import os
from pathlib import Path

from setuptools import Extension, find_packages, setup

WINGS = {"memoracle": "oracle", "memoracle.spec": "spec", "memoracle.impl": "impl", "memoracle.proofs": "proofs"}

PACKAGES = [*WINGS, *(f"{name}.{inner}" for name, folder in WINGS.items() for inner in find_packages(folder))]

# What replays frames and ranges. A class of which another module derives one is compiled only with that: hence not
# impl/place_set.py and impl/runs.py, in whose places the replay puts other containers (oracle/replay/containers/), some
# of which derive from them. mypyc refuses classes that derive from `set`, and data classes that derive from `ABC`.
# Of a generator expression it makes a list, and warns of it: none here is long, or asks for what is not there yet.
COMPILED = {
    "impl": "arena bitmap boot buddy heap kernel_half manager paging pat pte run_index slab zones",
    "replay": "dispatch",
    "replay/common": "owed_frees",
    "replay/containers": "known_numbers largest_blocks run_lines sparse_lines",
    "replay/frames": "doubted_frames frames known_frames",
    "replay/ranges": "address_space doubted_blocks process_ranges range_buddy range_queries ranges run_queries"
    " run_ranges run_space space",
}
TREE = Path("build") / "compiled_sources"  # the packages as they are installed, which is how mypyc finds them


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
    modules = [
        TREE / "memoracle" / folder / f"{name}.py" for folder, names in COMPILED.items() for name in names.split()
    ]
    return mypycify([*map(str, modules)], multi_file=True, opt_level="2", debug_level="0", group_name="memoracle")


wanted = os.environ.get("MEMORACLE_COMPILED") == "1"
setup(package_dir=WINGS, packages=PACKAGES, ext_modules=extensions() if wanted else [])
