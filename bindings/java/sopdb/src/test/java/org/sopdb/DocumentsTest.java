package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What README.md and docs/java.md show of Java is code that is compiled and run: in the example, or
 * here.
 */
class DocumentsTest {
  record Hire(String region, @Desc Instant hired, @Ride boolean left) {}

  record Employee(String name, int pay) {
    Employee raisedBy(int percent) {
      return new Employee(name, pay + pay * percent / 100);
    }
  }

  static final Store<Hire, Employee> STAFF =
      Store.of("staff", Hire.class, Codec.json(Employee.class));
  static final Store<String, Long> VISITS = Store.of("visits", String.class, Codec.counter());
  private static final Hire ANN = new Hire("US", Instant.parse("2018-03-01T00:00:00Z"), false);

  @TempDir Path folder;

  @Test
  void transactions() {
    try (Database db = Database.open(folder, Create.IF_MISSING)) {
      int pay =
          db.update(
              tx ->
                  tx.map(STAFF)
                      .merge(ANN, new Employee("ann", 5200), (old, none) -> old.raisedBy(10))
                      .pay());
      db.run(tx -> tx.items(VISITS).add("ann", pay));
      System.out.println(db.get(STAFF, ANN));
    }
    try (Database db = Database.open(folder)) {
      try (Transaction tx =
          db.begin(
              TxOptions.WRITE
                  .withDurability(Durability.WRITTEN)
                  .withDeadline(Duration.ofSeconds(5)))) {
        long before = tx.savepoint();
        tx.map(STAFF).set(ANN, new Employee("ann", 1));
        tx.rollbackTo(before);
        tx.commit();
      } // rolled back here, unless it has committed
      assertEquals(5200, db.get(STAFF, ANN).pay());
      assertEquals(5200, db.get(VISITS, "ann"));
    }
  }

  @Test
  void maps() {
    try (Database db = Database.open("inmemory:")) {
      db.run(
          tx -> {
            tx.map(STAFF).set(ANN, new Employee("ann", 5200));
            tx.map(STAFF).set(new Hire("US", Instant.EPOCH, true), new Employee("old", 10));
            tx.map(STAFF).set(new Hire("DE", Instant.EPOCH, true), new Employee("eve", 6000));
            assertEquals(1, items(tx));
            StoreMap<Hire, Employee> us = tx.map(STAFF).prefix("US");
            us.forEach((hire, employee) -> System.out.println(hire.hired() + " " + employee));
            Map.Entry<Hire, Employee> newest = us.firstEntry();
            us.values().removeIf(employee -> employee.pay() < 1000);
            assertEquals(1, us.size());
            assertEquals(ANN, newest.getKey());
          });
    }
  }

  private static long items(Transaction tx) {
    Stream<Hire> gone =
        tx.items(STAFF).keys(Range.prefix("US")).filter(Hire::left); // reads no values
    long removed = tx.items(STAFF).removeRange(Range.<Hire>all().fromFields("DE").toFields("DF"));
    List<Item<Hire, Employee>> last = tx.items(STAFF).reverse(Range.all(), 10).toList();
    assertEquals(1, removed);
    assertEquals(2, last.size());
    return gone.count();
  }

  @Test
  void everythingShownIsHereOrInTheExample() throws IOException {
    Path source = Path.of(System.getProperty("sop.source"));
    String code =
        plain(Files.readString(source.resolve("examples/java/Quickstart.java")))
            + plain(Files.readString(source.resolve("examples/java/project/pom.xml")))
            + plain(
                Files.readString(
                    source.resolve(
                        "bindings/java/sopdb/src/test/java/org/sopdb/DocumentsTest.java")));
    List<String> missing = new ArrayList<>();
    int shown = 0;
    for (String document : List.of("README.md", "docs/java.md")) {
      Matcher block =
          Pattern.compile("^```(?:java|xml)\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL)
              .matcher(Files.readString(source.resolve(document)));
      while (block.find()) {
        shown++;
        if (!code.contains(plain(block.group(1)))) {
          missing.add(document + ": " + block.group(1));
        }
      }
    }
    assertEquals(List.of(), missing);
    assertTrue(shown >= 8, "there are " + shown + " blocks of Java and Maven in the documents");
  }

  /** Without white space, which the formatter sets in its own way. */
  private static String plain(String code) {
    return code.replaceAll("\\s+", "");
  }
}
