package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.ResourceBundle;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Opening, closing, and looking after a database. */
class DatabaseTest {
  private static final Store<String, String> NAMES =
      Store.of("names", String.class, Codec.string());

  @TempDir Path folder;

  private Path path() {
    return folder.resolve("db");
  }

  @Test
  void keepsWhatWasCommittedInAFolder() {
    try (Database db = Database.open(path(), Create.IF_MISSING)) {
      db.run(tx -> tx.map(NAMES).set("ann", "Ann"));
    }
    try (Database db = Database.open(path())) {
      assertEquals("Ann", db.get(NAMES, "ann"));
      assertNull(db.get(NAMES, "bob"));
      assertEquals(List.of("names"), db.stores());
    }
  }

  @Test
  void makesNothingUnlessAsked() {
    assertThrows(NotFoundException.class, () -> Database.open(path()));
    assertThrows(NotFoundException.class, () -> Database.open(path(), Create.NEVER));
    assertFalse(Files.exists(path()));
  }

  @Test
  void takesAPathThatLooksLikeAUrlForAPath() throws IOException {
    Path odd = Path.of("inmemory:" + System.nanoTime());
    try (Database db = Database.open(odd, Create.IF_MISSING)) {
      assertEquals("inredfs", db.info().backend());
      assertTrue(Files.isDirectory(odd));
    } finally {
      if (Files.exists(odd)) {
        try (var files = Files.walk(odd)) {
          files.sorted(java.util.Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        }
      }
    }
  }

  @Test
  void takesOptionsByNameAndTellsThem() {
    Options options =
        new Options()
            .create(true)
            .durability(Durability.WRITTEN)
            .deadline(Duration.ofSeconds(7))
            .cacheBytes(16 << 20)
            .logBytesMax(8 << 20)
            .snapshotBytesMax(2 << 20)
            .transactionBytesMax(32 << 20)
            .flushInterval(Duration.ofMillis(20))
            .nodeItems(40)
            .inlineValueBytes(128)
            .registryBuckets(500)
            .set("node_bytes", "8KB");
    try (Database db = Database.open(path(), options)) {
      Info info = db.info();
      assertEquals(path().toString(), info.path());
      assertEquals(Durability.WRITTEN, info.durability());
      assertEquals(Duration.ofSeconds(7), info.deadline());
      assertEquals(16 << 20, info.cacheBytes());
      assertEquals(8 << 20, info.logBytesMax());
      assertEquals(2 << 20, info.snapshotBytesMax());
      assertEquals(32 << 20, info.transactionBytesMax());
      assertEquals(Duration.ofMillis(20), info.flushInterval());
      assertEquals(40, info.nodeItems());
      assertEquals(128, info.inlineValueBytes());
      assertEquals(500, info.registryBuckets());
      assertEquals(8192, info.nodeBytes());
      assertNotNull(info.uuid());
    }
    assertThrows(
        MisuseException.class, () -> Database.open("inmemory:", new Options().set("no_such", "1")));
    assertThrows(
        LimitException.class, () -> Database.open("inmemory:", new Options().nodeBytes(1)));
  }

  @Test
  void sharesAFolderWithinTheProcessIfTheOptionsAgree() {
    try (Database one = Database.open(path(), Create.IF_MISSING);
        Database two = Database.open(path())) {
      one.run(tx -> tx.map(NAMES).set("k", "v"));
      assertEquals("v", two.get(NAMES, "k"));
      assertThrows(
          LockedException.class,
          () -> Database.open(path(), new Options().set("flush_interval_ms", "77")));
    }
  }

  @Test
  void writesNothingWhereItMayOnlyRead() {
    try (Database db = Database.open(path(), Create.IF_MISSING)) {
      db.run(tx -> tx.map(NAMES).set("k", "v"));
    }
    try (Database db = Database.open(path(), new Options().readOnly(true))) {
      assertEquals("v", db.get(NAMES, "k"));
      assertThrows(ReadOnlyException.class, () -> db.run(tx -> tx.map(NAMES).set("k", "w")));
    }
  }

  @Test
  void answersAfterCloseWithAnException() {
    Database db = Database.open("inmemory:");
    Transaction tx = db.begin();
    StoreMap<String, String> map = tx.map(NAMES);
    map.set("a", "1");
    var iterator = map.keySet().iterator();
    Cursor<String, String> cursor = tx.items(NAMES).cursor();
    assertEquals("a", cursor.next().key());
    db.close();
    db.close();
    assertThrows(ClosedException.class, () -> map.get("a"));
    assertThrows(ClosedException.class, () -> map.set("a", "2"));
    assertThrows(ClosedException.class, iterator::hasNext);
    assertThrows(ClosedException.class, cursor::next);
    assertThrows(ClosedException.class, tx::commit);
    assertThrows(ClosedException.class, db::begin);
    assertThrows(ClosedException.class, () -> db.get(NAMES, "a"));
    assertThrows(ClosedException.class, db::stats);
    assertThrows(ClosedException.class, () -> db.view(t -> null));
    cursor.close();
    cursor.close();
    tx.close();
    tx.close();
    assertThrows(ClosedException.class, () -> map.get("a"));
    assertThrows(ClosedException.class, cursor::next);
  }

  @Test
  void backsUpAndRestores() {
    Path copy = folder.resolve("copy");
    Path again = folder.resolve("again");
    List<Long> told = new ArrayList<>();
    try (Database db = Database.open(path(), Create.IF_MISSING)) {
      db.run(tx -> tx.map(NAMES).set("k", "v".repeat(5000)));
      long position = db.backup(copy, (done, total) -> told.add(done));
      assertTrue(position > 0);
      assertFalse(told.isEmpty());
      assertThrows(ExistsException.class, () -> db.backup(copy));
      assertThrows(
          CancelledException.class,
          () -> db.backup(folder.resolve("stopped"), (done, total) -> false));
      assertThrows(
          IllegalStateException.class,
          () ->
              db.backup(
                  folder.resolve("thrown"),
                  (done, total) -> {
                    throw new IllegalStateException("stop");
                  }));
      // The function may use the database meanwhile, also in ways that fail.
      db.backup(
          folder.resolve("busy"),
          (done, total) -> {
            assertThrows(
                NotFoundException.class,
                () -> db.get(Store.raw("none", Codec.bytes()), new byte[0]));
            return db.get(NAMES, "nobody") == null;
          });
      closesInCallbacks(db, folder.resolve("closing"));
    }
    Database.restore(copy, again);
    try (Database db = Database.open(again)) {
      assertEquals("v".repeat(5000), db.get(NAMES, "k"));
    }
  }

  /** Each of them would wait for itself. */
  private static void closesInCallbacks(Database db, Path copy) {
    AtomicInteger told = new AtomicInteger();
    Progress closes =
        (done, total) -> {
          told.incrementAndGet();
          assertThrows(MisuseException.class, db::close);
          return true;
        };
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () -> {
          db.gc(closes);
          db.backup(copy, closes);
          db.verify(problem -> true, closes);
        });
    assertTrue(told.get() >= 3, "told " + told + " times");
  }

