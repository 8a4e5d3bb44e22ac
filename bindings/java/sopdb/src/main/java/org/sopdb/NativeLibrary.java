package org.sopdb;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Loads the library: from the file that the property {@code sop.library.path} names, else from
 * {@code java.library.path}, else the copy in the artifact {@code sopdb-native}.
 */
final class NativeLibrary {
  private static final String NAME = "sopdb-java";
  private static final String FILE = "libsopdb-java.so";
  private static final String NEEDED = "libjansson.so.4"; // looked for beside it

  private static boolean loaded;
  private static String refused; // why what is loaded cannot be used; it cannot be unloaded

  private NativeLibrary() {}

  /** Where the files of the library come from. */
  private interface Source {
    /** A file of that name, or null if there is none. */
    InputStream open(String name) throws IOException;
  }

  /** What the library was built with; of the wrong library a link error. */
  private static native String builtWith();

  /**
   * Loads it unless that is done. After a failure the next call tries again, and fails with the
   * same words.
   */
  static synchronized void load() {
    if (loaded) {
      return;
    }
    if (refused != null) {
      throw new UnsatisfiedLinkError(refused);
    }
    String path = System.getProperty("sop.library.path");
    Path file = path != null ? Path.of(path) : inLibraryPath();
    if (file != null) {
      loadFile(
          file.toAbsolutePath(),
          path != null ? "-Dsop.library.path=" + path : "-Djava.library.path");
    } else if (!loadAsTheClassLoaderKnows()) {
      loadFromArtifact();
    }
    loaded = true;
  }

  private static Path inLibraryPath() {
    for (String folder : System.getProperty("java.library.path", "").split(File.pathSeparator)) {
      Path file = Path.of(folder).resolve(FILE);
      if (Files.exists(file)) {
        return file;
      }
    }
    return null;
  }

  /** Some class loaders have libraries of their own. */
  private static boolean loadAsTheClassLoaderKnows() {
    try {
      System.loadLibrary(NAME);
    } catch (UnsatisfiedLinkError e) {
      if (String.valueOf(e.getMessage()).contains("java.library.path")) {
        return false;
      }
      throw e; // it is there, and something is wrong with it
    }
    requireSameBuild("the library \"" + NAME + "\" of the class loader");
    return true;
  }

  /* ---- a file of the user ---- */

  private static void loadFile(Path file, String wanted) {
    try {
      Elf.check(file);
      System.load(file.toString());
    } catch (IOException | LinkageError e) {
      if (!String.valueOf(e.getMessage()).contains("another classloader")) {
        throw unusable(file, wanted, e);
      }
      loadCopy(name -> siblingOf(file, name)); // one class loader can have a file, the next a copy
    }
    requireSameBuild("the file " + file + ", which " + wanted + " names,");
  }

  private static InputStream siblingOf(Path file, String name) throws IOException {
    Path from = name.equals(FILE) ? file : file.resolveSibling(name);
    return Files.exists(from) ? Files.newInputStream(from) : null;
  }

  private static UnsatisfiedLinkError unusable(Path file, String wanted, Throwable cause) {
    String why =
        cause instanceof java.nio.file.NoSuchFileException ? "it is missing" : cause.getMessage();
    UnsatisfiedLinkError error =
        new UnsatisfiedLinkError(
            "the native library "
                + file
                + ", which "
                + wanted
                + " names, cannot be loaded: "
                + why
                + ". Name the "
                + FILE
                + " that was built with these classes, or leave the property out and add the"
                + " artifact org.sopdb:sopdb-native");
    error.initCause(cause);
    return error;
  }

  /** Classes and library hand each other bytes that both must understand. */
  private static void requireSameBuild(String what) {
    String other;
    try {
      other = builtWith();
      if (other.equals(Build.ID)) {
        return;
      }
      refused = what + " belongs to version " + other + ", but the classes to version " + Build.ID;
    } catch (UnsatisfiedLinkError e) {
      throw new UnsatisfiedLinkError(what + " is no library of org.sopdb");
    }
    refused += ": take both artifacts from one build";
    throw new UnsatisfiedLinkError(refused);
  }

  /* ---- a copy ---- */

  private static void loadFromArtifact() {
    if (resource(FILE) == null) {
      throw new UnsatisfiedLinkError(
          "no "
              + FILE
              + " for "
              + platform()
              + ": add the artifact org.sopdb:sopdb-native to the class path, or name the"
              + " file with -Dsop.library.path=FILE");
    }
    loadCopy(
        name -> {
          URL url = resource(name);
          return url == null ? null : url.openStream();
        });
    requireSameBuild("the library in the artifact org.sopdb:sopdb-native");
  }

  /** Copies the library into a private folder, loads it, and removes it: what is loaded stays. */
  private static void loadCopy(Source source) {
    List<String> failures = new ArrayList<>();
    for (Path folder : folders()) {
      try {
        loadCopy(source, folder);
        return;
      } catch (IOException | LinkageError e) {
        failures.add(folder + ": " + e);
      }
    }
    throw new UnsatisfiedLinkError(
        "the native library cannot be extracted and loaded (is the folder mounted noexec?): name a"
            + " folder where that is allowed with -Dsop.native.dir=FOLDER or the variable"
            + " SOP_NATIVE_DIR. Tried "
            + String.join("; ", failures));
  }

  private static void loadCopy(Source source, Path folder) throws IOException {
    Files.createDirectories(folder);
    Path directory = Files.createTempDirectory(folder, "sopdb-"); // only its owner may enter
    try {
      copy(source, NEEDED, directory);
      copy(source, FILE, directory);
      Elf.check(directory.resolve(FILE));
      System.load(directory.resolve(FILE).toAbsolutePath().toString());
    } finally {
      Files.deleteIfExists(directory.resolve(NEEDED));
      Files.deleteIfExists(directory.resolve(FILE));
      Files.deleteIfExists(directory);
    }
  }

  private static void copy(Source source, String name, Path directory) throws IOException {
    try (InputStream in = source.open(name)) {
      if (in != null) { // or that of the system has to do
        Files.copy(in, directory.resolve(name));
      }
    }
  }

  /** By the class loader, which looks into other modules too. */
  private static URL resource(String name) {
    return NativeLibrary.class
        .getClassLoader()
        .getResource("org/sopdb/native/" + platform() + "/" + name);
  }

  /** Where to copy it to: what was asked for, or the first place that works. */
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
    return System.getProperty("os.name").toLowerCase(Locale.ROOT)
        + "-"
        + (machine.equals("amd64") ? "x86_64" : machine);
  }
}
