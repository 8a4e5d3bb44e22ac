package org.sopdb;

/**
 * Something that {@link Database#verify} found.
 *
 * @param store the name of the store, or ""
 * @param file the path relative to the database, or ""
 * @param offset the place in the file, in bytes, or -1
 * @param kind one word, such as "order" or "count"; "leak" and "unknown" are files that nothing
 *     names, which is no damage
 * @param message one sentence
 */
public record Problem(String store, String file, long offset, String kind, String message) {
  /**
   * Whether data are damaged.
   *
   * @return false for a file that is merely left over
   */
  public boolean isDamage() {
    return !kind.equals("leak") && !kind.equals("unknown");
  }
}
