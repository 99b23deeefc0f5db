import { setTimeout as sleep } from 'node:timers/promises'
import { Halves } from '../contracts.ts'
import { aheadMsMax } from '../load/scheduling.ts'
import type { System } from '../system.ts'
import { unsettled } from './unsettled.ts'

/** Waits until everything is handled, and everything that was prepared is decided. */
export async function drain({ app, engine }: System, life: number): Promise<void> {
  await sleep(aheadMsMax + 100)
  const isLeft = async (): Promise<boolean> => {
    if ((await unsettled(engine, life, true)).some(({ count }) => count > 0)) return true
    return (await app.prepared(Halves).list()).length > 0
  }
  while (await isLeft()) await sleep(50)
}
