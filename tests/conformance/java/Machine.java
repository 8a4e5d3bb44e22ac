package conformance;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ResourceBundle;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.logging.Logger;
import org.sopdb.Codec;
import org.sopdb.ConflictException;
import org.sopdb.Database;
import org.sopdb.Durability;
import org.sopdb.MisuseException;
import org.sopdb.Mode;
import org.sopdb.NotFoundException;
import org.sopdb.Options;
import org.sopdb.Outcome;
import org.sopdb.SopException;
import org.sopdb.Store;
import org.sopdb.StoreInfo;
import org.sopdb.Transaction;
import org.sopdb.TxOptions;

/**
 * The machine of Java: databases, transactions and stores as a whole. What belongs to one store is
 * in {@link Use}.
 */
final class Machine implements Decoder.Operations {
  private static final int TXNS_OF_ONE = 10;
  private static final int CURSORS_OF_ONE = 10;
  private static final int FORGET_MS = 60_000;
  private static final Store<byte[], byte[]> MARKER = Store.raw("marker", Codec.bytes());
  private static final List<System.Logger.Level> LEVELS =
      List.of(
          System.Logger.Level.OFF,
          System.Logger.Level.ERROR,
          System.Logger.Level.WARNING,
          System.Logger.Level.INFO,
          System.Logger.Level.DEBUG);
  private static final Logger LEAK_LOGGER = Logger.getLogger("org.sopdb");
  private static final AtomicInteger LEAKS = new AtomicInteger();

  /** An open database and where it is. */
  private record Db(Database database, Path folder) {}

  /** A transaction with what the machine keeps for it. */
  private static final class Txn {
    private final Transaction transaction;
    private final TxOptions options;
    private final List<Long> savepoints = new ArrayList<>();
    private UUID id;
    private boolean committed;

    Txn(Transaction transaction, TxOptions options) {
      this.transaction = transaction;
      this.options = options;
      this.id = transaction.id();
    }
  }

  /** Keeps what a database tells. */
  private static final class Messages implements System.Logger {
    private final BlockingQueue<String> texts = new LinkedBlockingQueue<>();

    @Override
    public String getName() {
      return "conformance";
    }

    @Override
    public boolean isLoggable(Level level) {
      return true;
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String text, Throwable thrown) {
      texts.add(text);
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String format, Object... arguments) {
      texts.add(format);
    }

    /** How many there are about stores; waits until there are {@code wanted}. */
    long stores(int wanted) throws InterruptedException {
      long count = 0;
      String text;
      while ((text = texts.poll(count < wanted ? FORGET_MS : 0, TimeUnit.MILLISECONDS)) != null) {
        count += text.startsWith("store ") ? 1 : 0;
      }
      return count;
    }
  }

  private final Map<Integer, Db> databases = new HashMap<>();
  private final Map<Integer, Txn> transactions = new HashMap<>();
  private final Map<Integer, Use.Open<?, ?>> cursors = new HashMap<>();
  private Path folder;

  public static void main(String[] arguments) throws Exception {
    LEAK_LOGGER.setUseParentHandlers(false);
    LEAK_LOGGER.setFilter(
        message -> {
          if (message.getMessage().startsWith("the database")) {
            LEAKS.incrementAndGet(); // told once the handle has been freed
          }
          return false;
        });
    Decoder.run(new Machine(), System.in, System.out);
  }

  private static <T> T in(Map<Integer, T> slots, int slot) {
    T found = slots.get(slot);
    if (found == null) {
      throw new Decoder.NoSlot();
    }
    return found;
  }

  private Database db(int slot) {
    return in(databases, slot).database();
  }

  private Transaction txn(int slot) {
    return in(transactions, slot).transaction;
  }

  private Use<?, ?> use(int txn, int store) {
    return Use.of(txn(txn), Stores.ALL.get(store));
  }

  /* ---- programs ---- */

  @Override
  public void programBegin(String place) {
    folder = Path.of(place);
  }

  @Override
  public void programEnd() {
    cursors.values().forEach(open -> open.cursor().close());
    cursors.clear();
    transactions.values().forEach(txn -> txn.transaction.close());
    transactions.clear();
    databases.values().forEach(db -> db.database().close());
    databases.clear();
  }

