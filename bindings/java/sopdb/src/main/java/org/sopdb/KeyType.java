package org.sopdb;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** How keys of one Java class are written, read and ordered. */
abstract class KeyType<K> {
  /** The schema as JSON, or "" for raw bytes. */
  abstract String schema();

  /** All of a key. */
  abstract byte[] encode(K key);

  /** What names a key: its sort fields. */
  byte[] encodeSort(K key) {
    return encode(key);
  }

  /** The packed key that a reader stands before. */
  abstract K decode(FieldReader in);

  /** The key of bytes that anybody may have made; null if they are none. */
  K unpack(byte[] packed) {
    K key;
    try {
      FieldReader in = new FieldReader(packed).to(0, packed.length);
      key = decode(in);
      if (in.hasNext()) {
        return null;
      }
    } catch (IndexOutOfBoundsException e) { // a number that is cut off
      return null;
    }
    byte[] again = encode(key); // differs where there was another way to write it; fields that ride
    return again.length >= packed.length // along may be left out at the end
            && Arrays.equals(again, 0, packed.length, packed, 0, packed.length)
        ? key
        : null;
  }

  /** The order of the store. */
  abstract int compare(K a, K b);

  /** The leading fields of a key, or the leading bytes of a raw one. */
  abstract byte[] encodePrefix(Object... leading);

  /** Fails unless a sort field is a text in ascending order. */
  abstract void requireAscendingText(int field);

  /** The exception of that. */
  static SopException noAscendingText(String what) {
    return Status.MISUSE.exception("startsWith takes a text of an ascending field last: " + what);
  }

  /** How a key compares with leading fields; 0 if it begins with them. */
  abstract int compareLeading(K key, Object... leading);

  /** Longer keys are copied once more. */
  private static final int USUAL_BYTES_MAX = 256;

  /** How long the longest of the usual keys was: as much room is there at once. */
  private int usual;

  FieldWriter writer() {
    return new FieldWriter(usual);
  }

  /** With room for texts of that length, too, unless they are long. */
  FieldWriter writer(int textSize) {
    return new FieldWriter(Math.max(usual, Math.min(textSize, USUAL_BYTES_MAX)));
  }

  byte[] written(FieldWriter out) {
    byte[] key = out.toBytes();
    if (key.length > usual && key.length <= USUAL_BYTES_MAX) {
      usual = key.length;
    }
    return key;
  }

  private static final MethodType READ = MethodType.methodType(Object.class, FieldReader.class);

  /** Composed once for each class, however often stores are declared. */
  private static final ClassValue<KeyType<?>> KNOWN =
      new ClassValue<>() {
        @Override
        protected KeyType<?> computeValue(Class<?> type) {
          return make(type);
        }
      };

  /** The key type of a class: a record, or what can be a field. */
  @SuppressWarnings("unchecked")
  static <K> KeyType<K> of(Class<K> type) {
    return (KeyType<K>) KNOWN.get(type);
  }

  private static <K> KeyType<K> make(Class<K> type) {
    if (type.isRecord()) {
      return new OfRecord<>(type);
    }
    FieldType field = FieldType.of(type);
    if (field == null) {
      throw Status.MISUSE.exception(
          type.getName()
              + " can be no key: use String, Long, Integer, BigInteger, Double, Boolean, byte[],"
              + " UUID, Instant, or a record of them");
    }
    return new OfField<>(type, field);
  }

