"""Makes the decoders of the conformance machines from operations.json.

usage: generate.py            writes those of all languages into their folders
       generate.py --check    exit status 1 if one of them is not as it would be written"""
import json
import pathlib
import sys

import generate_c
import generate_go
import generate_java
import generate_python

HERE = pathlib.Path(__file__).resolve().parent
GENERATORS = [generate_c, generate_python, generate_go, generate_java]


def load():
    """The table, with arguments and results as lists of (name, type)."""
    table = json.loads((HERE / "operations.json").read_text())
    for operation in table["operations"]:
        for part in ("args", "results"):
            operation[part] = [tuple(word.split(":")) for word in operation[part].split()]
    for store in table["stores"]:
        store["schema"] = None if store["key"] == "bytes" else json.dumps(store["key"], separators=(",", ":"))
    return table


def files():
    """(path below this folder, text) of everything that is generated."""
    table = load()
    for generator in GENERATORS:
        yield from generator.files(table)


def main():
    stale = []
    for name, text in files():
        path = HERE / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv[1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for name in stale:
        print(f"{name} is not what operations.json says; run tests/conformance/generate.py"
              if "--check" in sys.argv[1:] else f"wrote {name}")
    return bool(stale) and "--check" in sys.argv[1:]


if __name__ == "__main__":
    sys.exit(main())
