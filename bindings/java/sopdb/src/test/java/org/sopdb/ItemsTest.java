package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a store can do in a transaction. */
class ItemsTest {
  record User(String name, int age) {
    User older() {
      return new User(name, age + 1);
    }
  }

  record Place(String region, String city, @Ride boolean closed, @Ride("0") int rank) {}

  private static final Store<String, User> USERS =
      Store.of("users", String.class, Codec.json(User.class));
  private static final Store<Long, String> NUMBERS =
      Store.of("numbers", Long.class, Codec.string()).withNodeItems(4);
  private static final Store<Place, String> PLACES =
      Store.of("places", Place.class, Codec.string());
  private static final Store<String, String> VISITS =
      Store.of("visits", String.class, Codec.string()).withDuplicates();
  private static final Store<String, Long> COUNTS =
      Store.of("counts", String.class, Codec.counter());
  private static final Store<byte[], byte[]> RAW = Store.raw("raw", Codec.bytes());

  private final Database db = Database.open("inmemory:");

  @AfterEach
  void close() {
    db.close();
  }

  private static List<Map.Entry<Long, String>> numbers(int count) {
    return IntStream.range(0, count).mapToObj(i -> Map.entry((long) i, "v" + i)).toList();
  }

  private static final int[] KEY_SIZES = {1, 2, 511, 512, 513, 2000};
  private static final int[] VALUE_SIZES = {0, 1, 3583, 3584, 3585, 100_000};

  private static byte[] filled(int size, int with) {
    byte[] bytes = new byte[size];
    Arrays.fill(bytes, (byte) with);
    return bytes;
  }

  /** Small ones go another way than large ones, and values change the way of those after them. */
  @Test
  void getsKeysAndValuesOfEverySize() {
    db.run(
        tx -> {
          for (int i = 0; i < KEY_SIZES.length; i++) {
            for (int j = 0; j < VALUE_SIZES.length; j++) {
              tx.items(RAW).set(filled(KEY_SIZES[i], j), filled(VALUE_SIZES[j], i + 1));
            }
          }
        });
    for (int turn = 0; turn < KEY_SIZES.length * VALUE_SIZES.length; turn++) {
      int from = turn;
      db.view(
          tx -> {
            Items<byte[], byte[]> items = tx.items(RAW);
            byte[] first = null;
            for (int n = 0; n < KEY_SIZES.length * VALUE_SIZES.length; n++) {
              int place = (from + n) % (KEY_SIZES.length * VALUE_SIZES.length);
              int i = place / VALUE_SIZES.length;
              int j = place % VALUE_SIZES.length;
              byte[] value = items.get(filled(KEY_SIZES[i], j));
              assertArrayEquals(filled(VALUE_SIZES[j], i + 1), value);
              assertNull(items.get(filled(KEY_SIZES[i], 99)));
              if (first == null) {
                first = value;
              }
            }
            int i = from / VALUE_SIZES.length;
            assertArrayEquals(filled(VALUE_SIZES[from % VALUE_SIZES.length], i + 1), first);
            return null;
          });
    }
  }

  @Test
  void keepsValuesAsJsonThatOthersRead() {
    db.run(
        tx -> {
          tx.map(USERS).set("ann", new User("Änn \ud83d\ude00", 30));
          assertEquals(
              31, tx.map(USERS).merge("ann", new User("", 0), (old, none) -> old.older()).age());
        });
    assertEquals(new User("Änn \ud83d\ude00", 31), db.get(USERS, "ann"));
    byte[] stored = db.get(Store.of("users", String.class, Codec.bytes()), "ann");
    assertEquals(
        "{\"name\":\"Änn \ud83d\ude00\",\"age\":31}", new String(stored, StandardCharsets.UTF_8));
    db.run(tx -> tx.items(Store.of("users", String.class, Codec.string())).set("bad", "{"));
    assertThrows(SchemaException.class, () -> db.get(USERS, "bad"));
    assertEquals(
        31,
        db.get(Store.of("users", String.class, Codec.json(Map.class, new ObjectMapper())), "ann")
            .get("age"));
  }

