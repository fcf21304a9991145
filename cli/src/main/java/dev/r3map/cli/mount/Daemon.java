package dev.r3map.cli.mount;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.r3map.cli.term.Console;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The same command in a process of its own, which goes on when this one has returned. The parent
 * passes on what the child says until that is ready; from then on errors and warnings go to a file,
 * which is made when there is one.
 */
public final class Daemon {
  /** Tells the child what it is; its value says whether somebody looks at progress. */
  private static final String VARIABLE = "R3MAP_DAEMON";

  private static final String PROGRESS = "progress";
  private static final String SILENT = "silent";

  /** The child's word to the parent, on a line of standard output. */
  private static final String READY = "\u0006ready";

  private final boolean progress;

  private Daemon(boolean progress) {
    this.progress = progress;
  }

  /** This process, if it is such a child. */
  public static Optional<Daemon> current() {
    return Optional.ofNullable(System.getenv(VARIABLE))
        .map(value -> new Daemon(value.equals(PROGRESS)));
  }

  /** Whether the parent shows progress on a terminal. */
  public boolean showsProgress() {
    return progress;
  }

  /** Starts the command again and waits until that is ready; returns its exit code if it ended. */
  public static int start(Console console, boolean progress)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command()).redirectInput(new File("/dev/null"));
    builder.environment().put(VARIABLE, progress ? PROGRESS : SILENT);
    Process child = builder.start();
    try {
      Thread errors =
          Thread.ofPlatform().daemon().start(() -> pass(child.getErrorStream(), System.err));
      if (awaitReady(child, console)) {
        return 0;
      }
      int code = child.waitFor();
      errors.join();
      return code;
    } catch (InterruptedException e) {
      // Ctrl-C reaches only this process: the child has a session of its own.
      child.destroy();
      throw e;
    }
  }

  private static boolean awaitReady(Process child, Console console) throws IOException {
    BufferedReader lines = new BufferedReader(new InputStreamReader(child.getInputStream(), UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.equals(READY)) {
        return true;
      }
      console.result(line);
    }
    return false;
  }

  private static void pass(InputStream from, OutputStream to) {
    byte[] buffer = new byte[4096];
    try {
      for (int read = from.read(buffer); read >= 0; read = from.read(buffer)) {
        to.write(buffer, 0, read);
        to.flush();
      }
    } catch (IOException e) {
      // One of the two has ended; so does this.
      return;
    }
  }

  /** How this process was started, in a session of its own, which no terminal ends. */
  private static List<String> command() throws IOException {
    List<String> command = new ArrayList<>();
    if (Files.isExecutable(Path.of("/usr/bin/setsid"))) {
      command.add("/usr/bin/setsid");
    }
    // The process API cuts off long command lines.
    String line = Files.readString(Path.of("/proc/self/cmdline"));
    List<String> words = List.of(line.split("\0", -1));
    command.addAll(words.subList(0, words.size() - 1));
    return command;
  }

  /** Lets the parent return; messages go to a file afterwards. */
  public void ready(Console console) {
    console.result(READY);
    console.moveTo(
        new PrintStream(OutputStream.nullOutputStream(), false, UTF_8),
        new PrintStream(new LateFile(logFile()), true, UTF_8));
    // The file is for what somebody should know.
    console.beQuiet();
  }

  /** How to end this process, and where its messages go. */
  public String explain(Path mounted) {
    return "'umount %s' ends that; process %d does it, and reports problems in %s"
        .formatted(mounted, ProcessHandle.current().pid(), logFile());
  }

  private static Path logFile() {
    String state = System.getenv("XDG_STATE_HOME");
    Path folder =
        state == null || state.isEmpty()
            ? Path.of(System.getProperty("user.home"), ".local", "state")
            : Path.of(state);
    return folder.resolve("r3map").resolve("mount-%d.log".formatted(ProcessHandle.current().pid()));
  }

  /** A file that is made when something is written to it. */
  private static final class LateFile extends OutputStream {
    private final Path path;
    private @Nullable OutputStream file;

    LateFile(Path path) {
      this.path = path;
    }

    private OutputStream file() throws IOException {
      if (file == null) {
        Files.createDirectories(Objects.requireNonNull(path.getParent()));
        file = Files.newOutputStream(path);
      }
      return file;
    }

    @Override
    public void write(int value) throws IOException {
      file().write(value);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      file().write(bytes, offset, length);
    }
  }
}
