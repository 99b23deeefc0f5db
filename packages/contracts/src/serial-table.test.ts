import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SerialTable } from './serial-table.ts'

interface Item {
  readonly name: string
}

/** A number of those that are in use, by its index, or the one that comes next. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'next' } as const) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), index: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('set' as const), index: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('foreign' as const), serial: fc.integer() }) },
)

test('a table holds what a Map would, in the order of the numbers', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.array(step, { maxLength: 600, size: 'max' }), (first, steps) => {
      const table = new SerialTable<Item>()
      const model = new Map<number, Item>()
      let next = Math.min(first, Number.MAX_SAFE_INTEGER - steps.length)
      for (const [at, step] of steps.entries()) {
        const taken = [...model.keys()]
        let serial = next
        if (step.kind === 'next') next++
        else if (step.kind === 'foreign') serial = step.serial
        else serial = taken[step.index % Math.max(taken.length, 1)] ?? next
        if (step.kind === 'delete') expect(table.delete(serial)).toBe(model.delete(serial))
        else {
          const item = { name: `${serial} of ${at}` }
          table.set(serial, item)
          model.set(serial, item)
        }
        expect(table.size).toBe(model.size)
        expect(table.get(serial)).toBe(model.get(serial))
      }
      const sorted = [...model].sort(([one], [other]) => one - other)
      expect(table.entries()).toEqual(sorted)
      expect(table.serials()).toEqual(sorted.map(([serial]) => serial))
      expect(table.values()).toEqual(sorted.map(([, item]) => item))
      for (const [serial, item] of sorted) expect(table.get(serial)).toBe(item)
    }),
  )
})

test('a value that outlives thousands of others is still found, and can be taken out', () => {
  const table = new SerialTable<Item>()
  const old = { name: 'old' }
  table.set(1, old)
  for (let serial = 2; serial <= 10_000; serial++) {
    table.set(serial, { name: 'passing' })
    expect(table.get(1)).toBe(old)
    expect(table.delete(serial)).toBe(true)
    expect(table.get(serial)).toBeUndefined()
    expect(table.delete(serial)).toBe(false)
  }
  expect(table.values()).toEqual([old])
  expect(table.delete(1)).toBe(true)
  expect(table.get(1)).toBeUndefined()
  expect(table.size).toBe(0)
})

test('a number whose value had to move gives its place to nobody when it is set again', () => {
  const table = new SerialTable<Item>()
  table.set(1, { name: 'moved' })
  table.set(1 + 2 ** 20, { name: 'in its place' })
  table.set(1, { name: 'set again' })
  expect(table.size).toBe(2)
  expect(table.values().map(({ name }) => name)).toEqual(['set again', 'in its place'])
})

test('a table can be used on after a burst has come and gone, and after it was cleared', () => {
  const table = new SerialTable<Item>()
  for (let serial = 0; serial < 5_000; serial++) table.set(serial, { name: `${serial}` })
  for (let serial = 0; serial < 5_000; serial++) expect(table.delete(serial)).toBe(true)
  expect(table.size).toBe(0)
  table.set(5_000, { name: 'after the burst' })
  table.set(5_001, { name: 'and another' })
  table.clear()
  expect([table.size, table.get(5_000), table.values()]).toEqual([0, undefined, []])
  table.set(5_000, { name: 'anew' })
  expect(table.serials()).toEqual([5_000])
})
