package org.sopdb;

/** What a transaction may do, and what is promised about its reads. */
public enum Mode {
  /** Reads and writes; strictly serializable. */
  WRITE,
  /** Reads only; strictly serializable at its begin; never in conflict. */
  READ,
  /** As READ, without the check of freshness that clusters need. */
  SNAPSHOT,
  /** Reads and writes; what it reads is not validated. */
  NOCHECK;

  boolean writes() {
    return this == WRITE || this == NOCHECK;
  }
}
