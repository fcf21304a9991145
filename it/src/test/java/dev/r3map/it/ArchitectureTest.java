package dev.r3map.it;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.conditions.ArchPredicates.are;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.GeneralCodingRules.USE_JAVA_UTIL_LOGGING;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What may depend on what, as docs/architecture.md has it. */
class ArchitectureTest {
  private static final String[] JDK = {"java..", "javax.net.ssl.."};
  private static final String NULL_MARKS = "org.jspecify..";
  private static final String[] CORE = {
    "dev.r3map", "dev.r3map.backend", "dev.r3map.spi", "dev.r3map.store", "dev.r3map.internal.."
  };
  private static final String LINUX = "dev.r3map.linux..";
  private static final String GRPC = "dev.r3map.grpc..";
  private static final String NBD = "dev.r3map.nbd..";
  private static final String TESTKIT = "dev.r3map.testkit..";
  private static final String CLI = "dev.r3map.cli..";

  private static JavaClasses ours;

  @BeforeAll
  static void readClasses() {
    ours = new ClassFileImporter().importPackages("dev.r3map").that(areNoTests());
    // A rule about packages that are not there holds for ever.
    for (String module : List.of("dev.r3map.store", LINUX, GRPC, NBD, TESTKIT, CLI)) {
      assertThat(ours.that(resideInAPackage(module))).as(module).isNotEmpty();
    }
  }

  private static DescribedPredicate<JavaClass> areNoTests() {
    return are(DescribedPredicate.not(resideInAPackage("dev.r3map.it..")));
  }

  @Test
  void coreNeedsTheJdkAlone() {
    classes()
        .that()
        .resideInAnyPackage(CORE)
        .should()
        .onlyDependOnClassesThat(resideIn(CORE, JDK, NULL_MARKS))
        .check(ours);
  }

  @Test
  void linuxNeedsCoreAlone() {
    classes()
        .that()
        .resideInAPackage(LINUX)
        .should()
        .onlyDependOnClassesThat(resideIn(CORE, JDK, NULL_MARKS, LINUX))
        .check(ours);
  }

  @Test
  void grpcNeedsCoreAndItsLibraries() {
    classes()
        .that()
        .resideInAPackage(GRPC)
        .should()
        .onlyDependOnClassesThat(resideIn(CORE, JDK, NULL_MARKS, GRPC, "io.grpc..", "io.netty.."))
        .check(ours);
  }

  @Test
  void nbdNeedsCoreAlone() {
    classes()
        .that()
        .resideInAPackage(NBD)
        .should()
        .onlyDependOnClassesThat(resideIn(CORE, JDK, NULL_MARKS, NBD))
        .check(ours);
  }

  @Test
  void theTestkitNeedsCoreAndWhatTestsAreWrittenWith() {
    classes()
        .that()
        .resideInAPackage(TESTKIT)
        .should()
        .onlyDependOnClassesThat(
            resideIn(
                CORE,
                JDK,
                NULL_MARKS,
                TESTKIT,
                "com.sun.management..",
                "org.junit.jupiter..",
                "org.opentest4j..",
                "org.assertj.."))
        .check(ours);
  }

  @Test
  void nobodyNeedsTheCommandLine() {
    noClasses()
        .that()
        .resideOutsideOfPackage(CLI)
        .should()
        .dependOnClassesThat()
        .resideInAPackage(CLI)
        .check(ours);
  }

  @Test
  void onlyLinuxCallsNativeFunctions() {
    noClasses()
        .that()
        .resideOutsideOfPackage(LINUX)
        .should()
        .dependOnClassesThat()
        .belongToAnyOf(Linker.class, SymbolLookup.class, FunctionDescriptor.class)
        .check(ours);
  }

  @Test
  void onlyTheFacadeUsesTheEngine() {
    noClasses()
        .that()
        .resideOutsideOfPackages("dev.r3map", "dev.r3map.store")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.r3map.store")
        .check(ours);
  }

  @Test
  void backendsKnowNothingOfRegions() {
    noClasses()
        .that()
        .resideInAPackage("dev.r3map.backend")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.r3map", "dev.r3map.store")
        .check(ours);
  }

  @Test
  void librariesLogThroughSystemLoggerAndPrintNothing() {
    noClasses()
        .that(resideIn(CORE, LINUX, GRPC))
        .should(USE_JAVA_UTIL_LOGGING)
        .orShould(ACCESS_STANDARD_STREAMS)
        .orShould()
        .dependOnClassesThat()
        .resideInAnyPackage("org.slf4j..", "ch.qos.logback..")
        .check(ours);
  }

  @Test
  void librariesNeverEndTheJvm() {
    noClasses()
        .that(resideIn(CORE, LINUX, GRPC))
        .should()
        .callMethod(System.class, "exit", int.class)
        .orShould()
        .callMethod(Runtime.class, "exit", int.class)
        .orShould()
        .callMethod(Runtime.class, "halt", int.class)
        .check(ours);
  }

  /** Core is not here: its facade and its engine know each other, and so do backends and spi. */
  @Test
  void packagesOfAModuleFormNoCycle() {
    slices().matching("dev.r3map.linux.(*)..").should().beFreeOfCycles().check(ours);
    slices().matching("dev.r3map.cli.(*)..").should().beFreeOfCycles().check(ours);
  }

  /** Takes names of packages, alone and in arrays. */
  private static DescribedPredicate<JavaClass> resideIn(Object... packages) {
    String[] names =
        Stream.of(packages)
            .flatMap(
                one -> one instanceof String[] many ? Stream.of(many) : Stream.of((String) one))
            .toArray(String[]::new);
    return resideInAnyPackage(names);
  }
}
