import { builtIn } from './functions.ts'
import { likeMatcher } from './like.ts'
import { type BinaryOperator, type Node, parse } from './parser.ts'
import { cast, Failure, integerMax, integerMin, type Result, type Type, typeOf, type Value } from './values.ts'

/** What an attribute of an event is; undefined where it has none of this name. */
export type AttributeOf<Event> = (event: Event, name: string) => Value | undefined

/** An expression that was read. */
export interface Expression<Event> {
  /** The type of its value; undefined where that depends on an attribute. */
  readonly type: Type | undefined
  /**
   * Its value for an event, or the first failure on the way to it ("fail fast mode"). Never throws. Both operands of AND
   * and OR are looked at only as far as necessary.
   */
  evaluate(event: Event): Result
}

type Evaluate<Event> = Expression<Event>['evaluate']

/**
 * Reads an expression of the CloudEvents SQL Expression Language.
 *
 * @throws CONFIG_INVALID with the position of what is wrong
 * @see https://github.com/cloudevents/spec/blob/main/cesql/spec.md
 */
export function expression<Event>(text: string, attributeOf: AttributeOf<Event>): Expression<Event> {
  const node = parse(text)
  return { type: typeOfNode(node), evaluate: new Compiler(attributeOf).compile(node) }
}

function typeOfNode(node: Node): Type | undefined {
  switch (node.kind) {
    case 'literal':
      return typeOf(node.value)
    case 'attribute':
      return undefined
    case 'call':
      return builtIn(node.name, node.args.length)?.returns
    case 'negate':
      return 'Integer'
    case 'binary':
      return node.operator in arithmetic ? 'Integer' : 'Boolean'
    default:
      return 'Boolean'
  }
}

/** Makes functions of nodes, so that evaluating looks at no node again. */
class Compiler<Event> {
  readonly #attributeOf: AttributeOf<Event>

  constructor(attributeOf: AttributeOf<Event>) {
    this.#attributeOf = attributeOf
  }

  compile(node: Node): Evaluate<Event> {
    switch (node.kind) {
      case 'literal':
        return () => node.value
      case 'attribute':
        return this.#attribute(node.name)
      case 'exists':
        return (event) => this.#attributeOf(event, node.name) !== undefined
      case 'not':
        return mapped(this.#as(node.of, 'Boolean'), (value) => !value)
      case 'negate':
        return mapped(this.#as(node.of, 'Integer'), (value) => bounded(0 - (value as number)))
      case 'like':
        return this.#like(node.of, node.pattern)
      case 'in':
        return this.#in(node.of, node.set)
      case 'call':
        return this.#call(node.name, node.args)
      case 'binary':
        return this.#binary(node.operator, node.left, node.right)
    }
  }

  #as(node: Node, type: Type): Evaluate<Event> {
    return mapped(this.compile(node), (value) => cast(value, type))
  }

  #attribute(name: string): Evaluate<Event> {
    const missing = new Failure('missing-attribute', `there is no attribute ${name}`)
    return (event) => this.#attributeOf(event, name) ?? missing
  }

  #like(node: Node, pattern: string): Evaluate<Event> {
    const matches = likeMatcher(pattern)
    return mapped(this.#as(node, 'String'), (text) => matches(text as string))
  }

  /** Elements are cast to the type of what is looked for. */
  #in(node: Node, set: readonly Node[]): Evaluate<Event> {
    const wanted = this.compile(node)
    const elements = set.map((element) => this.compile(element))
    return (event) => {
      const value = wanted(event)
      if (value instanceof Failure) return value
      const type = typeOf(value)
      for (const element of elements) {
        const other = then(element(event), (found) => cast(found, type))
        if (other instanceof Failure || other === value) return other instanceof Failure ? other : true
      }
      return false
    }
  }

  #call(name: string, args: readonly Node[]): Evaluate<Event> {
    const { takes, more = 'String', call } = builtIn(name, args.length)!
    const parameters = args.map((arg, at) => this.#as(arg, takes[at] ?? more))
    const invoke = call as (...values: Value[]) => Result
    return (event) => {
      const values: Value[] = []
      for (const parameter of parameters) {
        const value = parameter(event)
        if (value instanceof Failure) return value
        values.push(value)
      }
      return invoke(...values)
    }
  }

  #binary(operator: BinaryOperator, left: Node, right: Node): Evaluate<Event> {
    if (isArithmetic(operator)) return this.#integers(left, right, arithmetic[operator])
    if (isOrder(operator)) return this.#integers(left, right, order[operator])
    if (operator === '=') return this.#equal(left, right)
    if (operator === '!=' || operator === '<>') return mapped(this.#equal(left, right), (value) => !value)
    return this.#logic(operator, this.#as(left, 'Boolean'), this.#as(right, 'Boolean'))
  }

  #logic(operator: 'AND' | 'OR' | 'XOR', left: Evaluate<Event>, right: Evaluate<Event>): Evaluate<Event> {
    // The value of the left operand that decides alone.
    const decides = operator === 'XOR' ? undefined : operator === 'OR'
    return (event) => {
      const one = left(event)
      if (one instanceof Failure || one === decides) return one
      const other = right(event)
      return operator === 'XOR' && !(other instanceof Failure) ? one !== other : other
    }
  }

  /** The right operand says what the left one is compared as. */
  #equal(left: Node, right: Node): Evaluate<Event> {
    const one = this.compile(left)
    const other = this.compile(right)
    return (event) => {
      const first = one(event)
      if (first instanceof Failure) return first
      const second = other(event)
      if (second instanceof Failure) return second
      return then(cast(first, typeOf(second)), (value) => value === second)
    }
  }

  #integers(left: Node, right: Node, combine: (x: number, y: number) => Result): Evaluate<Event> {
    const one = this.#as(left, 'Integer')
    const other = this.#as(right, 'Integer')
    return (event) => {
      const first = one(event)
      if (first instanceof Failure) return first
      const second = other(event)
      return second instanceof Failure ? second : combine(first as number, second as number)
    }
  }
}

type Combine = (x: number, y: number) => Result

const arithmetic: Readonly<Record<'+' | '-' | '*' | '/' | '%', Combine>> = {
  '+': (x, y) => bounded(x + y),
  '-': (x, y) => bounded(x - y),
  '*': (x, y) => bounded(x * y),
  '/': (x, y) => (y === 0 ? new Failure('math', `${x} / 0`) : bounded(Math.trunc(x / y))),
  '%': (x, y) => (y === 0 ? new Failure('math', `${x} % 0`) : bounded(x % y)),
}

const order: Readonly<Record<'<' | '<=' | '>' | '>=', Combine>> = {
  '<': (x, y) => x < y,
  '<=': (x, y) => x <= y,
  '>': (x, y) => x > y,
  '>=': (x, y) => x >= y,
}

const isArithmetic = (operator: BinaryOperator): operator is keyof typeof arithmetic => operator in arithmetic
const isOrder = (operator: BinaryOperator): operator is keyof typeof order => operator in order

/** What is within the range is exact. Adding 0 makes nothing of a negative zero. */
function bounded(value: number): Result {
  if (value >= integerMin && value <= integerMax) return value + 0
  return new Failure('math', `${value} is not within ${integerMin} and ${integerMax}`)
}

function then(result: Result, next: (value: Value) => Result): Result {
  return result instanceof Failure ? result : next(result)
}

function mapped<Event>(evaluate: Evaluate<Event>, next: (value: Value) => Result): Evaluate<Event> {
  return (event) => then(evaluate(event), next)
}
