import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { positionFrom, positionText, Window, windowMax } from './window.ts'

const fresh = (offset = 0) => new Window({ offset, done: new Uint8Array(0), addressedFrom: 0 })

/** What every window should answer, told by a set. */
function check(window: Window, done: ReadonlySet<number>, end: number): void {
  let watermark = 0
  while (done.has(watermark)) watermark += 1
  expect(window.watermark).toBe(watermark)
  for (let offset = 0; offset < end + 3; offset += 1) expect(window.isDone(offset)).toBe(done.has(offset))
}

describe('the window of what is done', () => {
  it('knows what is done, in whatever order, and has its watermark at the first that is not', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60), { maxLength: 80 }), (offsets) => {
        const window = fresh()
        const done = new Set<number>()
        for (const offset of offsets) {
          window.complete(offset)
          done.add(offset)
        }
        check(window, done, 60)
      }),
    )
  })

  it('passes over stretches without records', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { maxLength: 20 }), (stretches) => {
        const window = fresh()
        const done = new Set<number>()
        for (const [from, length] of stretches) {
          expect(window.completeRange(from, from + length)).toBe(from + length)
          for (let offset = from; offset < from + length; offset += 1) done.add(offset)
        }
        check(window, done, 80)
      }),
    )
  })

  it('survives as the text of a commit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(500)),
        fc.nat(1_000),
        fc.array(fc.nat(500), { maxLength: 5 }),
        (offsets, addressedFrom, also) => {
          const window = new Window({ offset: 0, done: new Uint8Array(0), addressedFrom })
          for (const offset of offsets) window.complete(offset)
          const position = window.position(also)
          const again = new Window(positionFrom(position.offset, positionText(position)))
          for (const offset of also) window.complete(offset)
          expect(again.watermark).toBe(window.watermark)
          expect(again.addressedFrom).toBe(addressedFrom)
          for (let offset = 0; offset < 510; offset += 1) expect(again.isDone(offset)).toBe(window.isDone(offset))
        },
      ),
    )
  })

  it('tells what would be if more were done, and leaves that open', () => {
    const window = fresh()
    expect(window.position([0, 1, 3]).offset).toBe(2)
    expect(window.watermark).toBe(0)
  })

  it('fits into the metadata of a commit when it is at its widest', () => {
    const window = fresh(2 ** 52)
    for (let offset = 1; offset < windowMax; offset += 1) if (offset % 3 > 0) window.complete(2 ** 52 + offset)
    expect(window.fits(2 ** 52 + windowMax - 1)).toBe(true)
    expect(window.fits(2 ** 52 + windowMax)).toBe(false)
    expect(Buffer.byteLength(positionText({ ...window.position(), addressedFrom: 2 ** 52 }))).toBeLessThan(4_096)
  })

  it('goes over more than its width where nothing behind it is undone, and no further than that elsewhere', () => {
    const window = fresh()
    expect(window.completeRange(0, 10 * windowMax)).toBe(10 * windowMax)
    expect(window.watermark).toBe(10 * windowMax)
    expect(window.completeRange(10 * windowMax + 1, 20 * windowMax)).toBe(11 * windowMax)
    window.complete(10 * windowMax)
    expect(window.watermark).toBe(11 * windowMax)
  })

  it('says nothing where a commit has the metadata of another client', () => {
    for (const text of [null, undefined, '', 'consumer-1', '2;0;AA==', '1;x;AA=='])
      expect(positionFrom(7, text)).toEqual({ offset: 7, done: new Uint8Array(0), addressedFrom: 0 })
  })
})
