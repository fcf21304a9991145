package dev.r3map.bench;

import java.io.IOException;

/** One question, measured. */
interface Table {
  /** On the command line and in the names of files. */
  String name();

  String title();

  /** Measures. */
  void run(Bench bench, Results results) throws IOException;

  /** What came of it, in Markdown. */
  String markdown(Results results);
}
