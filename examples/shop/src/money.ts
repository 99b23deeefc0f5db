/** An amount of money as whole pence. Never a fraction, so that sums are exact. */
export type Pence = number

const germanAmount = /^(?:\d{1,3}(?:\.\d{3})+|\d{1,9})(?:,(\d{1,2}))?$/

/** An amount in German notation (`1.234,5`), or undefined where it is none or finer than a penny. */
export function parseGermanAmount(text: string): Pence | undefined {
  const match = germanAmount.exec(text)
  if (match === null) return undefined
  const [whole = ''] = text.split(',')
  return Number(whole.replaceAll('.', '')) * 100 + Number((match[1] ?? '').padEnd(2, '0'))
}

/** `123456` as `£1,234.56`. */
export function formatPence(pence: Pence): string {
  const digits = String(Math.abs(pence)).padStart(3, '0')
  const pounds = digits.slice(0, -2).replace(/\B(?=(?:\d{3})+$)/g, ',')
  return `${pence < 0 ? '-' : ''}£${pounds}.${digits.slice(-2)}`
}

/** One line of an order or a return. */
export interface Line {
  readonly productId: string
  /** Pieces, from 1. */
  readonly quantity: number
  readonly unitPricePence: Pence
}

/** What lines cost together. */
export function totalOf(lines: readonly Line[]): Pence {
  return lines.reduce((sum, { quantity, unitPricePence }) => sum + quantity * unitPricePence, 0)
}