  @Test
  void aCursorOverKeysReadsNoValues() {
    db.run(
        tx -> {
          tx.items(USERS).set("ann", new User("Ann", 1));
          try (Cursor<String, User> cursor = tx.items(USERS).keyCursor(Range.all())) {
            assertNull(cursor.next().value());
            assertTrue(cursor.update(new User("Ann", 2)));
          }
          assertEquals(2, tx.items(USERS).get("ann").age());
        });
  }

  @Test
  void insertsUpdatesAndRemoves() {
    db.run(
        tx -> {
          Items<Long, String> items = tx.items(NUMBERS);
          assertTrue(items.insert(1L, "one"));
          assertFalse(items.insert(1L, "again"));
          assertThrows(ExistsException.class, () -> items.append(1L, "again"));
          assertTrue(items.update(1L, "uno"));
          assertFalse(items.update(2L, "dos"));
          assertEquals("uno", items.get(1L));
          assertEquals(Optional.empty(), items.find(2L));
          assertTrue(items.contains(1L));
          assertFalse(items.contains(2L));
          assertTrue(items.remove(1L));
          assertFalse(items.remove(1L));
          assertNull(items.fetch(1L));
          assertThrows(NullPointerException.class, () -> items.set(1L, null));
          assertThrows(NullPointerException.class, () -> items.set(null, "x"));
        });
  }

  /** Putting creates the store; everything else says that it is not there. */
  @Test
  void createsTheStoreWithTheFirstWriteOnly() {
    try (Transaction tx = db.begin()) {
      Items<Long, String> items = tx.items(NUMBERS);
      for (org.junit.jupiter.api.function.Executable read :
          List.<org.junit.jupiter.api.function.Executable>of(
              () -> items.get(1L),
              () -> items.contains(1L),
              () -> items.fetch(1L),
              () -> items.getMany(List.of(1L)),
              () -> items.update(1L, "x"),
              () -> items.remove(1L),
              items::count,
              () -> items.removeRange(Range.all()),
              () -> items.stream(Range.all()).toList(),
              items::cursor,
              () -> items.updateMany(numbers(2)),
              () -> tx.map(NUMBERS).firstEntry(),
              () -> tx.map(NUMBERS).remove(1L))) {
        assertEquals("numbers", assertThrows(NotFoundException.class, read).store());
      }
      assertEquals(List.of(), tx.stores());
      assertNull(tx.map(NUMBERS).put(1L, "one"));
      assertTrue(tx.items(PLACES).insert(new Place("US", "NYC", false, 1), "x"));
      tx.items(COUNTS).max("a", 3);
      tx.items(VISITS).append("a", "1");
      tx.items(RAW).putMany(List.of(Map.entry(new byte[1], new byte[1])));
      assertEquals(List.of("counts", "numbers", "places", "raw", "visits"), tx.stores());
    }
  }

  @Test
  void movesManyInFewCalls() {
    int count = 10_000;
    db.run(
        tx -> {
          tx.map(NUMBERS).putMany(numbers(count));
          assertEquals(count, tx.items(NUMBERS).count());
          List<Long> wanted = new ArrayList<>();
          for (long i = -2; i < count + 2; i++) {
            wanted.add(i);
          }
          Map<Long, String> found = tx.map(NUMBERS).getMany(wanted);
          assertEquals(count, found.size());
          assertEquals("v9999", found.get(9999L));
          assertEquals(0, tx.items(NUMBERS).insertMany(numbers(3)));
          tx.items(NUMBERS).remove(5_000L);
          assertEquals(5_000, tx.items(NUMBERS).updateMany(numbers(count)));
          assertEquals(
              5_000,
              tx.items(NUMBERS)
                  .removeMany(() -> numbers(count).stream().map(Map.Entry::getKey).iterator()));
          assertEquals(count - 5_001, tx.items(NUMBERS).count());
          assertEquals(
              1,
              tx.items(NUMBERS)
                  .insertMany(
                      List.of(Map.entry(0L, "x"), Map.entry(5_001L, "y"), Map.entry(1L, "z"))));
        });
    assertEquals(count - 5_000, db.approxCount(NUMBERS));
  }

