package dev.r3map.it.support;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;

/**
 * A program that does transactions in an SQLite database, in a process of its own. Each one moves
 * money between two accounts, notes that, and at times drops old notes; so the sum of all accounts
 * stays the same, and there is a row for each transaction. Owns the process until {@link #close}.
 *
 * <p>A mounted file cannot grow, and SQLite writes new pages at the end of the database. But it
 * takes the number of pages from the header of the database and not from the size of its file: what
 * lies behind them is used page by page. So {@link #create} makes the database small and its file
 * large.
 *
 * <p>The rollback journal is another file beside the database: below a mount that is a single file,
 * it lies in the folder that holds the mount point.
 */
public final class Sqlite implements AutoCloseable {
  /** How much all accounts hold together. */
  public static final long TOTAL = 1_000_000;

  private static final int ACCOUNTS = 100;
  private static final int KEPT_NOTES = 1000;
  private static final int MOST_NOTE = 1500;
  private static final int END_SECONDS = 10;

  private final Process process;
  private volatile int committed;
  private volatile boolean ended;

  private Sqlite(Process process) {
    this.process = process;
    Thread.ofVirtual().name("transactions").start(this::count);
  }

  /** Fails if the program sqlite3 is not here. */
  public static void require() {
    Tool.require("sqlite3", "sqlite3");
  }

  /** Makes a database in a file of {@code size} bytes. */
  public static void create(Path file, long size) throws IOException, SQLException {
    try (Connection connection = connect(file);
        Statement statement = connection.createStatement()) {
      statement.execute("PRAGMA page_size = 4096");
      statement.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)");
      statement.execute("CREATE TABLE done (number INTEGER PRIMARY KEY)");
      statement.execute("CREATE TABLE note (number INTEGER PRIMARY KEY, text BLOB)");
      for (int id = 0; id < ACCOUNTS; id++) {
        statement.execute("INSERT INTO account VALUES (%d, %d)".formatted(id, TOTAL / ACCOUNTS));
      }
    }
    try (RandomAccessFile grown = new RandomAccessFile(file.toFile(), "rw")) {
      grown.setLength(size);
    }
  }

  /** Begins so many transactions, one after the other. */
  public static Sqlite transactions(Path database, int count) throws IOException {
    return new Sqlite(ChildJvm.start(Sqlite.class, database.toString(), Integer.toString(count)));
  }

  /** How many transactions were committed, at least. */
  public int committed() {
    return committed;
  }

  /** Whether the program ended, by itself or not. */
  public boolean ended() {
    return ended;
  }

  /** What the program sqlite3 prints for this. */
  public static String query(Path database, String sql) throws IOException, InterruptedException {
    return Tool.text("sqlite3", "-readonly", "-cmd", ".timeout 30000", database.toString(), sql);
  }

  @Override
  public void close() throws IOException {
    process.destroyForcibly();
    try {
      if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
        throw new IOException("the transactions do not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void count() {
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        committed = Integer.parseInt(line);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      ended = true;
    }
  }

  // The other process

  /** Does the transactions, and prints the number of each one once it is committed. */
  public static void main(String[] arguments) throws SQLException {
    int count = Integer.parseInt(arguments[1]);
    SplittableRandom random = new SplittableRandom(count);
    try (Connection connection = connect(Path.of(arguments[0]));
        Statement statement = connection.createStatement();
        PreparedStatement move =
            connection.prepareStatement("UPDATE account SET balance = balance + ? WHERE id = ?");
        PreparedStatement done = connection.prepareStatement("INSERT INTO done VALUES (?)");
        PreparedStatement note = connection.prepareStatement("INSERT INTO note VALUES (?, ?)");
        PreparedStatement drop =
            connection.prepareStatement("DELETE FROM note WHERE number % ? = ?")) {
      statement.execute("PRAGMA synchronous = FULL");
      statement.execute("PRAGMA journal_mode = TRUNCATE");
      statement.execute("PRAGMA busy_timeout = 60000");
      connection.setAutoCommit(false);
      for (int number = 1; number <= count; number++) {
        int amount = random.nextInt(1000);
        update(move, -amount, random.nextInt(ACCOUNTS));
        update(move, amount, random.nextInt(ACCOUNTS));
        update(done, number);
        byte[] text = new byte[random.nextInt(MOST_NOTE)];
        random.nextBytes(text);
        note.setBytes(2, text);
        update(note, number);
        update(drop, KEPT_NOTES, (number + 1) % KEPT_NOTES);
        connection.commit();
        System.out.println(number);
      }
    }
  }

  private static void update(PreparedStatement statement, int... arguments) throws SQLException {
    for (int i = 0; i < arguments.length; i++) {
      statement.setInt(i + 1, arguments[i]);
    }
    statement.executeUpdate();
  }

  private static Connection connect(Path file) throws SQLException {
    return DriverManager.getConnection("jdbc:sqlite:" + file);
  }
}
