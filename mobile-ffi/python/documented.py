"""Whether everything that an app can name has its documentation in the generated Python, Kotlin and Swift:
types, calls, fields, cases. `mobile-ffi/documented` runs it.

    documented.py INTERFACE.json GENERATED.py GENERATED.kt GENERATED.swift

Prints what has none, and ends with 1 where there is something.
"""

import ast
import json
import re
import sys
from pathlib import Path

# What a language calls otherwise: mobile-ffi/uniffi.toml, and the languages' own customs.
RENAMED = {
    "kotlin": {"RoadbookError": "RoadbookException", "Roadbook.close": "shutDown"},
    "swift": {"Task": "ContactTask", "Collection": "EntryCollection"},
}


def words(text):
    return " ".join((text or "").split())


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def upper(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


class Interface:
    """The library's own word: what there is."""

    def __init__(self, items):
        self.items = items
        self.kinds = {item["name"]: item["kind"] for item in items if not item["owner"]}
        # Traits that an app implements are objects whose calls are callbacks.
        self.callbacks = {item["owner"] for item in items if item["kind"] == "callback"}
        self.holders = {item["owner"].split(".")[0] for item in items if "." in item["owner"]}

    def name(self, language, item):
        """What the language calls it."""
        names, kind, name = RENAMED.get(language, {}), item["kind"], item["name"]
        whole = f"{item['owner']}.{name}" if item["owner"] else name
        if whole in names:
            return names[whole]
        if kind == "variant":
            if self.kinds[item["owner"]] == "error":
                return name
            if language == "python":
                return upper(name)
            if language == "swift":
                return name[0].lower() + name[1:]
            return name if item["owner"] in self.holders else upper(name)
        if kind in ("field", "method", "callback", "function"):
            return name if language == "python" else camel(name)
        return name


# --- Python: its own parser reads it.


def python_documentation(source):
    """The text of each thing, by its path."""
    found = {}

    def note(path, text):
        if words(text):
            found.setdefault(path, set()).add(words(text))

    def assigned(node):
        if isinstance(node, ast.Assign):
            return node.targets[0]
        return node.target if isinstance(node, ast.AnnAssign) else None

    def members(path, body):
        for one, after in zip(body, body[1:] + [None]):
            text = None
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                text = str(after.value.value)
            target = assigned(one)
            if isinstance(target, ast.Name) or isinstance(target, ast.Attribute):
                note(f"{path}.{target.id if isinstance(target, ast.Name) else target.attr}", text)
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                note(f"{path}.{one.name}".lstrip("."), ast.get_docstring(one))
                if one.name == "__init__":
                    members(path, one.body)
            if isinstance(one, ast.ClassDef):
                inner = f"{path}.{one.name}".lstrip(".")
                note(inner, ast.get_docstring(one))
                members(inner, one.body)

    members("", ast.parse(source).body)
    return found


def python_missing(interface, source):
    found = python_documentation(source)
    for item in interface.items:
        path = [part for part in item["owner"].split(".") if part]
        if len(path) == 2:
            path[1] = interface.name("python", {"kind": "variant", "owner": path[0], "name": path[1]})
        path.append(interface.name("python", item))
        if words(item["doc"]) not in found.get(".".join(path), ()):
            yield item


# --- Kotlin and Swift: a comment is to stand right before what it is about.


def marked(source):
    """The source with each comment for people as one mark, with its words."""

    def mark(comment):
        lines = comment[0].removeprefix("/**").removesuffix("*/").splitlines()
        return "\1" + words(" ".join(line.strip().removeprefix("*") for line in lines)) + "\2"

    return re.sub(r"/\*\*.*?\*/", mark, source, flags=re.DOTALL)


# Annotations and words between a comment and a name.
BEFORE = r"\s*(?:@\w+(?:\([^)\n]*\))?\s+)*(?:(?:public|open|data|sealed|enum|final|override|suspend|static)\s+)*"
TYPE = {"kotlin": r"(?:class|interface|object)\s+", "swift": r"(?:class|struct|enum|protocol)\s+"}
CALL = {"kotlin": "fun `{}`", "swift": r"(?:func `?{0}`?|init)\s*\("}
TOP = {
    "kotlin": r"^(?:(?:public|open|data|sealed|enum|internal|private)\s+)*(?:class|interface|object|fun)\s+",
    "swift": r"^(?:(?:public|open|final|fileprivate|private)\s+)*(?:class|struct|enum|protocol|func|extension)\s+",
}


def section(language, source, name):
    """What belongs to a type: until the next thing that stands alone."""
    top = TOP[language]
    begin = re.search(rf"{top}{name}\b", source, re.MULTILINE)
    if not begin:
        return ""
    end = re.search(top, source[begin.end() :], re.MULTILINE)
    return source[begin.start() : begin.end() + end.start()] if end else source[begin.start() :]


def text_missing(language, interface, source):
    source = marked(source)
    for item in interface.items:
        doc = "\1" + re.escape(words(item["doc"])) + "\2"
        name = interface.name(language, item)
        path = item["owner"].split(".")
        owner = interface.name(language, {"kind": "", "owner": "", "name": path[0]}) if path[0] else ""
        kind = item["kind"]
        if kind == "function":
            wanted = [(source, doc + BEFORE + rf"(?:fun|func)\s+`?{name}`?\b")]
        elif not owner:
            wanted = [(source, doc + BEFORE + TYPE[language] + rf"{name}\b")]
        elif kind in ("method", "callback"):
            # An object is there twice: what it can do, and the object.
            other = {"kotlin": "Interface", "swift": "Protocol"}[language]
            text = "".join(section(language, source, one) for one in (owner, owner + other))
            wanted = [(text, doc + BEFORE + CALL[language].format(name))]
        elif kind == "variant":
            case = r"(?:(?:class|object)\s+)?" if language == "kotlin" else r"(?:case\s+)"
            wanted = [(section(language, source, owner), doc + BEFORE + case + rf"`?{name}`?\b")]
        elif len(path) == 2:
            case = interface.name(language, {"kind": "variant", "owner": path[0], "name": path[1]})
            begin = {"kotlin": rf"class\s+{case}\s*\(", "swift": rf"case\s+`?{case}`?\s*\("}[language]
            stop = {"kotlin": r"\bclass\s", "swift": r"\bcase\s"}[language]
            # Not the words of other comments.
            inside = rf"(?:\x01[^\x02]*\x02|(?!{stop}).)*?"
            field = {"kotlin": rf"\s*va[lr]\s+`{name}`", "swift": rf"\s*`?{name}`?:"}[language]
            wanted = [(section(language, source, owner), begin + inside + doc + field)]
        else:
            field = {"kotlin": rf"\s*va[lr]\s+`{name}`", "swift": rf"\s*public\s+(?:var|let)\s+`?{name}`?:"}[language]
            wanted = [(section(language, source, owner), doc + field)]
        if not all(item["doc"] and re.search(pattern, text, re.DOTALL) for text, pattern in wanted):
            yield item


def main(interface, python, kotlin, swift):
    interface = Interface(json.loads(Path(interface).read_text(encoding="utf-8")))
    sources = {name: Path(path).read_text(encoding="utf-8") for name, path in
               (("python", python), ("kotlin", kotlin), ("swift", swift))}
    bare = [(name, item) for name in ("kotlin", "swift") for item in text_missing(name, interface, sources[name])]
    bare += [("python", item) for item in python_missing(interface, sources["python"])]
    for language, item in bare:
        whole = ".".join(part for part in (item["owner"], item["name"]) if part)
        print(f"{language}: no documentation: {item['kind']} {whole}")
    print(f"{len(interface.items)} things that an app can name, each in three languages: {len(bare)} without documentation")
    return 1 if bare else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
