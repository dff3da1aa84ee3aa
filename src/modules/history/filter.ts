// The filter language: `sip.msg.request.method = INVITE and (addr = 192.0.2.1 or number > 10)`.
import type { Entry } from "./entry.ts";

/** An expression that cannot be read; the text says what and where. */
export class FilterError extends Error {}

export type Test = (entry: Entry) => boolean;

type Field =
  | { readonly kind: "integer"; read(entry: Entry): number }
  | { readonly kind: "address"; read(entry: Entry): { readonly host: string; readonly port: number } }
  | { readonly kind: "text"; read(entry: Entry): string | undefined };

const FIELDS: Readonly<Record<string, Field>> = {
  "number": { kind: "integer", read: ({ number }) => number },
  "timestamp": { kind: "integer", read: ({ wallMs }) => Math.floor(wallMs / 1000) },
  "addr": { kind: "address", read: ({ peer }) => peer },
  "sip.msg.request.method": { kind: "text", read: ({ requestMethod }) => requestMethod },
  "sip.msg.call-id": { kind: "text", read: ({ callId }) => callId },
};

const MOST_TEXT = 1024;
const MOST_TOKENS = 200;
const MOST_SEARCHED = 4096; // characters a pattern is tried on

interface Token {
  readonly text: string;
  readonly at: number; // from 1
  readonly quoted: boolean;
}

function tokensOf(text: string): Token[] {
  if (text.length > MOST_TEXT) throw new FilterError(`the expression is longer than ${MOST_TEXT} characters`);
  const tokens: Token[] = [];
  const pattern = /\s*(?:"([^"]*)"|(&&|\|\||[<>!=]=|[<>=!()])|([^\s"&|<>!=()]+|[&|]))/gy;
  while (pattern.lastIndex < text.trimEnd().length) {
    const from = pattern.lastIndex;
    const found = pattern.exec(text);
    if (!found) throw new FilterError(`a quote does not close at ${from + 1}`);
    const token = found[1] ?? found[2] ?? found[3] ?? "";
    tokens.push({
      text: token,
      at: pattern.lastIndex - found[0].trimStart().length + 1,
      quoted: found[1] !== undefined,
    });
    if (tokens.length > MOST_TOKENS) throw new FilterError(`more than ${MOST_TOKENS} words`);
  }
  return tokens;
}

/** Recursive descent: or, and, not, comparison. */
class Reader {
  readonly #tokens: Token[];
  #next = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
    if (this.#tokens.length === 0) throw new FilterError("the expression is empty");
  }

  read(): Test {
    const test = this.#or();
    const left = this.#tokens[this.#next];
    if (left) throw new FilterError(`unexpected ${JSON.stringify(left.text)} at ${left.at}`);
    return test;
  }

  #is(...words: readonly string[]): boolean {
    const token = this.#tokens[this.#next];
    return token !== undefined && !token.quoted && words.includes(token.text.toLowerCase());
  }

  #or(): Test {
    let left = this.#and();
    while (this.#is("||", "or")) {
      this.#next++;
      const [one, other] = [left, this.#and()];
      left = (entry) => one(entry) || other(entry);
    }
    return left;
  }

  #and(): Test {
    let left = this.#not();
    while (this.#is("&&", "and")) {
      this.#next++;
      const [one, other] = [left, this.#not()];
      left = (entry) => one(entry) && other(entry);
    }
    return left;
  }

  /** Binds tightest: `not a = b and c` is `(not (a = b)) and c`. */
  #not(): Test {
    if (!this.#is("!", "not")) return this.#term();
    this.#next++;
    const test = this.#not();
    return (entry) => !test(entry);
  }

  #term(): Test {
    if (!this.#is("(")) return this.#comparison();
    const { at } = this.#take();
    const test = this.#or();
    if (!this.#is(")")) throw new FilterError(`the parenthesis at ${at} does not close`);
    this.#next++;
    return test;
  }

  #take(): Token {
    const token = this.#tokens[this.#next++];
    if (!token) throw new FilterError("the expression ends where something is missing");
    return token;
  }

  #comparison(): Test {
    const name = this.#take();
    const field = name.quoted ? undefined : FIELDS[name.text.toLowerCase()];
    if (!field) {
      throw new FilterError(
        `unknown field ${JSON.stringify(name.text)} at ${name.at}; known are ${Object.keys(FIELDS).join(", ")}`,
      );
    }
    const operator = this.#take();
    const literal = this.#take();
    const word = operator.text.toLowerCase();
    if (operator.quoted || !["<", ">", "<=", ">=", "=", "==", "!=", "like"].includes(word)) {
      throw new FilterError(`expected an operator, found ${JSON.stringify(operator.text)} at ${operator.at}`);
    }
    if (!literal.quoted && ["and", "or", "not", "like", "(", ")", "&&", "||", "!", "="].includes(literal.text)) {
      throw new FilterError(`expected a value, found ${JSON.stringify(literal.text)} at ${literal.at}`);
    }
    return compare(field, word, operator, literal);
  }
}

function compare(field: Field, operator: string, where: Token, literal: Token): Test {
  const misplaced = () => new FilterError(`${where.text} at ${where.at} does not go with this field`);
  const wrong = (what: string) => new FilterError(`${JSON.stringify(literal.text)} at ${literal.at} is no ${what}`);
  if (field.kind === "integer") {
    if (operator === "like") throw misplaced();
    if (!/^\d{1,15}$/.test(literal.text)) throw wrong("number");
    const value = Number(literal.text);
    return (entry) => order(operator, field.read(entry), value);
  }
  if (["<", ">", "<=", ">="].includes(operator)) throw misplaced();
  const equal = operator !== "!=";
  if (field.kind === "address") {
    if (operator === "like") throw misplaced();
    const [, host, port] = /^\[?([0-9A-Fa-f.:]*?)\]?(?::(\d{1,5}))?$/.exec(literal.text) ?? [];
    if (!host) throw wrong("address");
    return (entry) => {
      const peer = field.read(entry);
      return (peer.host === host && (port === undefined || peer.port === Number(port))) === equal;
    };
  }
  if (operator !== "like") {
    return (entry) => {
      const value = field.read(entry);
      return value !== undefined && (value === literal.text) === equal;
    };
  }
  let pattern: RegExp;
  try {
    pattern = new RegExp(literal.text);
  } catch (error) {
    throw new FilterError(
      `the pattern at ${literal.at} is not valid: ${error instanceof Error ? error.message : error}`,
    );
  }
  return (entry) => {
    const value = field.read(entry);
    return value !== undefined && pattern.test(value.slice(0, MOST_SEARCHED));
  };
}

function order(operator: string, one: number, other: number): boolean {
  switch (operator) {
    case "<":
      return one < other;
    case ">":
      return one > other;
    case "<=":
      return one <= other;
    case ">=":
      return one >= other;
    case "!=":
      return one !== other;
    default:
      return one === other;
  }
}

/** Reads an expression, or throws a `FilterError`. Evaluation never fails. */
export function readFilter(text: string): Test {
  return new Reader(text).read();
}
