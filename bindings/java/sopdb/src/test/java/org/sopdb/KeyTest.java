package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Keys: their bytes are those of every language, their order is that of the store. */
class KeyTest {
  private static final HexFormat HEX = HexFormat.of();

  record EmpKey(
      String region, @Desc Instant hired, long empId, @Ride boolean deleted, @Ride String note) {}

  record Wide(
      @Desc double score,
      UUID who,
      byte[] tag,
      @Desc boolean flag,
      BigInteger big,
      @Name("n") Integer small,
      @Ride("7") int count,
      @Ride("x\"y") String text,
      @Ride("00ff") byte[] blob,
      @Ride("1.5") Double real,
      @Ride("2024-01-01T00:00:00Z") Instant at,
      @Ride("18446744073709551615") BigInteger top,
      @Ride("7204e52d-b222-1a58-008a-05a6c4647159") UUID id,
      @Ride("true") Boolean on,
      @Ride long zero) {}

  /* ---- the vectors that all languages share ---- */

  @Test
  void packsAndUnpacksAllVectors() throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    List<String> lines =
        Files.readAllLines(
            Path.of(System.getProperty("sop.source"), "tests", "data", "keys-v1.jsonl"));
    assertEquals(300, lines.size());
    for (String line : lines) {
      JsonNode vector = mapper.readTree(line);
      checkVector(vector.get("schema"), vector.get("values"), vector.get("hex").textValue(), line);
    }
  }

  private static void checkVector(JsonNode fields, JsonNode values, String hex, String line) {
    StringBuilder schema = new StringBuilder("{\"v\":1,\"sort\":[");
    List<FieldType> types = new ArrayList<>();
    FieldWriter out = new FieldWriter();
    List<Object> given = new ArrayList<>();
    for (int i = 0; i < fields.size(); i++) {
      String name = fields.get(i).get("t").textValue();
      FieldType type = FieldType.of(classOf(name));
      types.add(type);
      Object value = valueOf(name, values.get(i));
      given.add(value);
      type.write(out, value);
      schema
          .append(i == 0 ? "" : ",")
          .append("{\"n\":\"f")
          .append(i)
          .append("\",\"t\":\"")
          .append(name)
          .append("\",\"desc\":")
          .append(fields.get(i).get("desc").booleanValue())
          .append('}');
    }
    long parsed =
        Raw.sop_schema_parse(schema.append("]}").toString().getBytes(StandardCharsets.UTF_8));
    try {
      assertEquals(hex, HEX.formatHex(Raw.java_key_pack(parsed, out.toBytes(), 0)), line);
      byte[] unpacked = Raw.java_key_unpack(parsed, HEX.parseHex(hex));
      FieldReader in = new FieldReader(unpacked, 0, unpacked.length);
      for (int i = 0; i < types.size(); i++) {
        Object value = types.get(i).read(in, "f" + i);
        assertTrue(Objects.deepEquals(normal(given.get(i)), value), () -> line + ": " + value);
      }
    } finally {
      Raw.java_schema_free(parsed);
    }
  }

  private static Object normal(Object value) {
    return value instanceof Double d ? d + 0.0 : value;
  }

  private static Class<?> classOf(String type) {
    return switch (type) {
      case "str" -> String.class;
      case "int" -> BigInteger.class;
      case "float" -> Double.class;
      case "bool" -> Boolean.class;
      case "bytes" -> byte[].class;
      case "uuid" -> UUID.class;
      default -> Instant.class;
    };
  }

  private static Object valueOf(String type, JsonNode node) {
    if (node.isNull()) {
      return null;
    }
    return switch (type) {
      case "str" -> node.textValue();
      case "int" -> new BigInteger(node.has("$int") ? node.get("$int").textValue() : node.asText());
      case "float" ->
          node.has("$f64")
              ? Double.longBitsToDouble(Long.parseUnsignedLong(node.get("$f64").textValue(), 16))
              : (Object) node.doubleValue();
      case "bool" -> node.booleanValue();
      case "bytes" -> HEX.parseHex(node.get("$hex").textValue());
      case "uuid" -> UUID.fromString(node.textValue());
      default ->
          Instant.EPOCH.plus(
              Long.parseLong(node.has("$int") ? node.get("$int").textValue() : node.asText()),
              ChronoUnit.MICROS);
    };
  }

  /* ---- schemas ---- */

  @Test
  void describesRecordsAsOtherLanguagesDo() {
    assertEquals(
        "{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":\"hired\",\"t\":\"ts\",\"desc\":true},"
            + "{\"n\":\"emp_id\",\"t\":\"int\"}],\"ride\":[{\"n\":\"deleted\",\"t\":\"bool\",\"default\":false},"
            + "{\"n\":\"note\",\"t\":\"str\"}]}",
        Store.of("emp", EmpKey.class, Codec.bytes()).schema());
    assertEquals(
        "{\"v\":1,\"sort\":[{\"n\":\"key\",\"t\":\"str\"}]}",
        Store.of("s", String.class, Codec.bytes()).schema());
    assertEquals("", Store.raw("r", Codec.bytes()).schema());
  }

  @Test
  void theLibraryTakesEverySchemaAndGivesItBack() {
    Store<Wide, byte[]> wide = Store.of("wide", Wide.class, Codec.bytes());
    try (Database db = Database.open("inmemory:")) {
      db.create(wide);
      String schema = db.view(tx -> tx.describe(wide)).schema();
      assertTrue(schema.contains("\"n\":\"n\",\"t\":\"int\""), schema);
      db.view(tx -> tx.items(wide).count()); // the declaration agrees with what is stored
      Wide key =
          new Wide(
              1.5,
              UUID.randomUUID(),
              new byte[] {1},
              true,
              BigInteger.TEN,
              null,
              1,
              "t",
              new byte[] {2},
              null,
              Instant.EPOCH,
              BigInteger.ONE,
              UUID.randomUUID(),
              false,
              3);
      db.run(tx -> tx.items(wide).set(key, new byte[0]));
      Wide read = db.view(tx -> tx.items(wide).fetch(key)).key();
      assertEquals(
          key.toString().replaceAll("\\[B@\\w+", ""), read.toString().replaceAll("\\[B@\\w+", ""));
      assertNull(read.small());
    }
  }

  record Before(String name, @Ride boolean left) {}

  record After(String name, @Ride boolean left, @Ride("9") int level, @Ride String note) {}

  @Test
  void fieldsThatRideAlongMayBeAppended() {
    Store<Before, String> before = Store.of("grows", Before.class, Codec.string());
    Store<After, String> after = Store.of("grows", After.class, Codec.string());
    try (Database db = Database.open("inmemory:")) {
      db.run(tx -> tx.items(before).set(new Before("a", true), "A"));
      assertEquals(
          new After("a", true, 9, null),
          db.view(tx -> tx.items(after).fetch(new After("a", false, 0, null))).key());
      db.run(tx -> tx.items(after).set(new After("b", false, 3, "n"), "B"));
      assertThrows(
          SchemaException.class,
          () -> db.run(tx -> tx.items(before).set(new Before("c", true), "C")));
      assertEquals(
          List.of(9, 3),
          db.view(tx -> tx.items(after).keys(Range.all()).map(After::level).toList()));
    }
  }

  record Empty(@Ride boolean only) {}

  record Odd(Thread thread) {}

  record DescRide(String a, @Ride @Desc boolean b) {}

  record BadDefault(String a, @Ride("many") int b) {}

  @Test
  void refusesWhatCanBeNoKey() {
    assertThrows(MisuseException.class, () -> Store.of("x", Thread.class, Codec.bytes()));
    assertThrows(MisuseException.class, () -> Store.of("x", Empty.class, Codec.bytes()));
    assertThrows(MisuseException.class, () -> Store.of("x", Odd.class, Codec.bytes()));
    assertThrows(MisuseException.class, () -> Store.of("x", DescRide.class, Codec.bytes()));
    assertThrows(MisuseException.class, () -> Store.of("x", BadDefault.class, Codec.bytes()));
  }

  /* ---- values ---- */

  private static <K> byte[] packed(Class<K> type, K key) {
    KeyType<K> keys = KeyType.of(type);
    long schema = Raw.sop_schema_parse(keys.schema().getBytes(StandardCharsets.UTF_8));
    try {
      return Raw.java_key_pack(schema, keys.encode(key), 0);
    } finally {
      Raw.java_schema_free(schema);
    }
  }

  @Test
  void refusesWhatWouldBeRounded() {
    assertThrows(SchemaException.class, () -> packed(Instant.class, Instant.ofEpochSecond(0, 1)));
    assertThrows(SchemaException.class, () -> packed(Instant.class, Instant.MAX));
    assertThrows(SchemaException.class, () -> packed(Double.class, Double.NaN));
    assertThrows(SchemaException.class, () -> packed(String.class, "\udc00"));
    assertThrows(SchemaException.class, () -> packed(String.class, "a\ud800b"));
    assertThrows(
        SchemaException.class, () -> packed(BigInteger.class, BigInteger.ONE.shiftLeft(64)));
    assertThrows(
        SchemaException.class,
        () ->
            packed(
                BigInteger.class, BigInteger.ONE.shiftLeft(63).negate().subtract(BigInteger.ONE)));
    assertThrows(NullPointerException.class, () -> packed(String.class, null));
    assertThrows(LimitException.class, () -> packed(String.class, "x".repeat(70_000)));
  }

  @Test
  void refusesWhatItCannotRead() {
    Store<BigInteger, String> big = Store.of("n", BigInteger.class, Codec.string());
    Store<Long, String> narrow = Store.of("n", Long.class, Codec.string());
    Store<Integer, String> small = Store.of("n", Integer.class, Codec.string());
    try (Database db = Database.open("inmemory:")) {
      db.run(tx -> tx.items(big).set(BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE), "top"));
      assertThrows(SchemaException.class, () -> db.view(tx -> tx.map(narrow).firstKey()));
      db.run(
          tx -> {
            tx.items(big).removeRange(Range.all());
            tx.items(narrow).set(1L << 40, "wide");
          });
      long first = db.view(tx -> tx.map(narrow).firstKey());
      assertEquals(1L << 40, first);
      assertThrows(SchemaException.class, () -> db.view(tx -> tx.map(small).firstKey()));
    }
  }

  @Test
  void instantsGoToTheEdgesOfTheirRange() {
    Store<Instant, Long> times = Store.of("times", Instant.class, Codec.counter());
    try (Database db = Database.open("inmemory:")) {
      for (long micros :
          new long[] {Long.MIN_VALUE, Long.MIN_VALUE + 1, -1, 0, 1, Long.MAX_VALUE}) {
        Instant time = Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
        db.run(tx -> tx.items(times).set(time, micros));
        assertEquals(micros, db.get(times, time));
      }
      List<Instant> order = db.view(tx -> new ArrayList<>(tx.map(times).keySet()));
      assertEquals(order.stream().sorted().toList(), order);
      assertEquals(Instant.EPOCH.plus(Long.MIN_VALUE, ChronoUnit.MICROS), order.get(0));
    }
  }

  /**
   * Texts of the planes where UTF-16 and UTF-8 differ, bytes with their sign bit, zeros of both
   * signs.
   */
  @Test
  void comparesAsTheStoreSorts() {
    Random random = new Random(11);
    checkOrder(String.class, random, r -> randomText(r));
    checkOrder(byte[].class, random, KeyTest::randomBytes);
    checkOrder(UUID.class, random, r -> new UUID(r.nextLong(), r.nextLong()));
    checkOrder(
        Double.class,
        random,
        r -> r.nextInt(4) == 0 ? -0.0 : r.nextInt(4) == 0 ? 0.0 : r.nextGaussian());
    checkOrder(
        EmpKey.class,
        random,
        r ->
            new EmpKey(
                r.nextInt(5) == 0 ? null : randomText(r),
                r.nextInt(5) == 0 ? null : Instant.ofEpochSecond(r.nextInt(3)),
                r.nextInt(3),
                r.nextBoolean(),
                null));
  }

  private static <K> void checkOrder(
      Class<K> type, Random random, java.util.function.Function<Random, K> make) {
    Comparator<K> order = Store.of("x", type, Codec.bytes()).comparator();
    for (int i = 0; i < 400; i++) {
      K a = make.apply(random);
      K b = make.apply(random);
      int expected = Arrays.compareUnsigned(sortPart(type, a), sortPart(type, b));
      assertEquals(
          Integer.signum(expected), Integer.signum(order.compare(a, b)), () -> a + " and " + b);
    }
  }

  private static <K> byte[] sortPart(Class<K> type, K key) {
    KeyType<K> keys = KeyType.of(type);
    long schema = Raw.sop_schema_parse(keys.schema().getBytes(StandardCharsets.UTF_8));
    try {
      return Raw.java_key_pack(schema, keys.encodeSort(key), 1);
    } finally {
      Raw.java_schema_free(schema);
    }
  }

  private static String randomText(Random random) {
    int[] points = {'a', 'b', 0xe9, 0xffff, 0xe000, 0x10000, 0x1f600, 0};
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(4); i > 0; i--) {
      text.appendCodePoint(points[random.nextInt(points.length)]);
    }
    return text.toString();
  }

  private static byte[] randomBytes(Random random) {
    byte[] bytes = new byte[random.nextInt(4)];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (random.nextBoolean() ? random.nextInt(3) : 255 - random.nextInt(3));
    }
    return bytes;
  }
}
