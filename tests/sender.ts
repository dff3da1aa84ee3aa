// A module that sends requests for a test, as any module would.
import * as v from "valibot";
import { defineModule } from "../src/kernel/module.ts";
import { type SipStack, stack } from "../src/kernel/services.ts";
import { headerList } from "../src/sip/message/header_list.ts";
import { parseUri } from "../src/sip/message/uri.ts";

export interface Sending {
  readonly method: string;
  readonly uri: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array;
  readonly to?: Parameters<SipStack["send"]>[3];
}

/** `module` goes into the server, and `send` sends on behalf of an endpoint; `told` hears of what becomes of it. */
export function sender(told: (outcome: number | string) => void = () => {}) {
  let send: (sending: Sending, endpoint?: string) => void = () => {
    throw new Error("the server does not run yet");
  };
  const module = defineModule({
    name: "sender",
    summary: "sends for a test",
    requires: ["core"],
    options: v.object({}),
    setup(ctx) {
      const sip = ctx.use(stack);
      send = ({ method, uri: text, headers, body = new Uint8Array(0), to }, endpoint) => {
        const uri = parseUri(text);
        if (!uri) throw new Error(`${text} is no URI`);
        const request = { kind: "request", method, uri, headers: headerList(headers), body } as const;
        sip.send(request, endpoint === undefined ? undefined : ctx.objects.endpoint(endpoint), {
          response: ({ status }) => told(status),
          failed: (why) => told(why),
        }, to);
      };
    },
  });
  return { module, send: (sending: Sending, endpoint?: string) => send(sending, endpoint) };
}
