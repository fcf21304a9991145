package dev.r3map.grpc;

import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;

/** Makes calls over a link and tells their failures in our words. */
final class Caller {
  /** Replies on the way at once: enough to hide a round trip, few enough to hold in memory. */
  private static final int PREFETCH = 4;

  /** A disk may flush for a minute; a dead server is found out by its silent connection anyway. */
  private static final int PATIENCE = 6;

  private final Link link;
  private final ClientFailures failures;
  private final Duration timeout;

  Caller(Link link, ClientFailures failures, Duration timeout) {
    this.link = link;
    this.failures = failures;
    this.timeout = timeout;
  }

  /** For calls that may rightly take long although nothing travels. */
  Caller patient() {
    return new Caller(link, failures, timeout.multipliedBy(PATIENCE));
  }

  ClientFailures failures() {
    return failures;
  }

  Link link() {
    return link;
  }

  /** What is sent between begin and end of a call. */
  @FunctionalInterface
  interface Sender {
    void send(Exchange exchange) throws IOException;
  }

  /** One message there, one back. */
  void unary(
      MethodDescriptor<InputStream, InputStream> method,
      String action,
      Outbound request,
      Exchange.Sink sink)
      throws IOException {
    unary(method, action, request, sink, 0);
  }

  /** The same, with {@code bytes} of payload in one of the two messages. */
  void unary(
      MethodDescriptor<InputStream, InputStream> method,
      String action,
      Outbound request,
      Exchange.Sink sink,
      int bytes)
      throws IOException {
    OneMessage one = new OneMessage(sink);
    call(method, action, exchange -> exchange.send(request), one, Limits.HEADER + bytes, bytes);
    one.check(action, failures);
  }

  /**
   * Any call.
   *
   * @param most bytes in a message of the reply
   * @param bytes that travel: a long transfer may take longer, as long as it goes on
   */
  void call(
      MethodDescriptor<InputStream, InputStream> method,
      String action,
      Sender sender,
      Exchange.Sink sink,
      int most,
      long bytes)
      throws IOException {
    if (link.closed()) {
      throw failures.closed(action);
    }
    Duration total = timeout.multipliedBy(1 + bytes / Limits.FRAME);
    Exchange exchange = link.start(method, sink, PREFETCH, bytes, most, timeout, total);
    try {
      sender.send(exchange);
      exchange.finish();
    } catch (IOException e) {
      if (link.closed()) {
        throw failures.closed(action);
      }
      throw failures.of(action, e);
    } finally {
      exchange.abandon();
    }
    Status status = exchange.status();
    if (status.isOk()) {
      return;
    }
    if (link.closed()) {
      throw failures.closed(action);
    }
    if (status.getCode() == Status.Code.UNAVAILABLE) {
      link.unavailable();
    }
    throw failures.of(action, status, exchange.trailers());
  }

  /** Insists on exactly one message. */
  static final class OneMessage implements Exchange.Sink {
    private final Exchange.Sink sink;
    private int messages;

    OneMessage(Exchange.Sink sink) {
      this.sink = sink;
    }

    @Override
    public void accept(InputStream message) throws IOException {
      if (++messages > 1) {
        throw new MalformedException("more than one reply");
      }
      sink.accept(message);
    }

    void check(String action, ClientFailures failures) throws IOException {
      if (messages == 0) {
        throw failures.of(action, new MalformedException("no reply"));
      }
    }
  }
}
