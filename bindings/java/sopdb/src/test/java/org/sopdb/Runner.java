package org.sopdb;

import static org.junit.platform.engine.discovery.ClassNameFilter.includeClassNamePatterns;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClasspathRoots;

import java.nio.file.Path;
import java.util.Set;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestExecutionResult.Status;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the tests of the classes whose names match, and prints each as cmocka does, for
 * ci/summary.py to count.
 */
final class Runner {
  private Runner() {}

  public static void main(String[] arguments) throws Exception {
    Path tests = Path.of(Runner.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    Launcher launcher = LauncherFactory.create();
    Printer printer = new Printer();
    launcher.execute(
        LauncherDiscoveryRequestBuilder.request()
            .selectors(selectClasspathRoots(Set.of(tests)))
            .filters(includeClassNamePatterns(arguments[0]))
            .build(),
        printer);
    System.out.printf("[==========] %d passed, %d failed%n", printer.passed, printer.failed);
    System.exit(printer.failed == 0 && printer.passed > 0 ? 0 : 1);
  }

  private static final class Printer implements TestExecutionListener {
    private int passed;
    private int failed;

    @Override
    public void executionStarted(TestIdentifier test) {
      if (test.isTest()) {
        System.out.println("[ RUN      ] " + name(test));
      }
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      if (result.getStatus() == Status.SUCCESSFUL) {
        if (test.isTest()) {
          passed++;
          System.out.println("[       OK ] " + name(test));
        }
        return;
      }
      failed++;
      result.getThrowable().ifPresent(e -> e.printStackTrace(System.out));
      System.out.println("[  FAILED  ] " + name(test));
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
      failed++; // nothing here may be skipped in silence
      System.out.println("[  FAILED  ] " + name(test) + ": skipped, " + reason);
    }

    private static String name(TestIdentifier test) {
      return test.getSource()
          .filter(MethodSource.class::isInstance)
          .map(
              s ->
                  ((MethodSource) s).getClassName().replaceAll(".*\\.", "")
                      + "."
                      + test.getDisplayName().replace("()", ""))
          .orElse(test.getDisplayName());
    }
  }
}
