// `$[ ]`: the expressions of Asterisk's dialplan. Words and numbers; comparison is numeric when both sides are numbers.

/** An expression nobody can read. */
export class ExpressionFault extends Error {}

interface Token {
  readonly text: string;
  readonly word: boolean; // an operand, not an operator
}

const operators = ["=~", "::", "<=", ">=", "!=", "==", "~~", "|", "&", "=", "<", ">", "+", "-", "*", "/", "%", "!"];
const marks = [...operators, "(", ")", "?", ":"];

function tokens(text: string): Token[] {
  const found: Token[] = [];
  for (let at = 0; at < text.length;) {
    const c = text.charAt(at);
    if (/\s/.test(c)) {
      at++;
      continue;
    }
    if (c === '"') {
      const end = text.indexOf('"', at + 1);
      if (end < 0) throw new ExpressionFault("a quote is not closed");
      found.push({ text: text.slice(at + 1, end), word: true });
      at = end + 1;
      continue;
    }
    const mark = marks.find((m) => text.startsWith(m, at));
    if (mark) {
      found.push({ text: mark, word: false });
      at += mark.length;
      continue;
    }
    const word = /^[^\s"|&=<>+*/%!()?:~-]+|^~/.exec(text.slice(at))?.[0] ?? c;
    found.push({ text: word, word: true });
    at += word.length;
  }
  return found;
}

const number = (text: string): number | undefined => /^-?\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : undefined;
const truth = (text: string): boolean => text !== "" && number(text) !== 0;
const bool = (value: boolean): string => value ? "1" : "0";
const show = (value: number): string => Number.isInteger(value) ? String(value) : String(Number(value.toFixed(6)));

/** True as Asterisk sees it: not empty and not zero. */
export const isTrue = truth;

/** Operators from the loosest to the tightest; each level is left-associative. */
const levels: readonly (readonly string[])[] = [
  ["|"],
  ["&"],
  ["=", "==", "!=", "<", ">", "<=", ">="],
  ["+", "-", "~~"],
  ["*", "/", "%"],
  [":", "=~"],
];

/** Value of an expression whose variables are expanded already. Throws `ExpressionFault`. */
export function evaluate(text: string): string {
  if (text.length > 8192) throw new ExpressionFault("longer than 8192 characters");
  const list = tokens(text);
  if (list.length === 0) return "";
  let at = 0;
  const is = (mark: string) => list[at] !== undefined && !list[at]?.word && list[at]?.text === mark;

  const conditional = (depth: number): string => {
    if (depth > 64) throw new ExpressionFault("nested too deep");
    const condition = binary(0, depth);
    if (!is("?")) return condition;
    at++;
    const yes = conditional(depth + 1);
    if (!is("::") && !is(":")) throw new ExpressionFault('"?" without "::"');
    at++;
    const no = conditional(depth + 1);
    return truth(condition) ? yes : no;
  };
  const binary = (level: number, depth: number): string => {
    const here = levels[level];
    if (here === undefined) return unary(depth);
    let left = binary(level + 1, depth);
    for (let operator = list[at]; operator && !operator.word && here.includes(operator.text); operator = list[at]) {
      at++;
      left = apply(operator.text, left, binary(level + 1, depth));
    }
    return left;
  };
  const unary = (depth: number): string => {
    if (depth > 64) throw new ExpressionFault("nested too deep");
    const token = list[at++];
    if (token === undefined) throw new ExpressionFault("an operand is missing at the end");
    if (token.word) return token.text;
    if (token.text === "!") return bool(!truth(unary(depth + 1)));
    if (token.text === "-") return show(-(number(unary(depth + 1)) ?? 0));
    if (token.text !== "(") throw new ExpressionFault(`"${token.text}" where an operand should be`);
    const value = conditional(depth + 1);
    if (!is(")")) throw new ExpressionFault('"(" is not closed');
    at++;
    return value;
  };

  const value = conditional(0);
  const rest = list[at];
  if (rest) throw new ExpressionFault(`"${rest.text}" is too much`);
  return value;
}

function apply(operator: string, left: string, right: string): string {
  const [a, b] = [number(left), number(right)];
  const order = a !== undefined && b !== undefined ? a - b : left < right ? -1 : left > right ? 1 : 0;
  switch (operator) {
    case "|":
      return truth(left) ? left : truth(right) ? right : "0";
    case "&":
      return truth(left) && truth(right) ? left : "0";
    case "=":
    case "==":
      return bool(order === 0);
    case "!=":
      return bool(order !== 0);
    case "<":
      return bool(order < 0);
    case ">":
      return bool(order > 0);
    case "<=":
      return bool(order <= 0);
    case ">=":
      return bool(order >= 0);
    case "~~":
      return left + right;
    case ":":
    case "=~":
      return search(left, right, operator === ":");
    default:
      return arithmetic(operator, a ?? 0, b ?? 0);
  }
}

function arithmetic(operator: string, a: number, b: number): string {
  if ((operator === "/" || operator === "%") && b === 0) throw new ExpressionFault("division by zero");
  const results: Readonly<Record<string, number>> = { "+": a + b, "-": a - b, "*": a * b, "/": a / b, "%": a % b };
  return show(results[operator] ?? 0);
}

/** The first group, else the number of characters matched; "" or 0 when it does not match. */
function search(text: string, pattern: string, anchored: boolean): string {
  let found: RegExpExecArray | null;
  try {
    found = new RegExp(anchored ? `^(?:${pattern})` : pattern).exec(text);
  } catch (cause) {
    throw new ExpressionFault(`"${pattern}" is not a regular expression`, { cause });
  }
  const grouped = /(?<!\\)\((?!\?)/.test(pattern);
  if (found === null) return grouped ? "" : "0";
  return grouped ? found[1] ?? "" : String(found[0].length);
}
