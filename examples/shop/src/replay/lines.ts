import { type Line, parseGermanAmount } from '../money.ts'
import type { RawRecord } from './csv.ts'

/** A line of an invoice that can be used. Cancelled goods have a positive quantity, too. */
export interface InvoiceLine extends Line {
  /** All digits; `C` in front for a cancellation. */
  readonly invoiceNo: string
  /** Undefined for guests. */
  readonly userId: number | undefined
}

const quantityMax = 100_000
const unitPriceMax = 100_000_000
const dayFirst = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d{2})$/

/** What a record says, or every reason why it cannot be used. */
export function invoiceLine(record: RawRecord): InvoiceLine | { readonly reasons: readonly string[] } {
  const reasons: string[] = []
  const refuse = (reason: string): undefined => void reasons.push(reason)

  const invoiceNo = /^C?\d{1,12}$/.test(record.InvoiceNo)
    ? record.InvoiceNo
    : refuse(`invoice '${record.InvoiceNo}' is no number`)
  const isReturn = invoiceNo?.startsWith('C') ?? false
  // The same article is written with small and capital letters.
  const productId = /^.{1,40}$/.test(record.StockCode) ? record.StockCode.toUpperCase() : refuse('has no stock code')
  const quantity = readQuantity(record.Quantity, isReturn, refuse)
  const unitPricePence = readPrice(record.UnitPrice, refuse)
  const userId = readUser(record.CustomerID, refuse)
  if (!isDate(record.InvoiceDate)) refuse(`date '${record.InvoiceDate}' is not like 31/12/2010 08:26`)

  if (reasons.length > 0 || !invoiceNo || !productId || !quantity || !unitPricePence) return { reasons }
  return { invoiceNo, productId, quantity, unitPricePence, userId }
}

type Refuse = (reason: string) => undefined

function readQuantity(text: string, isReturn: boolean, refuse: Refuse): number | undefined {
  if (!/^-?\d{1,9}$/.test(text)) return refuse(`quantity '${text}' is no whole number`)
  const quantity = Number(text)
  if (quantity === 0) return refuse('quantity is zero')
  if (isReturn && quantity > 0) return refuse(`quantity ${quantity} is positive in a cancellation`)
  if (!isReturn && quantity < 0) return refuse(`quantity ${quantity} is negative`)
  if (Math.abs(quantity) > quantityMax) return refuse(`quantity ${quantity} is beyond ${quantityMax}`)
  return Math.abs(quantity)
}

function readPrice(text: string, refuse: Refuse): number | undefined {
  if (text.startsWith('-')) return refuse(`price ${text} is negative`)
  const price = parseGermanAmount(text)
  if (price === undefined) return refuse(`price '${text}' is no amount like 1.234,50`)
  if (price === 0) return refuse('price is zero')
  return price <= unitPriceMax ? price : refuse(`price ${text} is beyond all bounds`)
}

function readUser(text: string, refuse: Refuse): number | undefined {
  if (text === '') return undefined
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : refuse(`customer '${text}' is no number`)
}

function isDate(text: string): boolean {
  const [, day = 0, month = 0, year = 0, hour = 0, minute = 0] = (dayFirst.exec(text) ?? []).map(Number)
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute))
  return date.getUTCDate() === day && date.getUTCMonth() === month - 1 && date.getUTCHours() === hour && minute < 60
}
