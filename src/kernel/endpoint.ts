/**
 * The configured peers, as every module sees them. `core` owns the objects; a module that owns further fields of an
 * endpoint (nat, sdp_rtp, session ...) declares them with `fields` in its definition and reads them with
 * `ctx.fields(endpoint)`, typed by its own schema.
 */
export interface Endpoint {
  readonly id: string;
  /** All validated fields by name; read through `ctx.fields`. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly context: string;
  readonly aors: readonly string[];
  readonly auth: readonly string[];
  readonly outboundAuth: readonly string[];
  readonly identifyBy: readonly string[];
  readonly transport: string | undefined;
  readonly fromUser: string | undefined;
  readonly fromDomain: string | undefined;
  readonly callerId: { readonly name: string; readonly number: string } | undefined;
}
