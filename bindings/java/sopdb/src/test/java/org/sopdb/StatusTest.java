package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The exceptions are those of the table in sop/error.h, no fewer and no more. */
class StatusTest {
  private static final Map<String, String> OTHER_NAMES =
      Map.of(
          "IO",
          "IoException",
          "TIMEOUT",
          "SopTimeoutException",
          "UNKNOWN",
          "CommitUnknownException");

  @Test
  void everyStatusHasItsNumberAndException() {
    for (Status status : Status.values()) {
      assertEquals(status.name(), Raw.sop_status_name(status.number()));
      if (status != Status.OK) {
        SopException exception = status.exception("why");
        assertEquals(status, exception.status());
        assertEquals("why", exception.getMessage());
        assertEquals(className(status.name()), exception.getClass().getSimpleName());
        assertEquals(Raw.sop_status_traits(status.number()), traits(exception), status.name());
      }
    }
    assertEquals(
        "?",
        Raw.sop_status_name(-Status.values().length),
        "a status has been added: add it to Status");
  }

  private static String className(String name) {
    StringBuilder out = new StringBuilder();
    for (String part : name.split("_")) {
      out.append(part.charAt(0)).append(part.substring(1).toLowerCase(Locale.ROOT));
    }
    return OTHER_NAMES.getOrDefault(name, out + "Exception");
  }

  private static int traits(SopException e) {
    return (e.isRetriable() ? 1 : 0)
        + (e.isAbort() ? 2 : 0)
        + (e.mayHaveCommitted() ? 4 : 0)
        + (e.isFatal() ? 8 : 0)
        + (e.isMisuse() ? 16 : 0);
  }
}
