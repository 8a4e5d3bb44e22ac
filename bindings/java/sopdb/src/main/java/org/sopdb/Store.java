package org.sopdb;

import java.util.Objects;

/**
 * The declaration of a store: a constant of the program, which belongs to no database. It is
 * checked against what is stored when it is first used in a transaction; the first write through it
 * creates the store if it is not there.
 *
 * @param <K> the class of the keys
 * @param <V> the class of the values
 */
public final class Store<K, V> {
  private final String name;
  private final KeyType<K> key;
  private final Codec<V> value;
  private final boolean duplicates;
  private final int nodeItems;
  private final String identity;

  private Store(String name, KeyType<K> key, Codec<V> value, boolean duplicates, int nodeItems) {
    this.name = Objects.requireNonNull(name, "name");
    this.key = key;
    this.value = Objects.requireNonNull(value, "value");
    this.duplicates = duplicates;
    this.nodeItems = nodeItems;
    this.identity = (duplicates ? "d" : "u") + nodeItems + "\0" + name + "\0" + key.schema();
  }

  /**
   * A store with typed keys.
   *
   * @param name 1 to 255 bytes of UTF-8
   * @param key String, Long, Integer, BigInteger (-2^63 to 2^64-1), Double, Boolean, byte[], UUID,
   *     Instant (whole microseconds), or a record of them, whose components are the fields in their
   *     order ({@link Desc}, {@link Ride}, {@link Name})
   * @param value how values are written
   * @param <K> the class of the keys
   * @param <V> the class of the values
   * @return the declaration
   */
  public static <K, V> Store<K, V> of(String name, Class<K> key, Codec<V> value) {
    return new Store<>(name, KeyType.of(key), value, false, 0);
  }

  /**
   * A store whose keys are bytes as they are, without a schema.
   *
   * @param name 1 to 255 bytes of UTF-8
   * @param value how values are written
   * @param <V> the class of the values
   * @return the declaration
   */
  public static <V> Store<byte[], V> raw(String name, Codec<V> value) {
    return new Store<>(name, KeyType.RAW, value, false, 0);
  }

  /**
   * The same, keeping equal keys in the order in which they were inserted.
   *
   * @return the declaration
   */
  public Store<K, V> withDuplicates() {
    return new Store<>(name, key, value, true, nodeItems);
  }

  /**
   * The same with a size of nodes.
   *
   * @param items in a node, 4 to 20000; 0: as many as fit
   * @return the declaration
   */
  public Store<K, V> withNodeItems(int items) {
    return new Store<>(name, key, value, duplicates, items);
  }

  /**
   * The name.
   *
   * @return as given
   */
  public String name() {
    return name;
  }

  /**
   * Whether equal keys are kept.
   *
   * @return whether they are
   */
  public boolean hasDuplicates() {
    return duplicates;
  }

  /**
   * The schema of the keys.
   *
   * @return JSON, or "" for raw bytes
   */
  public String schema() {
    return key.schema();
  }

  /**
   * The bytes of a key, which are the same in all languages and sort as the keys do.
   *
   * @param key the key with its ride-along fields
   * @return a new array
   */
  public byte[] packKey(K key) {
    return this.key.encode(key);
  }

  /**
   * The bytes with which the packed keys begin that have these leading fields.
   *
   * @param leading values of the leading fields, in their order, or one array of bytes if keys are
   *     raw
   * @return a new array
   */
  public byte[] packPrefix(Object... leading) {
    return key.encodePrefix(leading);
  }

  /**
   * The key of such bytes, as {@link Conflict#key} has them and other languages make them. Fields
   * that ride along and are not there have their defaults.
   *
   * @param bytes the whole of a packed key
   * @return the key
   * @throws SchemaException if they are no key of this store
   */
  public K unpackKey(byte[] bytes) {
    K found = key.unpack(bytes.clone());
    if (found == null) {
      throw Status.SCHEMA.exception(
          "these " + bytes.length + " bytes are no packed key of the store \"" + name + "\"");
    }
    return found;
  }

  /**
   * The order of the keys, which is that of the store: for texts by code points, for bytes and
   * UUIDs unsigned.
   *
   * @return the comparator
   */
  public java.util.Comparator<K> comparator() {
    return key::compare;
  }

  KeyType<K> key() {
    return key;
  }

  Codec<V> value() {
    return value;
  }

  int nodeItems() {
    return nodeItems;
  }

  /** Equal for declarations that the library need not tell apart. */
  String identity() {
    return identity;
  }

  @Override
  public String toString() {
    return "Store[" + name + "]";
  }
}
