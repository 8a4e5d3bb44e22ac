package org.sopdb;

import java.time.Duration;

/**
 * Figures of a database at work: counters since it was opened, and levels now. Those of the disk
 * are 0 in memory.
 *
 * @param position newest answered position
 * @param begins transactions begun
 * @param commits transactions that changed something and committed
 * @param readsEnded transactions that ended without changing anything
 * @param rollbacks rolled back by the caller
 * @param conflicts commits that ended with a {@link ConflictException}
 * @param retries attempts beyond the first of transactions that were run again
 * @param operations resolved operations applied
 * @param splits nodes split
 * @param merges nodes merged
 * @param transactionsOpen how many are open now
 * @param oldestSnapshotAge age of the oldest open transaction; zero: none
 * @param stores how many there are now
 * @param nodes of all trees, now
 * @param memoryBytes taken from the system for nodes, now
 * @param nodeBytesUsed of these, in use by current and old versions, now
 * @param oldVersionBytes of these, kept only for older snapshots, now
 * @param valueBytesApart large values kept apart from their leaf, now
 * @param durablePosition everything up to here is on stable storage
 * @param checkpointPosition everything up to here is in the data files
 * @param checkpoints written
 * @param checkpointFailures given up for want of space
 * @param flushes of the log
 * @param logBytesWritten into the log
 * @param logBytes of log that opening would have to read now
 * @param dirtyBytes of nodes that no checkpoint has written, now
 * @param cacheBytes memory for nodes: the budget
 * @param cacheBytesUsed of it, now
 * @param cacheReads nodes read from disk
 * @param evictions nodes that made room for others
 * @param packs data files now
 * @param packBytes in data files now
 * @param packBytesLive of these, not superseded
 * @param registryEntries nodes and values that the registry knows, now
 * @param registryBytes in registry files now
 * @param diskBytes in all files now
 * @param failed it has stopped after an I/O error; close it and open it again
 * @param lowSpace commits that add get a {@link NoSpaceException} now, removing goes on
 * @param durability of transactions that do not say
 */
public record Stats(
    long position,
    long begins,
    long commits,
    long readsEnded,
    long rollbacks,
    long conflicts,
    long retries,
    long operations,
    long splits,
    long merges,
    long transactionsOpen,
    Duration oldestSnapshotAge,
    long stores,
    long nodes,
    long memoryBytes,
    long nodeBytesUsed,
    long oldVersionBytes,
    long valueBytesApart,
    long durablePosition,
    long checkpointPosition,
    long checkpoints,
    long checkpointFailures,
    long flushes,
    long logBytesWritten,
    long logBytes,
    long dirtyBytes,
    long cacheBytes,
    long cacheBytesUsed,
    long cacheReads,
    long evictions,
    long packs,
    long packBytes,
    long packBytesLive,
    long registryEntries,
    long registryBytes,
    long diskBytes,
    boolean failed,
    boolean lowSpace,
    Durability durability) {

  static Stats of(byte[] image) {
    Image in = new Image(image);
    return new Stats(
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        Duration.ofMillis(in.number()),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number(),
        in.number() != 0,
        in.number() != 0,
        Durability.of((int) in.number()));
  }
}
