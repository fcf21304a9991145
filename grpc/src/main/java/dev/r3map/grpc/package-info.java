/**
 * Backends over gRPC: {@link dev.r3map.grpc.GrpcServer} serves one, the schemes {@code grpc:},
 * {@code grpcs:} and {@code grpc+unix:} of {@link dev.r3map.Backends} reach one.
 */
@NullMarked
package dev.r3map.grpc;

import org.jspecify.annotations.NullMarked;
