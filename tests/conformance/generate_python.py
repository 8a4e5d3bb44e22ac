"""The decoder of the machine of Python."""
import keyword
import pathlib

TEMPLATE = pathlib.Path(__file__).resolve().parent / "templates" / "decoder.py"


def table_of(table):
    lines = ["# name: types of the arguments, types of the results, name of the method", "OPERATIONS = {"]
    for operation in table["operations"]:
        name = operation["name"]
        args, results = (tuple(kind for _, kind in operation[part]) for part in ("args", "results"))
        lines.append(f"    {name!r}: ({args!r}, {results!r}, {name + '_' if keyword.iskeyword(name) else name!r}),")
    lines += ["}", "", "# name, schema (None: raw keys), duplicates, JSON values", "STORES = ["]
    for store in table["stores"]:
        lines.append(f"    ({store['name']!r}, {store['schema']!r}, {store['duplicates']}, {store['value'] == 'json'}),")
    return "\n".join(lines + ["]"])


def files(table):
    yield "python/decoder.py", TEMPLATE.read_text().replace("#TABLE#", table_of(table))
