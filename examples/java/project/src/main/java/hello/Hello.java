package hello;

import java.nio.file.*;
import org.sopdb.*;

/** A program of its own, which has the two artifacts from Maven (see pom.xml). */
public final class Hello {
  record User(String name, int visits) {}

  private static final Store<String, User> USERS =
      Store.of("users", String.class, Codec.json(User.class));

  private Hello() {}

  public static void main(String[] arguments) {
    try (Database db = Database.open(Path.of(arguments[0]), Create.IF_MISSING)) {
      User ann =
          db.update(
              tx ->
                  tx.map(USERS)
                      .merge(
                          "ann",
                          new User("Ann", 1),
                          (old, one) -> new User(old.name(), old.visits() + 1)));
      System.out.println(ann);
    }
  }
}
