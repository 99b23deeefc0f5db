import type { Invoice } from './invoices.ts'

/** What the shop said to an invoice. */
export type Answer =
  | { readonly kind: 'taken'; readonly repeated: boolean; readonly totalPence: number }
  /** It did not want it: too little in stock, or something wrong with it. */
  | { readonly kind: 'refused'; readonly reason: string }

/** The shop cannot be talked to. */
export class ShopUnreachable extends Error {
  override readonly name = 'ShopUnreachable'
}

const attemptsMaxDefault = 5
const pauseMsMax = 2_000

/** Posts an invoice over HTTP. Its number makes the request repeatable, so it is repeated where the answer was lost. */
export async function postInvoice(
  url: string,
  { kind, invoiceNo, userId, lines }: Invoice,
  attemptsMax: number = attemptsMaxDefault,
): Promise<Answer> {
  const [path, body] =
    kind === 'order'
      ? ['/api/orders', { orderNo: invoiceNo, userId, lines }]
      : ['/api/returns', { returnNo: invoiceNo, userId, lines }]
  for (let attempt = 1; ; attempt += 1) {
    const response = await post(url + path, body, attemptsMax - attempt)
    if (response === undefined) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMsMax, 100 * 2 ** attempt)))
      continue
    }
    const answer = (await response.json()) as { repeated: boolean; totalPence: number; detail: string }
    if (response.status < 400) return { kind: 'taken', repeated: answer.repeated, totalPence: answer.totalPence }
    return { kind: 'refused', reason: `${response.status} ${answer.detail}` }
  }
}

/** @returns undefined where it is worth trying again, after a pause @throws ShopUnreachable at the last attempt */
async function post(url: string, body: object, attemptsLeft: number): Promise<Response | undefined> {
  let trouble: string
  try {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    if (response.status < 500) return response
    trouble = `${response.status} ${await response.text()}`
  } catch (error) {
    trouble = String((error as Error).cause ?? error)
  }
  if (attemptsLeft <= 0) throw new ShopUnreachable(`POST ${url} failed again and again: ${trouble}`)
  return undefined
}
