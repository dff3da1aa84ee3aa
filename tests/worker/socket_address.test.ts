import { expect, test } from "bun:test";
import { readAddress, refusedDestination, writeAddress } from "../../src/worker/socket_address.ts";

const view = new DataView(new ArrayBuffer(32));

test("IPv4 and IPv6 literals keep their value, in the form of RFC 5952", () => {
  const pairs = [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8::1", "2001:db8::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::", "::"],
    ["::1", "::1"],
    ["fe80::", "fe80::"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
  ] as const;
  for (const [host, same] of pairs) {
    expect(writeAddress(view, 0, { host, port: 5004 })).toBe(host.includes(":") ? 28 : 16);
    expect(readAddress(view, 0)).toEqual({ host: same, port: 5004 });
  }
});

test("what is no literal is no address", () => {
  for (
    const host of ["", "example.org", "1.2.3", "256.1.1.1", "1:2", ":::", "1::2::3", "12345::", "::1%eth0", "1.2.3.4.5"]
  ) {
    expect(writeAddress(view, 0, { host, port: 1 })).toBe(0);
    expect(readAddress(view, 0)).toBeUndefined();
  }
});

test("media goes to no group, no broadcast, no unspecified host and no port 0", () => {
  const refused = ["224.1.1.1", "239.255.255.255", "255.255.255.255", "0.1.2.3", "ff02::1", "::", "example.org"];
  for (const host of refused) expect(refusedDestination({ host, port: 4000 })).toBeString();
  for (const host of ["192.0.2.1", "127.0.0.1", "2001:db8::1"]) {
    expect(refusedDestination({ host, port: 4000 })).toBeUndefined();
    expect(refusedDestination({ host, port: 0 })).toBeString();
  }
});