  @Test
  void fetchesManyItemsWithAllThatIsKnown() {
    Place nyc = new Place("US", "NYC", true, 7);
    Place bonn = new Place("DE", "Bonn", false, 1);
    long first =
        db.update(
            tx -> {
              tx.items(PLACES).set(nyc, "nyc");
              long id = tx.items(VISITS).append("a", "old");
              tx.items(VISITS).append("a", "new");
              return id;
            });
    db.run(
        tx -> {
          Items<Place, String> places = tx.items(PLACES);
          places.set(bonn, "bonn");
          Place asked = new Place("US", "NYC", false, 0); // its ride-along fields do not count
          Map<Place, Item<Place, String>> found =
              places.fetchMany(List.of(bonn, new Place("XX", "", false, 0), asked));
          assertEquals(List.of(bonn, asked), new ArrayList<>(found.keySet()));
          assertEquals(nyc, found.get(asked).key());
          assertEquals("nyc", found.get(asked).value());
          assertEquals(places.fetch(nyc).version(), found.get(asked).version());
          assertTrue(found.get(asked).version() > 0);
          assertEquals(0, found.get(bonn).version(), "this transaction has written it");
          Item<String, String> oldest = tx.items(VISITS).fetchMany(List.of("a")).get("a");
          assertEquals(first, oldest.id());
          assertEquals("old", oldest.value());
          assertTrue(tx.items(NUMBERS).insert(1L, "one"));
          List<Long> many = IntStream.range(0, 10_000).mapToObj(i -> (long) i).toList();
          assertEquals(1, tx.items(NUMBERS).fetchMany(many).size());
        });
  }

  @Test
  void rowsOfTextsWithNulsAndOfEveryLengthSurviveThePacking() {
    Store<String, String> texts = Store.of("texts", String.class, Codec.string());
    Map<String, String> all = new TreeMap<>(texts.comparator());
    for (int i = 0; i < 600; i++) {
      all.put("\0".repeat(i % 40) + "k" + i, "v".repeat(i));
    }
    all.put("\0".repeat(30_000), "long");
    db.run(tx -> tx.map(texts).putAll(all));
    db.view(
        tx -> {
          assertEquals(all, tx.map(texts));
          assertEquals(all, tx.map(texts).getMany(all.keySet()));
          assertEquals(new ArrayList<>(all.keySet()), tx.items(texts).keys(Range.all()).toList());
          return null;
        });
  }

  @Test
  void scansRangesBothWays() {
    db.run(tx -> tx.map(NUMBERS).putMany(numbers(3000)));
    db.view(
        tx -> {
          Items<Long, String> items = tx.items(NUMBERS);
          assertEquals(3000, items.stream(Range.all()).count());
          assertEquals(List.of(5L, 6L), items.keys(Range.<Long>all().from(5L).to(7L)).toList());
          assertEquals(
              List.of(6L, 7L), items.keys(Range.<Long>all().after(5L).through(7L)).toList());
          assertEquals(2, items.count(Range.<Long>all().from(2998L)));
          List<Long> down = items.reverse(Range.<Long>all().to(2500L)).map(Item::key).toList();
          assertEquals(2500, down.size());
          assertEquals(2499, down.get(0));
          assertEquals(0, down.get(2499));
          assertEquals(
              IntStream.range(0, 3000).mapToObj(i -> "v" + i).toList(),
              items.stream(Range.all()).map(Item::value).toList());
          return null;
        });
    long removed =
        db.update(tx -> tx.items(NUMBERS).removeRange(Range.<Long>all().from(500L).to(2500L)));
    assertEquals(2000, removed);
    long left = db.view(tx -> tx.items(NUMBERS).count());
    assertEquals(1000, left);
  }

