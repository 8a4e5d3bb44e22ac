package conformance;

import java.math.BigInteger;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.function.Function;
import org.sopdb.Codec;
import org.sopdb.Desc;
import org.sopdb.Ride;
import org.sopdb.Store;

/**
 * The nine stores as a program of Java declares them, and how the tokens of the suite become their
 * keys and values.
 */
final class Stores {
  record Emp(
      String region,
      @Desc Instant hired,
      BigInteger empId,
      @Ride("false") Boolean deleted,
      @Ride String note) {}

  record Wide(@Desc Double score, UUID who, byte[] tag, @Desc Boolean flag) {}

  record Doc(long n, String s) {}

  /** A declaration with the ways there and back. */
  record Kind<K, V>(
      Store<K, V> store,
      Function<Decoder.Key, K> key,
      Function<K, Decoder.Key> token,
      Function<byte[], V> value,
      Function<V, byte[]> bytes) {

    boolean isRaw() {
      return store.schema().isEmpty();
    }

    /** Whether a bound is a whole key, but for what rides along. */
    boolean isWhole(Decoder.Key bound) {
      String sort = store.schema().split("\"ride\"")[0];
      return bound.raw() != null || bound.fields().size() == sort.split("\"n\":").length - 1;
    }

    /** Leading fields, or the bytes of a raw key. */
    Object[] leading(Decoder.Key bound) {
      return bound.fields() == null ? new Object[] {bound.raw()} : bound.fields().toArray();
    }
  }

  static final List<Kind<?, ?>> ALL =
      List.of(
          raw("raw", false),
          raw("rawdup", true),
          kind(
              Store.of("str", String.class, Codec.bytes()),
              key -> (String) key.fields().get(0),
              Stores::one),
          kind(
              Store.of("int", BigInteger.class, Codec.bytes()),
              key -> big(key.fields().get(0)),
              Stores::one),
          kind(Store.of("emp", Emp.class, Codec.bytes()), Stores::emp, Stores::ofEmp),
          kind(
              Store.of("empdup", Emp.class, Codec.bytes()).withDuplicates(),
              Stores::emp,
              Stores::ofEmp),
          doc(),
          kind(Store.of("wide", Wide.class, Codec.bytes()), Stores::wide, Stores::ofWide),
          raw("other", false));

  private Stores() {}

  private static <K> Kind<K, byte[]> kind(
      Store<K, byte[]> store, Function<Decoder.Key, K> key, Function<K, Decoder.Key> token) {
    return new Kind<>(store.withNodeItems(4), key, token, value -> value, value -> value);
  }

  private static Kind<byte[], byte[]> raw(String name, boolean duplicates) {
    Store<byte[], byte[]> store = Store.raw(name, Codec.bytes());
    return kind(
        duplicates ? store.withDuplicates() : store,
        Decoder.Key::raw,
        raw -> new Decoder.Key(raw, null));
  }

  private static Kind<String, Doc> doc() {
    Codec<Doc> json = Codec.json(Doc.class);
    return new Kind<>(
        Store.of("doc", String.class, json).withNodeItems(4),
        key -> (String) key.fields().get(0),
        Stores::one,
        bytes -> json.decode(bytes, 0, bytes.length),
        json::encode);
  }

  private static Decoder.Key one(Object field) {
    return new Decoder.Key(null, List.of(field));
  }

  private static BigInteger big(Object number) {
    return number == null ? null : new BigInteger(number.toString());
  }

  private static Emp emp(Decoder.Key key) {
    List<Object> f = key.fields();
    return new Emp(
        (String) f.get(0),
        (Instant) f.get(1),
        big(f.get(2)),
        (Boolean) f.get(3),
        (String) f.get(4));
  }

  private static Decoder.Key ofEmp(Emp key) {
    return new Decoder.Key(
        null, Arrays.asList(key.region(), key.hired(), key.empId(), key.deleted(), key.note()));
  }

  private static Wide wide(Decoder.Key key) {
    List<Object> f = key.fields();
    return new Wide((Double) f.get(0), (UUID) f.get(1), (byte[]) f.get(2), (Boolean) f.get(3));
  }

  private static Decoder.Key ofWide(Wide key) {
    return new Decoder.Key(null, Arrays.asList(key.score(), key.who(), key.tag(), key.flag()));
  }
}
