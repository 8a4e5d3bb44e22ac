package org.sopdb;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;

/** Strings in UTF-8. */
final class Text {
  private Text() {}

  /** With a NUL at its end, as C wants it; NULs inside are refused. */
  static byte[] of(String text) {
    byte[] bytes = utf8(text);
    if (text.indexOf('\0') >= 0) {
      throw Status.MISUSE.exception("a name or path has a NUL in it");
    }
    return Arrays.copyOf(bytes, bytes.length + 1);
  }

  /** Half a surrogate pair is no text, and an error instead of a question mark. */
  static byte[] utf8(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isSurrogate(c)) {
        if (Character.isLowSurrogate(c)
            || i + 1 == text.length()
            || !Character.isLowSurrogate(text.charAt(i + 1))) {
          throw Status.SCHEMA.exception(
              "a text has half a surrogate pair at index " + i + ", which UTF-8 cannot hold");
        }
        i++;
      }
    }
    return text.getBytes(UTF_8);
  }

  /** The first text behind all that begin with a text, by code points; null: there is none. */
  static String behind(String text) {
    int end = text.length();
    while (end > 0) {
      int last = text.codePointBefore(end);
      end -= Character.charCount(last);
      if (last < Character.MAX_CODE_POINT) {
        int next = last + 1 == Character.MIN_SURROGATE ? Character.MAX_SURROGATE + 1 : last + 1;
        return text.substring(0, end) + Character.toString(next);
      }
    }
    return null;
  }

  /** The text up to the first NUL. */
  static String until0(byte[] bytes, int offset, int length) {
    int end = offset;
    while (end < offset + length && bytes[end] != 0) {
      end++;
    }
    return new String(bytes, offset, end - offset, UTF_8);
  }
}
