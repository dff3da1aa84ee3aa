// The INVITE usage of a dialog (RFC 3261 §13-15, 3262, 3264, 3311, 4028, 6337). One file of its size because the rules
// below are rules about each other: who may offer, ask or say goodbye depends on every open exchange.
import type { SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import { reply } from "../message/reply.ts";
import type { ServerTransaction } from "../transaction/layer.ts";
import { descriptionOf, SDP } from "./description.ts";
import { Dialog, withTag } from "./dialog.ts";
import { type Dialogs, mergeKey } from "./dialogs.ts";
import type { DialogHost, SentInvite } from "./host.ts";
import { Sender } from "./sender.ts";
import { type HeaderLines, ServerInvite } from "./server_invite.ts";
import { agreedTimer, answerTimer, lists, negotiateTimer, offerTimer, SessionTimer } from "./session_timer.ts";
import type { Change, Exchange, SessionEnd, SessionPolicy, SessionUser } from "./session_user.ts";

export type { Change, Exchange, SessionEnd, SessionPolicy, SessionUser };

interface PlainRequest {
  readonly method: string;
  readonly lines: HeaderLines;
  readonly body: { readonly type: string; readonly bytes: Uint8Array } | undefined;
  readonly done: (response: SipResponse | undefined) => void;
}

interface Fork {
  readonly dialog: Dialog;
  rseq: number | undefined;
  answer: { readonly bytes: Uint8Array; readonly bound: boolean } | undefined;
}

const MOST_FORKS = 10; // branches of one INVITE
const MOST_SECONDS = 86_400; // of a session interval a peer may ask of us

const sameBytes = (a: Uint8Array, b: Uint8Array) => a.length === b.length && Buffer.compare(a, b) === 0;

export class InviteSession {
  readonly callId: string;
  /** Of the INVITE that made us, while it can still arrive a second way. */
  readonly merge: string | undefined;
  phase: "calling" | "incoming" | "confirmed" | "ended" = "calling";
  /** The dialog that counts: the confirmed one, or the early one whose media is followed. */
  dialog: Dialog | undefined;
  /** Who may offer (RFC 6337 §2). */
  negotiation: "none" | "localOffer" | "remoteOffer" | "stable" = "none";
  /** Our INVITEs and UPDATEs carry a description like this one when they only refresh. */
  lastDescription: Uint8Array | undefined;
  readonly timer: SessionTimer;
  peerAllowsUpdate = false;
  #over = false;
  #released = false;
  #forks = new Map<string, Fork>();
  #initial: SentInvite | undefined; // ours, no final yet
  #sent: SentInvite | undefined; // the same, for what it looked like on the wire
  #invite: { proceeding: boolean; cancel(): void } | undefined; // our re-INVITE, no final yet
  #server: ServerInvite | undefined; // theirs, until confirmed or rejected
  #queue: (Change | PlainRequest)[] = [];
  #blocked: { cancel(): void } | undefined; // glare
  #preparing = false;
  #busy = false; // a non-INVITE request of ours is out
  #bye: HeaderLines | undefined; // wanted, not sent
  #byeGuard: { cancel(): void } | undefined;
  #goodbyes = 0; // BYEs without answer
  readonly #sender: Sender;

  private constructor(
    readonly dialogs: Dialogs,
    readonly host: DialogHost,
    readonly policy: SessionPolicy,
    readonly user: SessionUser,
    readonly invite: SipRequest,
    readonly localTag: string,
    readonly contact: string,
    readonly role: "uac" | "uas",
  ) {
    this.callId = invite.headers.get("Call-ID") ?? "";
    this.merge = role === "uas" ? mergeKey(invite) : undefined;
    this.#sender = new Sender(host);
    this.timer = new SessionTimer(host, () => this.refresh(), () => this.#expired());
    dialogs.add(this);
  }

  // ---- made by an INVITE ----------------------------------------------------------------------------------------

  /** An INVITE we are about to send; its From carries `localTag`. Nothing leaves before `start`. */
  static outgoing(dialogs: Dialogs, host: DialogHost, policy: SessionPolicy, user: SessionUser, own: {
    readonly invite: SipRequest;
    readonly localTag: string;
    readonly contact: string;
  }): InviteSession {
    return new InviteSession(dialogs, host, policy, user, own.invite, own.localTag, own.contact, "uac");
  }

  /** An INVITE we were sent. Undefined when its Contact is missing or unusable (answer 400). */
  static incoming(dialogs: Dialogs, host: DialogHost, policy: SessionPolicy, user: SessionUser, own: {
    readonly transaction: ServerTransaction;
    readonly localTag: string;
    readonly contact: string;
  }): InviteSession | undefined {
    const { request } = own.transaction;
    const dialog = Dialog.uas(request, own.localTag, own.contact);
    if (!dialog) return undefined;
    const session = new InviteSession(dialogs, host, policy, user, request, own.localTag, own.contact, "uas");
    const supported = lists(request, "Supported", "100rel");
    const reliable = lists(request, "Require", "100rel") ||
      (supported && (policy.reliable === "peer_supported" || policy.reliable === "required"));
    session.phase = "incoming";
    session.dialog = dialog;
    session.#observe(request);
    session.#serve(own.transaction, reliable && policy.reliable !== "no");
    return session;
  }

  /** Sends the INVITE, with our offer unless `description` is undefined. */
  start(description: Uint8Array | undefined): void {
    if (this.#over || this.#initial) return;
    const { headers } = this.invite;
    if (description) headers.set("Content-Type", SDP);
    this.#support(this.invite);
    if (this.policy.reliable === "required") headers.append("Require", "100rel");
    offerTimer(this.invite, this.policy.timer, undefined);
    this.#call(description ? { ...this.invite, body: description } : this.invite);
  }

  #call(request: SipRequest): void {
    this.negotiation = request.body.length > 0 ? "localOffer" : "none";
    if (request.body.length > 0) this.lastDescription = request.body;
    const acks = new Map<string, () => void>();
    let failed = false;
    const sent = this.host.sendInvite(request, {
      response: (response) => this.#initialResponse(this.#sent?.request ?? request, response, acks),
      failed: (why) => {
        failed = true;
        this.#initialFailed(undefined, why);
      },
    });
    if (failed) return;
    this.#initial = sent;
    this.#sent = sent;
  }

  #initialResponse(request: SipRequest, response: SipResponse, acks: Map<string, () => void>): void {
    if (response.status === 100) return;
    if (response.status >= 300) return this.#initialRefused(request, response);
    const tag = response.headers.get("To")?.params.get("tag") ?? "";
    if (response.status < 200) return this.#initialProgress(request, response, tag);
    const known = acks.get(tag);
    if (known) return known(); // a retransmission: the ACK was lost
    if (acks.size >= MOST_FORKS) return; // nobody has so many phones
    if (this.phase !== "calling" || this.#over) {
      // Another branch was faster, or our CANCEL crossed this 2xx: it gets its ACK, then BYE.
      const fork = this.#fork(request, response, tag);
      fork.dialog.confirm(response);
      this.#sender.acknowledge(fork.dialog, request, undefined, (again) => acks.set(tag, again));
      if (this.phase === "calling") this.#initial = undefined;
      this.#sendBye(fork.dialog, []);
      return;
    }
    this.#initialAccepted(request, response, tag, (again) => acks.set(tag, again));
  }

  #initialProgress(request: SipRequest, response: SipResponse, tag: string): void {
    if (this.#over || this.phase !== "calling") return;
    if (tag === "") return this.user.progress(response);
    if (this.#forks.size >= MOST_FORKS && !this.#forks.has(tag)) return;
    const fork = this.#fork(request, response, tag);
    this.#observe(response);
    const rseq = response.headers.get("RSeq");
    const reliable = rseq !== undefined && lists(response, "Require", "100rel");
    if (reliable) {
      // In order, each once (RFC 3262 §4); an unacknowledged one comes again.
      if (fork.rseq !== undefined && rseq !== fork.rseq + 1) return;
      fork.rseq = rseq;
    }
    this.dialog ??= fork.dialog;
    const body = descriptionOf(response);
    if (body && reliable && request.body.length === 0 && !fork.answer) {
      this.dialog = fork.dialog;
      fork.answer = { bytes: body, bound: true };
      this.negotiation = "remoteOffer";
      this.user.offer(
        body,
        this.#exchange(response, (answer) => this.#prack(fork.dialog, request, rseq, answer), () => this.end()),
      );
      return this.user.progress(response);
    }
    if (reliable) this.#prack(fork.dialog, request, rseq, undefined);
    if (body && request.body.length > 0) this.#earlyAnswer(fork, response, body, reliable);
    this.user.progress(response);
  }

  #earlyAnswer(fork: Fork, response: SipResponse, body: Uint8Array, bound: boolean): void {
    const before = fork.answer;
    if (before) {
      const changed = !sameBytes(before.bytes, body);
      if (!before.bound && bound) this.#bind(fork);
      if (!changed) return void (fork.answer = { bytes: body, bound: bound || before.bound });
      if (before.bound || !this.policy.acceptMultipleAnswers) return;
    } else if (
      this.dialog !== fork.dialog && [...this.#forks.values()].some((f) => f.answer) && !this.policy.followForks
    ) {
      return;
    }
    fork.answer = { bytes: body, bound };
    this.dialog = fork.dialog;
    if (bound) this.#bind(fork);
    this.user.answer(body, response, true);
  }

  /** An answer that surely arrived closes the exchange, already before the 2xx. */
  #bind(fork: Fork): void {
    if (this.dialog === fork.dialog) this.negotiation = "stable";
    this.#pump();
  }

  #initialAccepted(
    request: SipRequest,
    response: SipResponse,
    tag: string,
    keep: (again: () => void) => void,
  ): void {
    this.#initial = undefined;
    const fork = this.#fork(request, response, tag);
    this.phase = "confirmed";
    this.dialog = fork.dialog;
    this.dialog.confirm(response);
    for (const other of this.#forks.values()) if (other !== fork) other.dialog.state = "terminated";
    this.#forks = new Map([[tag, fork]]);
    this.#observe(response);
    this.timer.start(agreedTimer(response, this.policy.timer));
    const body = descriptionOf(response);
    if (request.body.length === 0 && !fork.answer && body) {
      this.negotiation = "remoteOffer";
      const accept = (answer: Uint8Array) => {
        this.#sender.acknowledge(fork.dialog, request, answer, keep);
        this.negotiation = "stable";
      };
      keep(() => undefined); // retransmissions are answered once the answer is there
      this.user.offer(
        body,
        this.#exchange(response, accept, () => {
          this.#sender.acknowledge(fork.dialog, request, undefined, keep);
          this.end();
        }),
      );
    } else {
      this.#sender.acknowledge(fork.dialog, request, undefined, keep);
      this.negotiation = "stable";
      const before = fork.answer;
      // RFC 3261 §13.2.1: the first answer of a dialog is the answer, later ones are only read when told so.
      const fresh = body &&
        (!before || (!sameBytes(before.bytes, body) && !before.bound && this.policy.acceptMultipleAnswers));
      if (fresh || (!before && request.body.length > 0)) this.user.answer(body, response, false);
      else if (before) this.user.answer(before.bytes, response, false);
    }
    if (this.#over) return;
    this.user.accepted(response);
    this.#pump();
  }

  #initialRefused(request: SipRequest, response: SipResponse): void {
    const floor = response.headers.get("Min-SE");
    const { timer } = this.policy;
    const asked = Number(request.headers.get("Session-Expires")?.token ?? "0");
    if (
      response.status === 422 && !this.#over && floor !== undefined && floor > asked && floor <= MOST_SECONDS &&
      timer.mode !== "no"
    ) {
      const again: SipRequest = { ...request, headers: request.headers.clone() };
      for (const name of ["Via", "Authorization", "Proxy-Authorization"]) again.headers.remove(name);
      again.headers.set("Session-Expires", String(floor));
      again.headers.set("Min-SE", String(floor));
      again.headers.set("CSeq", `${(request.headers.get("CSeq")?.number ?? 0) + 1} INVITE`);
      return this.#call(again);
    }
    this.#initialFailed(response, response.reason);
  }

  #initialFailed(response: SipResponse | undefined, why: string): void {
    this.#initial = undefined;
    for (const fork of this.#forks.values()) fork.dialog.state = "terminated";
    const status = response?.status ?? (why === "timeout" ? 408 : 503);
    if (this.phase === "calling") this.#finish({ by: response ? "remote" : "timeout", status, message: response, why });
    this.#maybeRelease();
  }

  #fork(request: SipRequest, response: SipResponse, tag: string): Fork {
    let fork = this.#forks.get(tag);
    if (!fork) {
      fork = { dialog: Dialog.uac(request, response, this.contact), rseq: undefined, answer: undefined };
      this.#forks.set(tag, fork);
    }
    return fork;
  }

  #prack(dialog: Dialog, invite: SipRequest, rseq: number, answer: Uint8Array | undefined): void {
    const cseq = invite.headers.get("CSeq")?.number ?? 0;
    const prack = dialog.request("PRACK", answer && { type: SDP, bytes: answer });
    prack.headers.set("RAck", `${rseq} ${cseq} INVITE`);
    if (answer) this.negotiation = "stable";
    this.#sender.send(dialog, prack, {
      response: () => this.#pump(),
      failed: () => undefined, // the INVITE will tell
    });
  }

  // ---- we were called ---------------------------------------------------------------------------------------------

  /** 1xx to the INVITE we were sent; reliable when both want it. */
  provisional(status: number, reason: string, description?: Uint8Array, lines: HeaderLines = []): void {
    if (this.phase === "incoming" && !this.#over) this.#server?.provisional(status, reason, description, lines);
  }

  /** 200 to the INVITE we were sent. */
  accept(description: Uint8Array | undefined, lines: HeaderLines = []): void {
    if (this.phase !== "incoming" || this.#over) return;
    if (description) this.lastDescription = description;
    this.#server?.accept(description, lines, (response) => this.#agree(response));
  }

  #agree(response: SipResponse): void {
    if (this.phase === "incoming") {
      this.phase = "confirmed";
      this.dialog?.confirm();
    }
    const request = this.#server?.request;
    const agreed = request && negotiateTimer(request, this.policy.timer);
    if (!request || !agreed || "tooSmall" in agreed) return this.timer.start(undefined);
    answerTimer(response, request, agreed);
    this.timer.start(agreed);
  }

  #serve(transaction: ServerTransaction, reliable: boolean): ServerInvite {
    const server: ServerInvite = new ServerInvite(this.host, transaction, {
      complete: (response, request) => this.#complete(response, request),
      described: (kind) => this.negotiation = kind === "offer" ? "localOffer" : "stable",
      answered: (answer) => {
        this.negotiation = "stable";
        this.user.answer(answer, transaction.request, true);
      },
      acknowledged: (answer, offered) => {
        if (offered) {
          this.negotiation = "stable";
          if (!this.#over) this.user.answer(answer, transaction.request, false);
        }
        if (this.#server === server) this.#server = undefined;
        if (!this.#over) this.user.confirmed();
        this.#proceed();
      },
      unanswered: (what) => {
        if (this.#server === server) this.#server = undefined;
        if (what === "ACK") this.#bye ??= [];
        this.#finish({ by: "timeout", status: what === "PRACK" ? 504 : 408, message: undefined, why: `no ${what}` });
        this.#proceed();
      },
    }, reliable);
    this.#server = server;
    if (server.offered) this.negotiation = "remoteOffer";
    const initial = this.phase === "incoming";
    transaction.onCancel((cancel) => {
      if (!server.reject(487, "Request Terminated")) return;
      if (this.#server === server) this.#server = undefined;
      if (initial) return this.#finish({ by: "remote", status: 487, message: cancel, why: "canceled" });
      this.negotiation = "stable";
      this.#proceed();
    });
    return server;
  }

  /** To tag, Contact and Record-Route of a response we send in this dialog. */
  #complete(response: SipResponse, request: SipRequest): void {
    const { headers } = response;
    if (response.status > 100) headers.set("To", withTag(request.headers.text("To") ?? "", this.localTag));
    if (response.status <= 100 || response.status >= 300) return;
    if (request.method === "INVITE" || request.method === "UPDATE") {
      headers.set("Contact", this.contact);
      if (response.status >= 200) this.#support(response);
    }
    if (request === this.invite && !headers.has("Record-Route")) {
      for (const value of request.headers.texts("Record-Route")) headers.append("Record-Route", value);
    }
  }

  #support(message: SipMessage): void {
    if (this.policy.supported.length > 0) message.headers.set("Supported", this.policy.supported.join(", "));
  }

  // ---- in-dialog requests of the peer ----------------------------------------------------------------------------

  /** Does the From tag name a dialog of ours? */
  knows(request: SipRequest): boolean {
    const tag = request.headers.get("From")?.params.get("tag") ?? "";
    return this.dialog?.remoteTag === tag || this.#forks.has(tag);
  }

  /** The ACK to a 2xx. */
  acknowledged(ack: SipRequest): void {
    const server = this.#server;
    if (server && server.request.headers.get("CSeq")?.number === ack.headers.get("CSeq")?.number) {
      server.acknowledge(ack);
    }
  }

  receive(transaction: ServerTransaction): void {
    const { request } = transaction;
    const tag = request.headers.get("From")?.params.get("tag") ?? "";
    const dialog = this.dialog?.remoteTag === tag ? this.dialog : this.#forks.get(tag)?.dialog;
    if (!dialog) return this.respond(transaction, 481, "Call/Transaction Does Not Exist");
    if (!dialog.advance(request)) return this.respond(transaction, 500, "CSeq Out Of Order");
    if (request.method === "BYE") return this.#receiveBye(transaction);
    if (this.#over) return this.respond(transaction, 481, "Call/Transaction Does Not Exist");
    const unsupported = this.policy.unsupported(request);
    if (unsupported.length > 0) {
      return this.respond(transaction, 420, "Bad Extension", [["Unsupported", unsupported.join(", ")]]);
    }
    switch (request.method) {
      case "INVITE":
        return this.#receiveInvite(transaction, dialog);
      case "UPDATE":
        return this.#receiveUpdate(transaction, dialog);
      case "PRACK":
        return this.#receivePrack(transaction);
      default:
        return this.user.request(transaction);
    }
  }

  /** Answers an in-dialog request. */
  respond(
    transaction: ServerTransaction,
    status: number,
    reason: string,
    lines: HeaderLines = [],
    body?: Uint8Array,
  ): void {
    const bare = reply(transaction.request, status, reason);
    const response = body ? { ...bare, body } : bare;
    if (body) response.headers.set("Content-Type", SDP);
    for (const [name, value] of lines) response.headers.append(name, value);
    this.send(transaction, response);
  }

  /** Answers an in-dialog request with a response somebody else built. */
  send(transaction: ServerTransaction, response: SipResponse): void {
    this.#complete(response, transaction.request);
    this.host.prepare(response, transaction.flow, transaction.request);
    transaction.respond(response);
  }

  #receiveBye(transaction: ServerTransaction): void {
    this.respond(transaction, 200, "OK");
    if (this.#server?.reject(487, "Request Terminated") || this.#server?.state === "accepted") {
      this.#server.stop();
      this.#server = undefined;
    }
    this.#bye = undefined;
    this.#initial?.cancel();
    this.#finish({ by: "remote", status: undefined, message: transaction.request, why: "BYE" });
    this.#maybeRelease();
  }

  #receiveInvite(transaction: ServerTransaction, dialog: Dialog): void {
    const later: HeaderLines = [["Retry-After", String(this.host.world.random.below(10))]];
    if (this.#initial || this.#invite) return this.respond(transaction, 491, "Request Pending");
    if (this.#server?.state === "proceeding" && this.phase !== "incoming") {
      return this.respond(transaction, 500, "Request Pending", later);
    }
    if (this.#server || (this.negotiation !== "stable" && this.negotiation !== "none")) {
      return this.respond(transaction, 491, "Request Pending");
    }
    const timer = negotiateTimer(transaction.request, this.policy.timer);
    if (timer && "tooSmall" in timer) return this.#tooSmall(transaction);
    this.#observe(transaction.request);
    const server = this.#serve(transaction, false);
    const exchange: Exchange = {
      message: transaction.request,
      accept: (description) => {
        if (this.#server !== server || server.state !== "proceeding") return;
        dialog.refreshTarget(transaction.request);
        this.lastDescription = description;
        server.accept(description, [], (response) => this.#agree(response));
      },
      refuse: (status, reason, lines) => {
        if (this.#server !== server || !server.reject(status, reason, lines)) return;
        this.#server = undefined;
        this.negotiation = "stable";
        this.#proceed();
      },
    };
    // The transaction says 100 when our answer takes longer than 200 ms (RFC 3261 §17.2.1).
    this.user.offer(server.offered, exchange);
  }

  #tooSmall(transaction: ServerTransaction): void {
    this.respond(transaction, 422, "Session Interval Too Small", [["Min-SE", String(this.policy.timer.min)]]);
  }

  #receiveUpdate(transaction: ServerTransaction, dialog: Dialog): void {
    const { request } = transaction;
    const description = descriptionOf(request);
    if (description && this.negotiation === "localOffer") return this.respond(transaction, 491, "Request Pending");
    if (description && this.negotiation !== "stable") {
      return this.respond(transaction, 500, "Request Pending", [[
        "Retry-After",
        String(this.host.world.random.below(10)),
      ]]);
    }
    const timer = negotiateTimer(request, this.policy.timer);
    if (timer && "tooSmall" in timer) return this.#tooSmall(transaction);
    this.#observe(request);
    const accept = (body?: Uint8Array) => {
      dialog.refreshTarget(request);
      const response = reply(request, 200, "OK");
      if (body) response.headers.set("Content-Type", SDP);
      if (timer) {
        answerTimer(response, request, timer);
        if (this.phase === "confirmed") this.timer.start(timer);
      }
      this.send(transaction, body ? { ...response, body } : response);
    };
    if (!description) return accept();
    this.negotiation = "remoteOffer";
    this.user.offer(
      description,
      this.#exchange(request, (body) => {
        this.negotiation = "stable";
        this.lastDescription = body;
        accept(body);
        this.#proceed();
      }, (status, reason, lines) => {
        this.negotiation = "stable";
        this.respond(transaction, status, reason, lines);
        this.#proceed();
      }),
    );
  }

  #receivePrack(transaction: ServerTransaction): void {
    const { request } = transaction;
    const server = this.#server;
    if (!server?.matches(request)) return this.respond(transaction, 400, "Unknown RAck");
    const offer = this.negotiation === "stable" ? descriptionOf(request) : undefined;
    if (!offer) {
      this.respond(transaction, 200, "OK");
      return server.settle(request);
    }
    this.negotiation = "remoteOffer";
    this.user.offer(
      offer,
      this.#exchange(request, (answer) => {
        this.negotiation = "stable";
        this.respond(transaction, 200, "OK", [], answer);
        server.settle(request);
      }, (status, reason, lines) => {
        this.negotiation = "stable";
        this.respond(transaction, status, reason, lines);
        server.settle(request);
      }),
    );
  }

  /** An exchange that can be answered once, while the session lives. */
  #exchange(
    message: SipMessage,
    accept: (description: Uint8Array) => void,
    refuse: (status: number, reason: string, lines?: HeaderLines) => void,
  ): Exchange {
    let open = true;
    const once = (run: () => void) => {
      if (!open) return;
      open = false;
      run();
    };
    const { kind } = message;
    return {
      message,
      // A request is owed its answer whatever happened meanwhile; a response of the peer is not.
      accept: (description) =>
        once(() => kind === "request" && this.#over ? refuse(481, "Call Ended") : accept(description)),
      refuse: (status, reason, lines) => once(() => refuse(status, reason, lines)),
    };
  }

  // ---- requests of ours -------------------------------------------------------------------------------------------

  /** Queues a re-INVITE or UPDATE: sent when the dialog and all exchanges before it allow. */
  change(change: Change): void {
    if (this.#over) return change.done?.(0);
    this.#queue.push(change);
    this.#pump();
  }

  /** Queues INFO, MESSAGE, REFER ... in order. `done`: the final response, undefined when none came. */
  request(
    method: string,
    lines: HeaderLines,
    body: { readonly type: string; readonly bytes: Uint8Array } | undefined,
    done: (response: SipResponse | undefined) => void,
  ): void {
    if (this.#over) return done(undefined);
    this.#queue.push({ method, lines, body, done });
    this.#pump();
  }

  /** Keeps the session alive: UPDATE without SDP where the peer allows it, else the last description again. */
  refresh(): void {
    const again = (ready: (description: Uint8Array | undefined) => void) => ready(this.lastDescription);
    if (!this.peerAllowsUpdate) return this.change({ method: "INVITE" });
    const retryWithSdp = (status: number) => {
      if (status >= 400 && status < 600 && ![401, 407, 408, 481, 422].includes(status)) {
        this.change({ method: "UPDATE", offer: again });
      }
    };
    this.change({ method: "UPDATE", done: retryWithSdp });
  }

  /** After any exchange: whatever waited may have its turn now. */
  #proceed(): void {
    this.#tryBye();
    this.#pump();
    this.#maybeRelease();
  }

  #pump(): void {
    const head = this.#queue[0];
    const { dialog } = this;
    if (!head || !dialog || this.#over || this.#blocked || this.#preparing || this.#busy) return;
    // A request must not overtake the INVITE before it: CSeq would turn around on the way.
    if (this.#invite && !this.#invite.proceeding) return;
    if ("body" in head) {
      this.#queue.shift();
      return this.#sendPlain(dialog, head);
    }
    const method = head.method === "refresh" ? (this.peerAllowsUpdate ? "UPDATE" : "INVITE") : head.method;
    if (method === "INVITE" && (this.phase !== "confirmed" || this.#server || this.#invite || this.#initial)) return;
    if ((head.offer || method === "INVITE") && this.negotiation !== "stable") return;
    this.#queue.shift();
    const same = (ready: (description: Uint8Array | undefined) => void) => ready(this.lastDescription);
    const offer = head.offer ?? (method === "INVITE" ? same : undefined);
    if (!offer) return this.#sendChange(dialog, head, method, undefined);
    this.#preparing = true;
    offer((description) => {
      this.#preparing = false;
      if (this.#over || !description) {
        head.done?.(0);
      } else if (this.negotiation !== "stable" || (method === "INVITE" && this.#server)) {
        this.#queue.unshift(head); // the peer was faster: the offer is built again on what comes of that
      } else {
        this.#sendChange(dialog, head, method, description);
      }
      this.#pump();
    });
  }

  #sendPlain(dialog: Dialog, plain: PlainRequest): void {
    const request = dialog.request(plain.method, plain.body);
    for (const [name, value] of plain.lines) request.headers.append(name, value);
    this.#busy = true;
    const settled = (response: SipResponse | undefined) => {
      this.#busy = false;
      plain.done(response);
      // A NOTIFY is of a subscription: the call goes on without it (RFC 5057 §5.1).
      const lost = !response || response.status === 408 || response.status === 481;
      if (lost && plain.method !== "NOTIFY") this.#lost(response, plain.method);
      this.#proceed();
    };
    this.#sender.send(dialog, request, {
      response: (response) => response.status >= 200 && settled(response),
      failed: () => settled(undefined),
    });
  }

  #sendChange(dialog: Dialog, change: Change, method: "INVITE" | "UPDATE", description: Uint8Array | undefined): void {
    const request = dialog.request(method, description && { type: SDP, bytes: description });
    this.#support(request);
    offerTimer(request, this.policy.timer, this.timer.running);
    const before = this.lastDescription;
    if (description) {
      this.negotiation = "localOffer";
      this.lastDescription = description;
    }
    const invite = method === "INVITE" ? { proceeding: false, cancel: () => undefined as void } : undefined;
    if (invite) this.#invite = invite;
    else this.#busy = true;
    let again: (() => void) | undefined; // sends the ACK once more
    let settled = false;
    const settle = (response: SipResponse | undefined, why: string) => {
      settled = true;
      if (invite && this.#invite === invite) this.#invite = undefined;
      if (!invite) this.#busy = false;
      const status = response?.status ?? 408;
      if (description) this.negotiation = "stable";
      if (response && status < 300) this.#changed(dialog, response, description);
      else {
        this.lastDescription = before;
        if (status === 491 && !this.#over) return this.#glare(change);
        if (status === 422 && response && !this.#over && this.#raise(request, response)) this.#queue.unshift(change);
        if (status === 408 || status === 481) this.#lost(response, why);
      }
      if (this.#queue[0] !== change) change.done?.(status);
      this.#proceed();
    };
    const cancel = this.#sender.send(dialog, request, {
      response: (response, sent) => {
        if (response.status < 200) {
          if (invite) invite.proceeding = true;
          return this.#pump();
        }
        if (invite && response.status < 300) {
          if (again) return again();
          if (settled) return;
          this.#sender.acknowledge(dialog, sent, undefined, (send) => again = send);
        }
        if (!settled) settle(response, response.reason);
      },
      failed: (why) => settled || settle(undefined, why),
    });
    if (invite) invite.cancel = cancel;
  }

  /** 422: the interval grows to what the peer wants, once per value. */
  #raise(request: SipRequest, response: SipResponse): boolean {
    const floor = response.headers.get("Min-SE");
    const asked = Number(request.headers.get("Session-Expires")?.token ?? "0");
    if (floor === undefined || floor <= asked || floor > MOST_SECONDS) return false;
    this.timer.running = { seconds: floor, refresher: this.timer.running?.refresher ?? "us" };
    return true;
  }

  #changed(dialog: Dialog, response: SipResponse, offered: Uint8Array | undefined): void {
    dialog.refreshTarget(response);
    this.#observe(response);
    if (this.#over) return;
    const agreed = agreedTimer(response, this.policy.timer);
    if (this.phase === "confirmed") this.timer.start(agreed);
    if (offered) this.user.answer(descriptionOf(response), response, false);
  }

  /** RFC 3261 §14.1: who made the Call-ID waits longer, so that one of the two goes first. */
  #glare(change: Change): void {
    const { random } = this.host.world;
    const ms = this.role === "uac" ? 2100 + 10 * random.below(201) : 10 * random.below(201);
    this.#queue.unshift(change);
    this.#blocked = this.host.world.after(ms, () => {
      this.#blocked = undefined;
      this.#pump();
    });
    this.#tryBye();
  }

  /** The peer has no such dialog any more, or does not answer: it is over (RFC 3261 §12.2.1.2). */
  #lost(response: SipResponse | undefined, why: string): void {
    if (this.#over) return;
    if (response?.status !== 481) this.#bye ??= [];
    this.#finish({ by: "timeout", status: response?.status ?? 408, message: response, why });
  }

  #expired(): void {
    if (this.#over) return;
    this.#bye ??= [["Reason", 'SIP;cause=408;text="no session refresh"']];
    this.#finish({ by: "timeout", status: 408, message: undefined, why: "no session refresh" });
    this.#tryBye();
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  /** Ends the session whatever its state: refuses, cancels, or says BYE as soon as the protocol lets us. */
  end(how: { readonly status?: number; readonly reason?: string; readonly lines?: HeaderLines } = {}): void {
    if (this.#over) return;
    const lines = how.lines ?? [];
    if (this.phase === "incoming") {
      this.#server?.reject(how.status ?? 603, how.reason ?? "Decline", lines);
      this.#server = undefined;
    } else if (this.phase === "calling") {
      this.#initial?.cancel(lines.find(([name]) => name === "Reason")?.[1]);
    } else {
      this.#bye ??= lines;
    }
    this.#finish({ by: "local", status: how.status, message: undefined, why: how.reason ?? "" });
    this.#proceed();
  }

  #finish(end: SessionEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.timer.stop();
    this.#blocked?.cancel();
    this.#blocked = undefined;
    const waiting = this.#queue;
    this.#queue = [];
    for (const item of waiting) {
      if ("body" in item) item.done(undefined);
      else item.done?.(0);
    }
    if (this.#initial === undefined || this.phase === "confirmed") this.phase = "ended";
    this.user.ended(end);
    this.#maybeRelease();
  }

  #tryBye(): void {
    const { dialog } = this;
    if (!this.#bye || !dialog) return;
    // The caller may not know yet that there is a dialog: BYE waits for ACK (RFC 3261 §15).
    if (this.#server?.state === "accepted") return;
    if (this.#server?.reject(487, "Request Terminated")) this.#server = undefined;
    if (this.#invite) {
      this.#invite.cancel();
      this.#byeGuard ??= this.host.world.after(64 * this.host.t1, () => {
        this.#invite = undefined;
        this.#proceed();
      });
      return;
    }
    const lines = this.#bye;
    this.#bye = undefined;
    this.#byeGuard?.cancel();
    this.#sendBye(dialog, lines);
  }

  #sendBye(dialog: Dialog, lines: HeaderLines): void {
    const bye = dialog.request("BYE");
    for (const [name, value] of lines) bye.headers.append(name, value);
    dialog.state = "terminated";
    this.#goodbyes++;
    const done = () => {
      this.#goodbyes--;
      this.#maybeRelease();
    };
    this.#sender.send(dialog, bye, { response: (response) => response.status >= 200 && done(), failed: done });
  }

  #maybeRelease(): void {
    if (!this.#over || this.#goodbyes > 0 || this.#bye || this.#initial || this.#invite) return;
    if (this.#server?.state === "accepted") return;
    this.phase = "ended";
    if (this.dialog) this.dialog.state = "terminated";
    this.#server?.stop();
    this.#byeGuard?.cancel();
    this.dialogs.remove(this);
    if (this.#released) return;
    this.#released = true;
    this.user.released?.();
  }

  #observe(message: SipMessage): void {
    if (message.headers.has("Allow")) this.peerAllowsUpdate = lists(message, "Allow", "UPDATE");
  }
}
