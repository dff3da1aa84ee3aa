import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Uri } from "../message/uri.ts";
import type { Destination } from "../transport/flow.ts";
import { SDP } from "./description.ts";
import type { Dialog } from "./dialog.ts";
import type { Challenges, DialogHost } from "./host.ts";

/** Who waits for the answer to an in-dialog request. */
export interface Answered {
  /** `request`: as it was sent in the end, with credentials. */
  response(response: SipResponse, request: SipRequest): void;
  /** No answer at all. */
  failed(why: string): void;
}

const MOST_ROUNDS = 10; // challenges in a row
const CREDENTIALS = ["Authorization", "Proxy-Authorization"];

/** Sends the requests of one session: finds the next hop, answers challenges. */
export class Sender {
  readonly #challenges: Challenges = { rounds: 0, nonces: new Map() };
  #hop: { readonly uri: Uri; readonly destination: Destination } | undefined;

  constructor(readonly host: DialogHost) {}

  /** Returns the way to cancel it (INVITE). */
  send(dialog: Dialog, request: SipRequest, answered: Answered): () => void {
    let cancel: (() => void) | undefined;
    let canceled = false;
    this.#towards(dialog, (destination) => {
      if (!destination) return answered.failed("unresolved");
      this.host.prepare(request, destination);
      const transaction = this.host.transactions.request(request, destination, {
        response: (response) => {
          const challenged = (response.status === 401 || response.status === 407) && !canceled &&
            ++this.#challenges.rounds <= MOST_ROUNDS;
          if (response.status >= 200 && response.status < 300) this.#challenges.rounds = 0;
          const lines = challenged ? this.host.credentials(request, response, this.#challenges) : undefined;
          if (lines) cancel = this.send(dialog, withCredentials(request, ++dialog.localCSeq, lines), answered);
          else answered.response(response, request);
        },
        failed: (why) => answered.failed(why),
      });
      cancel = () => transaction.cancel();
      if (canceled) cancel();
    });
    return () => {
      canceled = true;
      cancel?.();
    };
  }

  /** ACK to a 2xx (RFC 3261 §13.2.2.4). `keep` is given the way to send it again. */
  acknowledge(
    dialog: Dialog,
    invite: SipRequest,
    answer: Uint8Array | undefined,
    keep: (again: () => void) => void,
  ): void {
    keep(() => undefined); // until the next hop is known
    const ack = dialog.request("ACK", answer && { type: SDP, bytes: answer }, invite.headers.get("CSeq")?.number);
    for (const name of CREDENTIALS) {
      for (const value of invite.headers.texts(name)) ack.headers.append(name, value);
    }
    this.#towards(dialog, (destination) => {
      if (!destination) return;
      this.host.prepare(ack, destination);
      const send = () => this.host.transactions.sendAck({ ...ack, headers: ack.headers.clone() }, destination);
      keep(send);
      send();
    });
  }

  /** The next hop is looked up once per target; anew when its connection is gone. */
  #towards(dialog: Dialog, use: (destination: Destination | undefined) => void): void {
    const uri = dialog.nextHop;
    const known = this.#hop;
    if (known?.uri === uri && known.destination.flow?.open !== false) return use(known.destination);
    this.host.nextHop(uri, (destination) => {
      if (destination) this.#hop = { uri, destination };
      use(destination);
    });
  }
}

function withCredentials(
  request: SipRequest,
  cseq: number,
  lines: readonly (readonly [name: string, value: string])[],
): SipRequest {
  const headers = request.headers.clone();
  for (const name of ["Via", ...CREDENTIALS]) headers.remove(name);
  headers.set("CSeq", `${cseq} ${request.method}`);
  for (const [name, value] of lines) headers.append(name, value);
  return { ...request, headers };
}
