package org.sopdb;

import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.UUID;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** How values of one Java class are fields of keys. */
final class FieldType {
  private static final BigInteger INT_MIN = BigInteger.valueOf(Long.MIN_VALUE);
  private static final BigInteger UINT_END = BigInteger.ONE.shiftLeft(Long.SIZE);
  private static final long MICROS = 1_000_000;
  private static final int NANOS_PER_MICRO = 1000;

  /** The type in the schema. */
  final String name;

  /** What a primitive field holds that is left out, as JSON and as a value; null for others. */
  final String zeroJson;

  private final Class<?> type;
  private final BiConsumer<FieldWriter, Object> write;
  private final Reader read;
  private final Comparator<Object> order;
  private final Function<String, Object> parse;
  private final Function<Object, String> json;

  /** Reads what {@code FieldReader.next} has said the type of, or null if it has another type. */
  private interface Reader {
    Object read(FieldReader in, int type);
  }

  private FieldType(
      String name,
      Class<?> type,
      String zeroJson,
      BiConsumer<FieldWriter, Object> write,
      Reader read,
      Comparator<Object> order,
      Function<String, Object> parse,
      Function<Object, String> json) {
    this.name = name;
    this.type = type;
    this.zeroJson = zeroJson;
    this.write = write;
    this.read = read;
    this.order = order;
    this.parse = parse;
    this.json = json;
  }

  /** The field type of a class, or null if it can be none. */
  static FieldType of(Class<?> type) {
    if (type == String.class) {
      return new FieldType(
          "str",
          type,
          null,
          (out, v) -> out.bytes(FieldWriter.STR, Text.utf8((String) v)),
          (in, t) -> t == FieldWriter.STR ? in.text() : null,
          (a, b) -> compareCodePoints((String) a, (String) b),
          s -> s,
          v -> quote((String) v));
    }
    if (type == long.class || type == Long.class) {
      return integer(
          type, v -> (Long) v, v -> v, (a, b) -> Long.compare((Long) a, (Long) b), Long::valueOf);
    }
    if (type == int.class || type == Integer.class) {
      return integer(
          type,
          v -> (long) (Integer) v,
          FieldType::toInt,
          (a, b) -> Integer.compare((Integer) a, (Integer) b),
          Integer::valueOf);
    }
    if (type == BigInteger.class) {
      return new FieldType(
          "int",
          type,
          null,
          FieldType::writeBig,
          (in, t) ->
              t == FieldWriter.INT
                  ? BigInteger.valueOf(in.number())
                  : t == FieldWriter.UINT ? unsigned(in.number()) : null,
          (a, b) -> ((BigInteger) a).compareTo((BigInteger) b),
          BigInteger::new,
          v -> "{\"int\":\"" + v + "\"}");
    }
    if (type == double.class || type == Double.class) {
      return new FieldType(
          "float",
          type,
          type.isPrimitive() ? "0.0" : null,
          (out, v) -> out.number(FieldWriter.FLOAT, Double.doubleToRawLongBits((Double) v)),
          (in, t) -> t == FieldWriter.FLOAT ? (Object) Double.longBitsToDouble(in.number()) : null,
          (a, b) -> Double.compare((Double) a + 0.0, (Double) b + 0.0),
          Double::valueOf,
          FieldType::jsonOf);
    }
    if (type == boolean.class || type == Boolean.class) {
      return new FieldType(
          "bool",
          type,
          type.isPrimitive() ? "false" : null,
          (out, v) -> out.bool((Boolean) v),
          (in, t) -> t == FieldWriter.BOOL ? (Object) in.bool() : null,
          (a, b) -> Boolean.compare((Boolean) a, (Boolean) b),
          Boolean::valueOf,
          Object::toString);
    }
    if (type == byte[].class) {
      return new FieldType(
          "bytes",
          type,
          null,
          (out, v) -> out.bytes(FieldWriter.BYTES, (byte[]) v),
          (in, t) -> t == FieldWriter.BYTES ? in.bytes() : null,
          (a, b) -> Arrays.compareUnsigned((byte[]) a, (byte[]) b),
          s -> HexFormat.of().parseHex(s),
          v -> "{\"hex\":\"" + HexFormat.of().formatHex((byte[]) v) + "\"}");
    }
    if (type == UUID.class) {
      return new FieldType(
          "uuid",
          type,
          null,
          (out, v) -> out.uuid((UUID) v),
          (in, t) -> t == FieldWriter.UUID ? in.uuid() : null,
          (a, b) -> Uuids.compare((UUID) a, (UUID) b),
          UUID::fromString,
          v -> quote(v.toString()));
    }
    if (type == Instant.class) {
      return new FieldType(
          "ts",
          type,
          null,
          (out, v) -> out.number(FieldWriter.TS, micros((Instant) v)),
          (in, t) -> t == FieldWriter.TS ? instant(in.number()) : null,
          (a, b) -> ((Instant) a).compareTo((Instant) b),
          Instant::parse,
          v -> Long.toString(micros((Instant) v)));
    }
    return null;
  }

