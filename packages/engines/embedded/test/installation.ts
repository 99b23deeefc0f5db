import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EngineUnderTest, engineUnderTest } from '@posthaste/conformance'
import type { DeliverySink, Engine, SubscriptionSpec } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { embedded } from '../src/index.ts'
import { releaseOwnership } from '../src/storage/owner.ts'
import { Store } from '../src/storage/store.ts'

/** Directories of one test, removed together. */
export class Directories {
  readonly #root = mkdtempSync(join(tmpdir(), 'posthaste-embedded-'))
  #count = 0

  /** A path that does not exist yet. */
  fresh(): string {
    this.#count += 1
    return join(this.#root, `data-${this.#count}`)
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true })
  }
}

/**
 * What a process that was killed now would leave behind, owned by nobody. Only while no transaction is being written:
 * a copy that is taken page by page is no snapshot.
 */
export async function copyAsKilled(dir: string, to: string): Promise<void> {
  cpSync(join(dir, 'data.mdb'), join(to, 'data.mdb'), { recursive: true })
  const store = new Store(to)
  await store.commit(releaseOwnership)
  await store.close()
}

/** An embedded engine on a directory of its own and on virtual time, for the conformance suite. */
export function durableInstallation(): Promise<EngineUnderTest> {
  const clock = manualClock()
  const directories = new Directories()
  let dir = directories.fresh()
  return engineUnderTest({
    connect: () => spreadable(embedded({ dir })),
    clock,
    advance: (ms) => clock.advance(ms),
    async crash(engine) {
      const next = directories.fresh()
      await copyAsKilled(dir, next)
      dir = next
      // Its directory is not looked at again, so what it still writes there never was.
      await engine.close()
    },
    cleanup: async () => directories.remove(),
  })
}

/** The engine with deliveries that can be copied by spreading: it computes positions when they are read, on the prototype. */
function spreadable(engine: Engine): Engine {
  const subscribe = (spec: SubscriptionSpec, sink: DeliverySink) =>
    engine.subscribe(spec, {
      deliver: (batch) => sink.deliver(batch.map((delivery) => ({ ...delivery, position: delivery.position }))),
      lost: (tags, reason) => sink.lost(tags, reason),
      closed: (cause) => sink.closed(cause),
    })
  return new Proxy(engine, {
    get: (target, name) => {
      if (name === 'subscribe') return subscribe
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