  /** Bytes as they are. */
  static final KeyType<byte[]> RAW =
      new KeyType<>() {
        @Override
        String schema() {
          return "";
        }

        @Override
        byte[] encode(byte[] key) {
          return key.clone(); // another thread may change it meanwhile
        }

        @Override
        byte[] decode(FieldReader in) {
          return in.rest();
        }

        @Override
        byte[] unpack(byte[] packed) {
          return packed;
        }

        @Override
        int compare(byte[] a, byte[] b) {
          return Arrays.compareUnsigned(a, b);
        }

        @Override
        int compareLeading(byte[] key, Object... leading) {
          byte[] prefix = (byte[]) leading[0];
          return Arrays.compareUnsigned(
              key, 0, Math.min(key.length, prefix.length), prefix, 0, prefix.length);
        }

        @Override
        void requireAscendingText(int field) {
          throw noAscendingText("these keys are bytes, of which prefix takes the first");
        }

        @Override
        byte[] encodePrefix(Object... leading) {
          if (leading.length != 1 || !(leading[0] instanceof byte[] bytes)) {
            throw Status.MISUSE.exception("the prefix of a raw key is one byte[]");
          }
          return bytes.clone();
        }
      };

  /** One field, which the schema calls "key". */
  private static final class OfField<K> extends KeyType<K> {
    private static final String NAME = "key";

    private final Class<K> type;
    private final FieldType field;
    private final MethodHandle read; // (FieldReader): Object

    OfField(Class<K> type, FieldType field) {
      this.type = type;
      this.field = field;
      this.read = field.reader(false, NAME).asType(READ);
    }

    @Override
    String schema() {
      return "{\"v\":1,\"sort\":[{\"n\":\"" + NAME + "\",\"t\":\"" + field.name + "\"}]}";
    }

    @Override
    byte[] encode(K key) {
      FieldWriter out = writer();
      field.write(out, java.util.Objects.requireNonNull(key, "key"), false);
      return written(out);
    }

    @Override
    K decode(FieldReader in) {
      try {
        return type.cast(read.invokeExact(in));
      } catch (Throwable e) {
        throw FieldType.unchecked(e);
      }
    }

    @Override
    int compare(K a, K b) {
      return field.compare(a, b);
    }

    @Override
    int compareLeading(K key, Object... leading) {
      return leading.length == 0 ? 0 : field.compare(key, field.accept(leading[0]));
    }

    @Override
    void requireAscendingText(int field) {
      if (field > 0 || type != String.class) {
        throw noAscendingText("the key is one field of the type " + this.field.name);
      }
    }

    @Override
    byte[] encodePrefix(Object... leading) {
      if (leading.length > 1) {
        throw Status.MISUSE.exception("the key has one field, not " + leading.length);
      }
      FieldWriter out = writer();
      for (Object value : leading) {
        field.write(out, field.accept(value), false);
      }
      return out.toBytes();
    }
  }

  /** A field for each component, those that ride along behind all others. */
  private static final class OfRecord<K> extends KeyType<K> {
    private record Field(
        String name, FieldType type, boolean descending, Ride ride, MethodHandle get, int place) {
      Object inKey(Object key) {
        try {
          return get.invoke(key);
        } catch (Throwable e) {
          throw FieldType.unchecked(e);
        }
      }

      Object defaultValue() {
        String text = ride.value().equals(Ride.NONE) ? type.zeroJson : ride.value();
        return text == null ? null : type.parse(text);
      }
    }

    private final Class<K> type;
    private final MethodHandle read; // (FieldReader): Object
    private final MethodHandle writeSort; // (FieldWriter, Object)
    private final MethodHandle writeAll; // the same
    private final MethodHandle textSizes; // (Object): int
    private final Field[] sort;
    private final Field[] ride;
    private final Object[] defaults;
    private final String schema;

