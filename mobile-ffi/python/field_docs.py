"""Puts the documentation of records' and errors' fields into the generated Python module, in the place:
the generator has it for Kotlin and Swift, and leaves it out here.

    field_docs.py GENERATED.py INTERFACE.json
"""

import json
import re
import sys
from pathlib import Path

CLASS = re.compile(r"^( *)class (\w+)")
FIELD = re.compile(r"^( +)self\.(\w+) = (?:.+ if \2 is _DEFAULT else )?\2$")
# One that need not be given: two places where it is set become one, which can have a text behind it.
OPTIONAL = re.compile(
    r"^( +)if (\w+) is _DEFAULT:\n\1    self\.\2 = (.+)\n\1else:\n\1    self\.\2 = \2$", re.MULTILINE
)


def documented(source, docs):
    """The source with a text behind each field that had none. `docs` are by owner and name."""
    lines = OPTIONAL.sub(r"\1self.\2 = \3 if \2 is _DEFAULT else \2", source).splitlines()
    out, owners, missing = [], [], set(docs)
    for n, line in enumerate(lines):
        out.append(line)
        if found := CLASS.match(line):
            owners = [owner for owner in owners if owner[0] < len(found[1])] + [(len(found[1]), found[2])]
        found = FIELD.match(line)
        key = (".".join(name for _, name in owners), found[2]) if found else None
        if key not in docs:
            continue
        missing.discard(key)
        after = next((text.strip() for text in lines[n + 1 :] if text.strip()), "")
        if not after.startswith('"""'):
            text = docs[key].strip().replace("\\", "\\\\").replace('"""', '\\"""')
            body = [f"{found[1]}{one.strip()}".rstrip() for one in text.splitlines()]
            out += [f'{found[1]}"""', *body, f'{found[1]}"""']
    if missing:
        raise SystemExit(f"field_docs: this generator writes these fields in another way: {sorted(missing)}")
    return "\n".join(out) + "\n"


def main(generated, interface):
    items = json.loads(Path(interface).read_text(encoding="utf-8"))
    kinds = {item["name"]: item["kind"] for item in items if not item["owner"]}
    docs = {
        (item["owner"], item["name"]): item["doc"]
        for item in items
        if item["kind"] == "field" and item["doc"] and kinds[item["owner"].split(".")[0]] in ("record", "error")
    }
    path = Path(generated)
    path.write_text(documented(path.read_text(encoding="utf-8"), docs), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
