package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Nothing that a call takes or makes in native memory stays behind. The heap of the virtual machine
 * has its full size from the start (see bindings/java/test), so that what the process grows by is
 * native.
 */
class LeakTest {
  private static final int VALUE_BYTES =
      200_000; // one such leak in each call would be 30 MB a round
  private static final int CALLS = 150;
  private static final int ROUNDS = 3;
  private static final long GROWTH_MAX = 40L << 20;
  private static final long NAMES_GROWTH_MAX = 4L << 20; // they take 11 if they are kept
  private static final int PAGE_BYTES = 4096;

  private static final Store<String, byte[]> VALUES =
      Store.of("values", String.class, Codec.bytes());
  private static final Store<byte[], byte[]> RAW = Store.raw("raw", Codec.bytes());

  private static long residentBytes() throws IOException {
    return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * PAGE_BYTES;
  }

  @Test
  void callsLeaveNothingBehind() throws IOException {
    byte[] value = new byte[VALUE_BYTES];
    String longKey = "k".repeat(60_000);
    String tooLong = "k".repeat(VALUE_BYTES);
    try (Database db = Database.open("inmemory:")) {
      db.run(
          tx -> {
            tx.map(VALUES).set("a", value);
            tx.map(VALUES).set(longKey, value);
            tx.map(RAW).set(new byte[1], value);
          });
      round(db, value, longKey, tooLong);
      long before = residentBytes();
      for (int i = 0; i < ROUNDS; i++) {
        round(db, value, longKey, tooLong);
      }
      long growth = residentBytes() - before;
      assertTrue(growth < GROWTH_MAX, () -> "the process has grown by " + growth + " bytes");
    }
  }

  private static void round(Database db, byte[] value, String longKey, String tooLong) {
    for (int i = 0; i < CALLS; i++) {
      try (Transaction tx = db.begin()) {
        Items<String, byte[]> items = tx.items(VALUES);
        items.set("b", value);
        items.insert("a", value);
        items.fetch(longKey);
        items.getMany(List.of("a"));
        items.putMany(List.of(Map.entry("c", value)));
        items.stream(Range.<String>all().from(longKey)).count();
        items.reverse(Range.prefix(longKey)).count();
        items.cursor().next(); // is not closed
        tx.items(RAW).get(new byte[1]);
        assertThrows(LimitException.class, () -> items.set(tooLong, value));
        assertThrows(LimitException.class, () -> items.putMany(List.of(Map.entry(tooLong, value))));
      }
      db.get(VALUES, "a");
    }
  }

  /** Names that nobody will use again leave nothing in the database. */
  @Test
  void namesLeaveNothingBehind() throws IOException {
    try (Database db = Database.open("inmemory:")) {
      askForNames(db, 0);
      long before = residentBytes();
      askForNames(db, 1);
      long growth = residentBytes() - before;
      assertTrue(growth < NAMES_GROWTH_MAX, () -> "the process has grown by " + growth + " bytes");
    }
  }

  private static void askForNames(Database db, int round) {
    db.view(
        tx -> {
          for (int i = 0; i < 30_000; i++) {
            String name = round + "." + i + "x".repeat(200);
            assertThrows(NotFoundException.class, () -> tx.describe(name));
          }
          return null;
        });
  }

  @Test
  void databasesLeaveNothingBehind() throws IOException {
    openMany();
    long before = residentBytes();
    for (int i = 0; i < ROUNDS; i++) {
      openMany();
    }
    long growth = residentBytes() - before;
    assertTrue(growth < GROWTH_MAX, () -> "the process has grown by " + growth + " bytes");
  }

  /** A megabyte in each, which would be 60 MB a round. */
  private static void openMany() {
    for (int i = 0; i < 60; i++) {
      try (Database db = Database.open("inmemory:")) {
        db.run(
            tx -> {
              for (int v = 0; v < 5; v++) {
                tx.map(VALUES).set("v" + v, new byte[VALUE_BYTES]);
              }
            });
      }
    }
  }
}
