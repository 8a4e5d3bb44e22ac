"""The decoder of the machine of Go."""
import json
import pathlib

TEMPLATE = pathlib.Path(__file__).resolve().parent / "templates" / "decoder.go"
TYPES = {"slot": "int", "store": "int", "int": "int64", "id": "[]byte", "word": "string", "bytes": "[]byte", "key": "Key",
         "keys": "[]Key", "rows": "[]Row", "range": "Range", "text": "string", "number": "int64"}
READ = {"slot": "d.slot()", "store": "d.slot()", "int": "d.int()", "id": "d.id()", "word": "d.token()", "bytes": "d.byteString()",
        "key": "d.key()", "keys": "parseKeys(d.token())", "rows": "parseRows(d.token())", "range": "parseRange(d.token())"}
PRINT = {"int": "d.pushInt({})", "bytes": "d.pushBytes({})", "key": "d.print(printKey({}))", "text": "d.print({})",
         "number": "d.print(strconv.FormatInt({}, 10))"}
NAMES = {"range": "within", "from": "source", "key": "key", "min": "min"}


def camel(name):
    return "".join(word.upper() if word in ("db", "gc", "id") else word.capitalize() for word in name.split("_"))


def lower(name):
    word = camel(NAMES.get(name, name))
    return word.lower() if word.isupper() else word[0].lower() + word[1:]


def interface(table):
    lines = ["// Operations is a machine: a method for each operation. The first two are called around each program, Failure tells what",
             "// an error of the library is, and panics on any other.", "type Operations interface {",
             "\tProgramBegin(folder string)", "\tProgramEnd()", "\tFailure(err error) Failure"]
    for operation in table["operations"]:
        args = ", ".join(["c *Call", *(f"{lower(name)} {TYPES[kind]}" for name, kind in operation["args"])])
        taken = dict(operation["args"])
        results = ", ".join([*(f"{lower(name)}{'Out' * (name in taken)} {TYPES[kind]}" for name, kind in operation["results"]),
                             "err error"])
        lines.append(f"\t{camel(operation['name'])}({args}) ({results})")
    return [*lines, "}"]


def dispatch(table):
    lines = ["func (d *decoder) dispatch(c *Call) error {", "\tswitch c.Name {"]
    for operation in table["operations"]:
        lines.append(f"\tcase \"{operation['name']}\":")
        read = []
        for at, (_, kind) in enumerate(operation["args"]):
            lines.append(f"\t\ta{at} := {READ[kind]}")
            read.append(f"a{at}")
        call = f"d.machine.{camel(operation['name'])}({', '.join(['c', *read])})"
        if not operation["results"]:
            lines.append(f"\t\treturn {call}")
            continue
        made = [f"r{at}" for at in range(len(operation["results"]))]
        lines += [f"\t\t{', '.join([*made, 'err'])} := {call}", "\t\tif err != nil {", "\t\t\treturn err", "\t\t}"]
        lines += ["\t\t" + PRINT[kind].format(name) for name, (_, kind) in zip(made, operation["results"])]
        lines.append("\t\treturn nil")
    return [*lines, "\t}", '\tpanic("no operation: " + c.Name)', "}"]


def stores(table):
    lines = ["// Declaration is a store of the table; Schema is empty for raw keys.", "type Declaration struct {",
             "\tName, Schema     string", "\tDuplicates, JSON bool", "}", "", "// Declarations are the stores, by number.",
             "var Declarations = []Declaration{"]
    for store in table["stores"]:
        lines.append(f"\t{{{json.dumps(store['name'])}, {json.dumps(store['schema'] or '')}, "
                     f"{str(store['duplicates']).lower()}, {str(store['value'] == 'json').lower()}}},")
    return [*lines, "}"]


def files(table):
    parts = [*interface(table), "", *dispatch(table), "", *stores(table)]
    yield "go/decoder.go", TEMPLATE.read_text().replace("#TABLE#", "\n".join(parts))