  /** What is behind the limit is not read: a change of it is no conflict. */
  @Test
  void readsNothingBeyondALimit() {
    db.run(tx -> tx.map(NUMBERS).putMany(numbers(100)));
    for (boolean reverse : new boolean[] {false, true}) {
      for (long changed : new long[] {3, 50}) {
        try (Transaction tx = db.begin()) {
          Range<Long> range = Range.<Long>all().to(94L);
          List<Long> met =
              (reverse ? tx.items(NUMBERS).reverse(range, 5) : tx.items(NUMBERS).stream(range, 5))
                  .map(Item::key)
                  .toList();
          assertEquals(
              reverse ? List.of(93L, 92L, 91L, 90L, 89L) : List.of(0L, 1L, 2L, 3L, 4L), met);
          assertEquals(
              met,
              (reverse ? tx.items(NUMBERS).reverseKeys(range, 5) : tx.items(NUMBERS).keys(range, 5))
                  .toList());
          tx.map(NUMBERS).set(1000L, "mine");
          db.run(rival -> rival.map(NUMBERS).set(reverse ? 93 - changed : changed, "rival"));
          if (changed < 5) {
            assertThrows(ConflictException.class, tx::commit);
          } else {
            tx.commit();
          }
        }
      }
    }
    db.run(
        tx -> {
          tx.items(VISITS).append("a", "1");
          tx.items(VISITS).append("a", "2");
          assertEquals(
              List.of("2"), tx.items(VISITS).reverse(Range.all(), 1).map(Item::value).toList());
          assertEquals(
              List.of("1"), tx.items(VISITS).stream(Range.all(), 1).map(Item::value).toList());
        });
  }

  @Test
  void takesLeadingFieldsAsBounds() {
    String[][] places = {
      {"DE", "Berlin"}, {"DE", "Bonn"}, {"FR", "Paris"}, {"US", "Boston"}, {"US", "NYC"}
    };
    db.run(
        tx -> {
          for (String[] place : places) {
            tx.items(PLACES)
                .set(new Place(place[0], place[1], place[1].startsWith("B"), 1), place[1]);
          }
        });
    db.view(
        tx -> {
          Items<Place, String> items = tx.items(PLACES);
          assertEquals(
              List.of("Berlin", "Bonn"),
              items.stream(Range.prefix("DE")).map(Item::value).toList());
          assertEquals(
              List.of("NYC", "Boston"),
              items.reverse(Range.prefix("US")).map(Item::value).toList());
          assertEquals(5, items.count(Range.prefix()));
          assertEquals(3, items.count(Range.<Place>all().fromFields("FR")));
          assertEquals(2, items.count(Range.<Place>all().toFields("FR")));
          assertEquals(
              List.of("Bonn", "Berlin"),
              new ArrayList<>(tx.map(PLACES).prefix("DE").descendingMap().values()));
          assertEquals("Paris", tx.map(PLACES).prefix("FR").firstEntry().getValue());
          assertTrue(tx.map(PLACES).prefix("XX").isEmpty());
          assertEquals(1, items.keys(Range.prefix("US")).filter(place -> !place.closed()).count());
          assertThrows(MisuseException.class, () -> items.count(Range.prefix("a", "b", "c")));
          assertThrows(MisuseException.class, () -> items.count(Range.prefix(1)));
          try (Cursor<Place, String> cursor = items.cursor(Range.prefix("US"))) {
            assertEquals("NYC", cursor.seekFields(Cursor.Seek.CEILING, "US", "C").value());
          }
          return null;
        });
    db.run(
        tx -> {
          assertThrows(
              IllegalArgumentException.class,
              () -> tx.map(PLACES).prefix("DE").set(new Place("US", "LA", false, 0), "LA"));
          tx.map(PLACES).prefix("DE").clear();
          assertEquals(3, tx.map(PLACES).size());
        });
  }

