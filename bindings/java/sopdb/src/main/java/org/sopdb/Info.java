package org.sopdb;

import java.time.Duration;
import java.util.UUID;

/**
 * What a database is, and how it was opened.
 *
 * @param backend "inmemory" or "inredfs"
 * @param path of its folder, as it was given; "" in memory
 * @param uuid made with it; null in memory
 * @param format version of its files; 0 in memory
 * @param durability of transactions that do not say
 * @param nodeBytes size of a leaf
 * @param nodeItems items in a node of stores that do not say; 0: by bytes
 * @param inlineValueBytes larger values are kept apart from the leaf
 * @param registryBuckets of a segment of the registry; 0 in memory
 * @param transactionBytesMax changes and checked reads of one transaction
 * @param snapshotBytesMax old versions beyond which the oldest transaction ends
 * @param deadline of transactions that do not say; zero: none
 * @param flushInterval within which weaker commits are on stable storage
 * @param cacheBytes memory for nodes; 0 in memory
 * @param logBytesMax log that opening may have to read; 0: chosen by the size of the data
 */
public record Info(
    String backend,
    String path,
    UUID uuid,
    int format,
    Durability durability,
    int nodeBytes,
    int nodeItems,
    int inlineValueBytes,
    int registryBuckets,
    long transactionBytesMax,
    long snapshotBytesMax,
    Duration deadline,
    Duration flushInterval,
    long cacheBytes,
    long logBytesMax) {

  static Info of(byte[] image, String path) {
    Image in = new Image(image);
    String backend = in.text(16);
    UUID uuid = in.uuid();
    return new Info(
        backend,
        path,
        uuid.getMostSignificantBits() == 0 && uuid.getLeastSignificantBits() == 0 ? null : uuid,
        in.word(),
        Durability.of(in.word()),
        in.word(),
        in.word(),
        in.word(),
        in.word(),
        in.number(),
        in.number(),
        Duration.ofMillis(in.number()),
        Duration.ofMillis(in.number()),
        in.number(),
        in.number());
  }
}
