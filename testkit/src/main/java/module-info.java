/**
 * What tests of networked storage need: a conformance kit for backends, faults and delays on
 * demand, and proof that nothing hangs or stays behind.
 *
 * <p>Start at {@link dev.r3map.testkit.BackendConformance}.
 */
module dev.r3map.testkit {
  requires transitive dev.r3map;
  requires transitive org.junit.jupiter.api;
  requires org.assertj.core;
  requires java.management;
  requires jdk.management;
  requires static transitive org.jspecify;

  exports dev.r3map.testkit;
}