  @Test
  void textsMayBeginTheFieldOfAKey() {
    Store<String, String> texts = Store.of("texts", String.class, Codec.string());
    List<String> all =
        List.of("", "a", "an", "ann", "ao", "b", "\uD7FF", "\uD7FFx", "\uE000", "\uDBFF\uDFFFx");
    db.run(
        tx -> {
          all.forEach(text -> tx.map(texts).set(text, text));
          for (String begin : List.of("", "a", "an", "ann", "x", "\uD7FF", "\uDBFF\uDFFF")) {
            List<String> wanted = all.stream().filter(text -> text.startsWith(begin)).toList();
            assertEquals(wanted, new ArrayList<>(tx.map(texts).startsWith(begin).keySet()));
            assertEquals(wanted.size(), tx.items(texts).count(Range.startsWith(begin)));
          }
          StoreMap<String, String> an = tx.map(texts).startsWith("an");
          assertEquals("ann", an.descendingMap().firstKey());
          assertEquals(List.of("ann"), new ArrayList<>(an.tailMap("an", false).keySet()));
          assertEquals(List.of("an"), new ArrayList<>(an.headMap("ann").keySet()));
          assertFalse(an.containsKey("ao"));
          assertThrows(IllegalArgumentException.class, () -> an.set("ao", "outside"));
        });
    db.run(
        tx -> {
          for (String[] place : new String[][] {{"DE", "Bonn"}, {"US", "Boston"}, {"USA", "B"}}) {
            tx.items(PLACES).set(new Place(place[0], place[1], false, 1), place[1]);
          }
          Items<Place, String> items = tx.items(PLACES);
          assertEquals(1, items.count(Range.startsWith("US", "Bo")));
          assertEquals(2, items.count(Range.startsWith("U")));
          assertEquals(1, items.count(Range.startsWith("US", "")));
          assertEquals(0, items.count(Range.startsWith("US", "\uDBFF\uDFFF")));
          assertThrows(MisuseException.class, () -> Range.startsWith());
          assertThrows(MisuseException.class, () -> Range.startsWith("US", 1));
          assertThrows(MisuseException.class, () -> items.count(Range.startsWith("US", "B", "x")));
        });
    record Newest(@Desc String name, long number) {}
    Store<Newest, String> newest = Store.of("newest", Newest.class, Codec.string());
    db.run(
        tx -> {
          tx.items(newest).set(new Newest("a", 1), "");
          assertThrows(MisuseException.class, () -> tx.items(newest).count(Range.startsWith("a")));
          assertThrows(MisuseException.class, () -> tx.map(newest).startsWith("a"));
          assertThrows(MisuseException.class, () -> tx.map(RAW).startsWith("a"));
        });
  }

  @Test
  void prefixesOfRawKeysAreBytes() {
    byte[][] keys = {{}, {1}, {1, 0}, {1, (byte) 255}, {2}, {(byte) 255}, {(byte) 255, (byte) 255}};
    db.run(
        tx -> {
          for (byte[] key : keys) {
            tx.items(RAW).set(key, key);
          }
          Items<byte[], byte[]> items = tx.items(RAW);
          assertEquals(3, items.count(Range.prefix(new byte[] {1})));
          assertEquals(2, items.reverse(Range.prefix(new byte[] {(byte) 255})).count());
          assertEquals(7, items.count(Range.prefix(new byte[0])));
          assertEquals(2, items.count(Range.<byte[]>all().through(new byte[] {1})));
          assertEquals(
              1, tx.map(RAW).headMap(new byte[] {1}, true).tailMap(new byte[] {1}, true).size());
        });
  }

