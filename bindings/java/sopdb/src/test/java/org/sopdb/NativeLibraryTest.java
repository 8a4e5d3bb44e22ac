package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Finding the native library, each time in a virtual machine of its own. */
class NativeLibraryTest {
  @TempDir Path folder;

  /**
   * What the other virtual machine runs: no class of the tests but this is there, and no Jackson.
   */
  static final class Child {
    private Child() {}

    public static void main(String[] arguments) {
      try (Database db = Database.open("inmemory:")) {
        System.out.println("loaded " + db.info().backend());
        if (arguments.length > 0 && arguments[0].equals("maps")) {
          Files.readAllLines(Path.of("/proc/self/maps")).stream()
              .filter(line -> line.matches(".*/lib(jansson|sopdb).*"))
              .map(line -> line.replaceFirst("[^/]*", "")) // and behind it " (deleted)"
              .distinct()
              .forEach(System.out::println);
        } else if (arguments.length > 0) {
          Codec.json(String.class);
        }
      } catch (UnsatisfiedLinkError | SopException | IOException e) {
        System.out.println("failed: " + e.getMessage());
      }
    }
  }

  private static Path placeOf(Class<?> type) throws Exception {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
  }

  /** The one class of the tests, in a folder of its own. */
  private Path childClasses() throws Exception {
    String name = Child.class.getName().replace('.', '/') + ".class";
    Path to = folder.resolve("child").resolve(name);
    Files.createDirectories(to.getParent());
    if (!Files.exists(to)) {
      Files.copy(placeOf(Child.class).resolve(name), to);
    }
    return folder.resolve("child");
  }

  private String run(boolean withNative, List<String> options, String... arguments)
      throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC"));
    command.addAll(options);
    String path =
        placeOf(Database.class)
            + ":"
            + childClasses()
            + (withNative ? ":" + System.getProperty("sop.native.jar") : "");
    command.addAll(List.of("-cp", path, Child.class.getName()));
    command.addAll(List.of(arguments));
    Path out = folder.resolve("out");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile()).start();
    assertTrue(process.waitFor(120, TimeUnit.SECONDS));
    return Files.readString(out, StandardCharsets.UTF_8).strip();
  }

  private static List<Path> in(Path place) throws IOException {
    try (var files = Files.walk(place)) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  @Test
  void isFoundByItsPath() throws Exception {
    String path = System.getProperty("sop.library.path");
    assertEquals("loaded inmemory", run(false, List.of("-Dsop.library.path=" + path)));
    assertEquals(
        "loaded inmemory", run(false, List.of("-Djava.library.path=" + Path.of(path).getParent())));
  }

  @Test
  void isExtractedAndLeavesNothingBehind() throws Exception {
    Path place = folder.resolve("place");
    assertEquals("loaded inmemory", run(true, List.of("-Dsop.native.dir=" + place)));
    assertEquals(List.of(), in(place));
  }

  /** Jansson is no part of every system. */
  @Test
  void bringsAllThatItNeeds() throws Exception {
    Path place = folder.resolve("place");
    List<String> lines =
        run(true, List.of("-Dsop.native.dir=" + place), "maps").lines().skip(1).toList();
    assertEquals(2, lines.size(), lines::toString);
    lines.forEach(line -> assertTrue(line.startsWith(place + "/"), line));
  }

  /**
   * Nothing can be made in /proc, whoever asks; a folder that is mounted noexec fails in the same
   * place.
   */
  @Test
  void goesToTheCacheOfTheUserIfTheTemporaryFolderDoesNotDo() throws Exception {
    Path home = folder.resolve("home");
    assertEquals(
        "loaded inmemory",
        run(true, List.of("-Djava.io.tmpdir=/proc/nowhere", "-Duser.home=" + home)));
    assertTrue(Files.isDirectory(home.resolve(".cache").resolve("sopdb")));
    String failed = run(true, List.of("-Dsop.native.dir=/proc/nowhere"));
    assertTrue(
        failed.contains("-Dsop.native.dir=FOLDER") && failed.contains("/proc/nowhere"), failed);
  }

  @Test
  void saysWhatIsMissing() throws Exception {
    String failed = run(false, List.of());
    assertTrue(
        failed.contains("org.sopdb:sopdb-native") && failed.contains("-Dsop.library.path"), failed);
    String noJackson = run(true, List.of(), "json");
    assertTrue(noJackson.contains("jackson-databind"), noJackson);
  }
}
