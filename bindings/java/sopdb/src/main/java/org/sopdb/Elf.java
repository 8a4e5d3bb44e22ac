package org.sopdb;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Looks whether a file is a whole library, before it is loaded: one that is cut off would end the
 * virtual machine with a signal.
 */
final class Elf {
  private static final int MAGIC = 0x464C457F; // its first four bytes, which are ELF behind a 127
  private static final int HEAD_BYTES = 64;
  private static final int WIDTH_AT = 4; // of addresses: 2 for 64 bits
  private static final int TABLE_AT = 40; // where the table of sections is, the last of the file
  private static final int TABLE_ROW_BYTES_AT = 58;
  private static final int TABLE_ROWS_AT = 60;

  private Elf() {}

  static void check(Path file) throws IOException {
    byte[] head;
    try (InputStream in = Files.newInputStream(file)) {
      head = in.readNBytes(HEAD_BYTES);
    }
    if (head.length < HEAD_BYTES
        || (int) FieldWriter.INTS.get(head, 0) != MAGIC
        || head[WIDTH_AT] != 2) {
      throw new IOException("it is no library for 64-bit Linux");
    }
    long end =
        (long) FieldWriter.LONGS.get(head, TABLE_AT)
            + (long) half(head, TABLE_ROW_BYTES_AT) * half(head, TABLE_ROWS_AT);
    long size = Files.size(file);
    if (end < 0 || end > size) {
      throw new IOException("it is cut off: " + size + " bytes are there of " + end);
    }
  }

  private static int half(byte[] head, int at) {
    return (int) FieldWriter.INTS.get(head, at) & 0xFFFF;
  }
}
