package org.sopdb;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Reads the memory of a structure of C, member for member, behind its size. */
final class Image {
  private final ByteBuffer in;

  Image(byte[] image) {
    in = ByteBuffer.wrap(image).order(ByteOrder.nativeOrder());
    in.position(Long.BYTES);
  }

  /** A member of 8 bytes. */
  long number() {
    in.position((in.position() + Long.BYTES - 1) / Long.BYTES * Long.BYTES);
    return in.getLong();
  }

  /** A member of 4 bytes. */
  int word() {
    return in.getInt();
  }

  /** An array of characters. */
  String text(int size) {
    in.position(in.position() + size);
    return Text.until0(in.array(), in.position() - size, size);
  }

  java.util.UUID uuid() {
    in.position(in.position() + 16);
    return Uuids.of(in.array(), in.position() - 16);
  }
}
