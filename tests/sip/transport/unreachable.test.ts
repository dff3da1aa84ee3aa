import { expect, test } from "bun:test";
import { DatagramTransport } from "../../../src/sip/transport/datagram.ts";
import type { DatagramListener, DatagramOptions, SocketAddress } from "../../../src/world/world.ts";
import { VirtualUniverse } from "../../virtual_world.ts";

/** A socket whose kernel does not say which peer an ICMP error is about, and the peers that were taken for gone. */
async function blind() {
  const universe = new VirtualUniverse();
  const host = universe.host("192.0.2.1");
  let listener: DatagramListener | undefined;
  const gone: string[] = [];
  const network = {
    ...host.network,
    bindDatagram(local: DatagramOptions, owner: DatagramListener) {
      listener = owner;
      return Promise.resolve({ local, send: () => true, close: () => {} });
    },
  };
  const transport = await DatagramTransport.open({ id: "udp", protocol: "udp", host: "192.0.2.1", port: 5060 }, {
    world: { network, now: () => universe.now() },
    datagram: () => {},
    unreachable: ({ remote }) => gone.push(remote.host),
  });
  const at = (number: number): SocketAddress => ({ host: `192.0.2.${number}`, port: 5060 });
  return {
    universe,
    gone,
    send: (number: number) => transport.flow(at(number)).send(new Uint8Array(1)),
    hears: (number: number) => listener?.received(new Uint8Array(1), at(number)),
    icmp: () => listener?.unreachable(undefined),
  };
}

test("the only peer that did not speak is the one that is gone", async () => {
  const { send, hears, icmp, gone } = await blind();
  hears(20);
  send(20);
  send(21);
  icmp();
  expect(gone).toEqual(["192.0.2.21"]);
});

test("of several silent peers none is taken for gone, and never one that speaks", async () => {
  const { send, hears, icmp, gone } = await blind();
  hears(20);
  send(20);
  icmp();
  send(21);
  send(22);
  icmp();
  expect(gone).toEqual([]);
});

test("what was sent long ago is no suspect", async () => {
  const { universe, send, icmp, gone } = await blind();
  send(21);
  await universe.advance(3000);
  icmp();
  send(22);
  icmp();
  expect(gone).toEqual(["192.0.2.22"]);
});