  @Override
  public Decoder.Failure failure(Exception error) {
    if (!(error instanceof SopException e)) {
      return null;
    }
    List<String> traits = new ArrayList<>();
    trait(traits, e.isRetriable(), "RETRY");
    trait(traits, e.isAbort(), "ABORT");
    trait(traits, e.mayHaveCommitted(), "MAYBE_COMMITTED");
    trait(traits, e.isFatal(), "FATAL");
    trait(traits, e.isMisuse(), "MISUSE");
    if (e instanceof ConflictException conflict) {
      return new Decoder.Failure(
          "CONFLICT", traits, conflict.conflict().store(), conflict.conflict().key());
    }
    return new Decoder.Failure(
        e.status().name(), traits, e instanceof NotFoundException ? e.store() : null, null);
  }

  private static void trait(List<String> traits, boolean has, String name) {
    if (has) {
      traits.add(name);
    }
  }

  /* ---- databases ---- */

  @Override
  public void open(Decoder.Call call, int db, String place, long create) {
    Options options =
        new Options()
            .create(create == 1)
            .readOnly(create == 2)
            .durability(Durability.WRITTEN)
            .cacheBytes(8 << 20);
    Db old = databases.remove(db);
    emptyChildren(db);
    if (old != null) {
      old.database().close();
    }
    boolean inMemory = place.equals("memory");
    Path path = inMemory ? null : folder.resolve(place);
    Database opened;
    if (inMemory) {
      opened = Database.open("inmemory:", options);
    } else {
      opened =
          call.spelling() % 2 == 0
              ? Database.open(path, options)
              : Database.open("inredfs:" + path, options);
    }
    databases.put(db, new Db(opened, path));
  }

  private void emptyChildren(int db) {
    cursors.keySet().removeIf(slot -> slot / (TXNS_OF_ONE * CURSORS_OF_ONE) == db);
    transactions.keySet().removeIf(slot -> slot / TXNS_OF_ONE == db);
  }

  @Override
  public void close(Decoder.Call call, int db) {
    db(db).close();
  }

  @Override
  public void forgetDb(Decoder.Call call, int db) {
    boolean leaks = isOpen(in(databases, db));
    int before = LEAKS.get();
    databases.remove(db);
    emptyChildren(db);
    if (leaks) {
      collect(() -> LEAKS.get() > before);
    }
  }

  private static boolean isOpen(Db db) {
    try {
      db.database().info();
      return true;
    } catch (SopException e) {
      return false;
    }
  }

