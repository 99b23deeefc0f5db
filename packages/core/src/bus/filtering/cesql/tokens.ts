import { PosthasteError } from '@posthaste/contracts'

/** One word of an expression. */
export type Token =
  | { readonly kind: 'symbol' | 'keyword' | 'identifier' | 'function'; readonly text: string; readonly at: number }
  | { readonly kind: 'string' | 'integer'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number }

const keywords: ReadonlySet<string> = new Set(['AND', 'OR', 'XOR', 'NOT', 'LIKE', 'EXISTS', 'IN', 'TRUE', 'FALSE'])
const space = /[ \t\r\n]*/y
const word = /[A-Za-z0-9_]+/y
const symbol = /!=|<>|<=|>=|[=<>+\-*/%(),]/y
const digits = /^[0-9]+$/
const identifier = /^[A-Za-z0-9]+$/
const functionName = /^[A-Za-z][A-Za-z_]*$/

/**
 * The words of an expression, and its end. Keywords are in upper case and identifiers in lower case, however they were
 * written; strings are without their quotes.
 * @throws CONFIG_INVALID with the position of what is no word
 */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let at = skip(text, 0)
  while (at < text.length) {
    const quote = text[at]!
    const [token, end] = quote === "'" || quote === '"' ? readString(text, at) : readWord(text, at)
    tokens.push(token)
    at = skip(text, end)
  }
  tokens.push({ kind: 'end', text: '', at })
  return tokens
}

/** @throws CONFIG_INVALID that names the place in the expression */
export function mistake(at: number, message: string): never {
  const told = `at character ${at + 1}: ${message}`
  throw new PosthasteError('CONFIG_INVALID', told, { issues: [{ path: '', message: told }] })
}

function skip(text: string, from: number): number {
  space.lastIndex = from
  space.test(text)
  return space.lastIndex
}

function readWord(text: string, at: number): [Token, number] {
  const found = match(word, text, at)
  if (found !== undefined) return [wordToken(found, text, at), at + found.length]
  const sign = match(symbol, text, at)
  if (sign !== undefined) return [{ kind: 'symbol', text: sign, at }, at + sign.length]
  return mistake(at, `'${String.fromCodePoint(text.codePointAt(at)!)}' is not part of the language`)
}

function wordToken(found: string, text: string, at: number): Token {
  const upper = found.toUpperCase()
  if (digits.test(found)) return { kind: 'integer', text: found, at }
  if (keywords.has(upper)) return { kind: 'keyword', text: upper, at }
  if (text[skip(text, at + found.length)] === '(' && functionName.test(found))
    return { kind: 'function', text: upper, at }
  if (identifier.test(found)) return { kind: 'identifier', text: found.toLowerCase(), at }
  return mistake(at, `'${found}' is neither an attribute nor a function`)
}

/** A backslash takes the quote's meaning from it, and so does another quote; any other backslash is itself. */
function readString(text: string, start: number): [Token, number] {
  const quote = text[start]!
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at]!
    const next = text[at + 1]
    if (char === quote && next !== quote) return [{ kind: 'string', text: value, at: start }, at + 1]
    if (char === '\\' && next !== undefined) {
      value += next === quote ? quote : char + next
      at += 1
    } else {
      value += char
      if (char === quote) at += 1
    }
  }
  return mistake(start, 'the text has no end')
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}
