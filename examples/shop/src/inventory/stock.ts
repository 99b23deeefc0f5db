import { isShelved, openingDefault, productOf } from '../catalogue.ts'
import type { Line } from '../money.ts'
import { type Reader, type Transaction, table } from '../store/store.ts'

/** The shelf of one product. */
export interface Shelf {
  readonly opening: number
  readonly onHand: number
}

/** Pieces of one product. */
export interface Pieces {
  readonly productId: string
  readonly quantity: number
}

/** What inventory did about an order. */
export interface Reservation {
  /** `void`: cancelled before anything was deducted. */
  readonly state: 'deducted' | 'refused' | 'given back' | 'void'
  readonly pieces: readonly Pieces[]
  /** Whether the order came after its own cancellation. */
  readonly overtaken?: true
}

/** Shelves by product. */
export const shelves = table<Shelf>('inventory.shelves')
/** Reservations by order. */
export const reservations = table<Reservation>('inventory.reservations')
/** What came back, by return. */
export const comebacks = table<readonly Pieces[]>('inventory.comebacks')

/** The shelf of a product, as it is or as it will be when the product is first seen. */
export function shelfOf(reader: Reader, productId: string): Shelf {
  const opening = productOf(productId)?.opening ?? openingDefault
  return reader.get(shelves, productId) ?? { opening, onHand: opening }
}

/** Pieces by product: a product may stand on many lines. What stands on no shelf is left out. */
export function piecesOf(lines: readonly Pick<Line, 'productId' | 'quantity'>[]): Pieces[] {
  const sums = new Map<string, number>()
  for (const { productId, quantity } of lines) {
    if (isShelved(productId)) sums.set(productId, (sums.get(productId) ?? 0) + quantity)
  }
  return [...sums].map(([productId, quantity]) => ({ productId, quantity }))
}

/** The products of which there are too few. */
export function shortOf(reader: Reader, pieces: readonly Pieces[]): string[] {
  return pieces
    .filter(({ productId, quantity }) => shelfOf(reader, productId).onHand < quantity)
    .map(({ productId }) => productId)
}

/** Takes pieces off their shelves, or puts them back. */
export function move(tx: Transaction, pieces: readonly Pieces[], direction: 'out' | 'in'): void {
  for (const { productId, quantity } of pieces) {
    const shelf = shelfOf(tx, productId)
    const onHand = shelf.onHand + (direction === 'in' ? quantity : -quantity)
    tx.put(shelves, [productId], { ...shelf, onHand })
  }
}

/** How many pieces there are in all. */
export function count(pieces: readonly Pieces[]): number {
  return pieces.reduce((sum, { quantity }) => sum + quantity, 0)
}