  /** Has the garbage collected until that shows. */
  private static void collect(BooleanSupplier gone) {
    long end = System.nanoTime() + FORGET_MS * 1_000_000L;
    while (!gone.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new IllegalStateException("what was forgotten has not been collected");
      }
      System.gc();
      pause();
    }
  }

  private static void pause() {
    try {
      Thread.sleep(1);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void sync(Decoder.Call call, int db) {
    db(db).sync();
  }

  @Override
  public void checkpoint(Decoder.Call call, int db) {
    db(db).checkpoint();
  }

  @Override
  public void gc(Decoder.Call call, int db) {
    if (call.spelling() % 2 == 0) {
      db(db).gc();
    } else {
      db(db).gc((done, total) -> true);
    }
  }

  @Override
  public long verify(Decoder.Call call, int db) {
    return db(db).verify().size();
  }

  @Override
  public void backup(Decoder.Call call, int db, String place) {
    db(db).backup(folder.resolve(place), call.spelling() % 2 == 0 ? null : (done, total) -> true);
  }

  @Override
  public void restore(Decoder.Call call, String from, String place) {
    Database.restore(folder.resolve(from), folder.resolve(place), null);
  }

  @Override
  public long peek(Decoder.Call call, String place) {
    return Database.peek(folder.resolve(place)).isOpen() ? 1 : 0;
  }

  @Override
  public Decoder.InfoResult info(Decoder.Call call, int db) {
    return new Decoder.InfoResult(db(db).info().backend(), db(db).info().nodeBytes());
  }

  @Override
  public long stats(Decoder.Call call, int db) {
    if (call.spelling() % 2 == 0) {
      return db(db).stats().stores();
    }
    String line =
        db(db)
            .metrics()
            .lines()
            .filter(each -> each.startsWith("sop_stores "))
            .findAny()
            .orElseThrow();
    return Long.parseLong(line.substring("sop_stores ".length()));
  }

  @Override
  public Decoder.AboutResult about(Decoder.Call call, String feature) {
    return new Decoder.AboutResult(Database.version(), Database.hasFeature(feature) ? 1 : 0);
  }

  /** A store comes and goes, which are two messages of the level INFO. */
  @Override
  public long log(Decoder.Call call, int db, long level) throws InterruptedException {
    Database database = db(db);
    Messages messages = new Messages();
    database.logTo(messages, LEVELS.get((int) level));
    try {
      database.create(MARKER);
      database.drop(MARKER);
      return messages.stores(level >= LEVELS.indexOf(System.Logger.Level.INFO) ? 2 : 0);
    } finally {
      database.logTo(messages, System.Logger.Level.OFF);
    }
  }

  @Override
  public long approxCount(Decoder.Call call, int db, int store) {
    return db(db).approxCount(Stores.ALL.get(store).store());
  }

  @Override
  public byte[] read(Decoder.Call call, int db, int store, Decoder.Key key) {
    return Use.read(db(db), Stores.ALL.get(store), key);
  }

  /* ---- transactions ---- */

  @Override
  public void begin(Decoder.Call call, int txn, long mode, byte[] id) {
    Database database = db(txn / TXNS_OF_ONE);
    Txn old = transactions.remove(txn);
    if (old != null) {
      old.transaction.close();
    }
    UUID given = id == null ? null : uuid(id);
    TxOptions options = TxOptions.WRITE.withMode(Mode.values()[(int) mode]).withId(given);
    if (call.spelling() % 2 == 1 && given == null && mode < 2) {
      options = mode == 0 ? TxOptions.WRITE : TxOptions.READ; // whose handles are used again
    }
    transactions.put(txn, new Txn(database.begin(options), options));
  }

  /** Rolls back what is open, and begins anew as a program does that knows of no handles. */
  @Override
  public void renew(Decoder.Call call, int txn) {
    Txn old = in(transactions, txn);
    try {
      old.transaction.rollback();
    } catch (MisuseException e) {
      if (!old.committed) {
        throw e;
      }
    }
    transactions.remove(txn);
    old.transaction.close(); // its handle may be the next one's
    boolean keepsId = !old.committed || old.options.id() == null;
    TxOptions options = keepsId ? old.options : old.options.withId(null);
    transactions.put(txn, new Txn(db(txn / TXNS_OF_ONE).begin(options), options));
  }

  @Override
  public void again(Decoder.Call call, int txn) {
    Txn mine = in(transactions, txn);
    mine.transaction.again();
    mine.id = mine.transaction.id();
    mine.savepoints.clear();
  }

  @Override
  public String ownId(Decoder.Call call, int txn) {
    Txn mine = in(transactions, txn);
    UUID id = mine.transaction.id();
    return id.equals(mine.options.id()) ? id.toString().replace("-", "") : "-";
  }

  @Override
  public long attempts(Decoder.Call call, int txn) {
    return txn(txn).attempts();
  }

  @Override
  public long conflict(Decoder.Call call, int txn) {
    return txn(txn).conflict() == null ? 0 : 1;
  }

  private static UUID uuid(byte[] id) {
    ByteBuffer bytes = ByteBuffer.wrap(id);
    return new UUID(bytes.getLong(), bytes.getLong());
  }

  @Override
  public void commit(Decoder.Call call, int txn) {
    txn(txn).commit();
    in(transactions, txn).committed = true;
  }

  @Override
  public void rollback(Decoder.Call call, int txn) {
    txn(txn).rollback();
  }

  @Override
  public void end(Decoder.Call call, int txn) {
    txn(txn).close();
  }

  @Override
  public void forgetTxn(Decoder.Call call, int txn) {
    UUID id = in(transactions, txn).id;
    Db db = databases.get(txn / TXNS_OF_ONE);
    cursors.keySet().removeIf(slot -> slot / CURSORS_OF_ONE == txn);
    transactions.remove(txn);
    if (db != null && isOpen(db)) {
      collect(() -> db.database().outcome(id).state() != Outcome.State.PENDING);
    }
  }

  @Override
  public void cancel(Decoder.Call call, int txn) {
    txn(txn).cancel();
  }

  @Override
  public String outcome(Decoder.Call call, int txn) {
    UUID id = in(transactions, txn).id;
    return db(txn / TXNS_OF_ONE).outcome(id).state().name();
  }

  @Override
  public Decoder.OutcomeOfResult outcomeOf(Decoder.Call call, int db, byte[] id) {
    Outcome outcome = db(db).outcome(uuid(id));
    return new Decoder.OutcomeOfResult(outcome.state().name(), outcome.position());
  }

  @Override
  public long position(Decoder.Call call, int txn) {
    return txn(txn).position();
  }

  @Override
  public void savepoint(Decoder.Call call, int txn) {
    in(transactions, txn).savepoints.add(txn(txn).savepoint());
  }

  @Override
  public void rollbackTo(Decoder.Call call, int txn, long index) {
    List<Long> savepoints = in(transactions, txn).savepoints;
    if (savepoints.isEmpty()) {
      throw new Decoder.NoSlot();
    }
    txn(txn).rollbackTo(savepoints.get((int) Long.remainderUnsigned(index, savepoints.size())));
  }

  @Override
  public Decoder.RunResult run(
      Decoder.Call call,
      int db,
      int store,
      Decoder.Key key,
      long by,
      long rivals,
      byte[] id,
      long retry) {
    Database database = db(db);
    TxOptions options = id == null ? TxOptions.WRITE : TxOptions.WRITE.withId(uuid(id));
    return database.update(
        retry < 0 ? options : options.withRetryFor(Duration.ofSeconds(retry)),
        tx -> {
          Use<?, ?> mine = Use.of(tx, Stores.ALL.get(store));
          long value = number(mine.getOrNothing(key));
          if (tx.attempts() <= rivals) {
            database.run(
                rival -> Use.of(rival, Stores.ALL.get(store)).put(0, key, bytes(value + 1000)));
          }
          mine.put(0, key, bytes(value + by));
          return new Decoder.RunResult(value + by, tx.attempts());
        });
  }

  private static long number(byte[] value) {
    return value == null || value.length != Long.BYTES
        ? 0
        : ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  private static byte[] bytes(long value) {
    return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
  }

  /* ---- stores ---- */

  @Override
  public void create(Decoder.Call call, int txn, int store) {
    txn(txn).create(Stores.ALL.get(store).store());
  }

  @Override
  public void drop(Decoder.Call call, int txn, int store) {
    txn(txn).drop(Stores.ALL.get(store).store());
  }

  @Override
  public void rename(Decoder.Call call, int txn, int store, String to) {
    txn(txn).rename(Stores.ALL.get(store).store(), to);
  }

  @Override
  public String list(Decoder.Call call, int txn) {
    List<String> names = txn(txn).stores();
    return names.isEmpty() ? "-" : String.join(",", names);
  }

  @Override
  public Decoder.DescribeResult describe(Decoder.Call call, int txn, int store) {
    StoreInfo info = txn(txn).describe(Stores.ALL.get(store).store());
    return new Decoder.DescribeResult(
        info.duplicates() ? 1 : 0, info.nodeItems(), info.schema().isEmpty() ? "-" : info.schema());
  }

  /* ---- items ---- */

  @Override
  public byte[] get(Decoder.Call call, int txn, int store, Decoder.Key key) {
    return use(txn, store).get(call.spelling(), key);
  }

  @Override
  public Decoder.Entry fetch(Decoder.Call call, int txn, int store, Decoder.Key key, long item) {
    return use(txn, store).fetch(call.spelling(), key, item);
  }

  @Override
  public long version(Decoder.Call call, int txn, int store, Decoder.Key key, long item) {
    return use(txn, store).version(call.spelling(), key, item);
  }

  @Override
  public void put(Decoder.Call call, int txn, int store, Decoder.Key key, byte[] value) {
    use(txn, store).put(call.spelling(), key, value);
  }

  @Override
  public long insert(Decoder.Call call, int txn, int store, Decoder.Key key, byte[] value) {
    return use(txn, store).insert(call.spelling(), key, value);
  }

  @Override
  public void update(
      Decoder.Call call, int txn, int store, Decoder.Key key, long item, byte[] value) {
    use(txn, store).update(key, item, value);
  }

  @Override
  public void remove(Decoder.Call call, int txn, int store, Decoder.Key key, long item) {
    use(txn, store).remove(key, item);
  }

  @Override
  public void setRide(Decoder.Call call, int txn, int store, Decoder.Key key, long item) {
    use(txn, store).setRide(key, item);
  }

  @Override
  public void add(Decoder.Call call, int txn, int store, Decoder.Key key, long by) {
    use(txn, store).add(key, by);
  }

  @Override
  public void min(Decoder.Call call, int txn, int store, Decoder.Key key, long to) {
    use(txn, store).min(key, to);
  }

  @Override
  public void max(Decoder.Call call, int txn, int store, Decoder.Key key, long to) {
    use(txn, store).max(key, to);
  }

  @Override
  public long removeRange(Decoder.Call call, int txn, int store, Decoder.Range range) {
    return use(txn, store).removeRange(range);
  }

  @Override
  public long count(Decoder.Call call, int txn, int store, Decoder.Range range) {
    return use(txn, store).count(call.spelling(), range);
  }

  @Override
  public String getMany(Decoder.Call call, int txn, int store, List<Decoder.Key> keys) {
    return use(txn, store).getMany(call.spelling(), keys);
  }

  @Override
  public Decoder.PutManyResult putMany(
      Decoder.Call call, int txn, int store, long how, List<Decoder.Row> rows) {
    return use(txn, store).putMany((int) how, rows);
  }

  @Override
  public String scan(
      Decoder.Call call, int txn, int store, Decoder.Range range, long flags, long limit) {
    return use(txn, store).scan(call.spelling(), range, flags, limit);
  }

  /* ---- cursors ---- */

  private Use.Open<?, ?> cursor(int slot) {
    return in(cursors, slot);
  }

  private Use.Open<?, ?> cursorOf(int slot, int store) {
    Use.Open<?, ?> open = cursor(slot);
    if (open.kind() != Stores.ALL.get(store)) {
      throw new Decoder.NoSlot();
    }
    return open;
  }

  @Override
  public void cursorOpen(
      Decoder.Call call, int cursor, int store, Decoder.Range range, long flags) {
    Use.Open<?, ?> old = cursors.remove(cursor);
    if (old != null) {
      old.cursor().close();
    }
    cursors.put(cursor, use(cursor / CURSORS_OF_ONE, store).open(range, flags));
  }

  @Override
  public Decoder.Entry cursorFirst(Decoder.Call call, int cursor) {
    return cursor(cursor).first();
  }

  @Override
  public Decoder.Entry cursorLast(Decoder.Call call, int cursor) {
    return cursor(cursor).last();
  }

  @Override
  public Decoder.Entry cursorNext(Decoder.Call call, int cursor) {
    return cursor(cursor).next();
  }

  @Override
  public Decoder.Entry cursorPrev(Decoder.Call call, int cursor) {
    return cursor(cursor).previous();
  }

  @Override
  public Decoder.Entry cursorSeek(
      Decoder.Call call, int cursor, int store, Decoder.Key key, long where) {
    return cursorOf(cursor, store).seek(call.spelling(), key, (int) where);
  }

  @Override
  public Decoder.Entry cursorEntry(Decoder.Call call, int cursor) {
    return cursor(cursor).current();
  }

  @Override
  public void cursorUpdate(Decoder.Call call, int cursor, int store, byte[] value) {
    cursorOf(cursor, store).update(value);
  }

  @Override
  public void cursorRemove(Decoder.Call call, int cursor) {
    cursor(cursor).remove();
  }

  @Override
  public String cursorFetch(Decoder.Call call, int cursor, long rowsMax) {
    return cursor(cursor).fetch(rowsMax);
  }

  @Override
  public void cursorClose(Decoder.Call call, int cursor) {
    cursor(cursor).cursor().close();
  }

  @Override
  public void cursorForget(Decoder.Call call, int cursor) {
    in(cursors, cursor);
    cursors.remove(cursor);
    if (call.spelling() % 8 == 0) { // nothing shows whether it is gone, and each takes milliseconds
      System.gc();
    }
  }
}
