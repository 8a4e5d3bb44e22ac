package bench;

import static java.nio.ByteBuffer.allocateDirect;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractMap.SimpleImmutableEntry;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import org.lmdbjava.CursorIterable;
import org.lmdbjava.Dbi;
import org.lmdbjava.DbiFlags;
import org.lmdbjava.Env;
import org.lmdbjava.EnvFlags;
import org.lmdbjava.Txn;
import org.sopdb.Codec;
import org.sopdb.Create;
import org.sopdb.Database;
import org.sopdb.Desc;
import org.sopdb.Items;
import org.sopdb.Options;
import org.sopdb.Range;
import org.sopdb.Store;
import org.sopdb.Transaction;

/**
 * What calls cost beside LMDBJava, on the same data, hot, in one thread: pairs of loops that take
 * turns, the median of their rounds, and the ratio. Both hand over copies (byte[]); what LMDBJava
 * takes without copying is told, too.
 */
public final class Bench {
  private static final int RECORDS = 100_000;
  private static final int KEY_BYTES = 16;
  private static final int VALUE_BYTES = 100;
  private static final int ROUNDS = Integer.getInteger("rounds", 15);
  private static final Pattern WANTED = Pattern.compile(System.getProperty("only", ""));
  private static final int WARM_UP = 5;
  private static final int GETS = 200_000;
  private static final int HOT = 1_000; // keys that the caches of a processor hold
  private static final int BATCH = 10_000;

  record Composite(String region, @Desc long number, String name) {}

  private static final Store<byte[], byte[]> RAW = Store.raw("raw", Codec.bytes());
  private static final Store<byte[], byte[]> PUTS = Store.raw("puts", Codec.bytes());
  private static final Store<String, byte[]> TEXTS = Store.of("texts", String.class, Codec.bytes());
  private static final Store<Composite, byte[]> COMPOSITES =
      Store.of("composites", Composite.class, Codec.bytes());

  private final byte[][] keys = new byte[RECORDS][];
  private final String[] texts = new String[RECORDS];
  private final Composite[] composites = new Composite[RECORDS];
  private final int[] hot = new int[GETS];
  private final int[] any = new int[GETS];
  private int[] order = hot; // of the keys that gets ask for
  private final byte[][] values = new byte[RECORDS][VALUE_BYTES];
  private final ByteBuffer lmdbKey = allocateDirect(KEY_BYTES);
  private final ByteBuffer lmdbRecordKey = allocateDirect(64);
  private final ByteBuffer lmdbValue = allocateDirect(VALUE_BYTES);
  private final Database db;
  private final Env<ByteBuffer> env;
  private final Dbi<ByteBuffer> dbi;
  private final Dbi<ByteBuffer> puts;
  private final Dbi<ByteBuffer> records;
  private long sink;

  private Bench(Path folder) throws IOException {
    Random random = new Random(1);
    for (int i = 0; i < RECORDS; i++) {
      keys[i] =
          String.format("key-%012d", i * 7919L % 1_000_000_007L)
              .getBytes(java.nio.charset.StandardCharsets.US_ASCII);
      texts[i] = new String(keys[i], java.nio.charset.StandardCharsets.US_ASCII);
      composites[i] = new Composite("region-" + i % 10, i, texts[i]);
      random.nextBytes(values[i]);
    }
    Arrays.setAll(hot, i -> random.nextInt(HOT));
    Arrays.setAll(any, i -> random.nextInt(RECORDS));
    Files.createDirectories(folder.resolve("lmdb"));
    db =
        Database.open(folder.resolve("sop"), Create.IF_MISSING, new Options().cacheBytes(1L << 30));
    env =
        Env.create()
            .setMapSize(1L << 30)
            .setMaxDbs(3)
            .open(folder.resolve("lmdb").toFile(), EnvFlags.MDB_NOSYNC);
    dbi = env.openDbi("raw", DbiFlags.MDB_CREATE);
    puts = env.openDbi("puts", DbiFlags.MDB_CREATE);
    records = env.openDbi("records", DbiFlags.MDB_CREATE);
  }

  /** Something that is timed: the sum of what it read, so that nothing is optimised away. */
  private interface Loop {
    long run();
  }