  @Test
  void fieldsThatRideAlongAreReadAndSetWithoutTheValue() {
    Place key = new Place("US", "NYC", false, 1);
    db.run(
        tx -> {
          Items<Place, String> items = tx.items(PLACES);
          items.set(key, "v");
          assertTrue(items.setRide(new Place("US", "NYC", true, 2)));
          assertFalse(items.setRide(new Place("US", "LA", true, 2)));
          Item<Place, String> item = items.fetch(key);
          assertEquals(new Place("US", "NYC", true, 2), item.key());
          assertEquals("v", item.value());
          assertTrue(items.update(key, "w"));
          assertEquals(key, items.fetch(key).key());
          try (Cursor<Place, String> cursor = items.keyCursor(Range.all())) {
            assertEquals(key, cursor.next().key());
          }
        });
  }

  @Test
  void duplicatesKeepTheirOrderAndHaveIds() {
    db.run(
        tx -> {
          Items<String, String> items = tx.items(VISITS);
          List<Long> ids = new ArrayList<>();
          for (int i = 0; i < 50; i++) {
            ids.add(items.append("a", "a" + i));
            items.append("b", "b" + i);
          }
          assertEquals("a0", items.get("a"));
          assertEquals(50, items.all("a").size());
          assertEquals(ids, items.all("a").stream().map(Item::id).toList());
          assertTrue(items.remove("a", ids.get(1)));
          assertFalse(items.remove("a", ids.get(1)));
          assertTrue(items.update("a", ids.get(2), "new"));
          assertEquals("new", items.fetch("a", ids.get(2)).value());
          assertTrue(items.remove("a"));
          assertEquals("new", items.get("a"));
          List<String> up = items.stream(Range.all()).map(Item::value).toList();
          List<String> down = new ArrayList<>(items.reverse(Range.all()).map(Item::value).toList());
          Collections.reverse(down);
          assertEquals(98, up.size());
          assertEquals(up, down);
          assertEquals(40, items.count(Range.<String>all().after("a", ids.get(9)).to("b")));
          assertEquals(
              47, items.stream(Range.<String>all().after("a", ids.get(2)).to("b")).count());
          assertThrows(MisuseException.class, () -> tx.map(VISITS).set("a", "x"));
        });
  }

  @Test
  void aMapChangesTheDuplicateWhereItStands() {
    db.run(
        tx -> {
          for (String value : List.of("1", "2", "3", "4")) {
            tx.items(VISITS).append("k", value);
          }
          StoreMap<String, String> map = tx.map(VISITS);
          map.values().removeIf("2"::equals);
          assertEquals(List.of("1", "3", "4"), List.copyOf(map.values()));
          map.descendingMap().values().removeIf("3"::equals);
          assertEquals(List.of("1", "4"), List.copyOf(map.values()));
          map.entrySet().forEach(entry -> entry.setValue(entry.getValue() + "x"));
          assertEquals(List.of("1x", "4x"), List.copyOf(map.values()));
          assertEquals("4x", map.pollLastEntry().getValue());
          assertEquals(List.of("1x"), List.copyOf(map.values()));
          assertTrue(((Item<String, String>) map.firstEntry()).id() > 0);
        });
  }

  @Test
  void aMapOfDuplicatesIsWhatItsDocumentationSays() {
    db.run(
        tx -> {
          tx.items(VISITS).append("k", "old");
          tx.items(VISITS).append("k", "new");
          StoreMap<String, String> map = tx.map(VISITS);
          assertEquals(2, map.size());
          assertEquals("old", map.get("k"));
          assertEquals("old", map.remove("k"));
          assertEquals(List.of("new"), List.copyOf(map.values()));
        });
  }

  @Test
  void anItemIsAnEntryLikeOthers() {
    db.run(
        tx -> {
          tx.map(NUMBERS).set(1L, "one");
          Map.Entry<Long, String> first = tx.map(NUMBERS).firstEntry();
          assertEquals(first, Map.entry(1L, "one"));
          assertEquals(Map.entry(1L, "one").hashCode(), first.hashCode());
        });
  }

