// We behind a NAT: the address others have to use, per transport and destination.
import { BlockList, isIP } from "node:net";
import type { Logger } from "../../kernel/log.ts";
import type { SipMessage } from "../../sip/message/message.ts";
import type { SocketAddress, World } from "../../world/world.ts";

/** Fields of a transport, as the operator wrote them. */
export interface ExternalFields {
  readonly localNet: readonly string[];
  readonly externalSignalingAddress?: string | undefined;
  readonly externalSignalingHostname?: string | undefined;
  readonly externalSignalingPort: number;
  readonly externalMediaAddress?: string | undefined;
}

/** What one transport looks like from outside. */
export class External {
  readonly #inside = new BlockList();
  #signaling: string | undefined;
  #media: string | undefined;

  constructor(readonly id: string, readonly fields: ExternalFields) {
    for (const network of fields.localNet) {
      const [address = "", bits] = network.split("/");
      const family = address.includes(":") ? "ipv6" : "ipv4";
      this.#inside.addSubnet(address, bits === undefined ? (family === "ipv4" ? 32 : 128) : Number(bits), family);
    }
    this.#signaling = literal(fields.externalSignalingAddress);
    this.#media = literal(fields.externalMediaAddress);
  }

  /** Looks names up again. True when an address changed. */
  async refresh(world: Pick<World, "dns">, log: Pick<Logger, "warning">): Promise<boolean> {
    const before = `${this.#signaling} ${this.#media}`;
    this.#signaling = await this.#address(this.fields.externalSignalingAddress, this.#signaling, world, log);
    this.#media = await this.#address(this.fields.externalMediaAddress, this.#media, world, log);
    return before !== `${this.#signaling} ${this.#media}`;
  }

  async #address(
    name: string | undefined,
    last: string | undefined,
    world: Pick<World, "dns">,
    log: Pick<Logger, "warning">,
  ): Promise<string | undefined> {
    if (name === undefined || isIP(name) !== 0) return name;
    const answer = await world.dns.a(name);
    if (answer.kind === "found") return answer.records[0];
    log.warning(`transport ${this.id}: the external address ${name} is ${answer.kind}`, { kept: last });
    return last;
  }

  get named(): boolean {
    return [this.fields.externalSignalingAddress, this.fields.externalMediaAddress]
      .some((name) => name !== undefined && isIP(name) === 0);
  }

  /** Without `localNet` everybody is outside. */
  outside(host: string): boolean {
    return isIP(host) === 0 || !this.#isInside(host);
  }

  #isInside(host: string): boolean {
    return this.fields.localNet.length > 0 && this.#inside.check(host, host.includes(":") ? "ipv6" : "ipv4");
  }

  /** Our signaling address as somebody outside sees it. */
  signaling(): Partial<SocketAddress> | undefined {
    const host = this.fields.externalSignalingHostname ?? this.#signaling;
    const port = this.fields.externalSignalingPort;
    if (host === undefined) return undefined;
    return port === 0 ? { host } : { host, port };
  }

  /** Puts the external media address into a description: `o=` and every `c=` with an address of ours. */
  describe(message: SipMessage): void {
    const media = this.#media;
    if (media === undefined || message.body.length === 0) return;
    if (message.headers.get("Content-Type")?.token.toLowerCase() !== "application/sdp") return;
    const family = media.includes(":") ? "IP6" : "IP4";
    const text = new TextDecoder().decode(message.body);
    const rewritten = text.replace(
      /^(o=[^\r\n]* IN |c=IN )(IP4|IP6) ([^\s/]+)/gm,
      (line, head: string, _family: string, address: string) =>
        this.fields.localNet.length > 0 && !this.#isOurs(address) ? line : `${head}${family} ${media}`,
    );
    if (rewritten === text) return;
    const writable: { body: Uint8Array } = message;
    writable.body = new TextEncoder().encode(rewritten);
  }

  #isOurs(address: string): boolean {
    return isIP(address) !== 0 && this.#isInside(address);
  }
}

const literal = (text: string | undefined) => text !== undefined && isIP(text) !== 0 ? text : undefined;
