package org.sopdb;

/** A store as a database knows it. */
final class Declared {
  private final Shell shell;

  Declared(long address) {
    shell = new Shell(address, Raw::sop_store_free, "");
  }

  /** Frees it at once. Only for who knows that nobody else has it. */
  void free() {
    shell.free();
  }

  long address() {
    return shell.address;
  }
}
