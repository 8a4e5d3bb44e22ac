package conformance;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.sopdb.Cursor;
import org.sopdb.Database;
import org.sopdb.Item;
import org.sopdb.Items;
import org.sopdb.Range;
import org.sopdb.StoreMap;
import org.sopdb.Transaction;
import org.sopdb.WouldBlockException;

/** A store in a transaction: each operation in the ways that Java has to say it. */
record Use<K, V>(Transaction tx, Stores.Kind<K, V> kind) {
  private static final int REVERSE = 1;
  private static final int KEYS = 2;
  private static final int INSERT = 1;
  private static final int UPDATE = 2;
  private static final int REMOVE = 3;
  private static final int EXACT = 4;

  static <K, V> Use<K, V> of(Transaction tx, Stores.Kind<K, V> kind) {
    return new Use<>(tx, kind);
  }

  private Items<K, V> items() {
    return tx.items(kind.store());
  }

  private StoreMap<K, V> map() {
    return tx.map(kind.store());
  }

  private K key(Decoder.Key key) {
    return kind.key().apply(key);
  }

  private V value(byte[] bytes) {
    return kind.value().apply(bytes);
  }

  private byte[] found(V value) {
    return kind.bytes().apply(there(value));
  }

  private static <T> T there(T found) {
    if (found == null) {
      throw new Decoder.Failure("NOT_FOUND");
    }
    return found;
  }

  private static void done(boolean there) {
    if (!there) {
      throw new Decoder.Failure("NOT_FOUND");
    }
  }

  private Range<K> range(Decoder.Range range) {
    if (range.starts() != null) {
      return Range.startsWith(kind.leading(range.starts()));
    }
    if (range.prefix() != null) {
      return Range.prefix(kind.leading(range.prefix()));
    }
    Range<K> bounds = Range.all();
    if (range.after()) {
      bounds = after(bounds, range);
    } else if (range.from() != null) {
      bounds = bounds.fromFields(kind.leading(range.from()));
    }
    if (range.through()) {
      return kind.isWhole(range.to())
          ? bounds.through(whole(range.to()))
          : bounds.throughFields(kind.leading(range.to()));
    }
    return range.to() == null ? bounds : bounds.toFields(kind.leading(range.to()));
  }

  private Range<K> after(Range<K> bounds, Decoder.Range range) {
    if (!kind.isWhole(range.from())) {
      return bounds.afterFields(kind.leading(range.from()));
    }
    K key = whole(range.from());
    return range.item() == 0 ? bounds.after(key) : bounds.after(key, range.item());
  }

  /** A key of its sort fields; what rides along does not count. */
  private K whole(Decoder.Key bound) {
    if (bound.raw() != null || bound.fields().size() != 3) {
      return key(bound);
    }
    List<Object> fields = new ArrayList<>(bound.fields());
    fields.add(false);
    fields.add(null);
    return key(new Decoder.Key(null, fields));
  }

  private static boolean isAll(Decoder.Range range) {
    return range.from() == null
        && range.to() == null
        && range.prefix() == null
        && range.starts() == null;
  }

  /* ---- reading ---- */

  static <K, V> byte[] read(Database db, Stores.Kind<K, V> kind, Decoder.Key key) {
    return kind.bytes().apply(there(db.get(kind.store(), kind.key().apply(key))));
  }

  byte[] get(int spelling, Decoder.Key key) {
    return found(
        switch (spelling % 6) {
          case 0 -> items().get(key(key));
          case 1 -> map().get(key(key));
          case 2 -> items().find(key(key)).orElse(null);
          case 3 -> items().getMany(List.of(key(key))).values().stream().findAny().orElse(null);
          case 4 -> {
            Item<K, V> item = items().fetch(key(key));
            yield item == null ? null : item.value();
          }
          default -> byCursor(key);
        });
  }

  private V byCursor(Decoder.Key key) {
    try (Cursor<K, V> cursor = items().cursor()) {
      Item<K, V> item = cursor.seek(key(key), Cursor.Seek.EXACT);
      return item == null ? null : item.value();
    }
  }

  /** No value where there is no key. */
  byte[] getOrNothing(Decoder.Key key) {
    V value = items().get(key(key));
    return value == null ? null : kind.bytes().apply(value);
  }

