// Made by generate.py from operations.json: reads programs, keeps the stacks, calls the machine, prints what it answers.
package conformance;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Runs the programs of the conformance suite on a machine. */
public final class Decoder {
  /** The slot is empty: the answer is NONE. */
  public static final class NoSlot extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  /**
   * An answer that is no result: a status, the names of its traits in order, the store of NOT_FOUND (one that is not
   * there) and CONFLICT, the packed key of CONFLICT; null where there is none. Methods may throw one themselves, for
   * answers that are no exceptions in this language: {@code new Failure("NOT_FOUND")}.
   */
  public static final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1;
    final String text;

    public Failure(String status) {
      this(status, List.of(), null, null);
    }

    public Failure(String status, List<String> traits, String store, byte[] key) {
      super(status);
      text =
          status
              + (traits.isEmpty() ? "" : " " + String.join("+", traits))
              + (store == null || store.isEmpty() ? "" : " store=" + store)
              + (status.equals("CONFLICT") ? " key=" + HEX.formatHex(key == null ? new byte[0] : key) : "");
    }
  }

  /**
   * A key: without a schema {@code raw}, else the {@code fields}, each null, Boolean, Long, BigInteger (above the largest
   * long only), Double, byte[], String, UUID or Instant.
   */
  public record Key(byte[] raw, List<Object> fields) {}

  /**
   * Bounds, each null or a key of leading fields; {@code after}: it begins behind {@code from}, or behind {@code item} of it,
   * unless that is 0; {@code through}: it ends with {@code to}.
   */
  public record Range(
      Key from, Key to, Key prefix, Key starts, boolean after, long item, boolean through) {}

  /** A key and a value. */
  public record Row(Key key, byte[] value) {}

  /** What an instruction says besides its arguments. */
  public record Call(String name, int spelling) {}

  /** A store; {@code schema} is null for raw keys. */
  public record Declaration(String name, String schema, boolean duplicates, boolean json) {}

