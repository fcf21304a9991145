package dev.r3map.it.nbd.suite;

import dev.r3map.backend.MemoryBackend;
import dev.r3map.it.nbd.suite.Plugin.Opened;
import dev.r3map.nbd.NbdExport;
import dev.r3map.nbd.NbdExports;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** A plugin's exports: each is opened when it is asked for, and once. */
final class OpenedExports implements NbdExports {
  private final Plugin plugin;
  private final boolean readOnly;
  private final Map<String, Opened> opened = new ConcurrentHashMap<>();

  OpenedExports(Plugin plugin, boolean readOnly) {
    this.plugin = plugin;
    this.readOnly = readOnly;
  }

  @Override
  public List<NbdExport> list() throws IOException {
    // Only the names are looked at, and the descriptions.
    MemoryBackend nothing = MemoryBackend.of(0);
    return plugin.list().stream()
        .map(name -> NbdExport.of(name, nothing).withDescription(plugin.description(name)))
        .toList();
  }

  @Override
  public Optional<NbdExport> find(String name) throws IOException {
    NbdExport export = opened(name).export();
    return Optional.of(export.withReadOnly(readOnly || export.readOnly()));
  }

  Features features(String name) throws IOException {
    return opened(name).features();
  }

  private synchronized Opened opened(String name) throws IOException {
    Opened known = opened.get(name);
    if (known == null) {
      known = plugin.open(name);
      opened.put(name, known);
    }
    return known;
  }
}
