"""The decoder of the machine of C: a table of operations with the types of their arguments, and the declared stores."""
import json

LETTERS = {"store": "T", "int": "i", "id": "d", "word": "w", "bytes": "b", "key": "k", "keys": "K", "rows": "r", "range": "R"}
SLOTS = {"db": "D", "txn": "X", "cursor": "C"}


def letters(operation):
    return "".join(SLOTS[name] if kind == "slot" else LETTERS[kind] for name, kind in operation["args"])


def header(table):
    lines = ["/* Made by generate.py from operations.json: the operations of the machine. */",
             "#ifndef SOP_CONFORMANCE_OPERATIONS_H", "#define SOP_CONFORMANCE_OPERATIONS_H", "", '#include "machine.h"', ""]
    lines += [f"sop_status run_{operation['name']}(struct call *call);" for operation in table["operations"]]
    return "\n".join(lines + ["", "#endif", ""])


def tables(table):
    lines = ["/* Made by generate.py from operations.json: the table of the operations, and the stores. */",
             "#ifndef SOP_CONFORMANCE_DECODER_H", "#define SOP_CONFORMANCE_DECODER_H", "",
             '#include "operations.h"', "", "static const struct operation operations[] = {"]
    lines += [f"\t{{ \"{operation['name']}\", \"{letters(operation)}\", run_{operation['name']} }},"
              for operation in table["operations"]]
    lines += ["};", "", "/* clang-format off */", "const struct declaration declarations[STORES] = {"]
    for store in table["stores"]:
        schema = "NULL" if store["schema"] is None else json.dumps(store["schema"])
        flags = ", ".join("true" if flag else "false" for flag in (store["duplicates"], store["value"] == "json"))
        lines.append(f"\t{{ \"{store['name']}\", {schema}, {flags} }},")
    return "\n".join(lines + ["};", "/* clang-format on */", "", "#endif", ""])


def files(table):
    yield "c/operations.h", header(table)
    yield "c/decoder.h", tables(table)
