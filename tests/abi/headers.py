"""Reads the public headers: their functions with the comment above each, and their structures.

A parser for this project's own headers, not for C: one declaration ends with `;` or `}` at the outermost level.
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include" / "sop"


class Function:
    """One declared function: `name`, its `parameters` as (type, name), and the text of its `comment`.

    `exported` is false for what a header defines itself (static inline)."""

    def __init__(self, place, exported, name, parameters, comment):
        self.place = place
        self.exported = exported
        self.name = name
        self.parameters = parameters
        self.comment = comment


def tokens(text):
    """Yields (kind, text, start, end): comment, directive, or the code of one outermost declaration."""
    text = re.sub(r'extern "C" \{', lambda match: " " * len(match.group()), text)
    pattern = re.compile(
        r"(?P<comment>/\*.*?\*/)|(?P<directive>^[ \t]*#(?:\\\n|[^\n])*)|(?P<string>\"(?:\\.|[^\"\\])*\")|(?P<other>.)",
        re.DOTALL | re.MULTILINE)
    code, start, depth = "", None, 0
    for match in pattern.finditer(text):
        kind, part = match.lastgroup, match.group()
        if kind == "directive" or (kind == "comment" and depth == 0 and not code.strip()):
            yield kind, part, match.start(), match.end()
            continue
        if kind == "comment":
            code += " "
            continue
        if start is None and not part.isspace():
            start = match.start()
        code += part
        depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(part, 0)
        if depth < 0:  # the end of extern "C"
            code, start, depth = "", None, 0
        elif depth == 0 and (part == ";" or (part == "}" and re.search(r"\)\s*\{", code))):
            yield "code", code.strip(), start, match.end()
            code, start = "", None


def split_parameters(text):
    """Splits at the commas that are not inside parentheses."""
    parts, depth = [""], 0
    for char in text:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip() not in ("", "void", "...")]


def parameter(text):
    """(type, name) of one parameter; the name is empty if there is none."""
    pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)", text)
    if pointer:
        return text, pointer.group(1)
    match = re.fullmatch(r"(.*[\s*])(\w+)\s*((?:\[\w*\])*)", text, re.DOTALL)
    if not match or match.group(1).strip() in ("const", "struct", "unsigned", "enum", "union"):
        return text, ""
    return match.group(1).strip(), match.group(2)


def functions(path):
    """All functions that the header at `path` declares or defines."""
    text = path.read_text()
    found, comment, last_end = [], "", 0
    for kind, part, start, end in tokens(text):
        gap, last_end = text[last_end:start], end
        if kind == "comment":
            comment = part
            continue
        if kind == "directive":
            comment = ""
            continue
        if gap.count("\n") > 1:
            comment = ""
        declared = re.match(r"(?!typedef)([^={]*?)\b(\w+)\s*\(", part)
        if declared and declared.group(1).strip() and not declared.group(2).startswith("__"):
            opening, depth, close = declared.end(), 1, declared.end()
            while depth > 0:
                depth += {"(": 1, ")": -1}.get(part[close], 0)
                close += 1
            place = f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, start) + 1}"
            inside = [parameter(one) for one in split_parameters(part[opening:close - 1])]
            exported = "static" not in declared.group(1).split()
            found.append(Function(place, exported, declared.group(2), inside, comment))
    return found


def structures(path):
    """(name, [field, ...]) of every structure with a body that the header at `path` declares."""
    found = []
    for kind, part, _, _ in tokens(path.read_text()):
        match = kind == "code" and re.match(r"(?:typedef\s+)?struct\s+(\w+)\s*\{(.*)\}\s*(\w*)\s*;", part, re.DOTALL)
        if not match:
            continue
        body = match.group(2)
        while re.search(r"\{[^{}]*\}", body):  # an inner union or structure counts by its name alone
            body = re.sub(r"\b(?:union|struct)\s*\w*\s*\{[^{}]*\}", "int", body)
        fields = [parameter(one.strip())[1] for one in body.split(";") if one.strip()]
        found.append((f"struct {match.group(1)}", fields))
    return found


def constants(path):
    """The names of the enumerators and of the plain numbers that the header at `path` defines."""
    found = []
    for kind, part, _, _ in tokens(path.read_text()):
        number = kind == "directive" and re.match(r"\s*#define (SOP_\w+)[\s\\]+(?:\d|\(.*\d\))", part)
        if number:
            found.append(number.group(1))
        elif kind == "code" and part.startswith("typedef enum"):
            found += re.findall(r"\bSOP_\w+", part[part.index("{"):])
    return [name for name in found if not name.startswith("SOP_VERSION_")]