#TABLE#

  private static final HexFormat HEX = HexFormat.of();
  private static final int THREADS = 4;

  private final Operations machine;
  private final Deque<Long> ints = new ArrayDeque<>();
  private final Deque<byte[]> bytes = new ArrayDeque<>();
  private final ExecutorService[] threads = new ExecutorService[THREADS];
  private String[] tokens;
  private int at;
  private final StringBuilder out = new StringBuilder();

  private Decoder(Operations machine) {
    this.machine = machine;
  }

  // ---- tokens

  private static byte[] parseHex(String text) {
    return HEX.parseHex(text);
  }

  private static Object parseField(String token) {
    String text = token.substring(1);
    switch (token.charAt(0)) {
      case 'n':
        return null;
      case 't':
      case 'f':
        return token.charAt(0) == 't';
      case 'i':
        BigInteger number = new BigInteger(text);
        if (number.bitLength() < Long.SIZE) {
          return number.longValue();
        }
        return number;
      case 'd':
        return Double.longBitsToDouble(Long.parseUnsignedLong(text, 16));
      case 'b':
        return parseHex(text);
      case 's':
        return new String(parseHex(text), StandardCharsets.UTF_8);
      case 'u':
        return new UUID(
            Long.parseUnsignedLong(text.substring(0, 16), 16), Long.parseUnsignedLong(text.substring(16), 16));
      case 'm':
        return Instant.EPOCH.plus(Long.parseLong(text), ChronoUnit.MICROS);
      default:
        throw new IllegalArgumentException("no field: " + token);
    }
  }

  static Key parseKey(String token) {
    if (token.startsWith("x") || token.startsWith("r")) {
      return new Key(parseBytes(token), null);
    }
    List<Object> fields = new ArrayList<>();
    for (String field : token.split(",")) {
      fields.add(parseField(field));
    }
    return new Key(null, fields);
  }

  static byte[] parseBytes(String token) {
    if (token.startsWith("x")) {
      return parseHex(token.substring(1));
    }
    String[] parts = token.substring(1).split("\\*");
    byte[] made = new byte[Integer.parseInt(parts[0])];
    Arrays.fill(made, (byte) Integer.parseInt(parts[1], 16));
    return made;
  }

  private static List<Key> parseKeys(String token) {
    List<Key> keys = new ArrayList<>();
    for (String key : token.split(";")) {
      keys.add(parseKey(key));
    }
    return keys;
  }

  private static List<Row> parseRows(String token) {
    List<Row> rows = new ArrayList<>();
    for (String row : token.split(";")) {
      String[] parts = row.split("=");
      rows.add(new Row(parseKey(parts[0]), parseBytes(parts[1])));
    }
    return rows;
  }

  private static Range parseRange(String token) {
    Key from = null;
    Key to = null;
    Key prefix = null;
    Key starts = null;
    boolean after = false;
    long item = 0;
    boolean through = false;
    for (String part : token.equals("*") ? new String[0] : token.split(";")) {
      int at = part.indexOf('@');
      item = at < 0 ? item : Long.parseLong(part.substring(at + 1));
      Key key = parseKey(part.substring(1, at < 0 ? part.length() : at));
      after |= part.charAt(0) == 'A';
      through |= part.charAt(0) == 'U';
      switch (part.charAt(0)) {
        case 'F', 'A' -> from = key;
        case 'T', 'U' -> to = key;
        case 'S' -> starts = key;
        default -> prefix = key;
      }
    }
    return new Range(from, to, prefix, starts, after, item, through);
  }

  private static String printField(Object field) {
    if (field == null) {
      return "n";
    }
    if (field instanceof Boolean truth) {
      return truth ? "t" : "f";
    }
    if (field instanceof Double real) {
      return String.format("d%016x", Double.doubleToLongBits(real));
    }
    if (field instanceof byte[] data) {
      return "b" + HEX.formatHex(data);
    }
    if (field instanceof String text) {
      return "s" + HEX.formatHex(text.getBytes(StandardCharsets.UTF_8));
    }
    if (field instanceof UUID id) {
      return "u" + id.toString().replace("-", "");
    }
    if (field instanceof Instant time) {
      return "m" + ChronoUnit.MICROS.between(Instant.EPOCH, time);
    }
    return "i" + field;
  }

  static String printBytes(byte[] value) {
    return "x" + HEX.formatHex(value);
  }

  static String printKey(Key key) {
    if (key.fields() == null) {
      return printBytes(key.raw());
    }
    return String.join(",", key.fields().stream().map(Decoder::printField).toList());
  }

  /** A row of a scan; {@code value} null: keys only; {@code item} null: a store without duplicates. */
  public static String printRow(Key key, byte[] value, Long item) {
    return printKey(key) + (value == null ? "" : "=" + printBytes(value)) + (item == null ? "" : "#" + item);
  }

  // ---- stacks

  private String token() {
    return tokens[at++];
  }

  private int slot() {
    return Integer.parseInt(token());
  }

  private long integer() {
    String token = token();
    if (!token.equals("^")) {
      return Long.parseLong(token);
    }
    return ints.isEmpty() ? 0 : ints.pop();
  }

  private byte[] popBytes() {
    return bytes.isEmpty() ? new byte[0] : bytes.pop();
  }

  private byte[] byteString() {
    String token = token();
    return token.equals("^") ? popBytes() : parseBytes(token);
  }

  private Key key() {
    String token = token();
    return token.equals("^") ? new Key(popBytes(), null) : parseKey(token);
  }

  private byte[] id() {
    String token = token();
    return token.equals("-") ? null : parseHex(token);
  }

  private void pushInt(long value) {
    ints.push(value);
    out.append(' ').append(value);
  }

  private void pushBytes(byte[] value) {
    bytes.push(value.clone());
    out.append(' ').append(printBytes(value));
  }

  private void print(String text) {
    out.append(' ').append(text);
  }

  // ---- running

  private void dispatchOn(int thread, Call call) throws Exception {
    if (thread == 0) {
      dispatch(call);
      return;
    }
    if (threads[thread] == null) {
      threads[thread] =
          Executors.newSingleThreadExecutor(
              task -> {
                Thread made = new Thread(task);
                made.setDaemon(true);
                return made;
              });
    }
    try {
      threads[thread]
          .submit(
              () -> {
                dispatch(call);
                return null;
              })
          .get();
    } catch (ExecutionException error) {
      if (error.getCause() instanceof Exception cause) {
        throw cause;
      }
      throw error;
    }
  }

  private String perform(String line) throws Exception {
    tokens = line.split(" ");
    at = 3;
    out.setLength(0);
    out.append("OK");
    try {
      dispatchOn(Integer.parseInt(tokens[0]), new Call(tokens[2], Integer.parseInt(tokens[1])));
      return out.toString();
    } catch (NoSlot none) {
      return "NONE";
    } catch (Failure failure) {
      return failure.text;
    } catch (Exception error) {
      Failure failure = machine.failure(error);
      if (failure == null) {
        throw error;
      }
      return failure.text;
    }
  }

  /** Runs the programs that {@code input} has. */
  public static void run(Operations machine, InputStream input, OutputStream output) throws Exception {
    Decoder decoder = new Decoder(machine);
    BufferedReader reader = new BufferedReader(new InputStreamReader(input, StandardCharsets.US_ASCII));
    PrintStream writer = new PrintStream(new BlockOutput(output), false, StandardCharsets.US_ASCII);
    int number = 0;
    for (String line = reader.readLine(); line != null; line = reader.readLine()) {
      if (line.startsWith("program ")) {
        String[] words = line.split(" ", 3);
        decoder.ints.clear();
        decoder.bytes.clear();
        number = 0;
        machine.programBegin(words[2]);
        writer.print("program " + words[1] + "\n");
      } else if (line.equals("end")) {
        machine.programEnd();
        writer.print("end\n");
        writer.flush();
      } else {
        number++;
        writer.print(number + " " + decoder.perform(line) + "\n");
      }
    }
    writer.flush();
  }

  /** Collects what is written until it is flushed. */
  private static final class BlockOutput extends ByteArrayOutputStream {
    private final OutputStream to;

    BlockOutput(OutputStream to) {
      this.to = to;
    }

    @Override
    public void flush() throws IOException {
      writeTo(to);
      to.flush();
      reset();
    }
  }
}
