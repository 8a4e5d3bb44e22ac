package org.sopdb;

/** What {@link Database#open} takes: {@link Create} and {@link Options}. */
public interface OpenOption {
  /**
   * Sets itself.
   *
   * @param options what to set it in
   */
  void applyTo(Options options);
}
