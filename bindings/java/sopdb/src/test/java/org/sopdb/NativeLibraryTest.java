package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
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

    public static void main(String[] arguments) throws Exception {
      if (arguments.length > 1 && arguments[0].equals("files")) {
        loadEach(arguments);
      } else if (arguments.length > 1 && arguments[0].equals("loaders")) {
        loadInTwo(arguments[1]);
      } else {
        open(arguments);
      }
    }

    /** Names one file after the other. */
    private static void loadEach(String[] arguments) {
      for (String file : List.of(arguments).subList(1, arguments.length)) {
        System.setProperty("sop.library.path", file);
        open();
      }
    }

    /** Loads the classes once more, as two applications in one server do. */
    private static void loadInTwo(String classes) throws Exception {
      open();
      for (int i = 0; i < 2; i++) {
        URL[] place = {Path.of(classes).toUri().toURL()};
        try (URLClassLoader other =
            new URLClassLoader(place, ClassLoader.getPlatformClassLoader())) {
          Class<?> again = other.loadClass(Database.class.getName());
          String version = (String) again.getMethod("version").invoke(null);
          System.out.println(
              again != Database.class && version.equals(Database.version()) ? "again" : "the same");
        }
      }
    }

    private static void open(String... arguments) {
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

  /** In two class loaders, from a file that only one of them can have. */
  @Test
  void isLoadedByAnyNumberOfClassLoaders() throws Exception {
    String classes = placeOf(Database.class).toString();
    String path = System.getProperty("sop.library.path");
    Path place = folder.resolve("place");
    for (String named :
        List.of("-Dsop.library.path=" + path, "-Djava.library.path=" + Path.of(path).getParent())) {
      assertEquals(
          List.of("loaded inmemory", "again", "again"),
          run(false, List.of(named, "-Dsop.native.dir=" + place), "loaders", classes)
              .lines()
              .toList());
    }
    assertEquals(List.of(), in(place));
  }

  /** Of each file, and whatever was tried before; one that is cut off would end the machine. */
  @Test
  void saysWhatIsWrongWithAFile() throws Exception {
    Path whole = Path.of(System.getProperty("sop.library.path"));
    byte[] bytes = Files.readAllBytes(whole);
    Path junk = Files.writeString(folder.resolve("junk.so"), "junk");
    Path cut =
        Files.write(folder.resolve("cut.so"), java.util.Arrays.copyOf(bytes, bytes.length / 2));
    Path gone = folder.resolve("gone.so");
    Path other = whole.resolveSibling("libjansson.so.4");
    List<String> said =
        run(
                false,
                List.of(),
                "files",
                junk.toString(),
                cut.toString(),
                gone.toString(),
                gone.toString(),
                other.toString(),
                whole.toString())
            .lines()
            .toList();
    assertEquals(6, said.size(), said::toString);
    assertTells(said.get(0), junk, "it is no library for 64-bit Linux");
    assertTells(said.get(1), cut, "it is cut off: " + bytes.length / 2 + " bytes are there of");
    assertTells(said.get(2), gone, "it is missing");
    assertEquals(said.get(2), said.get(3));
    assertTells(said.get(4), other, "is no library of org.sopdb");
    assertEquals("loaded inmemory", said.get(5));
  }

  private static void assertTells(String said, Path file, String why) {
    assertTrue(
        said.startsWith("failed: ") && said.contains(file.toString()) && said.contains(why), said);
  }

  @Test
  void refusesTheLibraryOfAnotherBuild() throws Exception {
    String whole = System.getProperty("sop.library.path");
    String text = Files.readString(Path.of(whole), StandardCharsets.ISO_8859_1);
    Path old = folder.resolve("old.so");
    String older = "0.0.0" + Build.ID.substring(5);
    Files.writeString(old, text.replace(Build.ID, older), StandardCharsets.ISO_8859_1);
    List<String> said = run(false, List.of(), "files", old.toString(), whole).lines().toList();
    assertTells(said.get(0), old, "belongs to version " + older);
    assertTells(said.get(0), old, "the classes to version " + Build.ID);
    assertEquals(said.get(0), said.get(1)); // it cannot be unloaded
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
