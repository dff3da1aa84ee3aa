import { dlopen, FFIType, ptr } from "bun:ffi";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

/**
 * Tells systemd how we are (sd_notify): "READY=1", "STOPPING=1". Does nothing when nobody asked to be told; answers
 * whether it was told. node:dgram has no Unix sockets, hence libc.
 */
export function systemNotify(state: string, socketPath: string | undefined): boolean {
  if (process.platform !== "linux" || !socketPath || !/^[/@]/.test(socketPath)) return false;
  const libc = dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    sendto: {
      args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
      returns: FFIType.i64,
    },
    close: { args: [FFIType.i32], returns: FFIType.i32 },
  });
  try {
    const descriptor = libc.symbols.socket(AF_UNIX, SOCK_DGRAM, 0);
    if (descriptor < 0) return false;
    const message = new TextEncoder().encode(state);
    const address = unixAddress(socketPath);
    const sent = libc.symbols.sendto(
      descriptor,
      ptr(message.buffer),
      message.length,
      0,
      ptr(address.buffer),
      address.length,
    );
    libc.symbols.close(descriptor);
    return Number(sent) === message.length;
  } finally {
    libc.close();
  }
}

/** struct sockaddr_un: family (u16, native order), then the path; "@name" is abstract, its first octet 0. */
function unixAddress(path: string): Uint8Array {
  const octets = new TextEncoder().encode(path);
  const abstract = path.startsWith("@");
  const address = new Uint8Array(2 + octets.length + (abstract ? 0 : 1));
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(octets, 2);
  if (abstract) address[2] = 0;
  return address;
}
