"""Where the packages are: each wing is a folder of this project, with whatever packages it contains."""

from setuptools import find_packages, setup

WINGS = {"memoracle": "oracle", "memoracle.spec": "spec", "memoracle.impl": "impl", "memoracle.proofs": "proofs"}

PACKAGES = [*WINGS, *(f"{name}.{inner}" for name, folder in WINGS.items() for inner in find_packages(folder))]

setup(package_dir=WINGS, packages=PACKAGES)
