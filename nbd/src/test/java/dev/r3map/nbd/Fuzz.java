package dev.r3map.nbd;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Tries random cases for a while: {@code -Dr3map.fuzz.seconds=3600} for longer. Of one that fails,
 * items are left out for as long as it still does; what is left is reported with the seed, which
 * {@code -Dr3map.seed} tries again alone.
 */
final class Fuzz {
  private static final Duration MAX_SHRINKING = Duration.ofSeconds(20);

  /** Makes what a case consists of. */
  interface Generator<T> {
    List<T> generate(SplittableRandom random);
  }

  /** Throws if something is wrong; ends soon in any case. */
  interface Attempt<T> {
    void run(List<T> items, long seed) throws Exception;
  }

  private Fuzz() {}

  static <T> void run(Generator<T> generator, Attempt<T> attempt) {
    Long given = Long.getLong("r3map.seed");
    if (given != null) {
      check(given, generator, attempt);
      return;
    }
    SplittableRandom seeds = new SplittableRandom(System.nanoTime());
    long patience = Duration.ofSeconds(Long.getLong("r3map.fuzz.seconds", 4)).toNanos();
    long begin = System.nanoTime();
    int cases = 0;
    do {
      check(seeds.nextLong(), generator, attempt);
      cases++;
    } while (System.nanoTime() - begin < patience);
    System.out.printf("fuzz: %d cases%n", cases);
  }

  private static <T> void check(long seed, Generator<T> generator, Attempt<T> attempt) {
    List<T> items = generator.generate(new SplittableRandom(seed));
    Throwable failure = failure(items, seed, attempt);
    if (failure == null) {
      return;
    }
    List<T> fewest = shrink(items, seed, attempt);
    Throwable last = failure(fewest, seed, attempt);
    Throwable shown = last == null ? failure : last;
    throw new AssertionError(
        "of %d items %d suffice to fail; again with -Dr3map.seed=%d:%n  %s%n%s"
            .formatted(
                items.size(),
                fewest.size(),
                seed,
                fewest.stream().map(Object::toString).collect(Collectors.joining("\n  ")),
                shown),
        shown);
  }

  private static <T> @Nullable Throwable failure(List<T> items, long seed, Attempt<T> attempt) {
    try {
      attempt.run(items, seed);
      return null;
    } catch (Exception | AssertionError e) {
      return e;
    }
  }

  /** Leaves out ever smaller runs of items as long as the rest still fails. */
  private static <T> List<T> shrink(List<T> failing, long seed, Attempt<T> attempt) {
    long begin = System.nanoTime();
    List<T> fewest = failing;
    for (int run = failing.size() / 2; run > 0; run /= 2) {
      for (int at = fewest.size() - run; at >= 0; at -= run) {
        List<T> fewer = new ArrayList<>(fewest);
        fewer.subList(at, at + run).clear();
        if (System.nanoTime() - begin > MAX_SHRINKING.toNanos()) {
          return fewest;
        }
        if (failure(fewer, seed, attempt) != null) {
          fewest = fewer;
        }
      }
    }
    return fewest;
  }
}
