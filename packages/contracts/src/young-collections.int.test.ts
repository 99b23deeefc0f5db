import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { RenewingMap } from './renewing-map.ts'
import { SerialTable } from './serial-table.ts'

/** What is common to both. */
interface Table {
  set(key: number, value: object): void
  delete(key: number): boolean
}

/** How much of what passes through a table comes to the old generation, in bytes: of a `Map`'s, 20 MiB and more. */
function promotedBytes(table: Table): number {
  let last = 0
  const pass = (count: number): void => {
    for (const end = last + count; last < end; last++) {
      table.set(last, { body: [last, last, last, last] })
      table.delete(last - 64)
    }
  }
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  pass(10_000)
  // The first brings the present tables to the old generation.
  collect()
  collect()
  const before = oldBytes()
  pass(400_000)
  return oldBytes() - before
}

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size
}

test('what passes through a renewing map does not outlive young collections', () => {
  expect(promotedBytes(new RenewingMap<number, object>())).toBeLessThan(2 ** 20)
})

test('what passes through a table of serial numbers does not outlive young collections', () => {
  expect(promotedBytes(new SerialTable<object>())).toBeLessThan(2 ** 20)
})
