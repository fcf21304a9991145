package dev.r3map.grpc;

import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import java.io.InputStream;

/**
 * The methods of both services. Messages pass through gRPC as streams; {@link ResourceWire} and
 * {@link MountWire} encode and decode them, because only they know where payload comes from and
 * goes to.
 */
final class Methods {
  static final String MOUNT_SERVICE = "com.pojtinger.felicitas.r3map.mount.v1.Backend";
  static final String RESOURCE_SERVICE = "dev.r3map.v1.Resource";

  static final MethodDescriptor<InputStream, InputStream> READ_AT = mount("ReadAt");
  static final MethodDescriptor<InputStream, InputStream> WRITE_AT = mount("WriteAt");
  static final MethodDescriptor<InputStream, InputStream> MOUNT_SIZE = mount("Size");
  static final MethodDescriptor<InputStream, InputStream> MOUNT_SYNC = mount("Sync");

  static final MethodDescriptor<InputStream, InputStream> INFO = resource("Info", MethodType.UNARY);
  static final MethodDescriptor<InputStream, InputStream> READ =
      resource("Read", MethodType.SERVER_STREAMING);
  static final MethodDescriptor<InputStream, InputStream> WRITE =
      resource("Write", MethodType.CLIENT_STREAMING);
  static final MethodDescriptor<InputStream, InputStream> ZERO = resource("Zero", MethodType.UNARY);
  static final MethodDescriptor<InputStream, InputStream> DISCARD =
      resource("Discard", MethodType.UNARY);
  static final MethodDescriptor<InputStream, InputStream> EXTENTS =
      resource("Extents", MethodType.UNARY);
  static final MethodDescriptor<InputStream, InputStream> SYNC = resource("Sync", MethodType.UNARY);

  private Methods() {}

  private static MethodDescriptor<InputStream, InputStream> mount(String name) {
    return method(MOUNT_SERVICE, name, MethodType.UNARY);
  }

  private static MethodDescriptor<InputStream, InputStream> resource(String name, MethodType type) {
    return method(RESOURCE_SERVICE, name, type);
  }

  private static MethodDescriptor<InputStream, InputStream> method(
      String service, String name, MethodType type) {
    return MethodDescriptor.newBuilder(Raw.INSTANCE, Raw.INSTANCE)
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(service, name))
        .build();
  }

  private enum Raw implements MethodDescriptor.Marshaller<InputStream> {
    INSTANCE;

    @Override
    public InputStream stream(InputStream value) {
      return value;
    }

    @Override
    public InputStream parse(InputStream stream) {
      return stream;
    }
  }
}
