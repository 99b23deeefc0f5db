import type { Pence } from './money.ts'

/** A product that the shop sells over the web. */
export interface Product {
  readonly productId: string
  readonly name: string
  readonly pricePence: Pence
  /** Pieces on the shelf when the shop opens for the first time. */
  readonly opening: number
}

/** What can be ordered without naming a price. */
export const catalogue: readonly Product[] = [
  { productId: 'TEAPOT', name: 'Teapot, cast iron', pricePence: 3_495, opening: 100 },
  { productId: 'CUP', name: 'Cup, hand-thrown', pricePence: 1_250, opening: 400 },
  { productId: 'TRAY', name: 'Tray, walnut', pricePence: 2_800, opening: 60 },
  { productId: 'GENMAICHA', name: 'Green tea with roasted rice, 100 g', pricePence: 890, opening: 250 },
  { productId: 'KETTLE', name: 'Kettle, the last three', pricePence: 12_900, opening: 3 },
]

/** Pieces on the shelf of any other product when it is first seen. */
export const openingDefault = 10_000

/** What is charged and refunded, but stands on no shelf: postage, discounts, fees, corrections. */
const unshelved: ReadonlySet<string> = new Set(['POST', 'DOT', 'C2', 'M', 'D', 'BANK CHARGES'])

/** Whether pieces of it are counted. */
export function isShelved(productId: string): boolean {
  return !unshelved.has(productId)
}

/** A product of the catalogue, if it is one. */
export function productOf(productId: string): Product | undefined {
  return catalogue.find((product) => product.productId === productId)
}
