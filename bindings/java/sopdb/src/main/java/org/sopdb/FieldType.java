package org.sopdb;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.UUID;
import java.util.function.Function;

/** How values of one Java class are fields of keys. */
final class FieldType {
  private static final BigInteger INT_MIN = BigInteger.valueOf(Long.MIN_VALUE);
  private static final BigInteger UINT_END = BigInteger.ONE.shiftLeft(Long.SIZE);
  private static final long MICROS = 1_000_000;
  private static final int NANOS_PER_MICRO = 1000;

  /** The length of a text, 0 of none: takes a String. */
  static final MethodHandle LENGTH = own("lengthOf", int.class, String.class);

  /** Of two int. */
  static final MethodHandle ADD = own("sum", int.class, int.class, int.class);

  /** The type in the schema. */
  final String name;

  /** What a primitive field holds that is left out, as JSON and as a value; null for others. */
  final String zeroJson;

  private final Class<?> type;
  private final MethodHandle read; // (FieldReader, boolean descending, String field): type
  private final MethodHandle write; // (FieldWriter, type, boolean descending)
  private final MethodHandle writeAny; // (FieldWriter, Object, boolean descending)
  private final Comparator<Object> order;
  private final Function<String, Object> parse;
  private final Function<Object, String> json;

  private FieldType(
      String name,
      Class<?> type,
      String zeroJson,
      Comparator<Object> order,
      Function<String, Object> parse,
      Function<Object, String> json) {
    this.name = name;
    this.type = type;
    this.zeroJson = type.isPrimitive() ? zeroJson : null;
    this.read = own(readerName(type), type, FieldReader.class, boolean.class, String.class);
    this.write = own("put", void.class, FieldWriter.class, type, boolean.class);
    this.writeAny =
        write.asType(
            MethodType.methodType(void.class, FieldWriter.class, Object.class, boolean.class));
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
          (a, b) -> compareCodePoints((String) a, (String) b),
          s -> s,
          v -> quote((String) v));
    }
    if (type == long.class || type == Long.class) {
      return new FieldType(
          "int",
          type,
          "0",
          (a, b) -> Long.compare((Long) a, (Long) b),
          Long::valueOf,
          Object::toString);
    }
    if (type == int.class || type == Integer.class) {
      return new FieldType(
          "int",
          type,
          "0",
          (a, b) -> Integer.compare((Integer) a, (Integer) b),
          Integer::valueOf,
          Object::toString);
    }
    if (type == BigInteger.class) {
      return new FieldType(
          "int",
          type,
          null,
          (a, b) -> ((BigInteger) a).compareTo((BigInteger) b),
          BigInteger::new,
          v -> "{\"int\":\"" + v + "\"}");
    }
    if (type == double.class || type == Double.class) {
      return new FieldType(
          "float",
          type,
          "0.0",
          (a, b) -> Double.compare((Double) a + 0.0, (Double) b + 0.0),
          Double::valueOf,
          FieldType::jsonOf);
    }
    if (type == boolean.class || type == Boolean.class) {
      return new FieldType(
          "bool",
          type,
          "false",
          (a, b) -> Boolean.compare((Boolean) a, (Boolean) b),
          Boolean::valueOf,
          Object::toString);
    }
    if (type == byte[].class) {
      return new FieldType(
          "bytes",
          type,
          null,
          (a, b) -> Arrays.compareUnsigned((byte[]) a, (byte[]) b),
          s -> HexFormat.of().parseHex(s),
          v -> "{\"hex\":\"" + HexFormat.of().formatHex((byte[]) v) + "\"}");
    }
    if (type == UUID.class) {
      return new FieldType(
          "uuid",
          type,
          null,
          (a, b) -> Uuids.compare((UUID) a, (UUID) b),
          UUID::fromString,
          v -> quote(v.toString()));
    }
    if (type == Instant.class) {
      return new FieldType(
          "ts",
          type,
          null,
          (a, b) -> ((Instant) a).compareTo((Instant) b),
          Instant::parse,
          v -> Long.toString(micros((Instant) v)));
    }
    return null;
  }

  /* ---- reading and writing: handles that a class of keys is composed of, without boxes ---- */

  /** Reads the next field, which is called {@code field}: takes a {@link FieldReader}. */
  MethodHandle reader(boolean descending, String field) {
    return MethodHandles.insertArguments(read, 1, descending, field);
  }

  /** Writes a field: takes a {@link FieldWriter} and the value. */
  MethodHandle writer(boolean descending) {
    return MethodHandles.insertArguments(write, 2, descending);
  }

  void write(FieldWriter out, Object value, boolean descending) {
    if (value == null) {
      out.none(descending);
      return;
    }
    try {
      writeAny.invokeExact(out, value, descending);
    } catch (Throwable e) {
      throw unchecked(e);
    }
  }

  /** What a handle has thrown, which declares nothing. */
  static RuntimeException unchecked(Throwable thrown) {
    if (thrown instanceof Error error) {
      throw error;
    }
    return thrown instanceof RuntimeException e ? e : new IllegalStateException(thrown);
  }

  private static MethodHandle own(String name, Class<?> returned, Class<?>... taken) {
    try {
      return MethodHandles.lookup()
          .findStatic(FieldType.class, name, MethodType.methodType(returned, taken));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** One of the functions below. */
  private static String readerName(Class<?> type) {
    return type == byte[].class
        ? "readBytes"
        : "read" + boxed(type).getSimpleName() + (type.isPrimitive() ? "Value" : "");
  }

  /** Goes to the next field; false if it is null. */
  private static boolean next(
      FieldReader in, boolean descending, int wanted, String field, Class<?> type) {
    int stored = in.next(descending);
    if (stored == wanted) {
      return true;
    }
    if (stored == FieldReader.NULL && !type.isPrimitive()) {
      return false;
    }
    throw unexpected(in, stored, wanted, field, type);
  }

  private static SopException unexpected(
      FieldReader in, int stored, int wanted, String field, Class<?> type) {
    if (stored == FieldReader.NULL) {
      return Status.SCHEMA.exception(
          "the field \""
              + field
              + "\" is null, which "
              + type.getSimpleName()
              + " cannot hold: declare it with a class");
    }
    if (stored == FieldReader.UINT && wanted == FieldReader.INT) {
      return Status.SCHEMA.exception(
          "the integer "
              + unsigned(in.number())
              + " is beyond "
              + type.getSimpleName()
              + ": declare the field as BigInteger");
    }
    return Status.SCHEMA.exception(
        "the field \"" + field + "\" cannot be read as " + type.getSimpleName());
  }

  private static int lengthOf(String text) {
    return text == null ? 0 : text.length();
  }

  private static int sum(int a, int b) {
    return a + b;
  }

  private static String readString(FieldReader in, boolean descending, String field) {
    return next(in, descending, FieldReader.STR, field, String.class) ? in.text() : null;
  }

  private static long readLongValue(FieldReader in, boolean descending, String field) {
    next(in, descending, FieldReader.INT, field, long.class);
    return in.number();
  }

  private static Long readLong(FieldReader in, boolean descending, String field) {
    return next(in, descending, FieldReader.INT, field, Long.class)
        ? Long.valueOf(in.number())
        : null;
  }

  private static int readIntegerValue(FieldReader in, boolean descending, String field) {
    next(in, descending, FieldReader.INT, field, int.class);
    return toInt(in.number());
  }

  private static Integer readInteger(FieldReader in, boolean descending, String field) {
    return next(in, descending, FieldReader.INT, field, Integer.class)
        ? Integer.valueOf(toInt(in.number()))
        : null;
  }

  private static BigInteger readBigInteger(FieldReader in, boolean descending, String field) {
    int stored = in.next(descending);
    return switch (stored) {
      case FieldReader.NULL -> null;
      case FieldReader.INT -> BigInteger.valueOf(in.number());
      case FieldReader.UINT -> unsigned(in.number());
      default -> throw unexpected(in, stored, FieldReader.INT, field, BigInteger.class);
    };
  }

  private static double readDoubleValue(FieldReader in, boolean descending, String field) {
    next(in, descending, FieldReader.FLOAT, field, double.class);
    return in.real();
  }

  private static Double readDouble(FieldReader in, boolean descending, String field) {
    return next(in, descending, FieldReader.FLOAT, field, Double.class)
        ? Double.valueOf(in.real())
        : null;
  }

  private static boolean readBooleanValue(FieldReader in, boolean descending, String field) {
    next(in, descending, FieldReader.BOOL, field, boolean.class);
    return in.bool();
  }

  private static Boolean readBoolean(FieldReader in, boolean descending, String field) {
    return next(in, descending, FieldReader.BOOL, field, Boolean.class)
        ? Boolean.valueOf(in.bool())
        : null;
  }

  private static byte[] readBytes(FieldReader in, boolean descending, String field) {
    return next(in, descending, FieldReader.BYTES, field, byte[].class) ? in.bytes() : null;
  }

  private static UUID readUUID(FieldReader in, boolean descending, String field) {
    return next(in, descending, FieldReader.UUID, field, UUID.class) ? in.uuid() : null;
  }

  private static Instant readInstant(FieldReader in, boolean descending, String field) {
    return next(in, descending, FieldReader.INT, field, Instant.class)
        ? instant(in.number())
        : null;
  }

  private static void put(FieldWriter out, String value, boolean descending) {
    if (value == null) {
      out.none(descending);
    } else {
      out.text(value, descending);
    }
  }

  private static void put(FieldWriter out, long value, boolean descending) {
    out.integer(value, descending);
  }

  private static void put(FieldWriter out, Long value, boolean descending) {
    if (value == null) {
      out.none(descending);
    } else {
      out.integer(value, descending);
    }
  }

  private static void put(FieldWriter out, int value, boolean descending) {
    out.integer(value, descending);
  }

  private static void put(FieldWriter out, Integer value, boolean descending) {
    if (value == null) {
      out.none(descending);
    } else {
      out.integer(value, descending);
    }
  }

  private static void put(FieldWriter out, BigInteger value, boolean descending) {
    if (value == null) {
      out.none(descending);
      return;
    }
    if (value.compareTo(INT_MIN) < 0 || value.compareTo(UINT_END) >= 0) {
      throw Status.SCHEMA.exception(
          "the integer " + value + " is outside the range -2^63 to 2^64-1");
    }
    if (value.signum() < 0) {
      out.integer(value.longValue(), descending);
    } else {
      out.natural(value.longValue(), descending);
    }
  }

  private static void put(FieldWriter out, double value, boolean descending) {
    out.real(value, descending);
  }

  private static void put(FieldWriter out, Double value, boolean descending) {
    if (value == null) {
      out.none(descending);
    } else {
      out.real(value, descending);
    }
  }

  private static void put(FieldWriter out, boolean value, boolean descending) {
    out.bool(value, descending);
  }

  private static void put(FieldWriter out, Boolean value, boolean descending) {
    if (value == null) {
      out.none(descending);
    } else {
      out.bool(value, descending);
    }
  }

  private static void put(FieldWriter out, byte[] value, boolean descending) {
    if (value == null) {
      out.none(descending);
    } else {
      out.bytes(value, descending);
    }
  }

  private static void put(FieldWriter out, UUID value, boolean descending) {
    if (value == null) {
      out.none(descending);
    } else {
      out.uuid(value, descending);
    }
  }

  private static void put(FieldWriter out, Instant value, boolean descending) {
    if (value == null) {
      out.none(descending);
    } else {
      out.integer(micros(value), descending);
    }
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
    if (value == null || boxed(type).isInstance(value)) {
      return value;
    }
    if (name.equals("int")
        && (value instanceof Integer || value instanceof Long || value instanceof BigInteger)) {
      BigInteger number = new BigInteger(value.toString());
      try {
        return type == BigInteger.class
            ? number
            : boxed(type) == Integer.class
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

  private static Class<?> boxed(Class<?> type) {
    return MethodType.methodType(type).wrap().returnType();
  }

  private static int toInt(long value) {
    if (value != (int) value) {
      throw Status.SCHEMA.exception(
          "the integer " + value + " is beyond int: declare the field as long or BigInteger");
    }
    return (int) value;
  }

  private static BigInteger unsigned(long bits) {
    return bits >= 0 ? BigInteger.valueOf(bits) : BigInteger.valueOf(bits).add(UINT_END);
  }

  private static long micros(Instant time) {
    if (time.getNano() % NANOS_PER_MICRO != 0) {
      throw Status.SCHEMA.exception(
          "the time "
              + time
              + " is finer than a microsecond, which keys cannot be: take"
              + " time.truncatedTo(ChronoUnit.MICROS)");
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