  private static FieldType integer(
      Class<?> type,
      Function<Object, Long> toLong,
      Function<Long, Object> fromLong,
      Comparator<Object> order,
      Function<String, Object> parse) {
    return new FieldType(
        "int",
        type,
        type.isPrimitive() ? "0" : null,
        (out, v) -> out.number(FieldWriter.INT, toLong.apply(v)),
        (in, t) -> {
          if (t == FieldWriter.UINT) {
            throw Status.SCHEMA.exception(
                "the integer "
                    + unsigned(in.number())
                    + " is beyond "
                    + type.getSimpleName()
                    + ": declare the field as BigInteger");
          }
          return t == FieldWriter.INT ? fromLong.apply(in.number()) : null;
        },
        order,
        parse,
        Object::toString);
  }

  void write(FieldWriter out, Object value) {
    if (value == null) {
      out.none();
    } else {
      write.accept(out, value);
    }
  }

  /**
   * Reads the next field; what is null where the type has no null is an error that names {@code
   * field}.
   */
  Object read(FieldReader in, String field) {
    int stored = in.next();
    if (stored == FieldWriter.NULL) {
      if (type.isPrimitive()) {
        throw Status.SCHEMA.exception(
            "the field \""
                + field
                + "\" is null, which "
                + type.getSimpleName()
                + " cannot hold: declare it with a class");
      }
      return null;
    }
    Object value = read.read(in, stored);
    if (value == null) {
      throw Status.SCHEMA.exception("the field \"" + field + "\" is not of the type " + name);
    }
    return value;
  }

  /** Null sorts first. */
  int compare(Object a, Object b) {
    if (a == null || b == null) {
      return Boolean.compare(a != null, b != null);
    }
    return order.compare(a, b);
  }

  /** A value from its text in an annotation. */
  Object parse(String text) {
    try {
      return parse.apply(text);
    } catch (IllegalArgumentException | DateTimeException e) {
      throw Status.MISUSE.exception(
          "\"" + text + "\" is no default of the type " + name + ": " + e.getMessage());
    }
  }

  /** A value as the schema has it. */
  String json(Object value) {
    return value == null ? "null" : json.apply(value);
  }

  /**
   * The value of a class that takes the place of this one, such as a Long for an int; MISUSE if it
   * is none.
   */
  Object accept(Object value) {
    if (value == null || boxed().isInstance(value)) {
      return value;
    }
    if (name.equals("int")
        && (value instanceof Integer || value instanceof Long || value instanceof BigInteger)) {
      BigInteger number = new BigInteger(value.toString());
      try {
        return type == BigInteger.class
            ? number
            : boxed() == Integer.class
                ? (Object) number.intValueExact()
                : (Object) number.longValueExact();
      } catch (ArithmeticException e) {
        throw Status.SCHEMA.exception(
            "the integer " + number + " is beyond " + type.getSimpleName());
      }
    }
    throw Status.MISUSE.exception(
        value.getClass().getSimpleName() + " is no " + type.getSimpleName());
  }

  private Class<?> boxed() {
    return java.lang.invoke.MethodType.methodType(type).wrap().returnType();
  }

  private static Object toInt(Long value) {
    if (value != value.intValue()) {
      throw Status.SCHEMA.exception(
          "the integer " + value + " is beyond int: declare the field as long or BigInteger");
    }
    return value.intValue();
  }

  private static void writeBig(FieldWriter out, Object value) {
    BigInteger number = (BigInteger) value;
    if (number.compareTo(INT_MIN) < 0 || number.compareTo(UINT_END) >= 0) {
      throw Status.SCHEMA.exception(
          "the integer " + number + " is outside the range -2^63 to 2^64-1");
    }
    out.number(number.signum() < 0 ? FieldWriter.INT : FieldWriter.UINT, number.longValue());
  }

  private static BigInteger unsigned(long bits) {
    return bits >= 0 ? BigInteger.valueOf(bits) : BigInteger.valueOf(bits).add(UINT_END);
  }

  private static long micros(Instant time) {
    if (time.getNano() % NANOS_PER_MICRO != 0) {
      throw Status.SCHEMA.exception(
          "the time " + time + " is finer than a microsecond: truncate it");
    }
    try {
      long seconds = time.getEpochSecond();
      long micros = time.getNano() / NANOS_PER_MICRO;
      return seconds >= 0
          ? Math.addExact(Math.multiplyExact(seconds, MICROS), micros)
          : Math.addExact(
              Math.multiplyExact(seconds + 1, MICROS),
              micros - MICROS); // the product of the first may not fit
    } catch (ArithmeticException e) {
      throw Status.SCHEMA.exception("the time " + time + " is beyond 2^63 microseconds from 1970");
    }
  }

  private static Instant instant(long micros) {
    return Instant.ofEpochSecond(
        Math.floorDiv(micros, MICROS), Math.floorMod(micros, MICROS) * NANOS_PER_MICRO);
  }

  /** The order of UTF-8, which is not that of UTF-16 beyond the first plane. */
  static int compareCodePoints(String a, String b) {
    int common = Math.min(a.length(), b.length());
    for (int i = 0; i < common; i++) {
      char x = a.charAt(i);
      char y = b.charAt(i);
      if (x != y) {
        return Character.isSurrogate(x) == Character.isSurrogate(y)
            ? x - y
            : Character.isSurrogate(x) ? 1 : -1;
      }
    }
    return a.length() - b.length();
  }

  private static String jsonOf(Object value) {
    double number = (Double) value;
    return Double.isInfinite(number) ? quote(value.toString()) : value.toString();
  }

  /** A text as JSON. */
  static String quote(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ') {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }
}
