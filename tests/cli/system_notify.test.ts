import { dlopen, FFIType, ptr } from "bun:ffi";
import { expect, test } from "bun:test";
import { systemNotify } from "../../src/cli/system_notify.ts";

const { i32, i64, u32, u64 } = FFIType;

test.skipIf(process.platform !== "linux")("systemd is told over its datagram socket, path or abstract", () => {
  const libc = dlopen("libc.so.6", {
    socket: { args: [i32, i32, i32], returns: i32 },
    bind: { args: [i32, FFIType.ptr, u32], returns: i32 },
    recv: { args: [i32, FFIType.ptr, u64, i32], returns: i64 },
    close: { args: [i32], returns: i32 },
  });
  const name = `@patchbay-test-${process.pid}`;
  const address = new TextEncoder().encode(`\x01\x00\x00${name.slice(1)}`); // AF_UNIX, abstract
  const descriptor = libc.symbols.socket(1, 2, 0);
  expect(libc.symbols.bind(descriptor, ptr(address), address.length)).toBe(0);
  expect(systemNotify("READY=1", name)).toBe(true);
  const buffer = new Uint8Array(64);
  const length = Number(libc.symbols.recv(descriptor, ptr(buffer), buffer.length, 0));
  expect(new TextDecoder().decode(buffer.subarray(0, length))).toBe("READY=1");
  libc.symbols.close(descriptor);
  libc.close();
});

test("nothing happens where nobody asked to be told", () => {
  expect(systemNotify("READY=1", undefined)).toBe(false);
  expect(systemNotify("READY=1", "")).toBe(false);
  expect(systemNotify("READY=1", "/nowhere/at/all")).toBe(false);
});
