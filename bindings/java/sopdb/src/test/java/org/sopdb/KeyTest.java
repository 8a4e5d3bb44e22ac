package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.math.BigInteger;
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
  void packsAndUnpacksAllVectors() throws Throwable {
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

  private static void checkVector(JsonNode fields, JsonNode values, String hex, String line)
      throws Throwable {
    FieldWriter out = new FieldWriter(0);
    byte[] packed = HEX.parseHex(hex);
    FieldReader in = new FieldReader(packed).to(0, packed.length);
    for (int i = 0; i < fields.size(); i++) {
      String name = fields.get(i).get("t").textValue();
      boolean descending = fields.get(i).get("desc").booleanValue();
      FieldType type = FieldType.of(classOf(name));
      Object given = valueOf(name, values.get(i));
      type.write(out, given, descending);
      Object value = type.reader(descending, "f" + i).invoke(in);
      assertTrue(Objects.deepEquals(normal(given), value), () -> line + ": " + value);
    }
    assertFalse(in.hasNext(), line);
    assertEquals(hex, HEX.formatHex(out.toBytes()), line);
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

  /** What is packed is unpacked, and nothing but that is. */
  @Test
  void unpacksWhatIsPackedAndNothingElse() {
    Store<EmpKey, byte[]> store = Store.of("emp", EmpKey.class, Codec.bytes());
    EmpKey key = new EmpKey("a\0b", Instant.ofEpochSecond(1), -70_000, true, "n");
    byte[] packed = store.packKey(key);
    assertEquals(key, store.unpackKey(packed));
    for (int size = 0; size < packed.length; size++) {
      EmpKey cut = null;
      try {
        cut = store.unpackKey(Arrays.copyOf(packed, size));
      } catch (SchemaException e) {
        assertTrue(e.getMessage().contains("key"), e.getMessage());
      }
      if (cut != null) { // fields that ride along were left out
        assertEquals(key.region() + key.empId(), cut.region() + cut.empId());
      }
    }
    assertThrows(
        SchemaException.class, () -> store.unpackKey(Arrays.copyOf(packed, packed.length + 1)));
    Random random = new Random(3);
    for (int i = 0; i < 2_000; i++) {
      byte[] other = packed.clone();
      other[random.nextInt(other.length)] = (byte) random.nextInt(256);
      try {
        byte[] again = store.packKey(store.unpackKey(other));
        assertTrue(Arrays.equals(other, Arrays.copyOf(again, other.length)), HEX.formatHex(other));
      } catch (SchemaException e) {
        assertFalse(Arrays.equals(other, packed), e.getMessage());
      }
    }
    byte[] prefix = store.packPrefix(key.region(), key.hired());
    assertTrue(prefix.length > store.packPrefix(key.region()).length);
    assertTrue(Arrays.equals(prefix, Arrays.copyOf(packed, prefix.length)));
    assertEquals(0, store.packPrefix().length);
    assertThrows(MisuseException.class, () -> store.packPrefix("a", key.hired(), 1L, true));
    assertThrows(SopException.class, () -> store.packPrefix(1));
    Store<byte[], byte[]> raw = Store.raw("raw", Codec.bytes());
    assertEquals("01", HEX.formatHex(raw.packPrefix(new byte[] {1})));
    assertEquals("0102", HEX.formatHex(raw.unpackKey(raw.packKey(new byte[] {1, 2}))));
    Store<Double, byte[]> reals = Store.of("reals", Double.class, Codec.bytes());
    assertThrows( // the zero that is written as the other one
        SchemaException.class, () -> reals.unpackKey(HEX.parseHex("217fffffffffffffff")));
  }

  /** Every value that a field may have, sorted either way, comes back as it was. */
  @Test
  void readsWhatItHasWritten() {
    Random random = new Random(7);
    Store<Everything, byte[]> store = Store.of("all", Everything.class, Codec.bytes());
    try (Database db = Database.open("inmemory:")) {
      for (int i = 0; i < 300; i++) {
        Everything key = Everything.random(random);
        db.run(tx -> tx.items(store).set(key, new byte[0]));
        assertTrue(key.isLike(db.view(tx -> tx.items(store).fetch(key)).key()), key::toString);
        assertTrue(key.isLike(db.view(tx -> tx.map(store).firstKey())), key::toString);
        assertTrue(
            key.isLike(db.view(tx -> tx.items(store).keyCursor(Range.all()).first()).key()),
            key::toString);
        db.run(tx -> tx.items(store).remove(key));
      }
    }
  }

  /** A field of each type in each direction, not in the order of the stored ones. */
  record Everything(
      @Ride int ridden,
      @Desc String downText,
      String text,
      @Desc byte[] downBytes,
      byte[] bytes,
      @Ride @Name("more") String riddenText,
      @Desc long down,
      long up,
      @Desc Long downBoxed,
      int small,
      @Desc Integer smallBoxed,
      BigInteger big,
      @Desc BigInteger downBig,
      double real,
      @Desc Double downReal,
      boolean on,
      @Desc Boolean downOn,
      UUID id,
      @Desc UUID downId,
      Instant at,
      @Desc Instant downAt) {
    static Everything random(Random r) {
      return new Everything(
          (int) number(r),
          randomText(r),
          maybe(r, KeyTest::randomText),
          zeros(r),
          maybe(r, Everything::zeros),
          maybe(r, KeyTest::randomText),
          number(r),
          number(r),
          maybe(r, Everything::number),
          (int) number(r),
          maybe(r, x -> (int) number(x)),
          big(r),
          maybe(r, Everything::big),
          r.nextGaussian(),
          maybe(r, x -> x.nextInt() * 1e300),
          r.nextBoolean(),
          maybe(r, Random::nextBoolean),
          new UUID(r.nextLong(), r.nextLong()),
          maybe(r, x -> new UUID(x.nextLong(), x.nextLong())),
          Instant.EPOCH.plus(number(r), ChronoUnit.MICROS),
          maybe(r, x -> Instant.EPOCH.plus(number(x), ChronoUnit.MICROS)));
    }

    private static <T> T maybe(Random r, java.util.function.Function<Random, T> make) {
      return r.nextInt(6) == 0 ? null : make.apply(r);
    }

    /** Of every length, and near the powers of 256. */
    private static long number(Random r) {
      long power = 1L << 8 * r.nextInt(8);
      return switch (r.nextInt(4)) {
        case 0 -> r.nextLong() >> r.nextInt(64);
        case 1 -> r.nextInt(3) - 1 + power;
        case 2 -> r.nextInt(3) - 1 - power;
        default -> r.nextBoolean() ? Long.MIN_VALUE : Long.MAX_VALUE;
      };
    }

    private static BigInteger big(Random r) {
      return r.nextInt(3) == 0 ? new BigInteger(64, r) : BigInteger.valueOf(number(r));
    }

    /** Bytes with many that stand for something in a packed key. */
    private static byte[] zeros(Random r) {
      byte[] bytes = new byte[r.nextInt(24)];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = r.nextInt(3) > 0 ? (byte) r.nextInt() : (byte) (r.nextInt(3) - 1);
      }
      return bytes;
    }

    private Object[] values() {
      return new Object[] {
        ridden,
        downText,
        text,
        downBytes,
        bytes,
        riddenText,
        down,
        up,
        downBoxed,
        small,
        smallBoxed,
        big,
        downBig,
        real,
        downReal,
        on,
        downOn,
        id,
        downId,
        at,
        downAt
      };
    }

    boolean isLike(Everything other) {
      return Arrays.deepEquals(values(), other.values());
    }
  }

  @Test
  void keysThatAreCutOffAreRefused() {
    byte[] whole = packed(EmpKey.class, new EmpKey("a\0b", Instant.EPOCH, 300, true, "n"));
    KeyType<EmpKey> keys = KeyType.of(EmpKey.class);
    assertEquals("a\0b", keys.decode(new FieldReader(whole).to(0, whole.length)).region());
    for (int size = 0; size < whole.length - 5; size++) { // the last two ride along
      byte[] cut = Arrays.copyOf(whole, size);
      assertThrows(
          SchemaException.class, () -> keys.decode(new FieldReader(cut).to(0, cut.length)));
    }
    byte[] odd = whole.clone();
    odd[0] = 0x77;
    assertThrows(SchemaException.class, () -> keys.decode(new FieldReader(odd).to(0, odd.length)));
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
    return KeyType.of(type).encode(key);
  }

  @Test
  void refusesWhatWouldBeRounded() {
    String fine =
        assertThrows(
                SchemaException.class, () -> packed(Instant.class, Instant.ofEpochSecond(0, 1)))
            .getMessage();
    assertTrue(fine.contains("truncatedTo(ChronoUnit.MICROS)"), fine);
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
  }

  @Test
  void refusesWhatIsTooLong() {
    Store<String, String> store = Store.of("n", String.class, Codec.string());
    String longest = "x".repeat(65_533);
    try (Database db = Database.open("inmemory:")) {
      db.run(tx -> tx.items(store).set(longest, "there"));
      assertEquals("there", db.get(store, longest));
      String longer = longest + "x";
      assertThrows(LimitException.class, () -> db.run(tx -> tx.items(store).set(longer, "")));
      assertThrows(LimitException.class, () -> db.get(store, longer));
      assertThrows(
          LimitException.class,
          () -> db.view(tx -> tx.items(store).count(Range.<String>all().from(longer))));
    }
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
    return KeyType.of(type).encodeSort(key);
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
