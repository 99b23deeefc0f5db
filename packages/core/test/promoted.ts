import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * How much of what so many passes leave comes to the old generation, in bytes, once what stays has come there: a pass must
 * begin one thing and end an earlier one, as work does of which a steady number is under way.
 */
export async function promotedBytes(count: number, pass: (index: number) => unknown): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const passes = async (from: number, to: number): Promise<void> => {
    for (let index = from; index < to; index++) {
      pass(index)
      if (index % 10 === 0) await undefined
    }
  }
  const warmUp = Math.ceil(count / 20)
  await passes(0, warmUp)
  // The first brings what is there to the old generation.
  collect()
  collect()
  const before = oldBytes()
  await passes(warmUp, count)
  return oldBytes() - before
}

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size
}
