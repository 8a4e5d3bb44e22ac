package org.sopdb;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Loads the library: from the file that the property {@code sop.library.path} names, else from
 * {@code java.library.path}, else the copy in the artifact {@code sopdb-native}.
 */
final class NativeLibrary {
  private static final String NAME = "sopdb-java";
  private static final String FILE = "libsopdb-java.so";
  private static final String NEEDED = "libjansson.so.4"; // looked for beside it

  private NativeLibrary() {}

  static void load() {
    String path = System.getProperty("sop.library.path");
    if (path != null) {
      System.load(Path.of(path).toAbsolutePath().toString());
      return;
    }
    try {
      System.loadLibrary(NAME);
    } catch (UnsatisfiedLinkError e) {
      if (!String.valueOf(e.getMessage()).contains("java.library.path")) {
        throw e; // it is there, and something is wrong with it
      }
      loadCopy();
    }
  }

  /** Extracts the library into a private folder, loads it, and removes it: what is loaded stays. */
  private static void loadCopy() {
    if (NativeLibrary.class.getResource(resource(FILE)) == null) {
      throw new UnsatisfiedLinkError(
          "no "
              + FILE
              + " for "
              + platform()
              + ": add the artifact org.sopdb:sopdb-native to the class path, or name the"
              + " file with -Dsop.library.path=FILE");
    }
    List<String> failures = new ArrayList<>();
    for (Path folder : folders()) {
      try {
        loadFrom(folder);
        return;
      } catch (IOException | UnsatisfiedLinkErrorIn e) {
        failures.add(folder + ": " + e.getMessage());
      }
    }
    throw new UnsatisfiedLinkError(
        "the native library cannot be extracted and loaded (is the folder mounted noexec?): name a"
            + " folder where that is allowed with -Dsop.native.dir=FOLDER or the variable"
            + " SOP_NATIVE_DIR. Tried "
            + String.join("; ", failures));
  }

  private static void loadFrom(Path folder) throws IOException, UnsatisfiedLinkErrorIn {
    Files.createDirectories(folder);
    Path directory = Files.createTempDirectory(folder, "sopdb-"); // only its owner may enter
    try {
      extract(NEEDED, directory);
      extract(FILE, directory);
      System.load(directory.resolve(FILE).toAbsolutePath().toString());
    } catch (UnsatisfiedLinkError e) {
      throw new UnsatisfiedLinkErrorIn(e);
    } finally {
      Files.deleteIfExists(directory.resolve(NEEDED));
      Files.deleteIfExists(directory.resolve(FILE));
      Files.deleteIfExists(directory);
    }
  }

  private static void extract(String name, Path directory) throws IOException {
    try (InputStream in = NativeLibrary.class.getResourceAsStream(resource(name))) {
      if (in != null) { // or that of the system has to do
        Files.copy(in, directory.resolve(name));
      }
    }
  }

  private static String resource(String name) {
    return "/org/sopdb/native/" + platform() + "/" + name;
  }

  /** Where to extract it to: what was asked for, or the first place that works. */
  private static List<Path> folders() {
    String asked = System.getProperty("sop.native.dir", System.getenv("SOP_NATIVE_DIR"));
    if (asked != null && !asked.isEmpty()) {
      return List.of(Path.of(asked));
    }
    return List.of(
        Path.of(System.getProperty("java.io.tmpdir")),
        Path.of(System.getProperty("user.home"), ".cache", "sopdb"));
  }

  private static String platform() {
    String machine = System.getProperty("os.arch");
    return System.getProperty("os.name").toLowerCase(java.util.Locale.ROOT)
        + "-"
        + (machine.equals("amd64") ? "x86_64" : machine);
  }

  /** The file was there and would not load. */
  private static final class UnsatisfiedLinkErrorIn extends Exception {
    private static final long serialVersionUID = 1L;

    UnsatisfiedLinkErrorIn(UnsatisfiedLinkError cause) {
      super(cause.getMessage(), cause);
    }
  }
}
