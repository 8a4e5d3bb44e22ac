package org.sopdb;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;

/** JSON by Jackson. Nothing else touches its classes, so that it need not be there. */
final class Json {
  private Json() {}

  static <V> Codec<V> of(Class<V> type, Object mapper) {
    try {
      return new Jackson<>(type, mapper == null ? new ObjectMapper() : (ObjectMapper) mapper);
    } catch (NoClassDefFoundError e) {
      throw Status.UNSUPPORTED.exception(
          "Codec.json needs Jackson: add com.fasterxml.jackson.core:jackson-databind to the class"
              + " path ("
              + e.getMessage()
              + ")");
    }
  }

  static final class Jackson<V> implements Codec<V> {
    private final ObjectWriter writer;
    private final ObjectReader reader;

    Jackson(Class<V> type, ObjectMapper mapper) {
      writer = mapper.writerFor(type);
      reader = mapper.readerFor(type);
    }

    @Override
    public byte[] encode(V value) {
      try {
        return Text.utf8(
            writer.writeValueAsString(
                value)); // as bytes it would escape what is beyond the first plane
      } catch (JsonProcessingException e) {
        throw (SopException)
            Status.SCHEMA.exception("the value is no JSON: " + e.getOriginalMessage()).initCause(e);
      }
    }

    @Override
    public V decode(byte[] data, int offset, int length) {
      try {
        return reader.readValue(data, offset, length);
      } catch (IOException e) {
        throw (SopException)
            Status.SCHEMA
                .exception("the value is not the declared JSON: " + e.getMessage())
                .initCause(e);
      }
    }
  }
}
