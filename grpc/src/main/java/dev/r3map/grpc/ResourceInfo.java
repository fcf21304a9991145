package dev.r3map.grpc;

import dev.r3map.backend.Geometry;
import org.jspecify.annotations.Nullable;

/** What a server says of its resource. */
record ResourceInfo(
    int version, long instance, long size, Geometry geometry, @Nullable String identity) {}
