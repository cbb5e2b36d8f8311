"""compile.py FOLDER: compiles the modules of this Python's packages that are not, into FOLDER, by their whole paths.

Nothing is written beside them: an image that has FOLDER's files lies over the machine's root.
"""
import concurrent.futures
import importlib.util
import os
import pathlib
import py_compile
import sys


def compile_one(source, folder):
    target = pathlib.Path(importlib.util.cache_from_source(str(source)))
    if not target.exists():
        try:
            py_compile.compile(str(source), f"{folder}{target}", str(source), doraise=True)
        except (py_compile.PyCompileError, ValueError, OSError):
            pass  # Some packages have a file for another Python, or a template.


def main(folder):
    roots = {os.path.realpath(path) for path in sys.path if path.endswith("-packages")}
    sources = [source for root in sorted(roots) for source in pathlib.Path(root).rglob("*.py")]
    with concurrent.futures.ProcessPoolExecutor() as workers:
        list(workers.map(compile_one, sources, [folder] * len(sources), chunksize=50))


if __name__ == "__main__":
    main(sys.argv[1])
