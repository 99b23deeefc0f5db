import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EngineUnderTest, engineUnderTest } from '@posthaste/conformance'
import { manualClock } from 'posthaste/testing'
import { embedded } from '../src/embedded.ts'
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
    connect: () => embedded({ dir }),
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