  Decoder.Entry fetch(int spelling, Decoder.Key key, long item) {
    if (spelling % 2 != 0) {
      try {
        return entry(kind, there(items().fetchNow(key(key), item)));
      } catch (WouldBlockException absent) {
        // the page is read below
      }
    }
    return entry(kind, there(items().fetch(key(key), item)));
  }

  long version(int spelling, Decoder.Key key, long item) {
    K wanted = key(key);
    return item == 0 && spelling % 2 != 0
        ? there(items().fetchMany(List.of(wanted)).get(wanted)).version()
        : there(items().fetch(wanted, item)).version();
  }

  private static <K, V> Decoder.Entry entry(Stores.Kind<K, V> kind, Item<K, V> item) {
    return new Decoder.Entry(kind.token().apply(item.key()), bytes(kind, item), item.id());
  }

  private static <K, V> byte[] bytes(Stores.Kind<K, V> kind, Item<K, V> item) {
    return item.value() == null ? new byte[0] : kind.bytes().apply(item.value());
  }

  String getMany(int spelling, List<Decoder.Key> keys) {
    List<String> printed = new ArrayList<>();
    List<K> wanted = keys.stream().map(this::key).toList();
    Map<K, V> found = spelling % 2 == 0 ? items().getMany(wanted) : valuesOf(wanted);
    for (K key : wanted) {
      V value = found.get(key);
      printed.add(value == null ? "-" : Decoder.printBytes(kind.bytes().apply(value)));
    }
    return String.join(" ", printed);
  }

  private Map<K, V> valuesOf(List<K> wanted) {
    Map<K, V> values = new HashMap<>();
    items().fetchMany(wanted).forEach((key, item) -> values.put(key, item.value()));
    return values;
  }

  long count(int spelling, Decoder.Range range) {
    return isAll(range) && spelling % 2 == 0 ? map().size() : items().count(range(range));
  }

  String scan(int spelling, Decoder.Range range, long flags, long limit) {
    long rows = limit == 0 ? Long.MAX_VALUE : limit;
    boolean reverse = (flags & REVERSE) != 0;
    boolean duplicates = kind.store().hasDuplicates();
    List<String> printed;
    if ((flags & KEYS) == 0) {
      Stream<Item<K, V>> found =
          reverse ? items().reverse(range(range), rows) : items().stream(range(range), rows);
      if (limit == 0 && spelling % 2 == 1 && isAll(range)) {
        found = (reverse ? map().descendingMap() : map()).stream();
      }
      printed = found.map(item -> row(kind, item, duplicates, false)).toList();
    } else if (duplicates) {
      printed = keysByCursor(range(range), reverse, rows);
    } else {
      Stream<K> found =
          reverse ? items().reverseKeys(range(range), rows) : items().keys(range(range), rows);
      if (limit == 0 && spelling % 2 == 1 && isAll(range)) {
        found = (reverse ? map().descendingKeySet() : map().keySet()).stream();
      }
      printed = found.map(key -> Decoder.printRow(kind.token().apply(key), null, null)).toList();
    }
    return printed.isEmpty() ? "0" : printed.size() + " " + String.join(" ", printed);
  }

  /** Only cursors tell the ids of items without their values. */
  private List<String> keysByCursor(Range<K> range, boolean reverse, long rows) {
    List<String> printed = new ArrayList<>();
    try (Cursor<K, V> cursor = items().keyCursor(range)) {
      while (printed.size() < rows) {
        Item<K, V> item = reverse ? cursor.previous() : cursor.next();
        if (item == null) {
          break;
        }
        printed.add(row(kind, item, true, true));
      }
    }
    return printed;
  }

  private static <K, V> String row(
      Stores.Kind<K, V> kind, Item<K, V> item, boolean duplicates, boolean keysOnly) {
    return Decoder.printRow(
        kind.token().apply(item.key()),
        keysOnly ? null : bytes(kind, item),
        duplicates ? (Long) item.id() : null);
  }

  /* ---- writing ---- */