  @Test
  void saysAtOnceWhatIsWrongWithLeadingFieldsAndLimits() {
    db.run(
        tx -> {
          tx.map(NUMBERS).set(1L, "one");
          tx.map(PLACES).set(new Place("DE", "Bonn", false, 0), "");
          tx.map(RAW).set(new byte[] {1}, new byte[0]);
          assertThrows(MisuseException.class, () -> tx.map(PLACES).prefix("DE", "Bonn", "x"));
          assertThrows(MisuseException.class, () -> tx.map(RAW).prefix("x"));
          assertThrows(MisuseException.class, () -> tx.map(RAW).prefix());
          assertThrows(
              SchemaException.class,
              () -> tx.items(NUMBERS).count(Range.prefix(BigInteger.ONE.shiftLeft(64))));
          assertThrows(MisuseException.class, () -> tx.items(NUMBERS).stream(Range.all(), -1));
          assertThrows(MisuseException.class, () -> tx.items(NUMBERS).reverse(Range.all(), -1));
        });
  }

  @Test
  void countersChangeWithoutBeingRead() {
    db.run(
        tx -> {
          Items<String, Long> items = tx.items(COUNTS);
          items.add("a", 5);
          items.add("a", -7);
          items.max("b", 3);
          items.max("b", 2);
          items.min("c", 3);
          items.min("c", 2);
        });
    assertEquals(Map.of("a", -2L, "b", 3L, "c", 2L), db.view(tx -> new TreeMap<>(tx.map(COUNTS))));
    db.run(
        tx -> tx.items(Store.of("counts", String.class, Codec.string())).set("text", "no number"));
    assertThrows(SchemaException.class, () -> db.run(tx -> tx.items(COUNTS).add("text", 1)));
    assertThrows(SchemaException.class, () -> db.run(tx -> tx.items(USERS).add("new", 1)));
    assertThrows(SchemaException.class, () -> db.run(tx -> tx.items(USERS).min("new", 1)));
    assertThrows(SchemaException.class, () -> db.run(tx -> tx.items(USERS).max("new", 1)));
    assertThrows(SchemaException.class, () -> db.get(COUNTS, "text"));
  }

  @Test
  void cursorsGoBothWaysAndSurviveChanges() {
    db.run(
        tx -> {
          Items<Long, String> items = tx.items(NUMBERS);
          items.putMany(numbers(20));
          try (Cursor<Long, String> cursor = items.cursor(Range.<Long>all().from(5L).to(10L))) {
            assertNull(cursor.current());
            assertEquals(5, cursor.next().key());
            assertEquals(9, cursor.last().key());
            assertNull(cursor.next());
            assertEquals(9, cursor.previous().key());
            assertEquals(7, cursor.seek(7L, Cursor.Seek.EXACT).key());
            assertTrue(cursor.update("seven"));
            assertEquals("seven", cursor.current().value());
            assertTrue(cursor.remove());
            assertNull(cursor.current());
            assertFalse(cursor.remove());
            assertFalse(cursor.update("gone"));
            assertEquals(8, cursor.next().key());
            assertEquals(6, cursor.previous().key());
            assertEquals(6, cursor.seek(7L, Cursor.Seek.FLOOR).key());
            assertEquals(8, cursor.seek(7L, Cursor.Seek.CEILING).key());
            assertEquals(9, cursor.seek(8L, Cursor.Seek.HIGHER).key());
            assertEquals(8, cursor.seek(9L, Cursor.Seek.LOWER).key());
            assertNull(cursor.seek(7L, Cursor.Seek.EXACT));
            assertEquals(5, cursor.first().key());
          }
          Cursor<Long, String> closed = items.cursor();
          closed.close();
          assertThrows(ClosedException.class, closed::next);
        });
  }

