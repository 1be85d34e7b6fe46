"""Writes down the interface that an app sees, from the generated Python module: names, arguments,
types, and documentation. `mobile-ffi/python/test` holds it against `mobile-ffi/api.pyi`, so that a
change of the interface is seen in review.

    api_snapshot.py GENERATED.py            prints it
    api_snapshot.py GENERATED.py --check F  fails where it is not as F says, and shows the difference
"""

import ast
import difflib
import sys
from pathlib import Path

HEAD = '''"""The interface of the SDK, as its Python bindings show it. Kotlin and Swift have the same, in their
own spelling. Made by `mobile-ffi/python/test --write-api`; a test holds it against the library."""
'''


def is_public(node):
    """The generator's own helpers begin with an underscore; protocols repeat their classes, and the
    class of errors is there a second time, as their namespace."""
    name = node.name
    helper = name.startswith("_") or name in ("InternalError", "uniffi_set_event_loop")
    bare = isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == ["Exception"]
    return not helper and not bare and not name.endswith("Protocol")


def words(text):
    return " ".join(text.split())


def documentation(node, indent):
    text = ast.get_docstring(node)
    if not text:
        return []
    lines = text.strip().splitlines()
    pad = " " * indent
    if len(lines) == 1:
        return [f'{pad}"""{lines[0].strip()}"""']
    return [f'{pad}"""{lines[0].strip()}', *(f"{pad}{line.rstrip()}".rstrip() for line in lines[1:]), f'{pad}"""']


def function(node, indent):
    pad = " " * indent
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    decorators = [f"{pad}@{ast.unparse(one)}" for one in node.decorator_list]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    head = f"{pad}{word} {node.name}({ast.unparse(node.args)}){returns}:"
    body = documentation(node, indent + 4) + fields(node, indent + 4)
    return decorators + ([head, *body] if body else [head + " ..."])


def fields(node, indent):
    """The documented fields that a constructor sets."""
    lines = []
    if node.name == "__init__":
        for one, after in zip(node.body, node.body[1:]):
            if isinstance(one, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                lines.append(" " * indent + f"{ast.unparse(one.targets[0])}  # {words(str(after.value.value))}")
    return lines


def members(node, indent):
    lines = []
    for one in node.body:
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if one.name == "__init__" or not one.name.startswith("_"):
                lines += function(one, indent)
        elif isinstance(one, ast.AnnAssign) or isinstance(one, ast.Assign):
            names = [one.target] if isinstance(one, ast.AnnAssign) else one.targets
            if all(isinstance(name, ast.Name) and not name.id.startswith("_") for name in names):
                lines.append(" " * indent + ast.unparse(one))
        elif isinstance(one, ast.ClassDef) and not one.name.startswith("_"):
            lines += definition(one, indent)
        elif isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str):
            text = words(one.value.value)
            if text and text != words(ast.get_docstring(node) or ""):
                lines.append(" " * indent + f'"""{text}"""')
    return lines


def definition(node, indent=0):
    bases = ", ".join(
        ast.unparse(base) for base in node.bases if not ast.unparse(base).endswith("Protocol")
    ).replace("_UniffiTemp", "")
    head = " " * indent + f"class {node.name}" + (f"({bases})" if bases else "") + ":"
    body = documentation(node, indent + 4) + members(node, indent + 4)
    return [head, *body] if body else [head + " ..."]


def snapshot(source):
    lines = [HEAD]
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and is_public(node):
            lines += definition(node) + [""]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and is_public(node):
            lines += function(node, 0) + [""]
    return "\n".join(lines).rstrip() + "\n"


def main():
    now = snapshot(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if len(sys.argv) < 4:
        print(now, end="")
        return
    before = Path(sys.argv[3]).read_text(encoding="utf-8")
    if now != before:
        difference = difflib.unified_diff(before.splitlines(), now.splitlines(), sys.argv[3], "the library", lineterm="")
        print("\n".join(difference))
        sys.exit("the interface has changed: if that is meant, run mobile-ffi/python/test --write-api and commit it")


main()
