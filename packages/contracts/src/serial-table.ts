import { RenewingMap } from './renewing-map.ts'

/**
 * Values by whole numbers that count upwards, as those of deliveries do: what comes and goes at a rate, few at a time.
 *
 * Hot path: the low bits of a number are its value's place in an array, which is several times as fast as a `Map`, and
 * leaves nothing behind for the garbage collector (see {@link RenewingMap}). Only a value that stays for longer than as many
 * others as there are places has to move out of the way. Any other numbers are right as well, but not as fast.
 */
export class SerialTable<V extends {}> {
  /** Whose the places are, or were. As many as a power of two. */
  #serials: number[] = noSerials
  #places: (V | undefined)[] = noPlaces
  /** Those whose places were needed. */
  #displaced: RenewingMap<number, V> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get(serial: number): V | undefined {
    const at = serial & (this.#places.length - 1)
    if (this.#serials[at] === serial) return this.#places[at]
    return this.#displaced?.get(serial)
  }

  /** Takes the place of the value that the number has, if there is one. */
  set(serial: number, value: V): void {
    this.delete(serial)
    if (this.#size * 2 >= this.#places.length - 1) this.#grow()
    this.#size++
    this.#place(serial, value)
  }

  /** @returns whether it was there */
  delete(serial: number): boolean {
    const at = serial & (this.#places.length - 1)
    if (this.#serials[at] === serial && this.#places[at] !== undefined) this.#places[at] = undefined
    else if (this.#displaced?.delete(serial) !== true) return false
    this.#size--
    // What a burst has needed is not kept.
    if (this.#size === 0 && this.#places.length > placesKeptMax) this.clear()
    return true
  }

  clear(): void {
    this.#displaced = undefined
    this.#size = 0
    this.#serials = noSerials
    this.#places = noPlaces
  }

  /** The numbers of all values as they are now, in ascending order. */
  serials(): number[] {
    return this.entries().map(([serial]) => serial)
  }

  /** All values as they are now, in the order of their numbers. */
  values(): V[] {
    return this.entries().map(([, value]) => value)
  }

  /** All values with their numbers as they are now, in the order of these. */
  entries(): [number, V][] {
    const entries = this.#displaced === undefined ? [] : [...this.#displaced.entries()]
    for (const [at, value] of this.#places.entries()) {
      if (value !== undefined) entries.push([this.#serials[at]!, value])
    }
    return entries.sort(([one], [other]) => one - other)
  }

  #place(serial: number, value: V): void {
    const at = serial & (this.#places.length - 1)
    const before = this.#places[at]
    if (before !== undefined) {
      this.#displaced ??= new RenewingMap()
      this.#displaced.set(this.#serials[at]!, before)
    }
    this.#serials[at] = serial
    this.#places[at] = value
  }

  #grow(): void {
    const serials = this.#serials
    const places = this.#places
    const displaced = this.#displaced
    const count = Math.max(placesMin, places.length * 2)
    this.#displaced = undefined
    this.#serials = new Array<number>(count).fill(0)
    this.#places = new Array<undefined>(count).fill(undefined)
    if (displaced !== undefined) for (const [serial, value] of displaced.entries()) this.#place(serial, value)
    for (let at = 0; at < places.length; at++) {
      const value = places[at]
      if (value !== undefined) this.#place(serials[at]!, value)
    }
  }
}

/** What a table has until something stands in it: one place that nobody takes, so that one without any costs little. */
const noSerials: number[] = [0]
const noPlaces: undefined[] = [undefined]

const placesMin = 8

const placesKeptMax = 1024