    OfRecord(Class<K> type) {
      this.type = type;
      RecordComponent[] components = type.getRecordComponents();
      List<Field> sorted = new ArrayList<>();
      List<Field> riding = new ArrayList<>();
      MethodHandle make;
      try {
        MethodHandles.Lookup lookup = MethodHandles.privateLookupIn(type, MethodHandles.lookup());
        for (int i = 0; i < components.length; i++) {
          Field field = field(lookup, components[i], i);
          (field.ride() == null ? sorted : riding).add(field);
        }
        Class<?>[] types =
            Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
        make = lookup.findConstructor(type, MethodType.methodType(void.class, types));
      } catch (IllegalAccessException | NoSuchMethodException e) {
        throw Status.MISUSE.exception(
            "the record "
                + type.getName()
                + " cannot be a key: "
                + e.getMessage()
                + " (open its package to org.sopdb)");
      }
      sort = sorted.toArray(new Field[0]);
      ride = riding.toArray(new Field[0]);
      if (sort.length == 0) {
        throw Status.MISUSE.exception("the record " + type.getName() + " has no field to sort by");
      }
      defaults = riding.stream().map(Field::defaultValue).toArray();
      schema = describe();
      read = reader(make);
      writeSort = writer(sorted);
      sorted.addAll(riding);
      writeAll = writer(sorted);
      textSizes = textSizes(sorted);
    }

    /**
     * Makes a record of the fields of a key, one after the other: {@code make} with a reader in the
     * place of each parameter, all of one key. Composed once, it costs no array and no box later.
     */
    private MethodHandle reader(MethodHandle make) {
      MethodHandle all = make;
      for (int i = ride.length - 1; i >= 0; i--) { // what is composed last is read first
        Field field = ride[i];
        MethodHandle given =
            MethodHandles.constant(make.type().parameterType(field.place()), defaults[i]);
        MethodHandle one =
            MethodHandles.guardWithTest(
                FieldReader.HAS_NEXT,
                field.type().reader(false, field.name()),
                MethodHandles.dropArguments(given, 0, FieldReader.class));
        all = MethodHandles.collectArguments(all, field.place(), one);
      }
      for (int i = sort.length - 1; i >= 0; i--) {
        Field field = sort[i];
        MethodHandle one = field.type().reader(field.descending(), field.name());
        all = MethodHandles.collectArguments(all, field.place(), one);
      }
      return MethodHandles.permuteArguments(
          all.asType(all.type().changeReturnType(Object.class)),
          READ,
          new int[sort.length + ride.length]);
    }

    /** Writes fields of a key, one after the other. */
    private MethodHandle writer(List<Field> fields) {
      MethodHandle all = null;
      for (int i = fields.size() - 1; i >= 0; i--) {
        Field field = fields.get(i);
        MethodHandle one =
            MethodHandles.filterArguments(field.type().writer(field.descending()), 1, field.get());
        all = all == null ? one : MethodHandles.foldArguments(all, one);
      }
      return all.asType(MethodType.methodType(void.class, FieldWriter.class, Object.class));
    }

    /**
     * The length of all texts of a key, which tells how much room it takes. Asking for it first
     * brings them from memory at the same time, where writing one after the other waits for each: a
     * get of a record that no cache of the processor holds takes a fifth less (tests/bench/java,
     * "any record of three fields").
     */
    private static MethodHandle textSizes(List<Field> fields) {
      MethodType sizes = MethodType.methodType(int.class, Object.class);
      MethodHandle all =
          MethodHandles.dropArguments(MethodHandles.constant(int.class, 0), 0, Object.class);
      for (Field field : fields) {
        if (field.get().type().returnType() == String.class) {
          MethodHandle one =
              MethodHandles.filterReturnValue(field.get(), FieldType.LENGTH).asType(sizes);
          MethodHandle sum = MethodHandles.filterArguments(FieldType.ADD, 0, all, one);
          all = MethodHandles.permuteArguments(sum, sizes, 0, 0);
        }
      }
      return all;
    }

