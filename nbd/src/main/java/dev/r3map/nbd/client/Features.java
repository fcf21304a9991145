package dev.r3map.nbd.client;

import dev.r3map.nbd.protocol.Transmission;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The transmission flags by the names that other clients show. */
public final class Features {
  private static final Map<String, Integer> FLAGS = new LinkedHashMap<>();

  static {
    FLAGS.put("read-only", Transmission.FLAG_READ_ONLY);
    FLAGS.put("flush", Transmission.FLAG_SEND_FLUSH);
    FLAGS.put("fua", Transmission.FLAG_SEND_FUA);
    FLAGS.put("trim", Transmission.FLAG_SEND_TRIM);
    FLAGS.put("zero", Transmission.FLAG_SEND_WRITE_ZEROES);
    FLAGS.put("fast-zero", Transmission.FLAG_SEND_FAST_ZERO);
    FLAGS.put("df", Transmission.FLAG_SEND_DF);
    FLAGS.put("multi-conn", Transmission.FLAG_CAN_MULTI_CONN);
    FLAGS.put("cache", Transmission.FLAG_SEND_CACHE);
    FLAGS.put("rotational", Transmission.FLAG_ROTATIONAL);
    FLAGS.put("block-status-payload", Transmission.FLAG_BLOCK_STATUS_PAYLOAD);
  }

  private Features() {}

  /** Those that a server has set. */
  public static List<String> of(Terms terms) {
    return FLAGS.entrySet().stream()
        .filter(flag -> terms.has(flag.getValue()))
        .map(Map.Entry::getKey)
        .toList();
  }
}
