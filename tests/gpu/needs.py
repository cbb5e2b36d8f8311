"""needs.py FOLDER PYTHON REQUIREMENTS MACHINE: what the packages in FOLDER need, and neither it nor the machine has.

MACHINE lists the packages of the machine with the GPU. REQUIREMENTS names, in lines that begin with "# without", what is
left out on purpose. PYTHON is that machine's, such as 3.12.
"""
import pathlib
import sys
from importlib.metadata import distributions

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name


def words(lines):
    return {canonicalize_name(word) for line in lines for word in line.split()}


def main(folder, python, requirements, machine):
    here = {canonicalize_name(package.metadata["Name"]): package for package in distributions(path=[folder])}
    lines = pathlib.Path(requirements).read_text().splitlines()
    without = words(line.removeprefix("# without") for line in lines if line.startswith("# without"))
    there = words(line for line in pathlib.Path(machine).read_text().splitlines() if not line.startswith("#"))
    target = {"python_version": python, "python_full_version": f"{python}.3", "sys_platform": "linux", "platform_machine": "x86_64"}
    seen, wrong = set(), set()
    # What one package needs may be an extra of another, as fastapi[standard] is.
    left = [(name, "") for name in here]
    while left:
        name, extra = left.pop()
        if name not in here or (name, extra) in seen:
            continue
        seen.add((name, extra))
        for need in map(Requirement, here[name].requires or []):
            if need.marker and not need.marker.evaluate({**target, "extra": extra}):
                continue
            needed = canonicalize_name(need.name)
            left += [(needed, each) for each in need.extras]
            if needed in here:
                version = here[needed].version
                if not need.specifier.contains(version, prereleases=True):
                    wrong.add(f"{name} needs {need.name}{need.specifier}, and {version} is there")
            elif needed not in there | without:
                wrong.add(f"{name} needs {need.name}{need.specifier}")
    for line in sorted(wrong):
        print(line)
    for name in sorted(without & here.keys()):
        sys.exit(f"{name} is there, and said to be left out")
    sys.exit(bool(wrong))


main(*sys.argv[1:])