  void put(int spelling, Decoder.Key key, byte[] bytes) {
    switch (spelling % 3) {
      case 0 -> items().set(key(key), value(bytes));
      case 1 -> map().set(key(key), value(bytes));
      default -> map().putMany(List.of(Map.entry(key(key), value(bytes))));
    }
  }

  long insert(int spelling, Decoder.Key key, byte[] bytes) {
    if (kind.store().hasDuplicates() || spelling % 2 == 0) {
      return items().append(key(key), value(bytes));
    }
    if (!items().insert(key(key), value(bytes))) {
      throw new Decoder.Failure("EXISTS");
    }
    return 0;
  }

  void update(Decoder.Key key, long item, byte[] bytes) {
    done(items().update(key(key), item, value(bytes)));
  }

  void remove(Decoder.Key key, long item) {
    done(items().remove(key(key), item));
  }

  void setRide(Decoder.Key key, long item) {
    done(items().setRide(key(key), item));
  }

  void add(Decoder.Key key, long by) {
    items().add(key(key), by);
  }

  void min(Decoder.Key key, long to) {
    items().min(key(key), to);
  }

  void max(Decoder.Key key, long to) {
    items().max(key(key), to);
  }

  long removeRange(Decoder.Range range) {
    return items().removeRange(range(range));
  }

  Decoder.PutManyResult putMany(int how, List<Decoder.Row> rows) {
    List<Map.Entry<K, V>> entries = new ArrayList<>();
    rows.forEach(row -> entries.add(Map.entry(key(row.key()), value(row.value()))));
    long done = rows.size();
    switch (how) {
      case INSERT -> done = items().insertMany(entries);
      case UPDATE -> done = items().updateMany(entries);
      case REMOVE -> done = items().removeMany(entries.stream().map(Map.Entry::getKey).toList());
      default -> items().putMany(entries);
    }
    return new Decoder.PutManyResult(
        done, done == rows.size() ? "OK" : how == INSERT ? "EXISTS" : "NOT_FOUND");
  }

  /* ---- cursors ---- */

  Open<K, V> open(Decoder.Range range, long flags) {
    boolean keysOnly = (flags & KEYS) != 0;
    Cursor<K, V> cursor = keysOnly ? items().keyCursor(range(range)) : items().cursor(range(range));
    return new Open<>(kind, cursor, (flags & REVERSE) != 0, keysOnly);
  }

  /** An open cursor. */
  record Open<K, V>(
      Stores.Kind<K, V> kind, Cursor<K, V> cursor, boolean reverse, boolean keysOnly) {
    private Decoder.Entry at(Item<K, V> item) {
      return entry(kind, there(item));
    }

    Decoder.Entry first() {
      return at(cursor.first());
    }

    Decoder.Entry last() {
      return at(cursor.last());
    }

    Decoder.Entry next() {
      return at(cursor.next());
    }

    Decoder.Entry previous() {
      return at(cursor.previous());
    }

    Decoder.Entry current() {
      return at(cursor.current());
    }

    Decoder.Entry seek(int spelling, Decoder.Key key, int where) {
      Cursor.Seek seek =
          new Cursor.Seek[] {
                Cursor.Seek.CEILING,
                Cursor.Seek.HIGHER,
                Cursor.Seek.FLOOR,
                Cursor.Seek.LOWER,
                Cursor.Seek.EXACT
              }
              [where];
      if (where == EXACT || kind.isRaw() && spelling % 2 == 0) {
        return at(cursor.seek(kind.key().apply(key), seek));
      }
      return at(cursor.seekFields(seek, kind.leading(key)));
    }

    void update(byte[] bytes) {
      done(cursor.update(kind.value().apply(bytes)));
    }

    void remove() {
      done(cursor.remove());
    }

    String fetch(long rowsMax) {
      List<String> rows = new ArrayList<>();
      while (rows.size() < rowsMax) {
        Item<K, V> item = reverse ? cursor.previous() : cursor.next();
        if (item == null) {
          break;
        }
        rows.add(row(kind, item, kind.store().hasDuplicates(), keysOnly));
      }
      if (rows.isEmpty()) {
        throw new Decoder.Failure("NOT_FOUND");
      }
      return rows.size() + " " + String.join(" ", rows);
    }
  }
}
