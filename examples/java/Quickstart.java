import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import org.sopdb.Codec;
import org.sopdb.Create;
import org.sopdb.Database;
import org.sopdb.Desc;
import org.sopdb.Range;
import org.sopdb.Ride;
import org.sopdb.Store;

/**
 * Reads what sopctl imported, adds to it, and works with it as with a map. examples/java/run runs
 * it.
 */
public final class Quickstart {
  /** By region, the newest first. {@code left} rides along: in the key, never compared. */
  record Hire(String region, @Desc Instant hired, @Ride boolean left) {}

  record Employee(String name, int pay) {
    Employee raisedBy(int percent) {
      return new Employee(name, pay + pay * percent / 100);
    }
  }

  static final Store<Hire, Employee> STAFF =
      Store.of("staff", Hire.class, Codec.json(Employee.class));
  static final Store<String, Long> VISITS = Store.of("visits", String.class, Codec.counter());

  public static void main(String[] arguments) {
    try (Database db = Database.open(Path.of(arguments[0]), Create.IF_MISSING)) {
      hire(
          db,
          new Hire("US", Instant.parse("2024-02-29T12:00:00Z"), false),
          new Employee("zoë", 4700));
      System.out.println("raised in the US: " + raise(db, "US", 10));
      printStaff(db, "US");
      visit(db, "ann", "bob", "ann");
      System.out.println("visits: " + db.view(tx -> new TreeMap<>(tx.map(VISITS))));
    }
  }

  /** One transaction: all of it happens, or nothing. After a conflict it runs again by itself. */
  static void hire(Database db, Hire hire, Employee employee) {
    db.run(tx -> tx.map(STAFF).set(hire, employee));
  }

  /** A part of a store is a java.util.NavigableMap, too, and writes through. */
  static int raise(Database db, String region, int percent) {
    return db.update(
        tx -> {
          Map<Hire, Employee> staff = tx.map(STAFF).prefix(region);
          staff.replaceAll((hire, employee) -> employee.raisedBy(percent));
          return staff.values().stream().mapToInt(Employee::pay).sum();
        });
  }

  /**
   * Readers see one state, and hinder nobody. Who has left is told by the keys alone: no value is
   * read for it.
   */
  static void printStaff(Database db, String region) {
    db.view(
        tx -> {
          long left = tx.items(STAFF).keys(Range.prefix(region)).filter(Hire::left).count();
          System.out.println("have left: " + left);
          tx.map(STAFF)
              .prefix(region)
              .forEach((hire, employee) -> System.out.println(hire.hired() + " " + employee));
          return null;
        });
  }

  /** Counters are added to without being read, so that these never conflict. */
  static void visit(Database db, String... names) {
    db.run(
        tx -> {
          for (String name : names) {
            tx.items(VISITS).add(name, 1);
          }
        });
  }
}