    private static Field field(MethodHandles.Lookup lookup, RecordComponent component, int place)
        throws IllegalAccessException {
      Class<?> owner = component.getDeclaringRecord();
      FieldType type = FieldType.of(component.getType());
      Ride ride = component.getAnnotation(Ride.class);
      boolean descending = component.isAnnotationPresent(Desc.class);
      if (type == null) {
        throw Status.MISUSE.exception(
            "the component "
                + component.getName()
                + " of "
                + owner.getName()
                + " has a type that no field of a key has: "
                + component.getType().getName());
      }
      if (ride != null && descending) {
        throw Status.MISUSE.exception(
            "the component "
                + component.getName()
                + " of "
                + owner.getName()
                + " rides along: it has no order");
      }
      Name name = component.getAnnotation(Name.class);
      return new Field(
          name == null ? snake(component.getName()) : name.value(),
          type,
          descending,
          ride,
          lookup.unreflect(component.getAccessor()),
          place);
    }

    private String describe() {
      StringBuilder out = new StringBuilder("{\"v\":1,\"sort\":[");
      for (Field field : sort) {
        out.append(field == sort[0] ? "" : ",")
            .append(begin(field))
            .append(field.descending() ? ",\"desc\":true}" : "}");
      }
      out.append(']');
      for (int i = 0; i < ride.length; i++) {
        out.append(i == 0 ? ",\"ride\":[" : ",").append(begin(ride[i]));
        if (defaults[i] != null) {
          out.append(",\"default\":").append(ride[i].type().json(defaults[i]));
        }
        out.append('}');
      }
      return out.append(ride.length > 0 ? "]}" : "}").toString();
    }

    private static String begin(Field field) {
      return "{\"n\":" + FieldType.quote(field.name()) + ",\"t\":\"" + field.type().name + "\"";
    }

    @Override
    String schema() {
      return schema;
    }

    @Override
    byte[] encode(K key) {
      return write(writeAll, key);
    }

    @Override
    byte[] encodeSort(K key) {
      return write(writeSort, key);
    }

    private byte[] write(MethodHandle fields, Object key) {
      java.util.Objects.requireNonNull(key, "key");
      FieldWriter out;
      try {
        out = writer((int) textSizes.invokeExact(key));
        fields.invokeExact(out, key);
      } catch (Throwable e) {
        throw FieldType.unchecked(e);
      }
      return written(out);
    }

    @Override
    K decode(FieldReader in) {
      try {
        return type.cast(read.invokeExact(in));
      } catch (Throwable e) {
        throw FieldType.unchecked(e);
      }
    }

    @Override
    int compare(K a, K b) {
      for (Field field : sort) {
        int order = field.type().compare(field.inKey(a), field.inKey(b));
        if (order != 0) {
          return field.descending() ? -order : order;
        }
      }
      return 0;
    }

    @Override
    int compareLeading(K key, Object... leading) {
      for (int i = 0; i < leading.length; i++) {
        int order = sort[i].type().compare(sort[i].inKey(key), sort[i].type().accept(leading[i]));
        if (order != 0) {
          return sort[i].descending() ? -order : order;
        }
      }
      return 0;
    }

    @Override
    void requireAscendingText(int field) {
      if (field >= sort.length) {
        throw noAscendingText("the key has " + sort.length + " fields to sort by");
      }
      if (sort[field].descending() || !sort[field].type().name.equals("str")) {
        throw noAscendingText("the field \"" + sort[field].name() + "\" is none");
      }
    }

    @Override
    byte[] encodePrefix(Object... leading) {
      if (leading.length > sort.length) {
        throw Status.MISUSE.exception(
            "the key has " + sort.length + " fields to sort by, not " + leading.length);
      }
      FieldWriter out = writer();
      for (int i = 0; i < leading.length; i++) {
        Field field = sort[i];
        field.type().write(out, field.type().accept(leading[i]), field.descending());
      }
      return out.toBytes();
    }

    /**
     * {@code empId} is emp_id, {@code userIDs} is user_ids, {@code htmlURLPath} is html_url_path.
     */
    private static String snake(String name) {
      return name.replaceAll("([a-z0-9])([A-Z])", "$1_$2")
          .replaceAll("([A-Z]+)([A-Z][a-z])", "$1_$2")
          .toLowerCase(Locale.ROOT);
    }
  }
}