  private static double nsOf(Loop loop, int items, long[] sum) {
    long start = System.nanoTime();
    sum[0] += loop.run();
    return (System.nanoTime() - start) / (double) items;
  }

  /** Prints one comparison; returns the medians. */
  private void compare(String name, int items, Loop sop, Loop peer) {
    if (!WANTED.matcher(name).find()) {
      return;
    }
    double[] mine = new double[ROUNDS];
    double[] theirs = new double[ROUNDS];
    double[] ratios = new double[ROUNDS];
    long[] sum = new long[1];
    for (int i = -WARM_UP; i < ROUNDS; i++) {
      double a = nsOf(sop, items, sum);
      double b = nsOf(peer, items, sum);
      if (i >= 0) {
        mine[i] = a;
        theirs[i] = b;
        ratios[i] = a / b;
      }
    }
    sink += sum[0];
    System.out.printf(
        Locale.ROOT,
        "{\"case\":\"%s\",\"sop_ns\":%.1f,\"peer_ns\":%.1f,\"ratio\":%.2f}%n",
        name,
        median(mine),
        median(theirs),
        median(ratios));
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  /* ---- loading ---- */

  private void load() {
    db.run(
        tx -> {
          for (int i = 0; i < RECORDS; i++) {
            tx.items(TEXTS).set(texts[i], values[i]);
            tx.items(COMPOSITES).set(composites[i], values[i]);
          }
          tx.items(RAW).putMany(entries(0, RECORDS));
        });
    db.checkpoint();
    lmdbPut(dbi, 0, RECORDS);
    lmdbPutRecords();
  }

  private Iterable<Map.Entry<byte[], byte[]>> entries(int from, int to) {
    return () ->
        new Iterator<>() {
          private int at = from;

          @Override
          public boolean hasNext() {
            return at < to;
          }

          @Override
          public Map.Entry<byte[], byte[]> next() {
            return new SimpleImmutableEntry<>(keys[at], values[at++]);
          }
        };
  }

  private long lmdbPut(Dbi<ByteBuffer> into, int from, int to) {
    try (Txn<ByteBuffer> txn = env.txnWrite()) {
      for (int i = from; i < to; i++) {
        lmdbKey.clear().put(keys[i]).flip();
        lmdbValue.clear().put(values[i]).flip();
        into.put(txn, lmdbKey, lmdbValue);
      }
      txn.commit();
    }
    return to - from;
  }

  /* ---- checking ---- */

  private void expect(String who, int record, byte[] found) {
    if (!Arrays.equals(found, values[record])) {
      throw new IllegalStateException("WRONG: " + who + " has another value of record " + record);
    }
  }

  /** Compares all that is held with what was written, in every way in which it is read. */
  private void check() {
    db.run(
        tx -> {
          Map<byte[], byte[]> many = tx.items(RAW).getMany(Arrays.asList(keys));
          for (int i = 0; i < RECORDS; i++) {
            expect("get", i, tx.items(RAW).get(keys[i]));
            expect("map.get", i, tx.map(RAW).get(keys[i]));
            expect("getMany", i, many.get(keys[i]));
            expect("get of a text", i, tx.items(TEXTS).get(texts[i]));
            expect("get of a record", i, tx.items(COMPOSITES).get(composites[i]));
          }
          checkScan(tx);
        });
    try (Txn<ByteBuffer> txn = env.txnRead()) {
      byte[] found = new byte[VALUE_BYTES];
      for (int i = 0; i < RECORDS; i++) {
        dbi.get(txn, lmdbKey.clear().put(keys[i]).flip()).get(found);
        expect("LMDB", i, found);
        records.get(txn, lmdbKeyOf(composites[i])).get(found);
        expect("LMDB, a record,", i, found);
      }
    }
  }

  /** What was put while it was timed, if it was. */
  private void checkPuts() {
    if (!db.view(tx -> tx.stores().contains("puts"))) {
      return;
    }
    db.run(
        tx -> {
          for (int i = 0; i < RECORDS; i++) {
            byte[] found = tx.items(PUTS).get(keys[i]);
            if (found != null) {
              expect("put", i, found);
            }
          }
        });
  }

  private void checkScan(Transaction tx) {
    Integer[] sorted = new Integer[RECORDS];
    Arrays.setAll(sorted, i -> i);
    Arrays.sort(sorted, (a, b) -> Arrays.compare(keys[a], keys[b]));
    Iterator<Integer> next = Arrays.asList(sorted).iterator();
    for (Map.Entry<byte[], byte[]> entry : tx.map(RAW).entrySet()) {
      int record = next.next();
      expect("a scan", record, entry.getValue());
      if (!Arrays.equals(entry.getKey(), keys[record])) {
        throw new IllegalStateException("WRONG: a scan has another key than that of " + record);
      }
    }
    if (next.hasNext()) {
      throw new IllegalStateException("WRONG: a scan ends before " + next.next());
    }
  }

  /* ---- loops ---- */

  private long sopGet() {
    return db.view(
        tx -> {
          Items<byte[], byte[]> items = tx.items(RAW);
          long sum = 0;
          for (int i : order) {
            sum += items.get(keys[i])[0];
          }
          return sum;
        });
  }

  private long sopMapGet() {
    return db.view(
        tx -> {
          long sum = 0;
          for (int i : order) {
            sum += tx.map(RAW).get(keys[i])[0];
          }
          return sum;
        });
  }

  private long sopTextGet() {
    return db.view(
        tx -> {
          Items<String, byte[]> items = tx.items(TEXTS);
          long sum = 0;
          for (int i : order) {
            sum += items.get(texts[i])[0];
          }
          return sum;
        });
  }

  private long sopCompositeGet() {
    return db.view(
        tx -> {
          Items<Composite, byte[]> items = tx.items(COMPOSITES);
          long sum = 0;
          for (int i : order) {
            sum += items.get(composites[i])[0];
          }
          return sum;
        });
  }

  private long sopManyGet() {
    return db.view(
        tx -> {
          long sum = 0;
          for (int at = 0; at < order.length; at += 1000) {
            java.util.List<byte[]> wanted = new java.util.ArrayList<>(1000);
            for (int i = at; i < at + 1000; i++) {
              wanted.add(keys[order[i]]);
            }
            sum += tx.items(RAW).getMany(wanted).size();
          }
          return sum;
        });
  }

  private long sopOneCallGet() {
    long sum = 0;
    for (int i : order) {
      sum += db.get(RAW, keys[i])[0];
    }
    return sum;
  }

  private long sopTransactionGet() {
    long sum = 0;
    for (int i : order) {
      try (Transaction tx = db.begin(org.sopdb.TxOptions.READ)) {
        sum += tx.items(RAW).get(keys[i])[0];
      }
    }
    return sum;
  }

  /**
   * The value copied to an array of its own, as everything that outlives the transaction must be.
   */
  private long lmdbGet() {
    long sum = 0;
    try (Txn<ByteBuffer> txn = env.txnRead()) {
      for (int i : order) {
        lmdbKey.clear().put(keys[i]).flip();
        ByteBuffer found = dbi.get(txn, lmdbKey);
        byte[] copy = new byte[found.remaining()];
        found.get(copy);
        sum += copy[0];
      }
    }
    return sum;
  }

  /** The bytes of a record, in its order. */
  private ByteBuffer lmdbKeyOf(Composite key) {
    lmdbRecordKey.clear().put(key.region().getBytes(UTF_8)).put((byte) 0);
    lmdbRecordKey.putLong(~key.number() ^ Long.MIN_VALUE);
    return lmdbRecordKey.put(key.name().getBytes(UTF_8)).flip();
  }

  private void lmdbPutRecords() {
    try (Txn<ByteBuffer> txn = env.txnWrite()) {
      for (int i = 0; i < RECORDS; i++) {
        records.put(txn, lmdbKeyOf(composites[i]), lmdbValue.clear().put(values[i]).flip());
      }
      txn.commit();
    }
  }

  /** A get by keys that are made of records by hand, as whoever has records must. */
  private long lmdbCompositeGet() {
    long sum = 0;
    try (Txn<ByteBuffer> txn = env.txnRead()) {
      for (int i : order) {
        ByteBuffer found = records.get(txn, lmdbKeyOf(composites[i]));
        byte[] copy = new byte[found.remaining()];
        found.get(copy);
        sum += copy[0];
      }
    }
    return sum;
  }

  private long lmdbGetInPlace() {
    long sum = 0;
    try (Txn<ByteBuffer> txn = env.txnRead()) {
      for (int i : order) {
        lmdbKey.clear().put(keys[i]).flip();
        sum += dbi.get(txn, lmdbKey).get(0);
      }
    }
    return sum;
  }

  private long lmdbTransactionGet() {
    long sum = 0;
    for (int i : order) {
      try (Txn<ByteBuffer> txn = env.txnRead()) {
        lmdbKey.clear().put(keys[i]).flip();
        ByteBuffer found = dbi.get(txn, lmdbKey);
        byte[] copy = new byte[found.remaining()];
        found.get(copy);
        sum += copy[0];
      }
    }
    return sum;
  }

  private long sopScan() {
    return db.view(
        tx -> {
          long sum = 0;
          for (Map.Entry<byte[], byte[]> entry : tx.map(RAW).entrySet()) {
            sum += entry.getKey()[4] + entry.getValue()[0];
          }
          return sum;
        });
  }

  private long sopStream() {
    return db.view(
        tx ->
            tx.items(COMPOSITES).stream(Range.all())
                .mapToLong(item -> item.key().number() + item.value()[0])
                .sum());
  }

  private long lmdbScan() {
    long sum = 0;
    try (Txn<ByteBuffer> txn = env.txnRead();
        CursorIterable<ByteBuffer> cursor = dbi.iterate(txn)) {
      for (CursorIterable.KeyVal<ByteBuffer> entry : cursor) {
        byte[] key = new byte[entry.key().remaining()];
        entry.key().get(key);
        byte[] data = new byte[entry.val().remaining()];
        entry.val().get(data);
        sum += key[4] + data[0];
      }
    }
    return sum;
  }

  private int batch;

  private int nextBatch() {
    batch = (batch + BATCH) % RECORDS;
    return batch;
  }

  private long sopPutMany() {
    int from = nextBatch();
    db.run(tx -> tx.items(PUTS).putMany(entries(from, from + BATCH)));
    return BATCH;
  }

  private long sopPut() {
    int from = nextBatch();
    db.run(
        tx -> {
          Items<byte[], byte[]> items = tx.items(PUTS);
          for (int i = from; i < from + BATCH; i++) {
            items.set(keys[i], values[i]);
          }
        });
    return BATCH;
  }

  private long lmdbPutBatch() {
    int from = nextBatch();
    return lmdbPut(puts, from, from + BATCH);
  }

  private void run() {
    load();
    check();
    compare("get byte[]", GETS, this::sopGet, this::lmdbGet);
    compare("get byte[], LMDBJava without a copy", GETS, this::sopGet, this::lmdbGetInPlace);
    compare("map get byte[]", GETS, this::sopMapGet, this::lmdbGet);
    compare("get String", GETS, this::sopTextGet, this::lmdbGet);
    compare("get record of three fields", GETS, this::sopCompositeGet, this::lmdbGet);
    compare("getMany of 1000", GETS, this::sopManyGet, this::lmdbGet);
    compare("one get, one call", GETS, this::sopOneCallGet, this::lmdbTransactionGet);
    compare("one get, one transaction", GETS, this::sopTransactionGet, this::lmdbTransactionGet);
    order = any;
    compare("any byte[]", GETS, this::sopGet, this::lmdbGet);
    compare("any String", GETS, this::sopTextGet, this::lmdbGet);
    compare("any record of three fields", GETS, this::sopCompositeGet, this::lmdbGet);
    compare(
        "any record of three fields, both of a record",
        GETS,
        this::sopCompositeGet,
        this::lmdbCompositeGet);
    compare("scan entries", RECORDS, this::sopScan, this::lmdbScan);
    compare("scan records of three fields", RECORDS, this::sopStream, this::lmdbScan);
    compare("putMany of 10000, committed", BATCH, this::sopPutMany, this::lmdbPutBatch);
    compare("put of 10000, committed", BATCH, this::sopPut, this::lmdbPutBatch);
    check();
    checkPuts();
    System.err.println("sum " + sink);
  }

  public static void main(String[] arguments) throws IOException {
    Bench bench = new Bench(Path.of(arguments[0]));
    bench.run();
    bench.env.close();
    bench.db.close();
  }
}