  @Test
  void verifiesAndTellsWhatIsWrong() throws IOException {
    try (Database db = Database.open(path(), Create.IF_MISSING)) {
      db.run(tx -> tx.map(NAMES).set("k", "v".repeat(100)));
      db.checkpoint();
      assertEquals(List.of(), db.verify());
      Files.writeString(path().resolve("blobs").resolve("stranger"), "?");
      List<Problem> problems = db.verify();
      assertEquals(1, problems.size());
      assertFalse(problems.get(0).isDamage());
      assertEquals("blobs/stranger", problems.get(0).file());
      assertThrows(CancelledException.class, () -> db.verify(problem -> false, null));
      damage();
      List<Problem> damaged = db.verify();
      assertTrue(damaged.stream().anyMatch(Problem::isDamage));
      assertFalse(db.verify(problem -> true, (done, total) -> true));
      assertThrows(
          CancelledException.class, () -> db.verify(problem -> true, (done, total) -> false));
    }
  }

  /** Changes a byte in the middle of every pack. */
  private void damage() throws IOException {
    try (var files = Files.walk(path().resolve("blobs"))) {
      for (Path file :
          files.filter(f -> Files.isRegularFile(f) && !f.endsWith("stranger")).toList()) {
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length / 2] ^= 1;
        Files.write(file, bytes);
      }
    }
  }

  @Test
  void looksAfterItself() {
    try (Database db =
        Database.open(path(), new Options().create(true).durability(Durability.BUFFERED))) {
      db.run(tx -> tx.map(NAMES).set("k", "v"));
      db.sync();
      Stats stats = db.stats();
      assertEquals(stats.position(), stats.durablePosition());
      assertEquals(Durability.BUFFERED, stats.durability());
      assertFalse(stats.failed() || stats.lowSpace());
      assertEquals(Duration.ZERO, stats.oldestSnapshotAge());
      assertEquals(1, stats.commits());
      db.checkpoint();
      assertTrue(db.stats().checkpoints() >= 1);
      db.gc((done, total) -> true);
      db.gc();
      assertTrue(db.metrics().contains("# EOF"));
      Peek peek = Database.peek(path());
      assertTrue(peek.isOpen());
      assertEquals(ProcessHandle.current().pid(), peek.process());
      assertNotNull(peek.stats());
      assertEquals(db.info().uuid(), peek.uuid());
      assertEquals(db.info().flushInterval(), peek.flushInterval());
      assertFalse(peek.opened().isAfter(peek.written()));
    }
    assertFalse(Database.peek(path()).isOpen());
  }

  @Test
  void hasAStatisticForEachOfTheLibrary() {
    try (Database db = Database.open("inmemory:")) {
      // One number each behind the size of the structure, so a figure that is added there must be
      // added here.
      Transaction tx = db.begin();
      assertEquals(1, db.stats().transactionsOpen());
      tx.close();
    }
    byte[] image = imageOfStats();
    assertEquals(image.length / Long.BYTES - 1, Stats.class.getRecordComponents().length);
  }

  private static byte[] imageOfStats() {
    long set = new Options().build();
    long db = Raw.sop_open(Text.of("inmemory:"), set);
    Raw.sop_options_free(set);
    byte[] image = Raw.sop_db_stats(db);
    Raw.sop_db_free(db);
    return image;
  }

  @Test
  void sendsItsMessagesToALogger() throws Exception {
    CountDownLatch told = new CountDownLatch(1);
    System.Logger logger = new LatchLogger(told);
    try (Database db = Database.open(path(), Create.IF_MISSING)) {
      db.logTo(logger, System.Logger.Level.DEBUG);
      db.run(tx -> tx.map(NAMES).set("k", "v"));
      db.checkpoint();
      assertTrue(told.await(60, TimeUnit.SECONDS), "a checkpoint is told of");
    }
  }

  @Test
  void handsOverItsMessagesWithTheirTime() throws Exception {
    BlockingQueue<LogMessage> told = new LinkedBlockingQueue<>();
    Instant before = Instant.now();
    List<Throwable> thrown = Collections.synchronizedList(new ArrayList<>());
    Thread.UncaughtExceptionHandler earlier = Thread.getDefaultUncaughtExceptionHandler();
    Thread.setDefaultUncaughtExceptionHandler((thread, e) -> thrown.add(e));
    try (Database db = Database.open(path(), Create.IF_MISSING)) {
      db.logTo(
          message -> {
            told.add(message);
            throw new IllegalStateException("the program's own, for the handler of such");
          },
          System.Logger.Level.INFO);
      db.create(NAMES);
      db.drop(NAMES);
      for (int i = 0; i < 2; i++) { // the second comes although the first was thrown back
        LogMessage message = told.poll(60, TimeUnit.SECONDS);
        assertTrue(message.text().startsWith("store "), message::text);
        assertEquals(System.Logger.Level.INFO, message.level());
        assertEquals(0, message.lost());
        assertFalse(message.time().isBefore(before.minusMillis(1)), message::toString);
        assertFalse(message.time().isAfter(Instant.now().plusMillis(1)), message::toString);
      }
      assertTrue(thrown.get(0) instanceof IllegalStateException, thrown::toString);
    } finally {
      Thread.setDefaultUncaughtExceptionHandler(earlier);
    }
  }

  private record LatchLogger(CountDownLatch told) implements System.Logger {
    @Override
    public String getName() {
      return "test";
    }

    @Override
    public boolean isLoggable(Level level) {
      return true;
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
      told.countDown();
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String format, Object... parameters) {
      told.countDown();
    }
  }

  @Test
  void theLatestLoggerHasItAlone() throws Exception {
    CountDownLatch earlier = new CountDownLatch(1);
    CountDownLatch latest = new CountDownLatch(1);
    try (Database db = Database.open(folder, Create.IF_MISSING)) {
      db.logTo(new LatchLogger(earlier), System.Logger.Level.DEBUG);
      db.logTo(new LatchLogger(latest), System.Logger.Level.DEBUG);
      db.run(tx -> tx.map(NAMES).set("k", "v"));
      db.checkpoint();
      assertTrue(latest.await(60, TimeUnit.SECONDS), "a checkpoint is told of");
    }
    assertEquals(1, earlier.getCount(), "the earlier one gets no more");
  }

  @Test
  void aFunctionThatTheDatabaseCallsCannotCloseIt() throws Exception {
    try (Database db = Database.open(folder, Create.IF_MISSING)) {
      db.run(tx -> tx.map(NAMES).set("k", "v"));
      FutureTask<Boolean> closes =
          new FutureTask<>(() -> db.verify(problem -> true, (done, total) -> closed(db)));
      Thread thread = new Thread(closes);
      thread.setDaemon(true);
      thread.start();
      ExecutionException e =
          assertThrows(ExecutionException.class, () -> closes.get(60, TimeUnit.SECONDS));
      assertTrue(e.getCause() instanceof MisuseException, () -> "not " + e.getCause());
    }
  }

  private static boolean closed(Database db) {
    db.close();
    return true;
  }

  @Test
  void deadlinesOfAnyLengthAreTaken() throws Exception {
    Duration longest = Duration.ofSeconds(Long.MAX_VALUE);
    try (Database db = Database.open("inmemory:", new Options().deadline(longest))) {
      db.update(TxOptions.WRITE.withDeadline(longest), tx -> tx.map(NAMES).put("k", "v"));
    }
    try (Database db = Database.open("inmemory:", new Options().deadline(Duration.ofNanos(1)));
        Transaction tx = db.begin()) {
      Thread.sleep(50);
      assertThrows(SopTimeoutException.class, () -> tx.map(NAMES).set("k", "v"));
    }
  }

  @Test
  void doesNotWaitForTheDiskUnlessItMay() {
    Store<Long, byte[]> many = Store.of("many", Long.class, Codec.bytes());
    try (Database db = Database.open(path(), Create.IF_MISSING)) {
      db.run(tx -> LongStream.range(0, 3000).forEach(i -> tx.map(many).set(i, new byte[100])));
      db.checkpoint(); // else opening would bring in what it replays
    }
    try (Database db = Database.open(path())) {
      db.view(
          tx -> {
            Items<Long, byte[]> items = tx.items(many);
            assertThrows(WouldBlockException.class, () -> items.fetchNow(2500L));
            assertThrows(WouldBlockException.class, () -> items.fetchNow(2500L, 0));
            assertEquals(100, items.get(2500L).length);
            assertEquals(100, items.fetchNow(2500L).value().length);
            assertTrue(items.fetchNow(2500L, 0).version() > 0);
            return null;
          });
    }
  }

  @Test
  void saysWhichStoreIsMissingThoughItsNameIsAPartOfTheMessage() {
    Store<String, String> absent = Store.of("store", String.class, Codec.string());
    try (Database db = Database.open("inmemory:")) {
      NotFoundException e = assertThrows(NotFoundException.class, () -> db.get(absent, "a"));
      assertTrue(e.getMessage().contains("\"store\""), e.getMessage());
    }
  }

  @Test
  void saysWhichStoreIsMissing() {
    Store<String, String> absent = Store.of("absent", String.class, Codec.string());
    try (Database db = Database.open("inmemory:")) {
      for (Executable call :
          List.<Executable>of(
              () -> db.get(absent, "a"),
              () -> db.drop(absent),
              () -> db.view(tx -> tx.describe("absent")),
              () -> db.view(tx -> tx.describe(absent)),
              () -> db.view(tx -> tx.map(absent).firstEntry()),
              () -> db.run(tx -> tx.items(absent).remove("a")))) {
        NotFoundException e = assertThrows(NotFoundException.class, call);
        assertEquals("absent", e.store());
        assertTrue(e.getMessage().contains("\"absent\""), e.getMessage());
      }
    }
  }

  @Test
  void tellsVersionAndFeatures() {
    assertTrue(Database.version().matches("\\d+\\.\\d+\\.\\d+"));
    assertTrue(Database.hasFeature("inmemory"));
    assertFalse(Database.hasFeature("no such thing"));
  }

  @Test
  void refusesNamesThatAreNone() {
    try (Database db = Database.open("inmemory:")) {
      assertThrows(MisuseException.class, () -> db.create(Store.raw("", Codec.bytes())));
      assertThrows(
          LimitException.class, () -> db.create(Store.raw("x".repeat(256), Codec.bytes())));
      assertThrows(SchemaException.class, () -> db.create(Store.raw("half \ud800", Codec.bytes())));
    }
    assertThrows(MisuseException.class, () -> Database.open("in\0memory:"));
  }

  @Test
  void keepsBytesAsTheyAre() {
    byte[] all = new byte[256];
    for (int i = 0; i < all.length; i++) {
      all[i] = (byte) i;
    }
    Store<byte[], byte[]> raw = Store.raw("raw", Codec.bytes());
    try (Database db = Database.open("inmemory:")) {
      db.run(
          tx -> {
            tx.map(raw).set(all, all);
            tx.map(raw).set(new byte[0], new byte[0]);
            tx.map(raw).set(new byte[] {1}, new byte[5_000_000]);
          });
      assertArrayEquals(all, db.get(raw, all));
      assertArrayEquals(new byte[0], db.get(raw, new byte[0]));
      assertEquals(5_000_000, db.get(raw, new byte[] {1}).length);
      assertThrows(LimitException.class, () -> db.run(tx -> tx.map(raw).set(new byte[65537], all)));
    }
  }
}
