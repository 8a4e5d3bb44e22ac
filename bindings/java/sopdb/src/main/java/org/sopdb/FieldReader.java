package org.sopdb;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;

/** Reads the fields of a key, as bindings/swig/java.h writes them. */
final class FieldReader {
  private final byte[] data;
  private final int end;
  private int at;
  private int type;

  FieldReader(byte[] data, int offset, int length) {
    this.data = data;
    this.at = offset;
    this.end = offset + length;
  }

  boolean hasNext() {
    return at < end;
  }

  /**
   * Goes to the next field; its type. One of the functions below must read it, unless it is NULL.
   */
  int next() {
    type = data[at++];
    return type;
  }

  boolean bool() {
    return data[at++] != 0;
  }

  long number() {
    long bits = (long) FieldWriter.LONGS.get(data, at);
    at += 8;
    return bits;
  }

  java.util.UUID uuid() {
    at += 16;
    return Uuids.of(data, at - 16);
  }

  byte[] bytes() {
    int size = size();
    return Arrays.copyOfRange(data, at - size, at);
  }

  String text() {
    int size = size();
    return new String(data, at - size, size, UTF_8);
  }

  private int size() {
    int size = (int) FieldWriter.INTS.get(data, at);
    at += 4 + size;
    return size;
  }
}
