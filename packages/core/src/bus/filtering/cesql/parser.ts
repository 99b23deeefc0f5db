import { builtIn, isBuiltIn } from './functions.ts'
import { mistake, type Token, tokensOf } from './tokens.ts'
import { integerMax, integerMin, type Value } from './values.ts'

/** What an expression is made of. */
export type Node =
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'attribute'; readonly name: string }
  | { readonly kind: 'exists'; readonly name: string }
  | { readonly kind: 'not' | 'negate'; readonly of: Node }
  | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Node; readonly right: Node }
  | { readonly kind: 'like'; readonly of: Node; readonly pattern: string }
  | { readonly kind: 'in'; readonly of: Node; readonly set: readonly Node[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Node[] }

/** What stands between two operands. `!=` is the same as `<>`. */
export type BinaryOperator = (typeof levels)[number][number]

/** Those that bind loosest first. Within one level, the left one first. */
const levels = [
  ['AND', 'OR', 'XOR'],
  ['=', '!=', '<>', '>=', '<=', '<', '>'],
  ['+', '-'],
  ['*', '/', '%'],
] as const

const depthMax = 64
const operatorsMax = 256

/**
 * Reads an expression.
 *
 * @throws CONFIG_INVALID with the position of what is wrong: functions that there are not, wrong numbers of arguments and
 *   integers out of range included
 * @see https://github.com/cloudevents/spec/blob/main/cesql/spec.md#2-language-syntax
 */
export function parse(text: string): Node {
  return new Parser(tokensOf(text)).parse()
}

/** By recursive descent: one method per kind of thing. */
class Parser {
  readonly #tokens: readonly Token[]
  #next = 0
  #depth = 0
  #operators = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  parse(): Node {
    const node = this.#expression()
    const { kind, at } = this.#peek
    if (kind !== 'end') mistake(at, `expected an operator or the end, not ${this.#shown()}`)
    return node
  }

  #expression(): Node {
    return this.#nested(() => this.#binary(0))
  }

  #binary(level: number): Node {
    const operators = levels[level]
    if (operators === undefined) return this.#suffixed()
    let node = this.#binary(level + 1)
    for (;;) {
      const operator = operators.find((one) => this.#is(one))
      if (operator === undefined) return node
      this.#countOperator()
      this.#next += 1
      node = { kind: 'binary', operator, left: node, right: this.#binary(level + 1) }
    }
  }

  /** LIKE and IN, which stand behind their operand. */
  #suffixed(): Node {
    let node = this.#prefixed()
    for (;;) {
      const negated = this.#is('NOT')
      if (negated) this.#next += 1
      if (this.#accept('LIKE')) node = { kind: 'like', of: node, pattern: this.#pattern() }
      else if (this.#accept('IN')) node = { kind: 'in', of: node, set: this.#list(1) }
      else if (negated) mistake(this.#peek.at, `expected LIKE or IN behind NOT, not ${this.#shown()}`)
      else return node
      this.#countOperator()
      if (negated) node = { kind: 'not', of: node }
    }
  }

  #prefixed(): Node {
    const { kind, text } = this.#peek
    if (this.#accept('NOT')) return { kind: 'not', of: this.#nested(() => this.#prefixed()) }
    if (kind === 'symbol' && (text === '-' || text === '+')) return this.#signed(text)
    return this.#atom()
  }

  /** A sign is an integer's own where one follows. */
  #signed(sign: '-' | '+'): Node {
    this.#next += 1
    const { kind, at } = this.#peek
    if (kind === 'integer') return this.#integer(sign)
    if (sign === '-') return { kind: 'negate', of: this.#nested(() => this.#prefixed()) }
    return mistake(at, `expected an integer behind +, not ${this.#shown()}`)
  }

  #atom(): Node {
    const token = this.#peek
    const { kind, text, at } = token
    if (kind === 'integer') return this.#integer('')
    if (this.#accept('EXISTS')) return { kind: 'exists', name: this.#attribute() }
    if (this.#accept('(')) return this.#closed(this.#expression())
    if (kind === 'end' || kind === 'symbol') return mistake(at, `expected a value, not ${this.#shown()}`)
    this.#next += 1
    if (kind === 'string') return { kind: 'literal', value: text }
    if (kind === 'identifier') return { kind: 'attribute', name: text }
    if (kind === 'function') return this.#call(token)
    if (text === 'TRUE' || text === 'FALSE') return { kind: 'literal', value: text === 'TRUE' }
    return mistake(at, `expected a value, not ${text}`)
  }

  #call({ text: name, at }: Token): Node {
    const args = this.#list(0)
    if (builtIn(name, args.length) !== undefined) return { kind: 'call', name, args }
    const what = isBuiltIn(name) ? `${name} does not take ${args.length} arguments` : `there is no function ${name}`
    return mistake(at, what)
  }

  #list(countMin: number): Node[] {
    this.#expect('(')
    const items: Node[] = []
    if (countMin === 0 && this.#accept(')')) return items
    do items.push(this.#expression())
    while (this.#accept(','))
    this.#expect(')')
    return items
  }

  #closed(node: Node): Node {
    this.#expect(')')
    return node
  }

  #integer(sign: string): Node {
    const { text, at } = this.#peek
    this.#next += 1
    const value = Number(sign + text) + 0
    if (value >= integerMin && value <= integerMax) return { kind: 'literal', value }
    return mistake(at, `${sign}${text} is not within ${integerMin} and ${integerMax}`)
  }

  #attribute(): string {
    const { kind, text, at } = this.#peek
    // A name of digits alone is read as an integer.
    if (kind !== 'identifier' && kind !== 'integer') mistake(at, `expected an attribute, not ${this.#shown()}`)
    this.#next += 1
    return text
  }

  #pattern(): string {
    const { kind, text, at } = this.#peek
    if (kind !== 'string') mistake(at, `expected a pattern in quotes behind LIKE, not ${this.#shown()}`)
    this.#next += 1
    return text
  }

  get #peek(): Token {
    return this.#tokens[this.#next]!
  }

  #is(text: string): boolean {
    const token = this.#peek
    return (token.kind === 'symbol' || token.kind === 'keyword') && token.text === text
  }

  #accept(text: string): boolean {
    const is = this.#is(text)
    if (is) this.#next += 1
    return is
  }

  #expect(text: string): void {
    if (!this.#accept(text)) mistake(this.#peek.at, `expected ${text}, not ${this.#shown()}`)
  }

  #shown(): string {
    const { kind, text } = this.#peek
    return kind === 'end' ? 'the end' : `'${text}'`
  }

  /** A chain of operators is as deep as it is long: see below. */
  #countOperator(): void {
    this.#operators += 1
    if (this.#operators > operatorsMax) mistake(this.#peek.at, `has more than ${operatorsMax} operators`)
  }

  /** Bounds how deep things stand within each other, and with it the stack that reading and evaluating take. */
  #nested(read: () => Node): Node {
    this.#depth += 1
    if (this.#depth > depthMax) mistake(this.#peek.at, `is nested deeper than ${depthMax}`)
    const node = read()
    this.#depth -= 1
    return node
  }
}
