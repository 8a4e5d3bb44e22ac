package org.sopdb;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.Objects;
import java.util.function.Function;

/**
 * How values are written and read. Other languages read JSON, texts and numbers as they are written
 * here.
 *
 * @param <V> the class of the values
 */
public interface Codec<V> {
  /**
   * Writes a value.
   *
   * @param value the value, never null
   * @return its bytes, which nobody changes any more
   */
  byte[] encode(V value);

  /**
   * Reads a value.
   *
   * @param data where it is
   * @param offset of its first byte
   * @param length of it, in bytes
   * @return the value
   */
  V decode(byte[] data, int offset, int length);

  /**
   * Bytes as they are.
   *
   * @return the codec
   */
  static Codec<byte[]> bytes() {
    return of(value -> value, value -> value);
  }

  /**
   * Text in UTF-8.
   *
   * @return the codec
   */
  static Codec<String> string() {
    return new Codec<>() {
      @Override
      public byte[] encode(String value) {
        return Text.utf8(value);
      }

      @Override
      public String decode(byte[] data, int offset, int length) {
        return new String(data, offset, length, UTF_8);
      }
    };
  }

  /**
   * Integers of 8 bytes, which {@link Items#add}, min and max change without reading them.
   *
   * @return the codec
   */
  static Codec<Long> counter() {
    return new Codec<>() {
      @Override
      public byte[] encode(Long value) {
        byte[] data = new byte[Long.BYTES];
        FieldWriter.LONGS.set(data, 0, (long) value);
        return data;
      }

      @Override
      public Long decode(byte[] data, int offset, int length) {
        if (length != Long.BYTES) {
          throw Status.SCHEMA.exception(
              "the value has " + length + " bytes: it is no integer of 8");
        }
        return (long) FieldWriter.LONGS.get(data, offset);
      }
    };
  }

  /**
   * JSON, compact and in UTF-8, by Jackson, which must be on the class path.
   *
   * @param type the class of the values: a record, a bean, a Map, a JsonNode
   * @param <V> the same
   * @return the codec
   */
  static <V> Codec<V> json(Class<V> type) {
    return Json.of(type, null);
  }

  /**
   * JSON by an ObjectMapper of the caller.
   *
   * @param type the class of the values
   * @param mapper a {@code com.fasterxml.jackson.databind.ObjectMapper}; compact output is what
   *     other languages write
   * @param <V> the class of the values
   * @return the codec
   */
  static <V> Codec<V> json(Class<V> type, Object mapper) {
    return Json.of(type, Objects.requireNonNull(mapper, "mapper"));
  }

  /**
   * A codec of two functions.
   *
   * @param encode writes a value
   * @param decode reads one from bytes that are its own
   * @param <V> the class of the values
   * @return the codec
   */
  static <V> Codec<V> of(Function<V, byte[]> encode, Function<byte[], V> decode) {
    Objects.requireNonNull(encode, "encode");
    Objects.requireNonNull(decode, "decode");
    return new Codec<>() {
      @Override
      public byte[] encode(V value) {
        return encode.apply(value);
      }

      @Override
      public V decode(byte[] data, int offset, int length) {
        return decode.apply(
            offset == 0 && length == data.length
                ? data
                : Arrays.copyOfRange(data, offset, offset + length));
      }
    };
  }
}
