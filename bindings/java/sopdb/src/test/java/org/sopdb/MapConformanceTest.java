package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.common.collect.testing.NavigableMapTestSuiteBuilder;
import com.google.common.collect.testing.SampleElements;
import com.google.common.collect.testing.TestSortedMapGenerator;
import com.google.common.collect.testing.features.CollectionFeature;
import com.google.common.collect.testing.features.CollectionSize;
import com.google.common.collect.testing.features.MapFeature;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Map.Entry;
import java.util.SortedMap;
import junit.framework.AssertionFailedError;
import junit.framework.TestListener;
import junit.framework.TestResult;
import junit.framework.TestSuite;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Guava's tests of what a {@code java.util.NavigableMap} promises. Left out: null keys and values,
 * which a store has not; failing fast, since iterators here go on after a change; serialization,
 * since a map belongs to a transaction. Of each map the tests also look at its parts, its reverse,
 * and its sets.
 */
class MapConformanceTest {
  private static final int TESTS_AT_LEAST = 40_000;

  @TempDir Path folder;

  @Test
  void passesGuavasTestsOfNavigableMaps() {
    List<String> failed = new ArrayList<>();
    TestResult result = new TestResult();
    result.addListener(new Collecting(failed));
    try (Whole maps = new Whole()) {
      suite("StoreMap", maps, CollectionSize.ANY).run(result);
    }
    try (Part maps = new Part(folder)) {
      suite("prefix", maps, CollectionSize.SEVERAL).run(result);
    }
    assertTrue(result.runCount() >= TESTS_AT_LEAST, () -> "there were only " + result.runCount());
    assertEquals(List.of(), failed);
  }

  private record Collecting(List<String> failed) implements TestListener {
    @Override
    public void addError(junit.framework.Test test, Throwable e) {
      failed.add(test + ": " + e);
    }

    @Override
    public void addFailure(junit.framework.Test test, AssertionFailedError e) {
      failed.add(test + ": " + e);
    }

    @Override
    public void endTest(junit.framework.Test test) {}

    @Override
    public void startTest(junit.framework.Test test) {}
  }

  private static <K> TestSuite suite(String name, Maps<K> maps, CollectionSize sizes) {
    return NavigableMapTestSuiteBuilder.using(maps)
        .named(name)
        .withTearDown(maps::endAll)
        .withFeatures(
            sizes,
            MapFeature.GENERAL_PURPOSE,
            MapFeature.SUPPORTS_PUT,
            MapFeature.SUPPORTS_REMOVE,
            CollectionFeature.SUPPORTS_ITERATOR_REMOVE,
            CollectionFeature.KNOWN_ORDER)
        .createTestSuite();
  }

  /** Makes maps in a database of their own, until a test is over. */
  private abstract static class Maps<K>
      implements TestSortedMapGenerator<K, String>, AutoCloseable {
    private final Database db;
    private final Store<K, String> store;
    private final List<Transaction> open = new ArrayList<>();

    Maps(Database db, Store<K, String> store) {
      this.db = db;
      this.store = store;
    }

    abstract K key(String text);

    abstract K[] keys(int length);

    /** What a new transaction shows. */
    abstract StoreMap<K, String> map(StoreMap<K, String> all);

    /** Looks at what a test left. */
    void check(StoreMap<K, String> all) {}

    @Override
    @SuppressWarnings("unchecked")
    public SortedMap<K, String> create(Object... entries) {
      Transaction tx = db.begin();
      open.add(tx);
      tx.create(store);
      StoreMap<K, String> map = map(tx.map(store));
      Map<K, String> given = new LinkedHashMap<>();
      for (Object entry : entries) {
        Entry<K, String> e = (Entry<K, String>) entry;
        given.put(e.getKey(), e.getValue());
      }
      map.putAll(given);
      return map;
    }

    void endAll() {
      for (Transaction tx : open) {
        check(tx.map(store));
        tx.close();
      }
      open.clear();
    }

    @Override
    public void close() {
      db.close();
    }

    private Entry<K, String> entry(String key, String value) {
      return Map.entry(key(key), value);
    }

    @Override
    public SampleElements<Entry<K, String>> samples() {
      return new SampleElements<>(
          entry("one", "1"),
          entry("two", "2"),
          entry("three", "3"),
          entry("four", "4"),
          entry("five", "5"));
    }

    @Override
    @SuppressWarnings("unchecked")
    public Entry<K, String>[] createArray(int length) {
      return (Entry<K, String>[]) new Entry<?, ?>[length];
    }

    @Override
    public K[] createKeyArray(int length) {
      return keys(length);
    }

    @Override
    public String[] createValueArray(int length) {
      return new String[length];
    }

    @Override
    public Iterable<Entry<K, String>> order(List<Entry<K, String>> entries) {
      entries.sort(Entry.comparingByKey(store.comparator()));
      return entries;
    }

    @Override
    public Entry<K, String> belowSamplesLesser() {
      return entry("!! a", "below");
    }

    @Override
    public Entry<K, String> belowSamplesGreater() {
      return entry("!! b", "below");
    }

    @Override
    public Entry<K, String> aboveSamplesLesser() {
      return entry("~~ a", "above");
    }

    @Override
    public Entry<K, String> aboveSamplesGreater() {
      return entry("~~ b", "above");
    }
  }

  /** All of a store of texts, in memory. */
  private static final class Whole extends Maps<String> {
    Whole() {
      super(
          Database.open("inmemory:"),
          Store.of("map", String.class, Codec.string()).withNodeItems(4));
    }

    @Override
    String key(String text) {
      return text;
    }

    @Override
    String[] keys(int length) {
      return new String[length];
    }

    @Override
    StoreMap<String, String> map(StoreMap<String, String> all) {
      return all;
    }
  }

  /** A name in a place, with something that no map compares. */
  record Key(String place, String name, @Ride int note) {}

  /** The records of one place, in a folder, between those of others. */
  private static final class Part extends Maps<Key> {
    private static final String PLACE = "m";
    private static final Map<Key, String> OTHERS =
        Map.of(new Key("a", "one", 1), "1", new Key("z", "one", 2), "2");

    Part(Path folder) {
      super(
          Database.open(folder.resolve("db"), Create.IF_MISSING),
          Store.of("map", Key.class, Codec.string()).withNodeItems(4));
    }

    @Override
    Key key(String text) {
      return new Key(PLACE, text, 0);
    }

    @Override
    Key[] keys(int length) {
      return new Key[length];
    }

    @Override
    StoreMap<Key, String> map(StoreMap<Key, String> all) {
      all.putAll(OTHERS);
      return all.prefix(PLACE);
    }

    @Override
    void check(StoreMap<Key, String> all) {
      OTHERS.forEach((key, value) -> assertEquals(value, all.get(key)));
    }
  }
}