  /**
   * Each key that lives is met once, and none that stays is left out, whatever changes on the way.
   */
  @Test
  void iteratorsGoOnAfterChanges() {
    db.run(tx -> tx.map(NUMBERS).putMany(numbers(300)));
    db.run(
        tx -> {
          StoreMap<Long, String> map = tx.map(NUMBERS);
          List<Long> met = new ArrayList<>();
          for (Long key : map.keySet()) {
            met.add(key);
            if (key < 300) {
              map.remove(key + 1);
              map.set(key + 1000, "new");
            }
          }
          List<Long> expected = new ArrayList<>();
          for (long i = 0; i < 300; i += 2) {
            expected.add(i);
          }
          for (long i = 0; i < 300; i += 2) {
            expected.add(i + 1000);
          }
          assertEquals(expected, met);
        });
    db.run(
        tx -> {
          var walk = tx.map(NUMBERS).descendingMap().entrySet().iterator();
          int removed = 0;
          while (walk.hasNext()) {
            Map.Entry<Long, String> entry = walk.next();
            if (entry.getKey() % 4 == 0) {
              walk.remove();
              removed++;
            } else {
              entry.setValue("kept");
            }
          }
          assertEquals(150, removed);
          assertTrue(tx.map(NUMBERS).values().stream().allMatch("kept"::equals));
          assertEquals(150, tx.map(NUMBERS).size());
        });
  }

  @Test
  void aMapOfRecordsIsSortedAsTheyAre() {
    db.run(
        tx -> {
          StoreMap<Place, String> map = tx.map(PLACES);
          Place nyc = new Place("US", "NYC", false, 1);
          assertNull(map.put(nyc, "1"));
          assertEquals("1", map.put(new Place("US", "NYC", true, 9), "2"));
          assertEquals(1, map.count());
          assertEquals(9, map.firstKey().rank());
          assertEquals("2", map.computeIfAbsent(nyc, k -> "never"));
          assertEquals("2!", map.computeIfPresent(nyc, (k, v) -> v + "!"));
          assertNull(map.compute(nyc, (k, v) -> null));
          assertNull(map.putIfAbsent(nyc, "3"));
          assertEquals("3", map.putIfAbsent(nyc, "4"));
          assertEquals("3", map.floorEntry(new Place("US", "Z", false, 0)).getValue());
          assertEquals("3", map.stream().map(Item::value).findFirst().orElseThrow());
        });
  }

  record Pair(int a, int b) {}

  /** Leading fields stand for all keys that begin with them. */
  @Test
  void rangesGoAfterAndThroughLeadingFields() {
    Store<Pair, byte[]> pairs = Store.of("pairs", Pair.class, Codec.bytes());
    List<Pair> all =
        List.of(new Pair(1, 1), new Pair(1, 2), new Pair(2, 1), new Pair(2, 2), new Pair(3, 1));
    Range<Pair> range = Range.all();
    try (Database db = Database.open("inmemory:")) {
      db.run(
          tx -> {
            Items<Pair, byte[]> items = tx.items(pairs);
            all.forEach(key -> items.set(key, new byte[0]));
            assertEquals(all.subList(4, 5), items.keys(range.afterFields(2)).toList());
            assertEquals(List.of(), items.keys(range.afterFields(3)).toList());
            assertEquals(List.of(), items.keys(range.afterFields()).toList());
            assertEquals(
                all.subList(2, 4), items.keys(range.afterFields(1).throughFields(2)).toList());
            assertEquals(all.subList(3, 5), items.keys(range.afterFields(2, 1)).toList());
            assertEquals(all.subList(0, 4), items.keys(range.throughFields(2)).toList());
            assertEquals(
                all.subList(1, 3),
                items.keys(range.afterFields(1, 1).throughFields(2, 1)).toList());
            assertEquals(
                new Pair(2, 2), items.reverseKeys(range.throughFields(2), 1).toList().get(0));
          });
    }
  }
}
