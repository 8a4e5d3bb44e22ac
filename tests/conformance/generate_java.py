"""The decoder of the machine of Java."""
import json
import pathlib

TEMPLATE = pathlib.Path(__file__).resolve().parent / "templates" / "Decoder.java"
TYPES = {"slot": "int", "store": "int", "int": "long", "id": "byte[]", "word": "String", "bytes": "byte[]", "key": "Key",
         "keys": "List<Key>", "rows": "List<Row>", "range": "Range", "text": "String", "number": "long"}
READ = {"slot": "slot()", "store": "slot()", "int": "integer()", "id": "id()", "word": "token()", "bytes": "byteString()",
        "key": "key()", "keys": "parseKeys(token())", "rows": "parseRows(token())", "range": "parseRange(token())"}
PRINT = {"int": "pushInt({})", "bytes": "pushBytes({})", "key": "print(printKey({}))", "text": "print({})",
         "number": "print(Long.toString({}))"}


def lower(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def result_type(operation, records):
    """The type of what a method returns; several results are a record, one for each list of names and types."""
    results = operation["results"]
    if len(results) < 2:
        return TYPES[results[0][1]] if results else "void"
    fields = ", ".join(f"{TYPES[kind]} {lower(name)}" for name, kind in results)
    name = "".join(word.capitalize() for word in operation["name"].split("_")) + "Result"
    if ("key", "key") in results:
        name = "Entry"
    records[name] = f"  /** What {operation['name'] if name != 'Entry' else 'a cursor or fetch'} answers. */\n" \
                    f"  public record {name}({fields}) {{}}\n"
    return name


def interface(table, records):
    lines = ["  /**", "   * A machine: a method for each operation. The first two are called around each program; failure tells what an",
             "   * exception of the library is, and answers null for any other.", "   */", "  public interface Operations {",
             "    void programBegin(String folder) throws Exception;", "", "    void programEnd() throws Exception;", "",
             "    Failure failure(Exception error);"]
    for operation in table["operations"]:
        args = ", ".join(["Call call", *(f"{TYPES[kind]} {lower(name)}" for name, kind in operation["args"])])
        lines += ["", f"    {result_type(operation, records)} {lower(operation['name'])}({args}) throws Exception;"]
    return [*lines, "  }"]


def dispatch(table):
    lines = ["  private void dispatch(Call call) throws Exception {", "    switch (call.name()) {"]
    for operation in table["operations"]:
        results = operation["results"]
        # Java evaluates arguments from left to right, which is the order of the tokens.
        call = f"machine.{lower(operation['name'])}({', '.join(['call', *(READ[kind] for _, kind in operation['args'])])})"
        if not results:
            lines.append(f"      case \"{operation['name']}\" -> {call};")
        elif len(results) == 1:
            lines.append(f"      case \"{operation['name']}\" -> {PRINT[results[0][1]].format(call)};")
        else:
            lines += [f"      case \"{operation['name']}\" -> {{", f"        var made = {call};"]
            lines += [f"        {PRINT[kind].format(f'made.{lower(name)}()')};" for name, kind in results]
            lines.append("      }")
    return [*lines, '      default -> throw new IllegalArgumentException("no operation: " + call.name());', "    }", "  }"]


def stores(table):
    lines = ["  /** The stores, by number. */", "  public static final List<Declaration> DECLARATIONS =", "      List.of("]
    made = [f"          new Declaration({json.dumps(store['name'])}, {json.dumps(store['schema']) if store['schema'] else 'null'}, "
            f"{str(store['duplicates']).lower()}, {str(store['value'] == 'json').lower()})" for store in table["stores"]]
    return [*lines, ",\n".join(made) + ");"]


def files(table):
    records = {}
    parts = interface(table, records)
    text = "\n".join([*records.values(), *parts, "", *stores(table), "", *dispatch(table)])
    yield "java/Decoder.java", TEMPLATE.read_text().replace("#TABLE#", text)
